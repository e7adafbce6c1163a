#!/usr/bin/python3
"""fastText on the rows of a data set, tuned on validation rows, then scored on the test rows.

    fasttext_peer.py KIND:PATH [--out FOLDER] [--light | --quick]

Text is lower-cased and punctuation split off, as fastText's own recipes do. Tuning is in rounds, each from
the best of the rounds before: word n-grams x rate (x epochs for small sets), then more epochs or character
n-grams for the best two, then width 64 for the best three (large sets: the best). The chosen setting is
trained on all training rows with three seeds, one thread. Writes FOLDER/fasttext-SET.json. --light: two
rates, more epochs for the best only, no width (the record says so). --quick: two settings only.
"""
import argparse
import itertools
import json
import os
import random
import shutil
import statistics
import string
import sys
import tempfile

import rows

SEEDS = (1, 2, 3)
SMALL = 20000  # training rows; below: more epochs, character n-grams, a smaller hash table
QUANTISE = ("ag-news", "imdb")
SPLIT = str.maketrans({c: f" {c} " for c in string.punctuation})


def clean(text):
    return " ".join(text.lower().translate(SPLIT).split())


class Folder:
    """A temporary folder of fastText's files. Labels may hold blanks, so each goes by a number."""

    def __init__(self, path, data):
        self.path = path
        self.labels = sorted({label for label, _ in data.train})
        self.number = {label: i for i, label in enumerate(self.labels)}
        os.symlink("/dev/null", self.file("model.vec"))  # fastText writes its vectors as text too

    def file(self, name):
        return os.path.join(self.path, name)

    def write(self, name, rows_):
        """A file of rows; training rows are shuffled, because fastText takes them as they come."""
        if name == "train":
            rows_ = random.Random(SEEDS[0]).sample(rows_, len(rows_))
        with open(self.file(name), "w", encoding="utf-8") as f:
            for label, text in rows_:
                f.write(f"__label__{self.number.get(label, -1)} {clean(text)}\n")

    def run(self, *arguments, stdout="/dev/null"):
        """CPU seconds of `fasttext arguments`."""
        with open(stdout, "wb") as out, open(os.devnull, "wb") as null:
            argv = ["fasttext", *map(str, arguments)]
            pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=[
                (os.POSIX_SPAWN_DUP2, out.fileno(), 1), (os.POSIX_SPAWN_DUP2, null.fileno(), 2)])
            _, status, usage = os.wait4(pid, 0)
        if status:
            sys.exit(f"fasttext_peer: failed: {' '.join(argv)}")
        return usage.ru_utime + usage.ru_stime

    def train(self, setting, seed):
        return self.run("supervised", "-input", self.file("train"), "-output", self.file("model"),
                        *options(setting), "-thread", 1, "-seed", seed)

    def quantise(self, setting):
        keep = ["-epoch", setting["epoch"], "-lr", setting["lr"], "-thread", 1]
        return self.run("quantize", "-input", self.file("train"), "-output", self.file("model"), "-qnorm",
                        "-retrain", "-cutoff", 100000, *keep)

    def score(self, name, rows_, model="model.bin"):
        """Scores of the rows that were written to the file `name`."""
        self.run("predict", self.file(model), self.file(name), stdout=self.file("said"))
        with open(self.file("said"), encoding="utf-8") as f:
            said = [self.labels[int(line.strip()[len("__label__"):])] for line in f]
        return rows.scores([label for label, _ in rows_], said)


def options(setting):
    return [x for key, value in setting.items() for x in ("-" + key, value)]


class Tuner:
    def __init__(self, folder, splits):
        self.folder, self.splits, self.tried = folder, splits, []

    def try_all(self, settings):
        for setting in settings:
            if any(t["setting"] == setting for t in self.tried):
                continue
            accuracies, seconds = [], 0.0
            for fit, held in self.splits:
                self.folder.write("train", fit)
                self.folder.write("held", held)
                seconds += self.folder.train(setting, SEEDS[0])
                accuracies.append(self.folder.score("held", held)["accuracy"])
            accuracy = round(statistics.mean(accuracies), 6)
            self.tried.append({"setting": setting, "valid_accuracy": accuracy, "cpu_seconds": round(seconds, 2)})
            print(f"  {accuracy:.4f} {seconds:6.1f} s  {' '.join(map(str, options(setting)))}", flush=True)

    def best(self, n):
        ranked = sorted(self.tried, key=lambda t: -t["valid_accuracy"])  # a tie: the earlier, which is smaller
        return [t["setting"] for t in ranked[:n]]


