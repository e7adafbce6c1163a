#!/usr/bin/python3
"""A shipped model behind the sockets: four publishers share a test set, every row gets one label, in order
within its stream, and the labels are those of `diffuse eval`.

As it stands: robot-text on 5,000 generated lines. AG_NEWS=FOLDER in the environment: ag-news on the
published test.csv in that folder.
"""
import csv
import gzip
import os
import subprocess
import threading
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

PUBLISHERS = 4


def ag_news_rows(folder):
    names = ["World", "Sports", "Business", "Sci/Tech"]
    path = os.path.join(folder, "test.csv")
    opened = open if os.path.exists(path) else gzip.open
    with opened(path if opened is open else path + ".gz", "rt", encoding="utf-8", newline="") as f:
        return [(names[int(c) - 1], f"{t} {d}" if t else d) for c, t, d in csv.reader(f)]


def robot_rows(path):
    subprocess.run([os.path.join(r.BUILD, "diffuse"), "corpus", "--seed", "2", "--count", "5000",
                    "--split", "test", "--out", path], check=True)
    with open(path, encoding="utf-8", newline="\n") as f:
        return [tuple(line.rstrip("\n").split("\t", 1)) for line in f]


def eval_labels(rig, model, data):
    out = rig.path("predictions")
    done = subprocess.run([os.path.join(r.BUILD, "diffuse"), "eval", "--model", model, "--data", data,
                           "--predictions", out], check=True, capture_output=True, text=True)
    with open(out, encoding="utf-8") as f:
        return [line.split("\t")[1] for line in f.read().splitlines()], done.stdout.splitlines()[-1]


def publish(rig, rows, which, answered):
    s = rig.connect(zmq.PUSH, "push", linger=-1)
    for i in range(which, len(rows), PUBLISHERS):
        s.send_multipart([b"publisher%d" % which, rig.sample(i // PUBLISHERS + 1, rows[i][1])])
    answered.wait(r.DEADLINE)
    s.close()


def receive_all(rig, labels, rows):
    given, nxt = [None] * len(rows), [1] * PUBLISHERS
    for _ in rows:
        stream, label = rig.label(labels)
        which = int(stream[-1:])
        r.equal((label.seq, label.error), (nxt[which], 0), f"next of {stream}")
        given[(nxt[which] - 1) * PUBLISHERS + which] = label.label_name.decode()
        nxt[which] += 1
    r.check(not labels.poll(200), "nothing comes twice")
    return given


with r.Rig() as rig:
    folder = os.environ.get("AG_NEWS")
    name = "ag-news" if folder else "robot-text"
    model = os.path.join(r.ROOT, "model/pretrained", name + ".safetensors")
    if not os.path.exists(model):
        raise AssertionError(f"{model} is missing")
    os.makedirs(rig.path("data"))
    rows = ag_news_rows(folder) if folder else robot_rows(rig.path("data/test.tsv"))
    expected, line = eval_labels(rig, model, "ag_news:" + folder if folder else "tsv:" + rig.path("data"))
    r.equal(len(expected), len(rows), "rows of diffuse eval")
    rig.start(model=model, workers=2, memory_budget="128M")
    labels = rig.subscribe()
    answered = threading.Event()
    threads = [threading.Thread(target=publish, args=(rig, rows, k, answered)) for k in range(PUBLISHERS)]
    for thread in threads:
        thread.start()
    given = receive_all(rig, labels, rows)
    answered.set()
    for thread in threads:
        thread.join()
    differ = sum(a != b for a, b in zip(given, expected))
    right = sum(a == truth for a, (truth, _) in zip(given, rows))
    print(f"{name}: {len(rows)} rows from {PUBLISHERS} publishers, {len(given)} labels, accuracy "
          f"{right / len(rows):.4f}; diffuse eval: {line}; {differ} labels differ")
    # Batches differ, and with them the last bits of a sum: a row on the border may fall either way.
    r.check(differ <= len(rows) // 1000, "labels as diffuse eval gives them")
    counters = rig.counters()
    r.equal(counters["accepted_push"], len(rows), "accepted")
    r.equal(counters["labels_dropped"], 0, "dropped")
    labels.close()
    r.equal(rig.stop(), 0, "exit status")
