#!/usr/bin/python3
"""kill -9 in the middle of tuning, at a random write, fsync, rename or unlink in the state folder, again and again:
the daemon always starts with a valid model, never older than the last promotion announced, and no feedback that was
counted as accepted is lost. KILLS sets how many times (`make kill-storm`: 200); KILL_OUT takes the figures as JSON.
"""
import json
import os
import random
import re
import signal
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
from robot import LABELS, NEW, OLD, Talk, number, text, train, tune, wait
import zmq

KILLS = int(os.environ.get("KILLS", "6"))
SEED = int(os.environ.get("KILL_SEED", "1"))
SHIM = os.path.join(r.BUILD, "tests/fault_shim.so")
BURST = 25  # samples with feedback between two looks at the status
PATIENCE = 12  # of these in a round: then the kill comes from outside


class Gone(Exception):
    """The daemon was killed."""


def burst(talk):
    """Feedback on new words and old ones, as fast as it goes."""
    seqs = []
    for _ in range(BURST):
        name = talk.rng.choice(LABELS)
        talk.seq += 1
        talk.push.send_multipart([talk.stream, talk.rig.sample(talk.seq, text(talk.rng, name, talk.rng.choice([NEW, OLD])))])
        seqs.append((talk.seq, name))
    for _ in seqs:
        while not talk.labels.poll(50):
            if talk.rig.process.poll() is not None:
                raise Gone
        talk.rig.label(talk.labels)
    for seq, name in seqs:
        talk.feedback(seq, name)


def ask(rig, **verb):
    """A reply, or Gone."""
    rig.request_id += 1
    request = rig.pb.Request(id=rig.request_id, **verb)
    s = rig.connect(zmq.DEALER, "control")
    try:
        s.send(request.SerializeToString())
        end = time.monotonic() + r.DEADLINE
        while not s.poll(50):
            if rig.process.poll() is not None:
                raise Gone
            r.check(time.monotonic() < end, "no reply in time")
        return rig.pb.Reply.FromString(s.recv_multipart()[-1])
    finally:
        s.close()


class Books:
    """What was promised: the promotion announced last, and how much feedback was accepted."""

    def __init__(self):
        self.rows, self.accepted, self.announced = 0, 0, 0
        self.deaths, self.worst, self.lost, self.older = {}, 0.0, 0, 0

    def look(self, rig):
        status = ask(rig, status=rig.pb.StatusRequest()).status
        counters = {c.name.decode(): c.value for c in status.counters}
        self.accepted = counters["feedback_accepted"]
        if counters["promotions_withdrawn"] == 0:
            self.announced = max(self.announced, number(status.model_path.decode()))
        else:  # undone, and that was announced too
            self.announced = number(status.model_path.decode())


def live(rig, books, rng, talk):
    """Until it dies of the fault, or patience ends."""
    tune_action = rig.pb.TuneRequest.Action.Value
    for _ in range(PATIENCE):
        burst(talk)
        books.look(rig)
        action = rng.choice(["SAVE", "SAVE", "SAVE", "STATUS", "RESET"] if books.announced else ["SAVE", "STATUS"])
        if action == "RESET":
            if rng.random() < 0.7:
                continue
            books.announced = books.rows = 0  # asked for: from here on it may be gone
            books.accepted = 0
            ask(rig, tune=rig.pb.TuneRequest(action=tune_action(action)))
            raise Gone  # a new life, so that the books are those of one
        ask(rig, tune=rig.pb.TuneRequest(action=tune_action(action)))
        books.look(rig)
    raise Gone


def start(rig, keys, **fault):
    for name in ("LD_PRELOAD", "FAULT_DIR", "FAULT_AT", "FAULT_HOW"):
        os.environ.pop(name, None)
    os.environ.update(fault)
    try:
        rig.start(**keys)
    finally:
        for name in fault:
            os.environ.pop(name)


def one(rig, keys, books, rng, seed):
    how, at = rng.choice(["before", "after", "short"]), int(rng.expovariate(1 / 120)) + 1
    books.accepted = 0
    talk = None
    try:
        start(rig, keys, LD_PRELOAD=SHIM, FAULT_DIR=keys["state_dir"], FAULT_AT=str(at), FAULT_HOW=how,
              ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    except AssertionError:  # it learns before it is ready, and may die of the fault by then
        if rig.process.poll() != -signal.SIGKILL:
            raise
    try:
        if rig.process.poll() is not None:
            raise Gone
        talk = Talk(rig, b"kill/%d" % seed, seed)
        while not ask(rig, tune=rig.pb.TuneRequest(action=0)).tune.on:
            time.sleep(0.02)
        live(rig, books, rng, talk)
    except (Gone, AssertionError):
        if rig.process.poll() is None:
            rig.process.kill()
            how = "outside"
    books.deaths[how] = books.deaths.get(how, 0) + 1
    r.equal(rig.process.wait(), -signal.SIGKILL, "how it died")
    if talk:
        talk.close()


def rows_heard(rig, said):
    """Of the journal, as the log has it; it says nothing when there are none."""
    wait("the log says that tuning is on", lambda: "notice: tune on" in rig.read_log()[said:])
    end = time.monotonic() + 1
    while time.monotonic() < end:
        found = re.search(r"(\d+) rows of feedback", rig.read_log()[said:])
        if found:
            return int(found.group(1))
        time.sleep(0.02)
    return 0


def check_again(rig, keys, books):
    """It starts, with what was promised."""
    begun = time.monotonic()
    said = len(rig.read_log())
    start(rig, keys)
    books.worst = max(books.worst, time.monotonic() - begun)
    wait("tuning on", lambda: tune(rig)[1].on)
    status = rig.status()
    serves, rows = number(status.model_path.decode()), rows_heard(rig, said)
    books.older += serves < books.announced
    books.lost += max(0, books.rows + books.accepted - rows)
    r.check(serves >= books.announced, f"promotion {serves} serves, {books.announced} was announced")
    r.check(rows >= books.rows + books.accepted,
            f"{rows} rows in the journal; {books.rows} were there, {books.accepted} accepted since")
    books.rows, books.announced = rows, serves
    talk = Talk(rig, b"check/%d" % rows, rows)
    talk.say(OLD, feedback=False)
    talk.close()
    rig.process.kill()
    rig.process.wait()


def main():
    if not os.path.exists(SHIM):
        raise AssertionError(f"{SHIM} is not built")
    with r.Rig() as rig:
        keys = {"model": train(rig), "tune": "yes", "state_dir": rig.path("state"), "tune_cpu": 100, "tune_keep": 2,
                "memory_budget": "256M", "tune_queue": 256}
        os.makedirs(keys["state_dir"])
        books, rng = Books(), random.Random(SEED)
        for i in range(KILLS):
            one(rig, keys, books, rng, i)
            check_again(rig, keys, books)
            if (i + 1) % 10 == 0:
                print(f"{i + 1} kills: {books.deaths}, journal {books.rows} rows, promotion {books.announced} serves",
                      flush=True)
        figures = {"kills": KILLS, "seed": SEED, "deaths": books.deaths, "accepted_feedback_lost": books.lost,
                   "started_older_than_announced": books.older, "slowest_start_s": round(books.worst, 3)}
        print(json.dumps(figures))
        if os.environ.get("KILL_OUT"):
            with open(os.environ["KILL_OUT"], "w", encoding="ascii") as f:
                json.dump(figures, f, indent=1)
                f.write("\n")


main()
