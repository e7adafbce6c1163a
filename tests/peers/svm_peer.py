#!/usr/bin/python3
"""TF-IDF n-grams with a linear SVM on the rows of a data set, tuned on validation rows, then scored.

    svm_peer.py KIND:PATH [--out FOLDER] [--rows N]

Features: word n-grams; for small sets characters too (2 to 5 within a word), alone and beside the words.
C is one of 0.1, 0.3, 1, 3. The optimum is unique, so one run says all. --rows: fit the first N training
rows only (the report says so). Writes FOLDER/svm-SET.json.
"""
import argparse
import json
import os
import pickle
import statistics
import sys
import time

import rows

try:
    import sklearn
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import FeatureUnion
    from sklearn.svm import LinearSVC
except ImportError:
    print("skip: python3-sklearn is not installed")
    sys.exit(9)

import numpy

PENALTIES = (0.1, 0.3, 1, 3)
SMALL = 20000  # training rows; below: characters too
TOKEN = r"(?u)\w+|[^\w\s]"


def words(longest):
    return TfidfVectorizer(ngram_range=(1, longest), sublinear_tf=True, token_pattern=TOKEN,
                           dtype=numpy.float32)


def letters():
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, dtype=numpy.float32)


def makers(name, small):
    """Name of the features -> what makes an unfitted vectorizer of them."""
    if name == "imdb":
        return {"words 1..2": lambda: words(2), "words 1..3": lambda: words(3)}
    if name == "lra-text":
        return {"letters 2..5": letters}
    if not small:
        return {"words 1..2": lambda: words(2)}
    return {
        "words 1..2": lambda: words(2),
        "letters 2..5": letters,
        "words 1..2 and letters 2..5": lambda: FeatureUnion([("words", words(2)), ("letters", letters())]),
    }


def columns(rows_):
    return [label for label, _ in rows_], [text for _, text in rows_]


def tune(candidates, splits):
    held_accuracy = {}
    for features, make in candidates.items():
        for fit, held in splits:
            vectorizer = make()
            labels, texts = columns(fit)
            truth, questions = columns(held)
            seen, asked = vectorizer.fit_transform(texts), vectorizer.transform(questions)
            for penalty in PENALTIES:
                said = LinearSVC(C=penalty, random_state=1).fit(seen, labels).predict(asked)
                held_accuracy.setdefault((features, penalty), []).append(rows.scores(truth, said)["accuracy"])
        for penalty in PENALTIES:
            print(f"  {statistics.mean(held_accuracy[features, penalty]):.4f}  {features}, C {penalty}", flush=True)
    return [{"setting": {"features": f, "C": c}, "valid_accuracy": round(statistics.mean(v), 6)}
            for (f, c), v in held_accuracy.items()]


def measure(data, make, penalty):
    labels, texts = columns(data.train)
    begin = time.process_time()
    vectorizer = make()
    model = LinearSVC(C=penalty, random_state=1).fit(vectorizer.fit_transform(texts), labels)
    seconds = time.process_time() - begin
    model.coef_ = model.coef_.astype(numpy.float32)
    test = {}
    for name, asked in data.tests.items():
        truth, questions = columns(asked)
        test[name] = rows.scores(truth, model.predict(vectorizer.transform(questions)).tolist())
    size = len(pickle.dumps((vectorizer, model), protocol=4))
    return {"seed": 1, "cpu_seconds": round(seconds, 2), "bytes": size, "test": test}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", metavar="KIND:PATH")
    parser.add_argument("--out", default="docs/results/peers", metavar="FOLDER")
    parser.add_argument("--rows", type=int, metavar="N")
    a = parser.parse_args()
    data = rows.read_set(a.data)
    if a.rows:
        data = data._replace(train=data.train[: a.rows])
    splits, how = rows.tuning_splits(data)
    print(f"{data.name}: {rows.counts(data)}, tuned on {how}", flush=True)
    candidates = makers(data.name, len(data.train) < SMALL)
    tried = tune(candidates, splits)
    setting = max(tried, key=lambda t: t["valid_accuracy"])["setting"]
    run = measure(data, candidates[setting["features"]], setting["C"])
    made = {"set": data.name, "peer": "TF-IDF, linear SVM", "rows": rows.counts(data), "tuned_on": how,
            "first_rows_only": a.rows, "setting": setting, "result": rows.summary([run]), "bytes": run["bytes"],
            "cpu_seconds": run["cpu_seconds"], "runs": [run], "tuning": tried, "machine": rows.machine(),
            "versions": {"sklearn": sklearn.__version__, "numpy": numpy.__version__}}
    os.makedirs(a.out, exist_ok=True)
    with open(os.path.join(a.out, f"svm-{data.name}.json"), "w", encoding="utf-8") as f:
        json.dump(made, f, indent=1)
        f.write("\n")
    print(f"{data.name}: SVM {made['result']} {made['bytes']} bytes {made['cpu_seconds']} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
