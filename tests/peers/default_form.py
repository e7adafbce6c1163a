#!/usr/bin/python3
"""`diffuse train` without options on small sets, beside its own parts and the best of three linear models.

    default_form.py DATA [--few N] [--build B] [--out FOLDER] [--seeds 1,2,3] [--sets NAME,...] [--forms NAME,...]

DATA has a folder a set with train.tsv.gz and test.tsv.gz (label TAB text), or AG News' train.csv.gz and test.csv.gz,
or aclImdb.tar.xz; of those two 1,000 training rows are drawn, of IMDB 2,500 test rows. --few N: of each label only N
training rows, drawn anew for each seed. Nothing is chosen here: each form is trained once a seed and scored on the test
rows once. Forms:
  default      no options
  no-base      --base none
  no-steps     --steps 0: the base's embeddings alone
  far          --offsets 4096: steps whose neighbours are out of reach
  deep         --wide none: the diffusion without a linear part
The linear rivals are TF-IDF words 1-2, the same with letters 2-5, and NB-SVM, on the same rows, each with C by five
folds of them (three where a label has fewer rows); the best is the one of the best folds. Writes FOLDER/SET.json.
"""
import argparse
import collections
import csv
import gzip
import json
import os
import random
import re
import statistics
import subprocess
import tarfile
import tempfile
import time

import numpy
from scipy.sparse import diags
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

FORMS = {"default": [], "no-base": ["--base", "none"], "no-steps": ["--steps", "0"], "far": ["--offsets", "4096"],
         "deep": ["--wide", "none"]}
TOKEN = r"(?u)\w+|[^\w\s]"
COSTS = (0.03, 0.1, 0.3, 1, 3, 10)


def read_tsv(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t", 1) for line in file]
    return [tuple(r) for r in rows if len(r) == 2]


def read_csv(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [(row[0], " ".join((row[1] + " " + row[2]).split())) for row in csv.reader(file)]


def read_reviews(path, split):
    rows = []
    with tarfile.open(path) as archive:
        for member in archive:
            parts = member.name.split("/")
            if member.isfile() and split in parts and parts[-2] in ("pos", "neg"):
                text = archive.extractfile(member).read().decode("utf-8", "replace")
                rows.append((parts[-2], " ".join(re.sub(r"<br\s*/?>", " ", text).split())))
    return rows


def read_set(folder):
    """Training and test rows; None: it is no set."""
    at = {name: os.path.join(folder, name) for name in ("train.tsv.gz", "train.csv.gz", "aclImdb.tar.xz")}
    if os.path.exists(at["train.tsv.gz"]):
        return read_tsv(at["train.tsv.gz"]), read_tsv(os.path.join(folder, "test.tsv.gz"))
    if os.path.exists(at["train.csv.gz"]):
        return draw(read_csv(at["train.csv.gz"]), 1000), read_csv(os.path.join(folder, "test.csv.gz"))
    if os.path.exists(at["aclImdb.tar.xz"]):
        train, test = (read_reviews(at["aclImdb.tar.xz"], split) for split in ("train", "test"))
        return draw(train, 1000), draw(test, 2500)
    return None


def draw(rows, n):
    return random.Random(1).sample(rows, n)


def few(rows, each, seed):
    """Of each label so many rows; all of them where each is 0."""
    if not each:
        return rows
    rows, taken, count = rows[:], [], collections.Counter()
    random.Random(seed).shuffle(rows)
    for row in rows:
        count[row[0]] += 1
        if count[row[0]] <= each:
            taken.append(row)
    return taken


class NaiveBayesSVM:
    """Binary word 1-2 features times the log-count ratio of each label (Wang and Manning, 2012)."""

    def __init__(self, cost):
        self.cost = cost

    def get_params(self, deep=True):
        return {"cost": self.cost}

    def set_params(self, **some):
        self.cost = some.get("cost", self.cost)
        return self

    def fit(self, texts, labels):
        self.count = CountVectorizer(ngram_range=(1, 2), binary=True, token_pattern=TOKEN)
        x, y = self.count.fit_transform(texts), numpy.array(labels)
        self.labels, self.models = sorted(set(labels)), []
        for label in self.labels:
            own = y == label
            p, q = x[own].sum(0) + 1, x[~own].sum(0) + 1
            ratio = diags(numpy.asarray(numpy.log((p / p.sum()) / (q / q.sum())))[0])
            self.models.append((ratio, LinearSVC(C=self.cost, dual=True, max_iter=2000).fit(x @ ratio, own)))
        return self

    def predict(self, texts):
        x = self.count.transform(texts)
        scores = [model.decision_function(x @ ratio) for ratio, model in self.models]
        return numpy.array(self.labels)[numpy.argmax(scores, 0)]

    def score(self, texts, labels):
        return float(numpy.mean(self.predict(texts) == numpy.array(labels)))


def tfidf(letters, cost):
    parts = [TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=TOKEN)]
    if letters:
        parts.append(TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True))
    return make_pipeline(make_union(*parts), LinearSVC(C=cost, dual=True, max_iter=2000))


