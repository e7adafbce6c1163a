#!/bin/sh
# ag-news.sh FOLDER [OUT] - trains ag-news.safetensors. FOLDER holds the published train.csv and test.csv (or
# .csv.gz). From the repository's root, after make. The hyper-parameters were chosen on a tenth of the
# training rows set aside (--valid 0.1); the test rows are only scored.
set -eu
data=${1:?usage: model/pretrained/ag-news.sh FOLDER [OUT]}
out=${2:-build/ag-news}
"${B:-build}/diffuse" train --data "ag_news:$data" --test "ag_news:$data" --out "$out" --seed "${SEED:-1}" \
    --threads 2 --type f16 --rehearsal 0 --steps 1 --norm residual --pool mean_max --width 64 \
    --vocab-size 16384 --min-count 2 \
    --ngram-order 2 --ngram-rows 65536 --init-std 0.03 --embed-dropout 0.7 --word-dropout 0.6 \
    --label-smoothing 0.1 --epochs 24 --update-init 1 --wide none --base none
