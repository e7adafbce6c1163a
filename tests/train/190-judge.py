#!/usr/bin/python3
"""What `diffuse eval` says of a model, worked out again from its logits alone: scores, confusions, calibration
error. And the temperature that training found: in the checkpoint, in every confidence that is given.
"""
import csv
import json
import math
import os
import random
import subprocess
import xml.etree.ElementTree as ElementTree
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r

LABELS = ["plain", 'a, "b"', "<&>", "h\u00f6he", "never"]
BINS = 15
WORDS = {name: [f"{'abcde'[i]}{k}" for k in range(30)] for i, name in enumerate(LABELS)}


def make_rows(path, n, seed, names):
    """Words of the label among words of another, and a tenth of the labels wrong."""
    rng, rows = random.Random(seed), []
    for _ in range(n):
        name, other = rng.choice(names), rng.choice(names)
        words = rng.choices(WORDS[name], k=4) + rng.choices(WORDS[other], k=2)
        rng.shuffle(words)
        rows.append((rng.choice(names) if rng.random() < 0.1 else name, " ".join(words)))
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.writelines(f"{label}\t{text}\n" for label, text in rows)
    return rows


def diffuse(*args, **options):
    done = subprocess.run([os.path.join(r.BUILD, "diffuse"), *args], check=True, capture_output=True,
                          text=True, encoding="utf-8", **options)
    return done.stdout


def softmax(logits, temperature):
    top = max(logits)
    e = [math.exp((z - top) / temperature) for z in logits]
    return [x / sum(e) for x in e]


def calibration_error(rows, temperature):
    """rows of (logits, truth)"""
    bins = [[0, 0, 0.0] for _ in range(BINS)]
    for logits, truth in rows:
        scores = softmax(logits, temperature)
        sure = max(scores)
        b = bins[min(max(math.ceil(sure * BINS) - 1, 0), BINS - 1)]
        b[0] += 1
        b[1] += scores.index(sure) == truth
        b[2] += sure
    return sum(abs(hits - sure) for _, hits, sure in bins) / len(rows)


def loss(rows, temperature):
    return -sum(math.log(softmax(logits, temperature)[truth]) for logits, truth in rows) / len(rows)


def close(got, expected, what, within=2e-5):
    r.check(abs(got - expected) <= within, f"{what}: {got}, expected {expected}")


def check_scores(report, names, rows):
    """Against what the logits say."""
    n = len(names)
    matrix = [[0] * n for _ in names]
    for logits, truth in rows:
        matrix[truth][logits.index(max(logits))] += 1
    r.equal(report["confusion"], matrix, "confusion")
    f1 = []
    for k, one in enumerate(report["per_class"]):
        support, given = sum(matrix[k]), sum(row[k] for row in matrix)
        r.equal((one["label"], one["support"], one["given"]), (names[k], support, given), "label")
        close(one["precision"], matrix[k][k] / given if given else 0, "precision")
        close(one["recall"], matrix[k][k] / support if support else 0, "recall")
        if support + given:
            f1.append(2 * matrix[k][k] / (support + given))
            close(one["f1"], f1[-1], "F1")
    close(report["macro_f1"], sum(f1) / len(f1), "macro-F1")
    close(report["accuracy"], sum(matrix[k][k] for k in range(n)) / len(rows), "accuracy")
    close(report["loss"], loss(rows, 1), "loss")
    close(report["loss_calibrated"], loss(rows, report["temperature"]), "loss at the temperature")
    close(report["ece_raw"], calibration_error(rows, 1), "ECE at 1", 1e-4)
    close(report["ece"], calibration_error(rows, report["temperature"]), "ECE", 1e-4)
    r.equal(sum(b["rows"] for b in report["reliability"]), len(rows), "rows in the bins")


def check_files(rig, names, report, out):
    with open(rig.path("confusion.csv"), encoding="utf-8", newline="") as f:
        table = list(csv.reader(f))
    r.equal(table[0], ["true"] + names, "head of confusion.csv")
    r.equal([row[0] for row in table[1:]], names, "names in confusion.csv")
    r.equal([[int(x) for x in row[1:]] for row in table[1:]], report["confusion"], "confusion.csv")
    tree = ElementTree.parse(os.path.join(out, "report.svg"))
    texts = [e.text or "" for e in tree.iter() if e.tag.endswith("text")]
    for name in names:
        r.check(name in texts, f"report.svg names {name}")
    r.check(any("calibration error" in t for t in texts), "report.svg has the calibration error")


def check_text(text, report):
    lines = text.splitlines()
    r.equal(lines[-1], f"accuracy {report['accuracy']:.4f} n {report['n']}", "last line")
    r.check(lines[0].startswith("label"), "a table first")
    worst = max((report["confusion"][i][k], -i, -k) for i in range(4) for k in range(4) if i != k)
    first = next(line for line in lines if "were taken for" in line)
    r.check(first.startswith(f"{worst[0]} of "), "the most frequent mistake first")


def check_confidences(rig, model, temperature, texts, logits):
    lines = diffuse("classify", "--model", model, "--json", input="\n".join(texts) + "\n").splitlines()
    for line, z in zip(lines, logits):
        close(json.loads(line)["confidence"], max(softmax(z, temperature)), "diffuse classify")
    rig.start(model=model)
    labels = rig.subscribe()
    s = rig.connect(r.zmq.PUSH, "push")
    for seq, text in enumerate(texts, 1):
        s.send_multipart([b"one", rig.sample(seq, text)])
    for z in logits:
        close(rig.label(labels)[1].confidence, max(softmax(z, temperature)), "the daemon")
    s.close()
    labels.close()
    r.equal(rig.stop(), 0, "exit status")


with r.Rig() as rig:
    data, out = rig.path("train.tsv"), rig.path("out")
    names = LABELS[:4]
    make_rows(data, 1600, 1, names)
    test = make_rows(rig.path("test.tsv"), 500, 2, names)
    diffuse("train", "--data", "tsv:" + data, "--test", "tsv:" + rig.path("test.tsv"), "--out", out,
            "--valid", "0.3", "--width", "16", "--mlp-width", "16", "--head-width", "16", "--steps", "1",
            "--epochs", "12", "--label-smoothing", "0.4", "--init-std", "0.1", "--threads", "2",
            "--seed", "1", "--quiet")
    model = os.path.join(out, "model.safetensors")
    names = json.loads(diffuse("inspect", "--model", model, "--json"))["metadata"]["labels"]
    temperature = json.loads(diffuse("inspect", "--model", model, "--json"))["temperature"]
    asked = ["eval", "--model", model, "--data", "tsv:" + rig.path("test.tsv"), "--threads", "2"]
    report = json.loads(diffuse(*asked, "--json", "--confusion", rig.path("confusion.csv")))
    close(report["temperature"], temperature, "temperature")
    r.check(temperature < 0.8, "smoothed labels make a model less sure than it is right: found")
    texts = [text for _, text in test]
    logits = [[float(x) for x in line.split()]
              for line in diffuse("logits", "--model", model, input="\n".join(texts) + "\n").splitlines()]
    rows = list(zip(logits, [names.index(label) for label, _ in test]))
    check_scores(report, names, rows)
    check_files(rig, names, report, out)
    check_text(diffuse(*asked), report)
    r.check(report["loss_calibrated"] < report["loss"], "the temperature helps on other rows")
    check_confidences(rig, model, temperature, texts[:20], logits[:20])
    print(f"accuracy {report['accuracy']:.4f}, temperature {temperature:.4f}, calibration error "
          f"{report['ece_raw']:.4f} before and {report['ece']:.4f} after")
