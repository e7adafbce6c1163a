#!/bin/sh
# ema.sh FOLDER [OUT] - what a moving average of the weights gives. FOLDER holds the data sets' folders. Accuracy and
# loss of the last epoch on validation rows: the set's own, or a share of the training rows by the seed. Prints CSV.
# From the repository's root. One thread, so that the machine matters little; seconds are no comparison.
set -eu
data=${1:?usage: docs/results/ablation/ema.sh FOLDER [OUT]}
out=${2:-build/ablation-ema}
mkdir -p "$out"
echo "data,changed,seed,valid_accuracy,valid_loss"
run() {
    set_=$1 seeds=$2 changed=$3
    shift 3
    for seed in $(seq "$seeds"); do
        name=$out/$(echo "$set_ $changed $seed" | tr -c 'a-z0-9.\n' -)
        # shellcheck disable=SC2086 # changed is words
        "${B:-build}/diffuse" train --out "$name" --seed "$seed" --threads 1 --quiet "$@" $changed
        tail -n 1 "$name/epoch_results.csv" | awk -F, -v about="$set_,$changed,$seed" '{ print about "," $5 "," $4 }'
    done
}
for changed in "" "--ema 0.99" "--ema 0.995" "--ema 0.998" "--ema 0.9995" "--decay constant --ema 0.998" \
    "--decay constant --ema 0.9995"; do
    run huric-robot-commands 20 "$changed" --data "tsv:$data/huric_robot_commands" --valid 0.2
    run drone-log-severity 20 "$changed" --data "tsv:$data/drone_log_severity" --valid 0.2
done
for changed in "" "--ema 0.99" "--ema 0.998" "--ema 0.9995"; do
    run hwu64 3 "$changed" --data "tsv:$data/hwu64" --valid-data "tsv:$data/hwu64/val.tsv.gz"
    run clinc150 3 "$changed" --data "tsv:$data/clinc150" --valid-data "tsv:$data/clinc150/val.tsv.gz"
done
for changed in "" "--ema 0.999"; do
    run ag-news 1 "$changed" --data "ag_news:$data/ag_news" --valid 0.1 --min-count 2
done
