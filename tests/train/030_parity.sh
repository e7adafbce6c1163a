#!/bin/sh
# The model in C agrees with an independent PyTorch module. Exit status: 0 yes, 1 no, 9 no PyTorch here.
set -eu
cd "$(dirname "$0")/../.."
exec /usr/bin/python3 tests/lib/parity.py "${B:-build}/diffuse"
