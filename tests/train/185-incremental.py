#!/usr/bin/python3
"""`diffuse logits --incremental` gives the logits of `diffuse logits` on every shipped model, for any cuts; what
needs whole texts is refused with the reason.
"""
import os
import random
import subprocess
import tempfile
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r

TOOL = os.path.join(r.BUILD, "diffuse")
NASTY = ["Café ΟΔΟΣ, ΣΟΦΟΣ' ΑΣ.Α 中文字 \U0001f600\u200d\U0001f680 e\u0301\u0345 \u212b \ufb01n",
         "x" * 99 + " " + "y" * 100 + " " + "z" * 101 + " " + "w" * 5000,
         "." * 700 + " Σ" + "'" * 70 + "a", "   spaced    out   ", "one"]
CUTS = [["--chunk", "1"], ["--chunk", "7"], ["--chunk", "65536"], [], ["--seed", "2"], ["--seed", "3"]]


def logits(model, text, *options):
    done = subprocess.run([TOOL, "logits", "--model", model, *options], input=text, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def rows(out):
    return [[float(x) for x in line.split()] for line in out.splitlines()]


def compare(name, model, text, *options):
    rc, out, err = logits(model, text, *options)
    r.equal((rc, err), (0, ""), name)
    whole, worst = rows(out), 0
    for cut in CUTS:
        rc, out, err = logits(model, text, "--incremental", *cut, *options)
        r.equal((rc, err), (0, ""), f"{name} {cut}")
        grown = rows(out)
        r.equal([len(g) for g in grown], [len(w) for w in whole], f"{name} {cut}: lines and labels")
        worst = max([worst] + [abs(a - b) / max(1, abs(b)) for g, w in zip(grown, whole) for a, b in zip(g, w)])
    print(f"{name}: {len(whole)} lines, {len(CUTS)} ways to cut, largest difference {worst:.2g} (of a logit over 1: relative)")
    r.check(worst < 1e-5, f"{name}: logits of the pieces are those of the whole")


def refused(name, model, options, *words):
    rc, out, err = logits(model, b"1 2 3\n", *options)
    r.check(rc != 0 and out == "", f"{name} is refused")
    for word in words:
        r.check(word in err, f"{name}: '{word}' in the reason: {err}")


def texts(folder, verb, *args):
    path = os.path.join(folder, verb)
    done = subprocess.run([TOOL, verb, "--seed", "4", *args], check=True, capture_output=True, text=True)
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            return [line.split("\t", 1)[1].rstrip("\n") for line in f]
    return [line.split("\t", 1)[1] for line in done.stdout.splitlines()]


with tempfile.TemporaryDirectory() as folder:
    lines = texts(folder, "corpus", "--count", "60", "--split", "test", "--out", os.path.join(folder, "corpus"))
    prose = ("\n".join(lines + NASTY + [" ".join(lines)]) + "\n").encode()
    formulas = ("\n".join(texts(folder, "listops", "--count", "3")) + "\n").encode()
    for name, text in [("robot-text", prose), ("ag-news", prose), ("imdb", prose), ("listops-plain", formulas)]:
        compare(name, os.path.join(r.ROOT, "model/pretrained", name + ".safetensors"), text)

    model = os.path.join(r.ROOT, "model/pretrained/robot-text.safetensors")
    rng = random.Random(5)
    ids = [" ".join(str(rng.randrange(400)) for _ in range(n)) for n in (1, 2, 3, 40, 900)]
    compare("token ids", model, ("\n".join(ids) + "\n").encode(), "--tokens")

    # What is wrong with a line is said in the same words, whatever the cuts.
    for bad in [b"good\nbad \xff\n", b"ends within \xe2\x82\n", b"\n", b"   \n"]:
        whole = logits(model, bad)
        r.check(whole[0] == 1 and whole[2] != "", "refused")
        for cut in CUTS:
            r.equal(logits(model, bad, "--incremental", *cut)[2], whole[2], f"{bad!r} {cut}")
    whole = logits(model, b"1 2 99999999\n", "--tokens")
    r.equal(logits(model, b"1 2 99999999\n", "--tokens", "--incremental"), whole, "a token beyond the vocabulary")

    refused("brackets", os.path.join(r.ROOT, "model/pretrained/listops.safetensors"), ["--incremental"],
            "brackets", "whole texts")
    ring = os.path.join(folder, "ring.safetensors")
    subprocess.run([os.path.join(r.BUILD, "tests/make_model"), ring, "none"], check=True)
    refused("a ring", ring, ["--incremental", "--tokens"], "ring", "whole texts")
    refused("a chunk without --incremental", model, ["--chunk", "3"], "--incremental")
