"""What the tests of tuning share: a small model of four labels that does not know some words, and a robot that
sends samples, reads their labels and gives feedback.
"""
import os
import random
import re
import subprocess
import time

import rig as r
import zmq

LABELS = ["battery", "motor", "camera", "network"]
OLD = {name: [f"{name[:3]}{c}o" for c in "abcdefgh"] for name in LABELS}
# Of letters that the model has seen, in no order that says anything to it yet.
NEW = {name: [f"{c}{name[3:6]}" for c in "abcdefgh"] for name in LABELS}
NOISE = ["the", "robot", "says", "unit", "seven", "again", "now", "at"]


def text(rng, name, words):
    chosen = rng.choices(words[name], k=3) + rng.choices(NOISE, k=3)
    rng.shuffle(chosen)
    return " ".join(chosen)


def write_rows(path, rng, n):
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            name = LABELS[i % len(LABELS)]
            f.write(f"{name}\t{text(rng, name, OLD)}\n")


def train(rig):
    rng = random.Random(1)
    write_rows(rig.path("train.tsv"), rng, 600)
    subprocess.run([os.path.join(r.BUILD, "diffuse"), "train", "--data", f"tsv:{rig.path('train.tsv')}", "--out",
                    rig.path("base"), "--epochs", "8", "--threads", "1", "--width", "16", "--ngram-rows", "512",
                    "--vocab-size", "400", "--rehearsal", "200"], check=True, capture_output=True)
    return rig.path("base/model.safetensors")


class Talk:
    """A robot: samples by push, their labels, and feedback on them."""

    def __init__(self, rig, stream=b"robot7/log", seed=2):
        self.rig, self.stream, self.seq, self.rng = rig, stream, 0, random.Random(seed)
        self.labels = rig.subscribe(stream)
        self.push = rig.connect(zmq.PUSH, "push", linger=-1)

    def say(self, words, feedback=True, wrong=False):
        """One sample; was its label right?"""
        name = self.rng.choice(LABELS)
        self.seq += 1
        self.push.send_multipart([self.stream, self.rig.sample(self.seq, text(self.rng, name, words))])
        stream, label = self.rig.label(self.labels)
        r.equal((stream, label.seq, label.error), (self.stream, self.seq, 0), "answer")
        if feedback:
            told = self.rng.choice([n for n in LABELS if n != name]) if wrong else name
            self.feedback(self.seq, told)
        return label.label_name.decode() == name, label.model_id.decode()

    def feedback(self, seq, name, **fields):
        f = self.rig.pb.Feedback(seq=seq, label_name=name.encode(), **fields)
        self.push.send_multipart([self.stream, self.rig.pb.Ingest(feedback=f).SerializeToString()])

    def right(self, words, n=60):
        return sum(self.say(words, feedback=False)[0] for _ in range(n)) / n

    def close(self):
        self.labels.close()
        self.push.close()


def number(path):
    """Of the promotion in a file; 0: the root."""
    found = re.search(r"-(\d{6})\.safetensors$", path)
    return int(found.group(1)) if found else 0


def tune(rig, action="STATUS"):
    reply = rig.request(tune=rig.pb.TuneRequest(action=rig.pb.TuneRequest.Action.Value(action)))
    return reply.error, reply.tune if reply.HasField("tune") else reply.error_text.decode()


def wait(what, condition):
    """Until the condition holds; a deadline that only a failure meets."""
    end = time.monotonic() + r.DEADLINE
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {r.DEADLINE} s: {what}")


def wait_counter(rig, name, value):
    wait(f"{name} {value}", lambda: rig.counters()[name] >= value)
