#!/usr/bin/python3
"""SIGTERM in full flow: whatever was sent before the signal is answered, once, in order; then exit 0."""
import signal
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

ROWS = 300

with r.Rig(model=("byte", 24)) as rig:
    for round in range(3):
        rig.start(queue=16, stop_wait="60s")
        labels = rig.subscribe()
        push = rig.connect(zmq.PUSH, "push", linger=-1, SNDHWM=10 * ROWS)
        for seq in range(1, ROWS + 1):
            push.send_multipart([b"s", rig.sample(seq, "some text " * 20)])
        # The first label shows that the stream flows; the others are still under way.
        r.equal(rig.label(labels)[1].seq, 1, "first label")
        rig.process.send_signal(signal.SIGTERM)
        for seq in range(2, ROWS + 1):
            label = rig.label(labels)[1]
            r.equal((label.seq, label.error), (seq, 0), "label after SIGTERM")
        r.equal(rig.process.wait(r.DEADLINE), 0, "exit status")
        rig.wait_notify("STOPPING=1")
        r.check(f"stopped: {ROWS} labels" in rig.read_log(), "the log counts them")
        labels.close()
        push.close()
