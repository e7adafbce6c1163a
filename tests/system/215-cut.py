#!/usr/bin/python3
"""What a client does when its connection is cut: nothing that it can send is lost, each line is answered once."""
import os
import signal
import subprocess
import threading
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
from ports import free_ports
from wire import Wire

LINES = 4000
LONG = 3 * 16384  # bytes: more than twice the max_message of the daemon here
CTL = os.path.join(r.BUILD, "diffusectl")


class Sender:
    """diffusectl send, fed and read line by line."""

    def __init__(self, rig, *arguments, endpoint=None):
        self.process = subprocess.Popen([CTL, "--endpoint", endpoint or rig.path("run"), "--timeout", "20000", "send",
                                         *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        self.answers, self.said = [], []
        self.more = threading.Condition()
        self.readers = [threading.Thread(target=self.read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.answers), (self.process.stderr, self.said))]
        for reader in self.readers:
            reader.start()

    def read(self, stream, lines):
        for line in stream:
            with self.more:
                lines.append(line.rstrip("\n"))
                self.more.notify_all()

    def feed(self, lines):
        self.process.stdin.write("".join(line + "\n" for line in lines))
        self.process.stdin.flush()

    def wait(self, condition, what):
        with self.more:
            r.check(self.more.wait_for(condition, r.DEADLINE), f"{what}; said {self.said}")

    def end(self, status):
        self.process.stdin.close()
        got = self.process.wait(r.DEADLINE)
        for reader in self.readers:
            reader.join()
        r.equal(got, status, f"exit status; said {self.said[-5:]}")


def short(i):
    return f"row {i} of the log"


def once(sender, expected):
    """Every short line answered by a label, once; every long one refused by name, once."""
    texts = [line.split("\t", 2)[2] for line in sender.answers]
    shorts = [t for t in texts if len(t) < LONG]
    r.equal(len(shorts), len(expected), "answers to short lines")
    r.equal(sorted(shorts), sorted(expected), "short lines answered once")
    for line in sender.answers:
        label, _, text = line.split("\t", 2)
        r.equal(label.startswith("!"), len(text) >= LONG, f"answer to {text[:40]}")


def killed(rig):
    """SIGKILL in the middle, long lines in between, and a new daemon a while later."""
    rig.start(queue=32)
    sender = Sender(rig, "--wait", "--stream", "cut/killed")
    lines = [short(i) for i in range(LINES)]
    longs = {LINES // 8: "x" * LONG, LINES // 4 + 1: "y" * LONG, LINES - 2: "z" * LONG}
    rows = [row for i in range(LINES) for row in ([longs[i], lines[i]] if i in longs else [lines[i]])]
    feeder = threading.Thread(target=sender.feed, args=(rows,), daemon=True)
    feeder.start()
    for share in (5, 3, 2):
        sender.wait(lambda part=share: len(sender.answers) > LINES // part, "answers before the kill")
        rig.stop(signal.SIGKILL)
        rig.start(queue=32)
    feeder.join(r.DEADLINE)
    sender.end(1)  # the long lines got no label
    once(sender, lines)
    r.check(any("sent again" in line for line in sender.said), sender.said)
    r.equal(sum("max_message" in line for line in sender.said), 3, "long lines named")
    r.check(sender.said[-1].startswith(f"sent {LINES}, answered {LINES}"), sender.said[-1])
    r.equal(rig.counters()["connections_ended"], 0, "connections that the daemon ended")
    rig.stop()


def stopped(rig):
    """An orderly end is no different, and what went away is said while it is away."""
    rig.start(queue=32)
    sender = Sender(rig, "--wait", "--stream", "cut/stopped")
    lines = [short(i) for i in range(LINES)]
    sender.feed(lines[:100])
    sender.wait(lambda: len(sender.answers) == 100, "answers before the end")
    rig.stop()
    feeder = threading.Thread(target=sender.feed, args=(lines[100:],), daemon=True)
    feeder.start()
    sender.wait(lambda: any("waiting for the daemon" in line for line in sender.said), "no word of the cut")
    rig.start(queue=32)
    feeder.join(r.DEADLINE)
    sender.end(0)
    once(sender, lines)
    rig.stop()


def gone(rig):
    """A daemon that does not come back is given up, and that is no success."""
    rig.start()
    sender = Sender(rig, "--push", "--stream", "cut/gone", "--patience", "1")
    labels = rig.subscribe(b"cut/gone")
    sender.feed([short(1)])
    rig.label(labels)
    rig.stop(signal.SIGKILL)
    sender.feed([short(i) for i in range(2, 1000)])
    sender.end(1)
    r.check(any("the connection was cut" in line for line in sender.said), sender.said)
    r.check(sender.said[-1].startswith("sent "), sender.said)


def cut(rig):
    """The network goes, the daemon stays."""
    there, here = free_ports(4), free_ports(4)
    rig.start(queue=32, tcp=f"127.0.0.1:{there}")
    wires = [Wire(here + i, there + i) for i in range(4)]
    sender = Sender(rig, "--wait", "--stream", "cut/wire", endpoint=f"tcp://127.0.0.1:{here}")
    lines = [short(i) for i in range(LINES)]
    feeder = threading.Thread(target=sender.feed, args=(lines,), daemon=True)
    feeder.start()
    for which, share in ((wires, 6), (wires[1:2], 4), (wires[2:3], 2)):  # all, push alone, labels alone
        sender.wait(lambda part=share: len(sender.answers) > LINES // part, "answers before the cut")
        for wire in which:
            wire.cut()
    feeder.join(r.DEADLINE)
    sender.end(0)
    once(sender, lines)
    rig.stop()


with r.Rig() as the_rig:
    killed(the_rig)
    stopped(the_rig)
    gone(the_rig)
    cut(the_rig)
