#!/usr/bin/python3
"""Every shipped checkpoint is as good as it is said to be, on a sample of its own test rows: rows that are made here,
always the same ones. Those of published data have tests of their own, which need the data.
"""
import os
import re
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIFFUSE = os.path.join(ROOT, os.environ.get("B", "build"), "diffuse")
PRETRAINED = os.path.join(ROOT, "model/pretrained")
CORPUS = ["corpus", "--seed", "2", "--count", "1500", "--split", "test"]
LISTOPS = ["listops", "--seed", "90001", "--count", "400", "--quiet"]  # not the seed that they were trained on
# model: kind, how its rows are made, the floor. Measured: 0.915, 0.880, 0.415. Chance: 0.04, 0.1, 0.1.
FLOORS = {"robot-text": ("tsv", CORPUS, 0.905), "listops": ("lra_listops", LISTOPS, 0.87),
          "listops-plain": ("lra_listops", LISTOPS, 0.40)}
# What others start from, by what comes of it: its deep part alone, on 300 rows. Measured: 0.525; from nothing 0.435.
FEW = ["corpus", "--seed", "5", "--count", "300", "--split", "train"]
BASES = {"base-en": 0.48}
ELSEWHERE = {"ag-news", "ag-news-i8", "imdb"}  # 033, 034


def accuracy(model, data):
    path = os.path.join(PRETRAINED, model + ".safetensors")  # model may be a whole path
    done = subprocess.run([DIFFUSE, "eval", "--model", path, "--data", data], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
    return float(re.search(r"^accuracy ([0-9.]+)", done.stdout, re.MULTILINE).group(1))


def accuracy_from(base, folder):
    data, out = os.path.join(folder, "few"), os.path.join(folder, "out")
    os.mkdir(data)
    for name, make in (("train.tsv", FEW), ("test.tsv", CORPUS)):
        with open(os.path.join(data, name), "wb") as f:
            subprocess.run([DIFFUSE, *make], check=True, stdout=f)
    subprocess.run([DIFFUSE, "train", "--data", "tsv:" + data, "--out", out, "--quiet", "--threads", "1", "--base", base,
                    "--wide", "none"], check=True)
    return accuracy(os.path.join(out, "model"), "tsv:" + data)


def main():
    shipped = {name.removesuffix(".safetensors") for name in os.listdir(PRETRAINED) if name.endswith(".safetensors")}
    known = set(FLOORS) | set(BASES) | ELSEWHERE
    assert shipped == known, shipped ^ known
    with tempfile.TemporaryDirectory() as folder:
        for model, (kind, make, floor) in FLOORS.items():
            rows = os.path.join(folder, "rows.tsv")
            with open(rows, "wb") as f:
                subprocess.run([DIFFUSE, *make], check=True, stdout=f)
            got = accuracy(model, f"{kind}:{rows}")
            print(f"{model}: accuracy {got}, at least {floor} expected")
            assert got >= floor, (model, got, floor)
        for base, floor in BASES.items():
            got = accuracy_from(os.path.join(PRETRAINED, base + ".safetensors"), folder)
            print(f"{base}: accuracy {got} from 300 rows, at least {floor} expected")
            assert got >= floor, (base, got, floor)


main()
