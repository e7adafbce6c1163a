"""Labelled text as `diffuse` reads it, for programs that stand beside it, and what all of them report.

A data set is named KIND:PATH as on the command line of `diffuse`: ag_news, imdb, tsv, lra_listops, lra_text.
Every row is (label, text). AG News joins title and description by a space; IMDB's "<br />"
becomes a space; all else is handed out as published.
"""
import collections
import csv
import gzip
import os
import platform
import random
import statistics
import subprocess

AG_NEWS = {"1": "World", "2": "Sports", "3": "Business", "4": "Sci/Tech"}
HELD_SHARE, HELD_SEED = 0.1, 1
FOLDS_BELOW = 2000  # rows; a tenth of fewer is too small to choose by
FOLDS = 5
LRA_TEXT_BYTES = 4000

# train: rows; valid: rows, or None where the set has none; tests: name -> rows
DataSet = collections.namedtuple("DataSet", "name train valid tests")


# --- files ------------------------------------------------------------------------------------------
def existing(folder, *names):
    for name in names:
        for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
            if os.path.exists(path):
                return path
    return None


def lines_of(path):
    opened = gzip.open if path.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8-sig", newline="\n") as f:
        return [line.rstrip("\r\n") for line in f]


def usable(rows):
    return [(label, text) for label, text in rows if label and text.strip()]


def read_ag_news(path):
    rows = []
    for record in csv.reader(line + "\n" for line in lines_of(path)):
        if len(record) == 3 and record[0] in AG_NEWS:
            rows.append((AG_NEWS[record[0]], " ".join(filter(None, record[1:]))))
    return usable(rows)


def read_tsv(path):
    return usable(line.split("\t", 1) for line in lines_of(path) if "\t" in line)


def read_listops(path):
    drop = str.maketrans({"(": " ", ")": " ", "]": "X"})
    rows = [line.split("\t", 1) for line in lines_of(path) if "\t" in line]
    if rows[0][0] == "Source":  # as published: Source TAB Target, with a heading
        rows = [(target, source) for source, target in rows[1:]]
    return usable((label, " ".join(text.translate(drop).split())) for label, text in rows)


def read_reviews(folder):
    rows = []
    for label in ("neg", "pos"):
        inside = os.path.join(folder, label)
        for name in sorted(os.listdir(inside)):
            with open(os.path.join(inside, name), encoding="utf-8") as f:
                rows.append((label, f.read()))
    return usable(rows)


def cut_bytes(rows):
    return [(label, text.encode()[:LRA_TEXT_BYTES].decode(errors="ignore")) for label, text in rows]


def drop_breaks(rows):
    return [(label, text.replace("<br />", " ")) for label, text in rows]


# --- data sets --------------------------------------------------------------------------------------
def need(folder, *names):
    path = existing(folder, *names)
    if not path:
        raise SystemExit(f"{folder}: holds none of {', '.join(names)}, nor with .gz")
    return path


def read_tsv_folder(folder):
    valid = existing(folder, "val.tsv", "valid.tsv")
    tests = {"test": read_tsv(need(folder, "test.tsv"))}
    unseen = existing(folder, "test_unseen.tsv")
    if unseen:
        tests["test_unseen"] = read_tsv(unseen)
    return read_tsv(need(folder, "train.tsv")), valid and read_tsv(valid), tests


def read_set(spec):
    """The DataSet that KIND:PATH names."""
    kind, _, folder = spec.partition(":")
    folder = folder.rstrip("/")
    name = os.path.basename(folder).replace("_", "-") if kind == "tsv" else kind.replace("_", "-")
    if kind == "ag_news":
        train, valid = read_ag_news(need(folder, "train.csv")), None
        tests = {"test": read_ag_news(need(folder, "test.csv"))}
    elif kind in ("imdb", "lra_text"):
        train, valid = read_reviews(os.path.join(folder, "train")), None
        tests = {"test": read_reviews(os.path.join(folder, "test"))}
        if kind == "lra_text":
            train, tests = cut_bytes(train), {"test": cut_bytes(tests["test"])}
        else:
            train, tests = drop_breaks(train), {"test": drop_breaks(tests["test"])}
    elif kind == "lra_listops":
        train = read_listops(need(folder, "basic_train.tsv", "train.tsv"))
        valid = read_listops(need(folder, "basic_val.tsv", "val.tsv"))
        tests = {"test": read_listops(need(folder, "basic_test.tsv", "test.tsv"))}
    elif kind == "tsv":
        train, valid, tests = read_tsv_folder(folder)
    else:
        raise SystemExit(f"{spec}: expected KIND:PATH, KIND one of ag_news, imdb, tsv, lra_listops, lra_text")
    return DataSet(name, train, valid, tests)


def tuning_splits(data):
    """[(rows to fit, rows to choose by)] and how they came about. The test rows are never among them."""
    if data.valid:
        return [(data.train, data.valid)], f"the set's own {len(data.valid)} validation rows"
    order = list(range(len(data.train)))
    random.Random(HELD_SEED).shuffle(order)
    folds = FOLDS if len(order) < FOLDS_BELOW else 1
    size = len(order) // FOLDS if folds > 1 else round(HELD_SHARE * len(order))
    splits = []
    for i in range(folds):
        held = set(order[i * size : (i + 1) * size if i + 1 < folds or folds == 1 else None])
        splits.append(([r for j, r in enumerate(data.train) if j not in held],
                       [r for j, r in enumerate(data.train) if j in held]))
    how = f"{FOLDS} folds of the training rows" if folds > 1 else f"{size} of the training rows"
    return splits, f"{how}, seed {HELD_SEED}"


# --- reports ----------------------------------------------------------------------------------------
def scores(truth, guessed):
    """Accuracy and macro-F1 over the labels that occur on either side."""
    right = sum(t == g for t, g in zip(truth, guessed))
    f1 = []
    both = collections.Counter(t for t, g in zip(truth, guessed) if t == g)
    are, said = collections.Counter(truth), collections.Counter(guessed)
    for label in set(truth) | set(guessed):
        f1.append(2 * both[label] / (are[label] + said[label]))
    return {"accuracy": round(right / len(truth), 6), "macro_f1": round(statistics.mean(f1), 6)}


def summary(runs):
    """Mean and spread (standard deviation of the sample) over runs [{"test": {name: scores}}]."""
    out = {}
    for name in runs[0]["test"]:
        values = [run["test"][name]["accuracy"] for run in runs]
        out[name] = {
            "accuracy": round(statistics.mean(values), 6),
            "spread": round(statistics.stdev(values), 6) if len(values) > 1 else None,
            "macro_f1": round(statistics.mean(run["test"][name]["macro_f1"] for run in runs), 6),
        }
    return out


def counts(data):
    rows = {"train": len(data.train), "valid": len(data.valid or [])}
    return {**rows, **{name: len(test) for name, test in data.tests.items()}}


def machine():
    cpu = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {"cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"}


def package_version(name):
    try:
        done = subprocess.run(["dpkg-query", "-W", "-f=${Version}", name], capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return done.stdout if done.returncode == 0 else "unknown"
