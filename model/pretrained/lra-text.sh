#!/bin/sh
# lra-text.sh ACLIMDB [OUT] - Long Range Arena's text task: the 25,000 labelled IMDB reviews as bytes, cut at
# 4,000. From the repository's root, after make. The model is not kept: the task is a measurement.
set -eu
data=${1:?usage: model/pretrained/lra-text.sh ACLIMDB [OUT]}
out=${2:-build/lra-text}
"${B:-build}/diffuse" train --data "lra_text:$data" --test "lra_text:$data" --out "$out" --seed "${SEED:-1}" --resume \
    --threads "${THREADS:-2}" --type f16 --rehearsal 0 --steps 1 --norm residual --pool mean_max --width 32 \
    --ngram-order 5 --ngram-rows 262144 --init-std 0.03 --embed-dropout 0.5 --word-dropout 0.05 \
    --label-smoothing 0.1 --batch 32 --epochs 3 --update-init 1 --wide none --base none
