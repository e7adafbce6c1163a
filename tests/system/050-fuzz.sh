#!/bin/sh
# Damaged checkpoints, rehearsal rows, journals, recordings, texts and data sets, some thousands of each. The
# fuzz programs run as long as one likes.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
"$B/tests/fuzz_ckpt" tests/golden/ckpt-v1.safetensors 2000 1
"$B/tests/fuzz_ckpt" tests/golden/ckpt-v1-int8.safetensors 2000 1
"$B/tests/fuzz_dataset" 2000 1
"$B/tests/fuzz_rehearsal" 20000 1
"$B/tests/fuzz_journal" 5000 1
"$B/tests/fuzz_recording" 20000 1
"$B/tests/fuzz_keyring" 50000 1
"$B/tests/fuzz_tokenize" 2000 1
