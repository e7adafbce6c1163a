#!/bin/sh
# imdb-supervised.sh ACLIMDB [OUT] - a model of the 25,000 labelled IMDB reviews alone, as published in the
# folder aclImdb. From the repository's root, after make. The hyper-parameters were chosen on a tenth of the
# training rows set aside; the test rows are only scored.
set -eu
data=${1:?usage: model/pretrained/imdb-supervised.sh ACLIMDB [OUT]}
out=${2:-build/imdb-supervised}
"${B:-build}/diffuse" train --data "imdb:$data" --test "imdb:$data" --out "$out" --seed "${SEED:-1}" --resume \
    --threads "${THREADS:-2}" --type f16 --steps 1 --norm residual --pool mean_max --width 64 \
    --vocab-size 16384 --min-count 2 --ngram-order 2 --ngram-rows 131072 --init-std 0.03 --embed-dropout 0.7 \
    --word-dropout 0.6 --label-smoothing 0.1 --max-length 1024 --batch 32 --epochs 10
