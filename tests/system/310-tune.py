#!/usr/bin/python3
"""Online fine-tuning through the sockets: feedback teaches new words, a promotion is a checkpoint on the disk and
serves after a restart, accepted feedback survives kill -9, every fate of feedback is counted, reset returns.
"""
import glob
import os
import random
import signal
import subprocess
import time

import rig as r
import zmq

LABELS = ["battery", "motor", "camera", "network"]
OLD = {name: [f"{name[:3]}{c}o" for c in "abcdefgh"] for name in LABELS}
NEW = {name: [f"{name[-3:]}{c}x" for c in "ijklmnop"] for name in LABELS}
NOISE = ["the", "robot", "says", "unit", "seven", "again", "now", "at"]


def text(rng, name, words):
    chosen = rng.choices(words[name], k=3) + rng.choices(NOISE, k=3)
    rng.shuffle(chosen)
    return " ".join(chosen)


def write_rows(path, rng, n):
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            name = LABELS[i % len(LABELS)]
            # a line of the new words for the vocabulary only: their labels are noise
            words = NEW if i % 50 == 49 else OLD
            shown = rng.choice(LABELS) if words is NEW else name
            f.write(f"{shown}\t{text(rng, name, words)}\n")


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


def tune(rig, action="STATUS"):
    reply = rig.request(tune=rig.pb.TuneRequest(action=rig.pb.TuneRequest.Action.Value(action)))
    return reply.error, reply.tune if reply.HasField("tune") else reply.error_text.decode()


def wait(what, condition):
    end = time.monotonic() + r.DEADLINE
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError(f"not within {r.DEADLINE} s: {what}")


def wait_counter(rig, name, value):
    wait(f"{name} {value}", lambda: rig.counters()[name] >= value)


def learns(rig, base, keys):
    """Feedback until something is promoted; returns its id."""
    rig.start(**keys)
    wait("tuning on", lambda: tune(rig)[1].on)
    status = tune(rig)[1]
    root = rig.status().model_id.decode()
    r.equal((status.root_id.decode(), status.promotions, status.rows_rehearsal > 100), (root, 0, True), "status")
    talk = Talk(rig)
    r.check(talk.right(OLD) > 0.9, "the base model knows its own words")
    before = talk.right(NEW)
    end = time.monotonic() + r.DEADLINE
    while tune(rig)[1].promotions == 0 or talk.right(NEW) < before + 0.3:
        for _ in range(50):
            talk.say(NEW)
        r.check(time.monotonic() < end, f"learned nothing: {tune(rig)[1]}")
    after = talk.right(NEW)
    print(f"new words {before:.2f} -> {after:.2f}, old words {talk.right(OLD):.2f}")
    r.check(talk.right(OLD) > 0.85, "old words are not forgotten")
    status = rig.status()
    r.check(status.model_id.decode() != root and status.model_parent, "what serves was tuned")
    r.equal(talk.say(NEW, feedback=False)[1], status.model_id.decode(), "labels name the tuned model")
    shown = subprocess.run([os.path.join(r.BUILD, "diffuse"), "inspect", "--model", status.model_path.decode()],
                           check=True, capture_output=True, text=True).stdout
    r.check(status.model_parent.decode() in shown, "its parent is in the file")
    files = glob.glob(os.path.join(keys["state_dir"], "tuned-*.safetensors"))
    r.check(0 < len(files) <= keys["tune_keep"], f"bounded retention: {files}")
    talk.close()
    return root, status.model_id.decode()


def every_fate(rig):
    talk = Talk(rig, b"fates/1")
    counters = rig.counters()

    def more(name, n=1):
        wait_counter(rig, name, counters[name] + n)

    for _ in range(3):
        talk.say(OLD, feedback=False)
    talk.feedback(1, "battery")
    more("feedback_given")
    talk.feedback(1, "battery")
    more("feedback_repeated")
    talk.feedback(1, "motor")
    more("feedback_contradictory")
    talk.feedback(99, "motor")
    more("feedback_unknown")
    talk.feedback(2, "no such label")
    more("feedback_bad_label")
    talk.feedback(7777, "camera", text=b"camao seven cambo")
    more("feedback_given", 2)
    talk.feedback(7778, "camera", text=b"\xff\xfe")
    more("feedback_bad_text")
    more("feedback_accepted", 2)
    talk.close()


