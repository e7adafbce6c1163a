#!/bin/bash
# results.sh [ROOT] - docs/results.md says what docs/results holds.
set -u
cd "$(dirname "$0")/../.." || exit 1
command -v python3 >/dev/null || { echo "skipped: python3 is not installed"; exit 9; }
exec python3 tests/peers/table.py --check "${1:-.}"
