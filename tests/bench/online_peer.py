#!/usr/bin/python3
"""A peer for online tuning: hashed n-grams and a linear model that predicts, then learns, row by row.

    online_peer.py FOLDER [--seed N] [--scenario NAME]

This is not Vowpal Wabbit but our restatement of its published method, so that anybody can read what is
compared: hashed words and pairs of words (the hashing trick: Weinberger et al., "Feature hashing for large scale
multitask learning", 2009), a logistic model one-against-all (VW: --oaa --loss_function logistic --ngram 2) or
softmax, updates with a rate for each weight (--adaptive: McMahan and Streeter, "Adaptive bound optimization for
online convex optimization", 2010; Duchi, Hazan and Singer, "Adaptive subgradient methods", 2011), rows scaled to
unit length in place of --normalized, and progressive validation (each row is predicted before it is learned from:
Blum, Kalai and Langford, 1999), as described in Agarwal et al., "A reliable effective terascale linear learning
system", 2014, and in VW's own documentation. Left out: importance-aware updates, quadratic features, save_resume.
Each label has a table of its own of 2^18 weights, where VW shares one among all labels: more room, not less.

It is trained on the base rows in several passes; rate, loss and passes are chosen on validation rows (the set's
own, else a tenth of the base), never on test rows. Then it sees the messages of the scenario once.
"""
import argparse
import random
import re
import sys
import time
import zlib

import numpy

import streams

BITS = 18
TOKEN = re.compile(r"\w+|[^\w\s]")
RATES = (0.3, 1.0, 3.0)
LOSSES = ("logistic", "softmax")
PASSES = (10, 20)


def features(text):
    """Rows of the tables: the constant, each word, each pair of neighbours."""
    words = TOKEN.findall(text.lower())
    grams = ["\x01", *words, *(a + "\x02" + b for a, b in zip(words, words[1:]))]
    return numpy.unique([zlib.crc32(g.encode()) & ((1 << BITS) - 1) for g in grams])


class Peer:
    """Weights and sums of squared gradients, a row a feature, a column a label."""

    def __init__(self, labels, rate, loss):
        self.labels, self.rate, self.loss = labels, rate, loss
        self.ids = {label: i for i, label in enumerate(labels)}
        self.weights = numpy.zeros((1 << BITS, len(labels)), numpy.float32)  # pages come when they are touched
        self.squares = numpy.zeros_like(self.weights)

    def scores(self, at):
        return self.weights[at].sum(0) / numpy.sqrt(len(at))

    def predict(self, at):
        return self.labels[int(self.scores(at).argmax())]

    def learn(self, at, label):
        z = self.scores(at)
        if self.loss == "softmax":
            p = numpy.exp(z - z.max())
            p /= p.sum()
        else:
            p = 1 / (1 + numpy.exp(-numpy.clip(z, -50, 50)))
        p[self.ids[label]] -= 1
        gradient = p / numpy.sqrt(len(at))
        squares = self.squares[at] + gradient * gradient
        self.squares[at] = squares
        self.weights[at] -= self.rate * gradient / numpy.sqrt(squares + 1e-12)


def passes(peer, rows, seed):
    """Pass after pass over [(features, label)], shuffled anew each time; yields after each."""
    rng = random.Random(seed)
    order = list(range(len(rows)))
    while True:
        rng.shuffle(order)
        for i in order:
            peer.learn(*rows[i])
        yield


def accuracy(peer, rows):
    return sum(peer.predict(at) == label for at, label in rows) / len(rows)


def choose(rows, valid, labels, seed):
    """The best (accuracy, rate, loss, passes) on the validation rows, and all that was tried."""
    tried = []
    for loss in LOSSES:
        for rate in RATES:
            peer, done = Peer(labels, rate, loss), 0
            each = passes(peer, rows, seed)
            for wanted in PASSES:
                for _ in range(wanted - done):
                    next(each)
                done = wanted
                tried.append((accuracy(peer, valid), rate, loss, wanted))
    return max(tried, key=lambda t: t[0]), tried


def hashed(rows):
    return [(features(text), label) for label, text in rows]


def settings(scenario, seed):
    """What does best on the validation rows after training on the base."""
    rows, labels = hashed(scenario.base), labels_of(scenario)
    held = len(rows) // 10
    valid, fit = (hashed(scenario.valid), rows) if scenario.valid else (rows[:held], rows[held:])
    best, tried = choose(fit, valid, labels, seed)
    names = ("valid_accuracy", "rate", "loss", "passes")
    return {**dict(zip(names, best)), "bits": BITS, "tried": [dict(zip(names, t)) for t in tried]}


def labels_of(scenario):
    return sorted({label for label, _ in scenario.base} | {m.truth for m in scenario.messages})


def pretrain(scenario, how, seed):
    """A peer that knows the base rows."""
    peer = Peer(labels_of(scenario), how["rate"], how["loss"])
    each = passes(peer, hashed(scenario.base), seed)
    for _ in range(how["passes"]):
        next(each)
    return peer


def run(scenario, how, seed, checkpoints=10):
    """Before, while and after the messages come: accuracy on the tests, and what was right, message by message."""
    begin = time.process_time()
    peer = pretrain(scenario, how, seed)
    tests = {name: hashed(rows) for name, rows in scenario.tests.items()}

    def measure(after):
        return {"after": after, "tests": {name: accuracy(peer, rows) for name, rows in tests.items()}}

    at_messages = {round(len(scenario.messages) * (i + 1) / checkpoints) for i in range(checkpoints)}
    right, measured = [], [measure(0)]
    for i, m in enumerate(scenario.messages):
        at = features(m.text)
        right.append(peer.predict(at) == m.truth)
        if m.feedback is not None:
            peer.learn(at, m.feedback)
        if i + 1 in at_messages:
            measured.append(measure(i + 1))
    return {"how": how, "measured": measured, "right": right, "cpu_seconds": time.process_time() - begin}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scenario", choices=sorted(streams.MAKERS), action="append")
    a = parser.parse_args()
    for name in a.scenario or streams.MAKERS:
        scenario = streams.make(name, a.folder, a.seed)
        how = settings(scenario, a.seed)
        made = run(scenario, how, a.seed)
        shown = ", ".join(f"{test} {100 * made['measured'][0]['tests'][test]:.2f} → "
                          f"{100 * made['measured'][-1]['tests'][test]:.2f} %" for test in scenario.tests)
        print(f"{name}: {shown}, prequential {100 * sum(made['right']) / len(made['right']):.2f} % "
              f"(rate {how['rate']}, {how['loss']}, {how['passes']} passes, {made['cpu_seconds']:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
