#!/usr/bin/python3
"""diffuse pretrain and train --init: what is learned without labels arrives in the model that starts from it, what
contradicts the file is refused by name, and the same seed gives the same file.
"""
import csv
import json
import os
import random
import struct
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


def write_vectors(path, rows):
    """As numpy.save writes an array of float16."""
    head = f"{{'descr': '<f2', 'fortran_order': False, 'shape': ({len(rows)}, {len(rows[0])}), }}".encode()
    head += b" " * (-(len(head) + 11) % 64) + b"\n"
    with open(path, "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head)
        for row in rows:
            f.write(struct.pack(f"<{len(row)}e", *row))


def tells_vectors(run, top, rng):
    """What another encoder makes of a text is learned from the mean of its states; a wrong file is named."""
    folder, file = os.path.join(top, "told"), os.path.join(top, "told.npy")
    os.mkdir(folder)
    texts = [line(rng, 2 + k % 9) for k in range(800)]
    mean_of = {f"w{k}": [rng.gauss(0, 1) for _ in range(8)] for k in range(CHAIN)}
    vectors = [[sum(mean_of[w][j] for w in text.split()) / len(text.split()) for j in range(8)] for text in texts]
    write(os.path.join(folder, "unlabelled.tsv"), texts)
    write_vectors(file, vectors)
    learn = ["--data", f"tsv:{folder}", "--only-unlabelled", "--sentence-vectors", file, "--share", "0", "--passes", "8",
             "--batch", "16", "--lr", "0.01", "--table-lr", "0.01", "--held", "0.1"]
    run("pretrain", "told-a", "--tokenizer", "symbol", *learn, *SMALL[:-3])
    cosine = summary(os.path.join(top, "told-a"))["result"]["held_out_cosine"]
    assert cosine > 0.9, cosine
    run("pretrain", "told-again", "--tokenizer", "symbol", *learn, *SMALL[:-3])
    assert identity(os.path.join(top, "told-a")) == identity(os.path.join(top, "told-again"))

    # From a file: its shape and vocabulary, nothing else; at rate 0 its weights.
    a = model(os.path.join(top, "told-a"))
    run("pretrain", "told-on", *learn[:-6], "--lr", "0", "--table-lr", "0", "--passes", "1", "--init", a)
    shown = [diffuse("inspect", "--model", model(os.path.join(top, name))) for name in ("told-a", "told-on")]
    assert [[row for row in text.splitlines() if row.split()[:1] == ["width"]] for text in shown][0] == \
        [row for row in shown[1].splitlines() if row.split()[:1] == ["width"]], shown
    said = run("pretrain", "told-no", *learn, "--init", a, "--width", "32", status=1)
    assert "--width" in said and a in said, said

    for rows, words in ((vectors[:-1], "799 vectors for 800"), ([[1.0] * 5000] * 2, "up to 4096 numbers")):
        write_vectors(file, rows)
        said = run("pretrain", "told-no", "--tokenizer", "symbol", *learn, *SMALL[:-3], status=1)
        assert file in said and words in said, said
    for content in (b"", b"\x93NUMPY\x02\x00", b"no vectors at all, but a text that is long enough"):
        with open(file, "wb") as f:
            f.write(content)
        said = run("pretrain", "told-no", "--tokenizer", "symbol", *learn, *SMALL[:-3], status=1)
        assert file in said and "NumPy" in said, said
    said = run("pretrain", "told-no", *learn[:3], "--share", "0", status=2)
    assert "--share" in said, said


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
        tells_vectors(run, top, rng)


main()
