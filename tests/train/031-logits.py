#!/usr/bin/python3
"""The model in C against PyTorch, everywhere: the logits that tests/golden/make_logits.py wrote once, of every norm,
pool, boundary and sharing, with alphas other than a half, n-grams, brackets and all types of numbers.
"""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOLDEN = os.path.join(ROOT, "tests/golden")
sys.path.insert(0, GOLDEN)
import logits_cases  # noqa: E402 (found there)

DIFFUSE = os.path.join(ROOT, os.environ.get("B", "build"), "diffuse")
LIMIT = 1e-4


def run(path, *options):
    lines = "".join(" ".join(map(str, ids)) + "\n" for ids in logits_cases.SEQUENCES)
    done = subprocess.run([DIFFUSE, "logits", "--model", path, "--tokens", *options], input=lines,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [[float(x) for x in line.split()] for line in done.stdout.splitlines()]


def apart(got, want):
    assert [len(row) for row in got] == [len(row) for row in want], (got, want)
    return max(abs(x - y) for a, b in zip(got, want) for x, y in zip(a, b))


def main():
    with open(os.path.join(GOLDEN, "logits.json"), encoding="ascii") as f:
        golden = json.load(f)
    cases, worst = list(logits_cases.cases()), 0.0
    assert len(golden) == len(cases) == 48, (len(golden), len(cases))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "case.safetensors")
        for c, want in zip(cases, golden):
            logits_cases.save(path, c)
            d = apart(run(path), want)
            assert d <= LIMIT, f"off by {d:.3g} (limit {LIMIT}): {c}"
            worst = max(worst, d)
    print(f"{len(cases)} models x {len(logits_cases.SEQUENCES)} sequences, largest difference {worst:.2g}")


main()
