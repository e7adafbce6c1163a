#!/bin/bash
# tune_choices.sh DATA OUT [JOBS] - what each choice of the tuner gives, by validation rows. DATA holds clinc150/ and
# hwu64/. Trains on half of the rows, streams the other half through tune_sim for each line of
# tune_choices.list, JOBS at a time, and writes OUT/choices.csv.
set -eu
cd "$(dirname "$0")/../.."
data=$1 out=$2 jobs=${3:-1} b=${B:-build} list=tests/bench/tune_choices.list
export OPENBLAS_NUM_THREADS=1 data out b
mkdir -p "$out/runs"

prepare() { # set scenario
    local to=$out/$1-$2
    [ -e "$to/model-half/model.safetensors" ] && return
    tests/bench/tune_split.py "$data/$1" "$to" "$2"
    "$b/diffuse" train --data "tsv:$to/half" --test "tsv:$to/half" --out "$to/model-half" --seed 1 --threads 1 --quiet
}

run() { # set scenario choice argument...
    local to=$out/$1-$2 raw=$out/runs/$1-$2-$3 row=$1-$2,$3 last
    shift 3
    [ -s "$raw.line" ] && return
    "$b/tests/tune_sim" "model=$to/model-half/model.safetensors" "base=tsv:$to/half" "stream=tsv:$to/stream" \
        "test=tsv:$to/half" report=750 peek=1 "$@" >"$raw.csv" 2>"$raw.log"
    last=$(grep -o '^[0-9.]* of test' "$raw.log" | tail -n 1 | cut -d' ' -f1)
    # "# test A -> B, stream C -> D, promoted n, refused n, hurt n, drifts n, distrusted n, steps n, t s"
    tail -n 1 "$raw.csv" | sed 's/[,>#]//g' | awk -v row="$row" -v arguments="$*" -v last="$last" '{
        print row "," arguments "," $2 "," $4 "," last "," $6 "," $8 "," $10 "," $12 "," $14 "," $16 "," $18 "," $20 }' \
        >"$raw.line"
    cat "$raw.line"
}
export -f prepare run

# shellcheck disable=SC2016 # the inner shell's words
grep -v '^#' "$list" | cut -d' ' -f1,2 | sort -u | xargs -P "$jobs" -d '\n' -I{} bash -euc 'prepare $1' - {}
# shellcheck disable=SC2016
grep -v '^#' "$list" | xargs -P "$jobs" -d '\n' -I{} bash -euc 'run $1' - {}
{
    echo 'set,choice,arguments,frozen_test,tuned_test,last_candidate,frozen_stream,tuned_stream,promoted,refused,hurt,drifts,distrusted,steps'
    grep -v '^#' "$list" | while read -r set scenario choice _; do cat "$out/runs/$set-$scenario-$choice.line"; done
} >"$out/choices.csv"