def linear(train, test):
    """Each rival: its accuracy over the folds, and on the test rows."""
    (labels, texts), (truth, unseen) = zip(*train), zip(*test)
    rarest = min(collections.Counter(labels).values())
    folds = StratifiedKFold(5 if rarest >= 5 else 3, shuffle=True, random_state=1)
    found = []
    rivals = (("words 1-2", lambda c: tfidf(False, c)), ("words 1-2 and letters 2-5", lambda c: tfidf(True, c)),
              ("NB-SVM", NaiveBayesSVM))
    for name, make in rivals:
        best = max((cross_val_score(make(c), list(texts), list(labels), cv=folds).mean(), c) for c in COSTS)
        found.append({"name": name, "folds": best[0], "cost": best[1],
                      "test": float(make(best[1]).fit(list(texts), list(labels)).score(list(unseen), list(truth)))})
    return found


def write(path, rows):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{label}\t{text}\n" for label, text in rows)


def run(args, train, test, form, seed):
    tool = os.path.join(args.build, "diffuse")
    with tempfile.TemporaryDirectory() as folder:
        rows, out = os.path.join(folder, "rows"), os.path.join(folder, "out")
        os.mkdir(rows)
        write(os.path.join(rows, "train.tsv"), train)
        write(os.path.join(rows, "test.tsv"), test)
        begun = time.monotonic()
        subprocess.run([tool, "train", "--data", "tsv:" + rows, "--out", out, "--quiet", "--rehearsal", "0", "--seed",
                        str(seed), "--threads", str(args.threads), *FORMS[form]], check=True, capture_output=True)
        seconds = time.monotonic() - begun
        model = os.path.join(out, "model.safetensors")
        judged = json.loads(subprocess.run([tool, "eval", "--model", model, "--data", "tsv:" + rows, "--json",
                                            "--threads", str(args.threads)], check=True, capture_output=True).stdout)
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        size = os.path.getsize(model)
    return {"seed": seed, "rows": len(train), "test": judged["accuracy"], "ece": judged["ece"],
            "held_out": summary["held_out"], "seconds": round(seconds, 1), "bytes": size,
            "parameters": summary["parameters"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", default="docs/results/default")
    parser.add_argument("--few", type=int, default=0, help="training rows of each label; 0: all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--sets", default="")
    parser.add_argument("--forms", default="default")
    parser.add_argument("--no-linear", action="store_true")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    sets = args.sets.split(",") if args.sets else sorted(os.listdir(args.data))
    for name in sets:
        both = read_set(os.path.join(args.data, name))
        if not both:
            continue
        path = os.path.join(args.out, name + ".json")
        result = {"set": name, "few": args.few, "test_rows": len(both[1]), "forms": {}, "linear": []}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                result = json.load(file)
        train_test(args, name, both, result, path)


def train_test(args, name, both, result, path):
    seeds = [int(seed) for seed in args.seeds.split(",")]
    rows = {seed: few(both[0], args.few, seed) for seed in seeds}

    def keep():
        with open(path, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")

    for form in filter(None, args.forms.split(",")):
        runs = [run(args, rows[seed], both[1], form, seed) for seed in seeds]
        result["forms"][form] = runs
        keep()
        tests = [100 * r["test"] for r in runs]
        print(f"{name} {form}: {statistics.mean(tests):.2f} +- {statistics.pstdev(tests):.2f}, "
              f"ece {runs[0]['ece']:.3f}, {runs[0]['seconds']} s, {runs[0]['bytes'] / 1e6:.1f} MB", flush=True)
    if not args.no_linear:
        result["linear"] = [linear(rows[seed], both[1]) for seed in (seeds if args.few else seeds[:1])]
        keep()
        best = [100 * max(found, key=lambda x: x["folds"])["test"] for found in result["linear"]]
        print(f"{name} linear: {statistics.mean(best):.2f} +- {statistics.pstdev(best):.2f}", flush=True)


if __name__ == "__main__":
    main()
