#!/bin/sh
# ag-news-i8.sh FOLDER [OUT] - trains ag-news-i8.safetensors, the small sister of ag-news.safetensors: 24576 hashed rows
# instead of 65536, and 8 bits a number. FOLDER holds the published train.csv and test.csv (or .csv.gz). From the
# repository's root, after make. The other hyper-parameters are those of ag-news.sh; the number of rows is what a file
# of 3,000,000 bytes has room for. Prints accuracy in 8 bits and in float32 on the test rows, which are only scored.
set -eu
data=${1:?usage: model/pretrained/ag-news-i8.sh FOLDER [OUT]}
out=${2:-build/ag-news-i8}
"${B:-build}/diffuse" train --data "ag_news:$data" --test "ag_news:$data" --out "$out" --seed "${SEED:-1}" \
    --threads 2 --type f32 --rehearsal 0 --steps 1 --norm residual --pool mean_max --width 64 \
    --vocab-size 16384 --min-count 2 \
    --ngram-order 2 --ngram-rows 24576 --init-std 0.03 --embed-dropout 0.7 --word-dropout 0.6 \
    --label-smoothing 0.1 --epochs 24
"${B:-build}/diffuse" quantize --model "$out/model.safetensors" --out "$out/ag-news-i8.safetensors" --type i8 \
    --data "ag_news:$data" --json | tee "$out/quantize.json"
