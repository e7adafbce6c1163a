#!/bin/sh
# robot-text.sh [OUT] - trains robot-text.safetensors on 60,000 generated lines; scores it on 5,000 lines of
# templates that the training lines never use. From the repository's root, after make.
set -eu
out=${1:-build/robot-text}
b=${B:-build}
mkdir -p "$out/data"
"$b/diffuse" corpus --seed 1 --count 60000 --split train --out "$out/data/train.tsv"
"$b/diffuse" corpus --seed 2 --count 5000 --split test --out "$out/data/test.tsv"
"$b/diffuse" train --data "tsv:$out/data" --test "tsv:$out/data" --out "$out" --seed "${SEED:-1}" \
    --threads 2 --type f16 --steps 1 --norm residual --pool mean_max --width 48 --vocab-size 4096 --min-count 2 \
    --ngram-order 2 --ngram-rows 8192 --init-std 0.03 --embed-dropout 0.5 --word-dropout 0.4 \
    --label-smoothing 0.1 --epochs 12 --max-length 128 --update-init 1 --wide none --base none