def survives_a_crash(rig, keys, serving):
    """What was accepted is heard again, and what was promoted serves."""
    talk = Talk(rig, b"crash/1")
    accepted = rig.counters()["feedback_accepted"]
    for _ in range(20):
        talk.say(OLD)
    wait_counter(rig, "feedback_accepted", accepted + 20)
    serving = rig.status().model_id
    held = tune(rig)[1]
    rig.process.kill()
    rig.process.wait()
    talk.close()
    with open(os.path.join(keys["state_dir"], "feedback.journal"), "ab") as f:
        f.write(b"\x07torn")
    rig.start(**keys)
    wait("tuning on", lambda: tune(rig)[1].on)
    r.equal(rig.status().model_id, serving, "the promoted model serves after kill -9")
    again = tune(rig)[1]
    r.check(again.rows_train + again.rows_held >= held.rows_train + held.rows_held,
            f"rows heard again: {again.rows_train} + {again.rows_held} of {held.rows_train} + {held.rows_held}")
    r.check("torn tail" in rig.read_log(), "the cut tail is spoken about")


def switches(rig, keys, root):
    error, status = tune(rig, "SAVE")
    r.equal((error, status.on), (0, True), "save")
    error, status = tune(rig, "RESET")
    r.equal(error, 0, "reset")
    wait("the root serves again", lambda: rig.status().model_id.decode() == root)
    wait("no promotions", lambda: tune(rig)[1].promotions == 0)
    error, status = tune(rig, "OFF")
    r.equal((error, status.on), (0, False), "off")
    talk = Talk(rig, b"off/1")
    ignored = rig.counters()["feedback_ignored"]
    talk.say(OLD)
    wait_counter(rig, "feedback_ignored", ignored + 1)
    r.equal(rig.status().tuning, b"off", "status says off")
    error, status = tune(rig, "SAVE")
    r.equal(error, 15, "save while off: UNSUPPORTED")
    error, status = tune(rig, "ON")
    r.equal((error, status.on, status.rows_train), (0, True, 0), "on again; reset forgot the rows")
    talk.close()
    r.equal(rig.stop(signal.SIGTERM), 0, "exit status")
    rig.start(**dict(keys, tune="no"))
    r.equal(rig.status().model_id.decode(), root, "after reset and a restart")
    r.equal(rig.stop(signal.SIGTERM), 0, "exit status")


def too_little_memory(rig, keys):
    rig.start(**dict(keys, tune="no", tune_rows=1000000, memory_budget="48M"))
    error, why = tune(rig, "ON")
    r.equal(error, 16, "BUDGET")
    r.check("tuning takes" in why and "tune_rows" in why, f"names row and key: {why}")
    r.equal(rig.stop(signal.SIGTERM), 0, "exit status")


def grows_a_label(rig, keys):
    """A label that the model lacks is learned, when that is configured."""
    rig.start(**dict(keys, tune_new_labels=2, state_dir=rig.path("growing")))
    wait("tuning on", lambda: tune(rig)[1].on)
    talk = Talk(rig, b"grow/1")
    end = time.monotonic() + r.DEADLINE
    words = {"gripper": ["gripao", "gripbo", "gripco", "gripdo"]}
    while b"gripper" not in rig.status().labels:
        for _ in range(20):
            talk.say(OLD)
            talk.seq += 1
            talk.push.send_multipart([talk.stream, rig.sample(talk.seq, text(talk.rng, "gripper", words))])
            rig.label(talk.labels)
            talk.feedback(talk.seq, "gripper")
        r.check(time.monotonic() < end, f"the label is not learned: {tune(rig)[1]}")
    r.equal(len(rig.status().labels), 5, "labels")
    talk.close()
    r.equal(rig.stop(signal.SIGTERM), 0, "exit status")


with r.Rig() as rig:
    base = train(rig)
    settings = {"model": base, "tune": "yes", "state_dir": rig.path("state"), "tune_cpu": 100, "tune_keep": 2,
                "memory_budget": "256M"}
    root, promoted = learns(rig, base, settings)
    every_fate(rig)
    survives_a_crash(rig, settings, promoted)
    switches(rig, settings, root)
    too_little_memory(rig, settings)
    grows_a_label(rig, settings)
