#!/usr/bin/python3
"""The disk under state_dir fills up while the daemon tunes: it serves on, says so, counts what it could not keep, and
goes on learning when there is room again; nothing that it accepted is lost."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
from ledger import balance
from robot import NEW, Talk, train, tune, wait

ROWS = 40


def kept(rig):
    counters = rig.counters()
    return counters["feedback_accepted"], counters["feedback_unjournaled"]


def give(rig, talk, n):
    """Feedback on n samples, each of which is answered; returns how much more was accepted, and not."""
    before = kept(rig)
    for _ in range(n):
        talk.say(NEW)
    wait("all of it is decided on", lambda: sum(kept(rig)) >= sum(before) + n)
    return tuple(now - then for now, then in zip(kept(rig), before))


def fill(path, full):
    with open(path, "r+b") as file:
        file.write(b"1" if full else b"0")


with r.Rig() as rig:
    keys = {"model": train(rig), "state_dir": rig.path("state"), "tune": "yes", "tune_cpu": 100, "memory_budget": "192M"}
    full = rig.path("full")
    os.makedirs(keys["state_dir"])
    with open(full, "wb") as f:
        f.write(b"0")
    environment = dict(os.environ)
    os.environ.update(LD_PRELOAD=os.path.abspath(os.path.join(r.BUILD, "tests/fault_shim.so")),
                      FAULT_DIR=keys["state_dir"], FAULT_FULL=full,
                      ASAN_OPTIONS=environment.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    rig.start(**keys)
    os.environ.clear()
    os.environ.update(environment)
    wait("tuning on", lambda: tune(rig)[1].on)
    talk = Talk(rig)
    accepted = 6 * ROWS
    r.equal(give(rig, talk, accepted), (accepted, 0), "while there is room")
    said = len(rig.read_log())

    fill(full, True)
    r.equal(give(rig, talk, ROWS), (0, ROWS), "without room")
    if tune(rig)[1].promotions == 0:  # else it came so early that little more is worth one
        wait("worth a promotion", lambda: b"gains" in tune(rig, "SAVE")[1].verdict)
        wait("it is said", lambda: "not promoted" in rig.read_log()[said:])
        r.equal(tune(rig)[1].promotions, 0, "promotions without room")
        r.equal(glob.glob(os.path.join(keys["state_dir"], "*", "tuned-*.safetensors")), [], "no half of a promotion")
    lines = [line for line in rig.read_log()[said:].splitlines() if "feedback not accepted" in line]
    r.check(0 < len(lines) <= 2, f"said once, not for each of them: {lines}")
    r.check(re.search("No space left|disk is full|ENOSPC", lines[0]), f"why: {lines[0]}")
    r.check(tune(rig)[1].on, "tuning stays on")

    fill(full, False)
    r.equal(give(rig, talk, ROWS), (ROWS, 0), "with room again")
    accepted += ROWS
    wait("it is promoted", lambda: tune(rig, "SAVE")[1].promotions > 0)
    balance(rig, "a full disk")
    talk.close()
    r.equal(rig.stop(), 0, "exit status")

    said = len(rig.read_log())
    rig.start(**keys)
    wait("tuning on", lambda: "tune on" in rig.read_log()[said:])
    wait("the journal is read", lambda: re.search(r"\d+ rows of feedback", rig.read_log()[said:]))
    heard = int(re.search(r"(\d+) rows of feedback", rig.read_log()[said:]).group(1))
    r.equal(heard, accepted, "what was accepted is there after a restart, and no more")
    print(f"{accepted} accepted, {ROWS} not, {heard} in the journal; one line: {lines[0][:160]}")
    r.equal(rig.stop(), 0, "exit status")
