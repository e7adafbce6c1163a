#!/usr/bin/python3
"""diffuse train --precision: long rows take less memory in 16 bits, a stopped run goes on with the same bits, the log
says the scale of the loss, and the same task is learned.
"""
import json
import os
import random
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
PATIENCE = 600  # seconds for the first epoch of a run that takes one


def row(rng, n):
    label = rng.randrange(2)
    words = [f"w{rng.randrange(40)}" for _ in range(n)]
    at = rng.randrange(n - 1)
    words[at : at + 2] = ["red", "blue"] if label else ["blue", "red"]
    return f"{'ab'[label]}\t{' '.join(words)}\n"


def write(path, rng, rows, n):
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(row(rng, n) for _ in range(rows))


def command(out, *args):
    return [os.path.join(BUILD, "diffuse"), "train", "--out", out, "--threads", "1", "--quiet", *args]


def train(out, *args, status=0):
    done = subprocess.run(command(out, *args), capture_output=True, text=True, check=False)
    assert done.returncode == status, (args, done.returncode, done.stderr)
    return done.stderr


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as f:
        return f.read()


def summary(folder):
    return json.loads(read(folder, "summary.json"))


def check_learning(top, data, test):
    options = ["--data", data, "--test", test, "--epochs", "8", "--batch", "32", "--width", "16", "--steps", "1",
               "--ngram-order", "0", "--lr", "0.01", "--table-lr", "0.01", "--embed-dropout", "0.1", "--word-dropout", "0"]
    for name in ("f32", "f16", "bf16"):
        train(os.path.join(top, name), *options, "--precision", name)
        accuracy = summary(os.path.join(top, name))["final"]["test"]["accuracy"]
        assert accuracy > 0.95, (name, accuracy)
    assert b"scale 65536 skipped 0" in read(os.path.join(top, "f16"), "training.log")
    assert b"scale" not in read(os.path.join(top, "f32"), "training.log")
    assert json.loads(read(os.path.join(top, "f16"), "config.json"))["parameters"]["precision"] == "f16"
    return options


def check_resume(top, options):
    """Stopped wherever the signal finds it: after the first epoch, or not at all on a machine that is fast."""
    out = os.path.join(top, "stopped")
    run = subprocess.Popen(command(out, *options, "--precision", "f16"), stderr=subprocess.DEVNULL)
    end = time.monotonic() + PATIENCE
    while run.poll() is None and time.monotonic() < end:
        if os.path.exists(os.path.join(out, "training.log")) and b"epoch 1:" in read(out, "training.log"):
            run.send_signal(signal.SIGINT)
            break
        time.sleep(0.005)
    run.wait()
    train(out, *options, "--precision", "f16", "--resume")
    assert read(out, "model.safetensors") == read(os.path.join(top, "f16"), "model.safetensors")


def check_memory(top):
    data = os.path.join(top, "long.tsv")
    write(data, random.Random(2), 8, 4000)
    peak = {}
    for name in ("f32", "f16"):
        out = os.path.join(top, "long-" + name)
        train(out, "--data", "tsv:" + data, "--paper", "--width", "64", "--batch", "8", "--epochs", "1", "--max-length",
              "4000", "--precision", name)
        peak[name] = summary(out)["peak_resident_mb"]
    # 8 rows of 4000 tokens: 16 MiB of row gradients, and 22 MiB of what one row keeps, both halved
    assert peak["f16"] < peak["f32"] - 10, peak


def main():
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as top:
        write(os.path.join(top, "train.tsv"), rng, 1500, 8)
        write(os.path.join(top, "test.tsv"), rng, 300, 8)
        data, test = "tsv:" + os.path.join(top, "train.tsv"), "tsv:" + os.path.join(top, "test.tsv")
        said = train(os.path.join(top, "bad"), "--data", data, "--precision", "f8", status=1)
        assert "--precision" in said and "bf16" in said, said
        check_resume(top, check_learning(top, data, test))
        if "san" not in os.path.basename(BUILD):  # a sanitizer's own memory would be measured
            check_memory(top)


main()
