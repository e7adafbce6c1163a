#!/usr/bin/python3
"""diffusectl feedback: bulk is paced by the daemon, each piece's end is heard, and the status shows it."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq
from robot import wait

PIECES = 900


def feedback(rig, *arguments, lines="", status=0):
    done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), "--endpoint", rig.path("run"), "feedback", *arguments],
                          input=lines, capture_output=True, text=True, timeout=r.DEADLINE)
    r.equal(done.returncode, status, f"exit status of feedback: {done.stderr[-500:]}")
    return done.stderr


def bulk(rig, label):
    """Nine hundred pieces through room for two: none is lost, and what waits is said again."""
    lines = "".join(f"a/bulk\t{i}\t{label}\ttext number {i}\n" for i in range(PIECES))
    said = feedback(rig, lines=lines)
    r.equal(said, f"given {PIECES}, said before 0, not taken 0\n", "count")
    r.equal(rig.counters()["feedback_given"], PIECES, "pieces that the tuner got")


def fates(rig, label):
    """What is not taken is named, by line, and makes the status 1."""
    labels = rig.subscribe(b"a/fates")
    push = rig.connect(zmq.PUSH, "push", linger=-1)
    push.send_multipart([b"a/fates", rig.sample(5, "some words")])
    rig.label(labels)
    lines = f"a/fates\t5\t{label}\na/fates\t5\t{label}\na/fates\t77\t{label}\na/fates\t5\tno such\nnonsense\n"
    said = feedback(rig, lines=lines, status=1)
    for part in ("line 3: feedback not taken (unknown)", "line 4: feedback not taken (bad_label)",
                 "line 5: expected STREAM", "given 1, said before 1, not taken 3"):
        r.check(part in said, f"{part!r} is not in {said!r}")
    said = feedback(rig, lines=f"a/b\t1\tx\x9by\ttext\na/b\t1\t{label}\u202e\ttext\n", status=1)
    r.check("line 1: feedback.label: byte 1" in said and "given 0, said before 0, not taken 2" in said, said)
    r.check("(unknown)" in feedback(rig, "--stream", "a/b", "--seq", "3", label, status=1), "one piece is told too")
    r.equal(feedback(rig, label, "some text"), "", "a piece that is taken")
    r.equal(feedback(rig, "--no-answer", "no such", "some text"), "", "who asks for no answer gets none")


def off(rig, label):
    said = feedback(rig, lines=f"a/b\t1\t{label}\ttext\n" * 3, status=1)
    r.equal(said.count("feedback not taken (ignored): ignored: tuning is off"), 3, said)
    r.check("given 0, said before 0, not taken 3" in said, said)


with r.Rig() as the_rig:
    the_rig.start(tune="yes", state_dir=the_rig.path("state"), tune_queue=2, memory_budget="256M", tune_cpu=100)
    name = the_rig.status().labels[0].decode()
    wait("tuning is on", lambda: the_rig.status().tuning == b"on")
    bulk(the_rig, name)
    fates(the_rig, name)
    the_rig.stop()
    the_rig.start()
    off(the_rig, name)
