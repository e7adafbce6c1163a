#!/usr/bin/python3
"""The IMDB checkpoint is as good as it is said to be. ACLIMDB=FOLDER in the environment: aclImdb as published."""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIFFUSE = os.path.join(ROOT, os.environ.get("B", "build"), "diffuse")
FLOORS = {"imdb": 0.91}  # measured: 0.9146

if not os.environ.get("ACLIMDB"):
    print("skipped: ACLIMDB=FOLDER, aclImdb as published, is not given")
    sys.exit(9)
for model, floor in FLOORS.items():
    path = os.path.join(ROOT, "model/pretrained", model + ".safetensors")
    done = subprocess.run([DIFFUSE, "eval", "--model", path, "--data", "imdb:" + os.environ["ACLIMDB"]],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    got = float(re.search(r"^accuracy ([0-9.]+)", done.stdout, re.MULTILINE).group(1))
    print(f"{model}: accuracy {got}, at least {floor} expected")
    assert got >= floor, (model, got, floor)
