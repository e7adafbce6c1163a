#!/bin/sh
# run.sh FOLDER [OUT] - what each lever gives on AG News: the recipe for 2 epochs, one thing changed at a time.
# Accuracy on a tenth of the training rows set aside (4,788), one seed; prints CSV. From the repository's root.
set -eu
data=${1:?usage: docs/results/ablation/run.sh FOLDER [OUT]}
out=${2:-build/ablation}
mkdir -p "$out"
echo "changed,valid_accuracy,epoch,training_seconds"
run() {
    what=$1
    shift
    name=$(echo "$what" | tr -c 'a-z0-9\n' -)
    "${B:-build}/diffuse" train --data "ag_news:$data" --valid 0.1 --out "$out/$name" --seed 1 --threads 2 --quiet \
        --steps 1 --norm residual --pool mean_max --width 64 --vocab-size 16384 --min-count 2 --ngram-order 2 \
        --ngram-rows 65536 --init-std 0.03 --embed-dropout 0.7 --word-dropout 0.6 --label-smoothing 0.1 --epochs 2 "$@"
    python3 -c 'import json, sys
s = json.load(open(sys.argv[1])); b = s["best"]
print("%s,%.4f,%d,%.0f" % (sys.argv[2], b["valid"]["accuracy"], b["epoch"], s["training_seconds"]))' \
        "$out/$name/summary.json" "$what"
}
run "nothing"
run "norm post" --norm post
run "norm pre" --norm pre
run "pool mean" --pool mean
run "no step" --steps 0
run "two steps at 1 and 2" --steps 2 --offsets 1,2
run "two steps with own weights" --steps 2 --offsets 1,2 --sharing step
run "no n-grams" --ngram-order 0
run "trigrams too" --ngram-order 3
run "no word dropout" --word-dropout 0
run "no embedding dropout" --embed-dropout 0
run "no label smoothing" --label-smoothing 0
run "tables learn 3 times faster" --table-lr 0.006
run "bf16 kept for the way back" --precision bf16
