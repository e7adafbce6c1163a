#!/usr/bin/python3
"""The daemon says READY when it serves, answers one sample, says STOPPING and leaves nothing behind."""
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

with r.Rig() as rig:
    for number in (signal.SIGTERM, signal.SIGINT):
        lines = rig.start()
        r.check(any(line.startswith("STATUS=model") for line in lines), "READY comes with a status")
        for name in ("ingest", "push", "labels", "control"):
            mode = os.stat(rig.path("run/" + name)).st_mode & 0o777
            r.equal(mode, 0o660, f"mode of {name}")
        labels = rig.subscribe(b"robot1")
        push = rig.connect(zmq.PUSH, "push", linger=-1)
        push.send_multipart([b"robot1/log", rig.sample(7, "motor hot", stamp_ns=-5)])
        stream, label = rig.label(labels)
        r.equal((stream, label.seq, label.stamp_ns, label.error), (b"robot1/log", 7, -5, 0), "label")
        r.equal(label.label_name, b"label%d" % label.label_id, "name of the label")
        r.equal(label.tokens, 9, "one token a byte")
        r.check(0.2 < label.confidence <= 1.0, "confidence of the best of five")
        r.equal(len(label.scores), 0, "scores are off")
        r.check(label.times.total_ns >= label.times.queue_ns + label.times.compute_ns > 0, "times")
        status = rig.status()
        r.equal(status.model_id, label.model_id, "model id")
        r.equal([n.decode() for n in status.labels], [f"label{i}" for i in range(5)], "label names")
        r.equal(sum(row.bytes for row in status.plan), status.memory_plan, "sum of the plan")
        r.equal(status.latency.count, 1, "latency count")
        rig.process.send_signal(signal.SIGHUP)
        lines = rig.wait_notify("RELOADING=1")
        r.check(any(line.startswith("MONOTONIC_USEC=") for line in lines), "RELOADING comes with a time")
        rig.wait_notify("READY=1")
        r.equal(rig.stop(number), 0, "exit status")
        rig.wait_notify("STOPPING=1")
        r.equal(os.listdir(rig.path("run")), [], "socket files after the stop")
        r.check("looked at for SIGHUP: this checkpoint serves already" in rig.read_log(), "SIGHUP")
        for s in (labels, push):
            s.close()
