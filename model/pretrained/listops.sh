#!/bin/sh
# listops.sh [OUT] - trains listops.safetensors, which is given the brackets of the expressions. From the
# repository's root, after make. Two stages: what the four operators do, on 300,000 short expressions; then
# the 96,000 training rows of Long Range Arena's distribution. The best epoch is chosen on 2,000 validation
# rows; the 2,000 test rows are only scored.
set -eu
out=${1:-build/listops}
diffuse=${B:-build}/diffuse
mkdir -p "$out/data"
"$diffuse" listops --seed 1 --count 100000 --quiet >"$out/data/all.tsv"
head -n 96000 "$out/data/all.tsv" >"$out/data/train.tsv"
sed -n '96001,98000p' "$out/data/all.tsv" >"$out/data/val.tsv"
tail -n 2000 "$out/data/all.tsv" >"$out/data/test.tsv"
"$diffuse" listops --seed 11 --count 300000 --longer-than 3 --shorter-than 120 --quiet >"$out/data/short.tsv"
common="--valid-data lra_listops:$out/data/val.tsv --test lra_listops:$out/data/test.tsv --seed ${SEED:-1} \
    --threads ${THREADS:-2} --batch 64 --min-count 1 --embed-dropout 0 --word-dropout 0 --noise 0 --dropout 0 --label-smoothing 0 \
    --init-std 0.1 --wide none --base none"
# shellcheck disable=SC2086
"$diffuse" train --data "lra_listops:$out/data/short.tsv" --out "$out/short" --resume $common --epochs 16 \
    --width 64 --mlp-width 512 --steps 0 --ngram-order 0 --norm post --alpha 0 --pool roots \
    --brackets '[MIN [MAX [MED [SM : X' --lr 0.003 --table-lr 0.003
# shellcheck disable=SC2086
"$diffuse" train --data "lra_listops:$out/data/train.tsv" --init "$out/short/last.safetensors" --out "$out/model" \
    --resume $common --epochs 4 --lr 0.001 --table-lr 0.001
