#!/usr/bin/python3
"""The daemon allocates nothing for a message: counted at the allocator, by thread and by caller."""
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

WARM, ROWS = 600, 3000  # more than the queue holds, so that every slot has been used
THREADS, OWNERS = ("main", "worker", "another"), ("program", "ZeroMQ", "systemd", "rest")
LONG = "the motor is hot, the wheel slips and the battery is low " * 4
TEXTS = ["hot", "the motor is hot", LONG, "\u00e9t\u00e9 " + LONG, "unheardof", ""]

shim = os.path.join(r.BUILD, "tests/malloc_shim.so")
if not os.path.exists(shim):
    raise AssertionError(f"{shim} is not built")


def read_counts(path):
    with open(path, "rb") as file:
        numbers = struct.unpack("=12Q", file.read())
    return {(t, o): numbers[i * len(OWNERS) + k] for i, t in enumerate(THREADS) for k, o in enumerate(OWNERS)}


def serve(rig, labels, send, first, rows):
    """Send rows and take their labels; a queue's worth at a time, so that ingest drops none."""
    got = 0
    for begin in range(first, first + rows, 200):
        for seq in range(begin, begin + 200):
            send.send_multipart([b"s/" + send.name, rig.sample(seq, TEXTS[seq % len(TEXTS)])])
        for seq in range(begin, begin + 200):
            stream, label = rig.label(labels)
            r.equal((stream, label.seq), (b"s/" + send.name, seq), "a label in its turn")
            got += not label.error
    return got


class Sender:
    def __init__(self, rig, kind, name):
        self.name = name.encode()
        if kind == zmq.PUB:
            self.socket = rig.connect(zmq.XPUB, name, SNDHWM=0)
            r.check(self.socket.poll(r.DEADLINE * 1000), "the daemon subscribes")
            self.socket.recv()
        else:
            self.socket = rig.connect(kind, name, SNDHWM=0, linger=-1)
        self.send_multipart = self.socket.send_multipart


with r.Rig(model=("wordpiece",)) as rig:
    os.environ["MALLOC_COUNTS"] = rig.path("counts")
    os.environ["LD_PRELOAD"] = shim
    rig.start(queue=256, workers=2)
    del os.environ["LD_PRELOAD"]
    labels = rig.subscribe(hwm=0)
    for kind, name in ((zmq.PUSH, "push"), (zmq.PUB, "ingest")):
        sender = Sender(rig, kind, name)
        serve(rig, labels, sender, 1, WARM)
        before = read_counts(rig.path("counts"))
        labelled = serve(rig, labels, sender, 1 + WARM, ROWS)
        after = read_counts(rig.path("counts"))
        made = {key: after[key] - before[key] for key in after}
        r.check(labelled == ROWS * 5 // 6, f"{labelled} labels")
        for thread in ("main", "worker"):
            r.equal(made[thread, "program"], 0, f"allocations of the daemon's code, {name}, {thread}")
            r.equal(made[thread, "rest"], 0, f"allocations of libraries, {name}, {thread}")
        r.equal(made["worker", "ZeroMQ"], 0, f"allocations of ZeroMQ in workers, {name}")
        r.check(before["main", "program"] > 0, "the start allocates, so that counting works")
        print(f"{name}: {ROWS} messages; allocations a message inside ZeroMQ: "
              f"{made['main', 'ZeroMQ'] / ROWS:.2f} loop, {made['another', 'ZeroMQ'] / ROWS:.2f} its own thread; "
              f"systemd's library altogether: {made['main', 'systemd']}")
    rig.stop()
