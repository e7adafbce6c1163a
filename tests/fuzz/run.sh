#!/bin/bash
# run.sh SECONDS BUILD - each harness under libFuzzer for so long, one after the other; its findings and what it covered.
#
# What was found to lead to new code is kept in BUILD/corpus/HARNESS and starts the next run. An input that ends a
# harness is kept in BUILD/found, and shown; the exit status is then 1.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=$1
build=$2
bad=0
export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
export LSAN_OPTIONS="suppressions=$PWD/tests/lib/lsan.supp:print_suppressions=0" OPENBLAS_NUM_THREADS=1
mkdir -p "$build/found"
for source in tests/fuzz/fuzz_*.c; do
    name=$(basename "$source" .c)
    [ "$name" != fuzz_driver ] || continue
    corpus=$build/corpus/$name
    mkdir -p "$corpus"
    more=()
    [ "$name" != fuzz_ckpt ] || more=(tests/golden) # starts from whole checkpoints
    "$build/tests/$name" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=4096 -print_final_stats=1 \
        -artifact_prefix="$build/found/$name-" "$corpus" "${more[@]}" >"$build/$name.log" 2>&1 </dev/null
    rc=$?
    blocks=$(sed -nE 's/.* cov: ([0-9]+) .*/\1/p' "$build/$name.log" | tail -n 1)
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/$name.log")
    of=$(sed -nE 's/.*Loaded 1 PC tables \(([0-9]+) PCs\).*/\1/p' "$build/$name.log")
    printf '%-16s %9s runs in %d s, %6s of %s places in the code reached\n' "$name" "${runs:-no}" "$seconds" "${blocks:-no}" "${of:-?}"
    [ "$rc" = 0 ] && [ "${runs:-0}" -gt 0 ] && continue
    bad=1
    echo "$name ended with $rc; the input is in $build/found, all it said in $build/$name.log:"
    grep -m 1 -A 15 -E 'ERROR|runtime error' "$build/$name.log" || tail -n 15 "$build/$name.log"
done
exit $bad
