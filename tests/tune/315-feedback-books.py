#!/usr/bin/python3
"""Every piece of feedback is in just one counter, whatever happens meanwhile: reloads to another root and back, restarts
by SIGTERM and by SIGKILL, tuning on and off. The counters of all runs add up to what was sent.

PIECES: how many (default 3000); BOOKS_OUT: a file for the result.
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
from robot import LABELS, NOISE, OLD, Talk, text, train, tune, wait

PIECES = int(os.environ.get("PIECES", "3000"))
BURST = max(100, PIECES // 200)
ARRIVED = ["given", "ignored", "unknown", "late", "repeated", "contradictory", "bad_label", "bad_text", "unreadable",
           "dropped", "denied"]
TAKEN = ["accepted", "unjournaled", "unlabelled", "outdated", "untaken"]


class Books:
    """What was sent, and the counters of the runs that are over."""

    def __init__(self, rig, keys, other):
        self.rig, self.keys, self.other = rig, keys, other
        self.rng = random.Random(5)
        self.sent = self.sent_now = 0
        self.total = dict.fromkeys(ARRIVED + TAKEN, 0)
        self.events = dict.fromkeys(["reload", "on", "off", "terminated", "killed"], 0)
        self.talk = None

    def begin(self):
        self.rig.start(**self.keys)
        self.sent_now = 0
        self.talk = Talk(self.rig, b"books/1", seed=self.sent)
        for _ in range(20):
            self.talk.say(OLD, feedback=False)

    def now(self):
        counters = self.rig.counters()
        return {name: counters["feedback_" + name] for name in self.total}

    def piece(self):
        """One piece of feedback, of any kind."""
        kind = self.rng.randrange(12)
        name = self.rng.choice(LABELS)
        words = text(self.rng, name, OLD).encode()
        if kind == 0:
            self.talk.feedback(self.rng.randrange(1, 25), name)  # given, repeated, contradictory, unknown or late
        elif kind == 1:
            self.talk.feedback(10 ** 6, name)
        elif kind == 2:
            self.talk.feedback(10 ** 6, "no such label", text=words)
        elif kind == 3:
            self.talk.feedback(10 ** 6, name, text=b"\xff" + words)
        elif kind == 4:
            self.talk.feedback(10 ** 6, "", text=words)
        else:
            self.talk.feedback(10 ** 6 + self.sent, name, text=words + b" " + self.rng.choice(NOISE).encode())
        self.sent += 1
        self.sent_now += 1

    def arrived(self):
        counters = self.now()
        return sum(counters[name] for name in ARRIVED) == self.sent_now

    def taken(self):
        counters = self.now()
        return (sum(counters[name] for name in ARRIVED) == self.sent_now
                and counters["given"] == sum(counters[name] for name in TAKEN))

    def add(self, counters):
        r.equal(sum(counters[name] for name in ARRIVED), self.sent_now, f"what arrived in one run: {counters}")
        r.equal(sum(counters[name] for name in TAKEN), counters["given"], f"what became of what was given: {counters}")
        for name, value in counters.items():
            self.total[name] += value

    def stop(self):
        """What waits in the daemon is in its last line of feedback."""
        wait("all of it has arrived", self.arrived)
        self.talk.close()
        r.equal(self.rig.stop(signal.SIGTERM), 0, "exit status")
        line = re.findall(r"feedback: ([a-z_]+ \d+(?:, [a-z_]+ \d+)*)", self.rig.read_log())[-1]
        said = {name: int(value) for name, value in (pair.split() for pair in line.split(", "))}
        self.add({name: said.get(name, 0) for name in self.total})
        self.events["terminated"] += 1

    def kill(self):
        wait("all of it is taken", self.taken)
        self.add(self.now())
        self.rig.process.kill()
        self.rig.process.wait()
        self.talk.close()
        self.events["killed"] += 1

    def reload(self):
        serving = self.rig.status().model_path.decode()
        path = self.keys["model"] if serving == self.other else self.other
        reply = self.rig.request(reload=self.rig.pb.ReloadRequest(path=path.encode()))
        r.equal(reply.error, 0, f"reload: {reply.error_text}")
        self.events["reload"] += 1

    def switch(self):
        action = "OFF" if tune(self.rig)[1].on else "ON"
        error, why = tune(self.rig, action)
        r.equal(error, 0, f"tune {action}: {why}")
        self.events[action.lower()] += 1

    def happen(self):
        event = self.rng.randrange(10)
        if event < 4:
            self.reload()
        elif event < 7:
            self.switch()
        elif event < 9:
            self.stop()
            self.begin()
        else:
            self.kill()
            self.begin()


def tuning_that_goes_off(rig, keys, other):
    """A model comes to serve for which there can be no journal: its feedback is ignored, counted, and nothing is kept."""
    rig.start(**dict(keys, model=other, tune="no"))
    folder = os.path.join(keys["state_dir"], rig.status().model_id.decode()[:16])
    r.equal(rig.stop(), 0, "exit status")
    os.makedirs(keys["state_dir"], exist_ok=True)
    with open(folder, "w", encoding="utf-8"):
        pass
    os.chmod(keys["state_dir"], 0o777)
    rig.start(**keys)
    error, why = tune(rig, "ON")
    r.check(error != 0 and "state_dir" in why and "chmod go-w" in why, f"a folder that others may change: {why}")
    r.equal(rig.stop(), 0, "exit status")
    os.chmod(keys["state_dir"], 0o700)
    rig.start(**keys)
    r.check(tune(rig)[1].on, "READY means that it learns")
    talk = Talk(rig, b"off/1")
    reply = rig.request(reload=rig.pb.ReloadRequest(path=other.encode()))
    r.equal(reply.error, 0, f"reload: {reply.error_text}")
    wait("tuning is off", lambda: not tune(rig)[1].on)
    wait("nothing is kept for tuning", lambda: not [row for row in rig.status().plan if row.detail.startswith(b"since")])
    ignored = rig.counters()["feedback_ignored"]
    talk.feedback(1, "ok", text=b"a")
    wait("it is ignored", lambda: rig.counters()["feedback_ignored"] == ignored + 1)
    r.equal(rig.counters()["feedback_given"], 0, "nothing is given to nobody")
    talk.close()
    r.equal(rig.stop(), 0, "exit status")


def the_plan_says_what_tuning_needs(rig, keys):
    for option in ("--plan", "--check"):
        status, _, said = rig.run(option, **dict(keys, tune_rows=1000000, memory_budget="64M"))
        r.equal(status, 0, said)
        r.check(re.search(r"tuning will be off: .* set memory_budget to \d+M", said), f"{option} says it: {said}")
        r.check("will be off" not in rig.run(option, **keys)[2], "and not where there is room")


with r.Rig() as rig:
    base = train(rig)
    rig.make_model(rig.path("other.safetensors"), "wordpiece", 48, 3)
    settings = {"model": base, "tune": "yes", "state_dir": rig.path("state"), "tune_cpu": 10, "tune_queue": BURST * 2 // 3,
                "memory_budget": "256M", "log_level": "notice"}
    books = Books(rig, settings, rig.path("other.safetensors"))
    the_plan_says_what_tuning_needs(rig, settings)
    tuning_that_goes_off(rig, dict(settings, state_dir=rig.path("blocked")), rig.path("other.safetensors"))
    began = time.monotonic()
    books.begin()
    while books.sent < PIECES:
        for _ in range(min(BURST, PIECES - books.sent)):
            books.piece()
        books.happen()
    if books.sent_now == 0:
        for _ in range(BURST):
            books.piece()
    books.stop()
    r.equal(sum(books.total[name] for name in ARRIVED), books.sent, "the counters add up to what was sent")
    print(f"sent {books.sent}: {books.total}; {books.events}")
    out = os.environ.get("BOOKS_OUT")
    if out:
        os.makedirs(os.path.dirname(out), exist_ok=True)
        with open(out, "w", encoding="utf-8") as file:
            json.dump({"sent": books.sent, "counted": sum(books.total[name] for name in ARRIVED),
                       "counters": books.total, "events": books.events,
                       "seconds": round(time.monotonic() - began, 1)}, file, indent=2)
            file.write("\n")
