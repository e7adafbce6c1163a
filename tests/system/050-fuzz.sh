#!/bin/sh
# Damaged checkpoints, rehearsal rows, journals, recordings, texts and data sets, some thousands of each. The
# fuzz programs run as long as one likes.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
"$B/tests/fuzz_ckpt" tests/golden/ckpt-v1.safetensors 2000 1
"$B/tests/fuzz_ckpt" tests/golden/ckpt-v1-int8.safetensors 2000 1
wide=$(mktemp -d)
trap 'rm -rf "$wide"' EXIT
"$B/tests/make_model" "$wide/dense" wordpiece 2 3 ring=0 wide=40
"$B/tests/make_model" "$wide/lists" wordpiece 2 12 ring=0 wide=40
"$B/diffuse" quantize --model "$wide/lists" --out "$wide/i8" --type i8 >/dev/null
for sample in dense lists i8; do
    "$B/tests/fuzz_ckpt" "$wide/$sample" 2000 1
done
"$B/tests/fuzz_dataset" 2000 1
"$B/tests/fuzz_rehearsal" 20000 1
"$B/tests/fuzz_journal" 5000 1
"$B/tests/fuzz_recording" 20000 1
"$B/tests/fuzz_keyring" 50000 1
"$B/tests/fuzz_tokenize" 2000 1
