#!/usr/bin/python3
"""diffuse pretrain and train --init: what is learned without labels arrives in the model that starts from it, what
contradicts the file is refused by name, and the same seed gives the same file.
"""
import csv
import json
import os
import random
import subprocess
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
CHAIN = 23  # word k is always followed by word 5k+3
SMALL = ["--width", "16", "--steps", "2", "--offsets", "1,2", "--ngram-rows", "512", "--threads", "2", "--quiet"]


def line(rng, n):
    at, words = rng.randrange(CHAIN), []
    for _ in range(n):
        words.append(f"w{at}")
        at = (5 * at + 3) % CHAIN
    return " ".join(words)


def write(path, rows):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(row + "\n" for row in rows)


def diffuse(*args, text=None, status=0):
    done = subprocess.run([os.path.join(BUILD, "diffuse"), *args], input=text, capture_output=True, text=True,
                          check=False)
    assert done.returncode == status, (args, done.returncode, done.stderr)
    return done.stdout if status == 0 else done.stderr


def summary(folder):
    with open(os.path.join(folder, "summary.json"), encoding="utf-8") as f:
        return json.load(f)


def model(folder):
    return os.path.join(folder, "model.safetensors")


def identity(folder):
    for entry in diffuse("inspect", "--model", model(folder)).splitlines():
        if entry.split()[:1] == ["id"]:
            return entry.split()[1]
    raise AssertionError("no id")


def main():
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as top:
        data, unlabelled = os.path.join(top, "data"), os.path.join(top, "text.tsv")
        os.mkdir(data)
        write(os.path.join(data, "train.tsv"), (f"{'ab'[k % 2]}\t{line(rng, 12)}" for k in range(200)))
        write(os.path.join(data, "unlabelled.tsv"), (line(rng, 40) for _ in range(600)))
        write(unlabelled, (line(rng, 12) for _ in range(50)))

        def run(verb, name, *args, status=0):
            return diffuse(verb, "--out", os.path.join(top, name), *SMALL[-3:], *args, status=status)

        learn = ["--data", f"tsv:{data}", "--tokenizer", "symbol", "--also-unlabelled", "--max-length", "16", "--lr",
                 "0.01", "--table-lr", "0.01", "--batch", "16", *SMALL[:-3]]
        run("pretrain", "a", *learn, "--passes", "4", "--held", "0.1")
        a = os.path.join(top, "a")
        held = summary(a)["result"]["held_out"]["accuracy"]
        assert held > 0.9, held
        windows = summary(a)["train_windows"] + summary(a)["held_windows"]
        assert windows == 200 + 600 * 3, windows  # of 12 tokens, and of 40: all of a long row is used
        with open(os.path.join(a, "pretrain_results.csv"), encoding="utf-8") as f:
            assert [row["pass"] for row in csv.DictReader(f)] == ["1", "2", "3", "4"]

        run("pretrain", "again", *learn, "--passes", "4", "--held", "0.1")
        assert identity(a) == identity(os.path.join(top, "again"))

        # At rate 0 nothing is learned, so the model is the one that it began from.
        still = ["--init", model(a), "--lr", "0", "--table-lr", "0", "--epochs", "1"]
        run("train", "same", "--data", f"tsv:{data}", *still)
        text = "w1 w8 w20\nw2 w13\n"
        first = diffuse("logits", "--model", model(a), text=text)
        assert first == diffuse("logits", "--model", model(os.path.join(top, "same")), text=text)

        # Other labels: a new classifier on the same states.
        other = os.path.join(top, "other.tsv")
        write(other, (f"{'xyz'[k % 3]}\t{line(rng, 12)}" for k in range(60)))
        run("train", "other", "--data", f"tsv:{other}", *still)
        logits = diffuse("logits", "--model", model(os.path.join(top, "other")), text=text)
        assert [len(row.split()) for row in logits.splitlines()] == [3, 3], logits

        for option, value in (("--width", "32"), ("--steps", "3"), ("--offsets", "1,3"), ("--norm", "post"),
                              ("--tokenizer", "byte"), ("--boundary", "ring"), ("--ngram-rows", "1024"),
                              ("--sharing", "step"), ("--alpha", "0.25")):
            said = run("train", "refused", "--data", f"tsv:{data}", "--init", model(a), option, value, status=1)
            assert option in said and model(a) in said, said
        run("train", "agreed", "--data", f"tsv:{data}", *still, "--width", "16", "--offsets", "1,2")
        run("train", "pooled", "--data", f"tsv:{data}", *still, "--pool", "mean_max")

        # Text without any labels: the classifier to be has one label, none.
        run("pretrain", "bare", "--data", f"tsv:{unlabelled}", "--only-unlabelled", "--tokenizer", "byte",
            "--passes", "1", *SMALL[:-3])
        label = diffuse("classify", "--model", model(os.path.join(top, "bare")), text="w1 w8\n")
        assert label.split("\t")[0] == "none", label
        run("train", "bytes", "--data", f"tsv:{data}", "--init", model(os.path.join(top, "bare")), "--epochs", "1")


main()