def tune(tuner, small, ngrams, light, quick):
    epochs = (5, 25, 50) if small else (5,)
    base = {"dim": 10, "minn": 0, "maxn": 0, "bucket": 200000 if small else 2000000, "loss": "softmax"}
    grid = itertools.product(ngrams, epochs, (0.1, 0.5) if light else (0.1, 0.5, 1.0))
    settings = [{"wordNgrams": n, "epoch": e, "lr": lr, **base} for n, e, lr in grid]
    if quick:
        tuner.try_all(settings[-2:])
        return tuner.best(1)[0]
    tuner.try_all(settings)
    more = {"minn": 2, "maxn": 5} if small else {"epoch": 25}
    tuner.try_all([{**s, **more} for s in tuner.best(1 if light else 2)])
    if not light:
        tuner.try_all([{**s, "dim": 64} for s in tuner.best(3 if small else 1)])
    return tuner.best(1)[0]


def measure(folder, data, setting, quantise):
    """[runs of the model as trained], [runs of it quantised]"""
    plain, packed = [], []
    folder.write("train", data.train)
    for name, test in data.tests.items():
        folder.write(name, test)
    for seed in SEEDS:
        seconds = folder.train(setting, seed)
        plain.append(one_run(folder, data, seed, seconds, "model.bin"))
        if quantise:
            packed.append(one_run(folder, data, seed, seconds + folder.quantise(setting), "model.ftz"))
    return plain, packed


def one_run(folder, data, seed, seconds, model):
    test = {name: folder.score(name, rows_, model) for name, rows_ in data.tests.items()}
    size = os.path.getsize(folder.file(model))
    return {"seed": seed, "cpu_seconds": round(seconds, 2), "bytes": size, "test": test}


def report(runs):
    return {"result": rows.summary(runs), "bytes": runs[0]["bytes"],
            "cpu_seconds": round(statistics.mean(run["cpu_seconds"] for run in runs), 2), "runs": runs}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", metavar="KIND:PATH")
    parser.add_argument("--out", default="docs/results/peers", metavar="FOLDER")
    parser.add_argument("--light", action="store_true", help="a small grid, for large sets on a busy machine")
    parser.add_argument("--quick", action="store_true", help="two settings only, to try the script")
    a = parser.parse_args()
    if not shutil.which("fasttext"):
        print("skip: fasttext is not installed")
        return 9
    data = rows.read_set(a.data)
    splits, how = rows.tuning_splits(data)
    print(f"{data.name}: {rows.counts(data)}, tuned on {how}", flush=True)
    with tempfile.TemporaryDirectory() as path:
        folder = Folder(path, data)
        tuner = Tuner(folder, splits)
        ngrams = (1, 2, 3) if data.name == "imdb" else (1, 2)
        setting = tune(tuner, len(data.train) < SMALL, ngrams, a.light, a.quick)
        plain, packed = measure(folder, data, setting, data.name in QUANTISE)
    made = {"set": data.name, "peer": "fastText", "rows": rows.counts(data), "tuned_on": how,
            "grid": "light" if a.light else "quick" if a.quick else "full",
            "command": " ".join(map(str, ["fasttext supervised", *options(setting), "-thread 1 -seed N"])),
            "setting": setting, **report(plain)}
    if packed:
        made["quantised"] = {"command": "fasttext quantize -qnorm -retrain -cutoff 100000", **report(packed)}
    made.update(tuning=tuner.tried, machine=rows.machine(),
                versions={"fasttext": rows.package_version("fasttext")})
    os.makedirs(a.out, exist_ok=True)
    with open(os.path.join(a.out, f"fasttext-{data.name}.json"), "w", encoding="utf-8") as f:
        json.dump(made, f, indent=1)
        f.write("\n")
    print(f"{data.name}: fastText {made['result']} {made['bytes']} bytes {made['cpu_seconds']} s"
          + (f"; quantised {made['quantised']['result']} {made['quantised']['bytes']} bytes" if packed else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
