#!/usr/bin/python3
"""A subscriber that does not read holds others back for label_wait at most; then only it loses labels."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

ROWS = 6000

with r.Rig(model=("byte", 16, 2, 200)) as rig:
    rig.start(label_hwm=10, label_wait="200ms", queue=64)
    labels = rig.subscribe()
    sleeper = rig.subscribe(hwm=1, RCVBUF=4096)
    push = rig.connect(zmq.PUSH, "push", linger=0, SNDHWM=0)
    for seq in range(1, ROWS + 1):
        push.send_multipart([b"s", rig.sample(seq, "x")])
    for seq in range(1, ROWS + 1):
        r.equal(rig.label(labels)[1].seq, seq, "the reader gets every label")
    counters = rig.counters()
    r.equal(counters["labelled"], ROWS, "labelled")
    r.check(counters["labels_dropped"] > 0, "labels were dropped for the sleeper, and counted")
    r.equal(rig.stop(), 0, "exit status")
    r.check("does not keep up" in rig.read_log(), "and spoken about")
