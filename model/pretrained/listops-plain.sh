#!/bin/sh
# listops-plain.sh [OUT] - trains listops-plain.safetensors, which sees a plain sequence of symbols: dilated
# neighbourhoods that reach the whole expression, weights of their own for each of twelve steps. From the
# repository's root, after make. About an hour on one core; go on after an interruption by calling it again.
set -eu
out=${1:-build/listops-plain}
diffuse=${B:-build}/diffuse
mkdir -p "$out/data"
"$diffuse" listops --seed 1 --count 100000 --quiet >"$out/data/all.tsv"
head -n 96000 "$out/data/all.tsv" >"$out/data/train.tsv"
sed -n '96001,98000p' "$out/data/all.tsv" >"$out/data/val.tsv"
tail -n 2000 "$out/data/all.tsv" >"$out/data/test.tsv"
"$diffuse" train --data "lra_listops:$out/data/train.tsv" --valid-data "lra_listops:$out/data/val.tsv" \
    --test "lra_listops:$out/data/test.tsv" --out "$out/model" --resume --seed "${SEED:-1}" \
    --threads "${THREADS:-2}" --width 32 --steps 12 --offsets 1,1,2,4,8,16,32,64,128,256,512,1 --sharing step \
    --norm pre --pool mean_max --ngram-order 0 --min-count 1 --batch 16 --lr 0.004 --table-lr 0.004 --epochs 4 \
    --embed-dropout 0 --word-dropout 0 --noise 0 --dropout 0 --label-smoothing 0 --init-std 0.1 \
    --update-init 1 --wide none --base none
