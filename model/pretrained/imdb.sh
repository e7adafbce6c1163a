#!/bin/sh
# imdb.sh ACLIMDB [OUT] - a model of the 25,000 labelled IMDB reviews alone, as published in the folder aclImdb. From
# the repository's root, after make. It stays the linear classifier that it starts as: rates of 0. Settings were chosen
# on 5,000 training reviews whose films the other rows do not share (docs/results/ablation); a tenth drawn at random
# misleads, for it shares its films with the rest.
set -eu
data=${1:?usage: model/pretrained/imdb.sh ACLIMDB [OUT]}
out=${2:-build/imdb}
"${B:-build}/diffuse" train --data "imdb:$data" --test "imdb:$data" --out "$out" --seed "${SEED:-1}" --resume \
    --threads "${THREADS:-2}" --type f16 --rehearsal 0 --steps 0 --norm residual --pool mean --width 1 \
    --head-width 2 --vocab-size 65536 --min-count 1 --ngram-order 5 --ngram-rows 8388608 --linear-start 10 --init-std 0 \
    --lr 0 --table-lr 0 --dropout 0 --embed-dropout 0 --word-dropout 0 --noise 0 --max-length 1024 \
    --batch 64 --epochs 1 --wide none --base none
