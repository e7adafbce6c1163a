#!/usr/bin/python3
"""The AG News checkpoints are as good as they are said to be. AG_NEWS=FOLDER in the environment: the one with the
published test.csv.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIFFUSE = os.path.join(ROOT, os.environ.get("B", "build"), "diffuse")
FLOORS = {"ag-news": 0.915, "ag-news-i8": 0.915}  # measured: 0.9186, 0.9183

if not os.environ.get("AG_NEWS"):
    print("skipped: AG_NEWS=FOLDER, the published test.csv, is not given")
    sys.exit(9)
for model, floor in FLOORS.items():
    path = os.path.join(ROOT, "model/pretrained", model + ".safetensors")
    done = subprocess.run([DIFFUSE, "eval", "--model", path, "--data", "ag_news:" + os.environ["AG_NEWS"]],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    got = float(re.search(r"^accuracy ([0-9.]+)", done.stdout, re.MULTILINE).group(1))
    print(f"{model}: accuracy {got}, at least {floor} expected")
    assert got >= floor, (model, got, floor)
