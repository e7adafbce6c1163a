#!/usr/bin/python3
"""Online fine-tuning through the sockets: feedback teaches new words, a promotion is a checkpoint on the disk and
serves after a restart, accepted feedback survives kill -9, every fate of feedback is counted, reset returns.
"""
import glob
import json
import os
import signal
import subprocess
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
from robot import NEW, OLD, Talk, number, text, train, tune, wait, wait_counter

ENOUGH = 500  # rows to be learned from; a slow tuner is not buried in more of them


def learns(rig, keys):
    """Feedback until something is promoted; returns the id of the root."""
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
        for _ in range(50 if tune(rig)[1].rows_new < ENOUGH else 0):
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
    files = glob.glob(os.path.join(keys["state_dir"], root[:16], "tuned-*.safetensors"))
    r.check(0 < len(files) <= keys["tune_keep"], f"bounded retention: {files}")
    talk.close()
    return root


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


def survives_a_crash(rig, keys, root):
    """What was accepted is heard again, and what was promoted serves."""
    talk = Talk(rig, b"crash/1")
    accepted = rig.counters()["feedback_accepted"]
    for _ in range(20):
        talk.say(OLD)
    wait_counter(rig, "feedback_accepted", accepted + 20)
    serving = number(rig.status().model_path.decode())
    held = tune(rig)[1]
    rig.process.kill()
    rig.process.wait()
    talk.close()
    with open(os.path.join(keys["state_dir"], root[:16], "feedback.journal"), "ab") as f:
        f.write(b"\x07torn")
    rig.start(**keys)
    wait("tuning on", lambda: tune(rig)[1].on)
    again = number(rig.status().model_path.decode())
    r.check(again >= serving > 0, f"promotion {again} serves after kill -9, {serving} did before")
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
    """A label that the model lacks is learned, when that is configured; scores have room for it."""
    rig.start(**dict(keys, tune_new_labels=2, scores="yes", state_dir=rig.path("growing")))
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


def by_hand(rig, keys):
    """The same by diffusectl: feedback from the command line and from lines, tune, reload, rollback."""
    rig.start(**keys)
    wait("tuning on", lambda: tune(rig)[1].on)

    def ctl(*args, status=0, **options):
        done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), *r.PATIENT, "--endpoint", rig.path("run"),
                               *args],
                              capture_output=True, text=True, **options)
        r.equal(done.returncode, status, f"exit status of {args}: {done.stderr}")
        return done.stdout + done.stderr

    accepted = rig.counters()["feedback_accepted"]
    ctl("feedback", "battery", "batao batbo the unit")
    ctl("feedback", input="\ufeffa/1\t7\tmotor\tmotao motbo now\na/1\t8\tcamera\tcamao at\n")
    wait_counter(rig, "feedback_accepted", accepted + 3)
    r.check("line 1: expected STREAM" in ctl("feedback", input="nonsense\n", status=1), "a bad line is named")
    ctl("feedback", "battery", status=2)
    shown = json.loads(ctl("tune", "status", "--json"))
    r.equal((shown["on"], shown["root_id"]), (True, rig.status().model_id.decode()), "tune status --json")
    r.check(any(s["stream"] == "a/1" for s in shown["streams"]), f"streams: {shown['streams']}")
    r.check("tuning is on" in ctl("tune"), "tune status in words")
    rig.make_model(rig.path("other.safetensors"), "wordpiece", 48, 3)
    r.check("rollback returns to" in ctl("reload", rig.path("other.safetensors")), "reload")
    back = json.loads(ctl("rollback", "--json"))
    r.equal(back["id"], shown["root_id"], "rollback --json")
    r.check("No such file" in ctl("reload", rig.path("none"), status=1), "a reload that is refused")
    r.check("tuning is off" in ctl("tune", "off"), "tune off")
    ctl("tune", "sideways", status=2)
    r.equal(rig.stop(signal.SIGTERM), 0, "exit status")


with r.Rig() as rig:
    base = train(rig)
    settings = {"model": base, "tune": "yes", "state_dir": rig.path("state"), "tune_cpu": 100, "tune_keep": 2,
                "memory_budget": "256M"}
    root = learns(rig, settings)
    every_fate(rig)
    survives_a_crash(rig, settings, root)
    switches(rig, settings, root)
    too_little_memory(rig, settings)
    grows_a_label(rig, settings)
    by_hand(rig, dict(settings, state_dir=rig.path("by-hand")))
