#!/usr/bin/python3
"""`diffuse train` without options on small sets, beside its own parts and the best of three linear models.

    default_form.py DATA [--build B] [--out FOLDER] [--seeds 1,2,3] [--sets NAME,...] [--forms NAME,...]

DATA has a folder a set with train.tsv.gz and test.tsv.gz (label TAB text). Nothing is chosen here: each form is
trained on all training rows and scored on the test rows once a seed. Forms:
  default      no options
  no-base      --base none
  no-steps     --steps 0: the base's embeddings alone
  far          --offsets 4096: steps whose neighbours are out of reach
The linear rivals are TF-IDF words 1-2, the same with letters 2-5, and NB-SVM, each with C by 5 folds of the
training rows; the best of them is the one of the best folds. Writes FOLDER/SET.json.
"""
import argparse
import gzip
import json
import os
import statistics
import subprocess
import tempfile
import time

import numpy
from scipy.sparse import diags
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

FORMS = {"default": [], "no-base": ["--base", "none"], "no-steps": ["--steps", "0"], "far": ["--offsets", "4096"]}
TOKEN = r"(?u)\w+|[^\w\s]"
COSTS = (0.03, 0.1, 0.3, 1, 3, 10)


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t", 1) for line in file]
    return [r[1] for r in rows if len(r) == 2], [r[0] for r in rows if len(r) == 2]


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
    texts, labels = train
    folds = StratifiedKFold(5, shuffle=True, random_state=1)
    found = []
    for name, make in (("words 1-2", lambda c: tfidf(False, c)), ("words 1-2 and letters 2-5", lambda c: tfidf(True, c)),
                       ("NB-SVM", NaiveBayesSVM)):
        best = max((cross_val_score(make(c), texts, labels, cv=folds).mean(), c) for c in COSTS)
        found.append({"name": name, "folds": best[0], "cost": best[1],
                      "test": float(make(best[1]).fit(texts, labels).score(*test))})
    return found


def run(args, folder, form, seed):
    with tempfile.TemporaryDirectory() as out:
        begun = time.monotonic()
        command = [os.path.join(args.build, "diffuse"), "train", "--data", "tsv:" + folder, "--test", "tsv:" + folder,
                   "--out", out, "--quiet", "--rehearsal", "0", "--seed", str(seed), *FORMS[form]]
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.monotonic() - begun
        with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        size = os.path.getsize(os.path.join(out, "model.safetensors"))
    done = subprocess.run([os.path.join(args.build, "diffuse"), "--version"], capture_output=True, text=True)
    return {"seed": seed, "test": summary["best"]["test"]["accuracy"], "ece": summary["best"]["test"]["ece"],
            "held_out": summary["held_out"], "seconds": round(seconds, 1), "bytes": size,
            "parameters": summary["parameters"], "version": done.stdout.strip()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("--build", default="build")
    parser.add_argument("--out", default="docs/results/default")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--sets", default="")
    parser.add_argument("--forms", default="default")
    parser.add_argument("--no-linear", action="store_true")
    args = parser.parse_args()
    os.makedirs(args.out, exist_ok=True)
    sets = args.sets.split(",") if args.sets else sorted(os.listdir(args.data))
    for name in sets:
        folder = os.path.join(args.data, name)
        if not os.path.exists(os.path.join(folder, "train.tsv.gz")):
            continue
        path = os.path.join(args.out, name + ".json")
        result = {"set": name, "forms": {}}
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                result = json.load(file)
        for form in args.forms.split(","):
            runs = [run(args, folder, form, int(seed)) for seed in args.seeds.split(",")]
            result["forms"][form] = runs
            tests = [100 * r["test"] for r in runs]
            print(f"{name} {form}: {statistics.mean(tests):.2f} +- {statistics.pstdev(tests):.2f}, "
                  f"{runs[0]['seconds']} s, {runs[0]['bytes'] / 1e6:.1f} MB", flush=True)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(result, file, indent=1)
        if not args.no_linear:
            result["linear"] = linear(read(os.path.join(folder, "train.tsv.gz")), read(os.path.join(folder, "test.tsv.gz")))
            print(f"{name} linear: " + ", ".join(f"{x['name']} {100 * x['test']:.2f} (folds {100 * x['folds']:.2f})"
                                                for x in result["linear"]), flush=True)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main()
