#!/usr/bin/python3
"""Once it serves, the process can do what serving needs and nothing else, whoever asks from within."""
import os
import signal
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

FORBIDDEN = {"fork", "thread", "inet", "packet", "listen", "wx", "limits"}
HARMLESS = {"file", "unix", "memory"}
EPERM = 1


def proc_status(rig):
    """Of every thread: the mode of seccomp and whether privileges can be gained."""
    tasks = f"/proc/{rig.process.pid}/task"
    found = []
    for task in os.listdir(tasks):
        with open(f"{tasks}/{task}/status", encoding="ascii") as file:
            rows = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        found.append((rows["Seccomp"], rows["NoNewPrivs"]))
    return found


def start(rig, **keys):
    os.environ["LD_PRELOAD"] = os.path.join(r.BUILD, "tests/intruder_shim.so")
    os.environ["INTRUDER_DIR"] = rig.path("intruder")
    try:
        rig.start(**keys)
    finally:
        del os.environ["LD_PRELOAD"], os.environ["INTRUDER_DIR"]


def ask(rig, *words):
    """Let the thread inside try; returns errno by word, or None when the process did not survive."""
    with open(rig.path("intruder/words"), "w", encoding="ascii") as file:
        file.write(" ".join(words))
    os.rename(rig.path("intruder/words"), rig.path("intruder/try"))
    end = time.monotonic() + r.DEADLINE
    while time.monotonic() < end:
        try:
            with open(rig.path("intruder/tried"), encoding="ascii") as file:
                lines = file.read().splitlines()
        except FileNotFoundError:
            lines = None
        if lines is not None:
            os.remove(rig.path("intruder/tried"))
            return {line.split()[0]: int(line.split()[1]) for line in lines}
        if rig.process.poll() is not None:
            return None
        time.sleep(0.02)
    raise AssertionError("the thread inside did not answer")


def bind_again(s, endpoint):
    """ZeroMQ closes the socket before at leisure; and who knocks at a local port may for a moment hold it itself."""
    end = time.monotonic() + r.DEADLINE
    while True:
        try:
            s.bind(endpoint)
            return
        except zmq.ZMQError as e:
            r.check(e.errno == zmq.EADDRINUSE and time.monotonic() < end, f"{endpoint}: {e}")
            time.sleep(0.02)


def serves(rig, seq):
    labels, push = rig.subscribe(b"s"), rig.connect(zmq.PUSH, "push", linger=-1)
    push.send_multipart([b"s", rig.sample(seq, "motor hot")])
    r.equal(rig.label(labels)[1].seq, seq, "label")
    push.close()
    labels.close()


with r.Rig() as the_rig:
    the_rig.start()
    if the_rig.sanitized():
        r.skip("the filter is off under sanitizers, whose own work it would stop")
    the_rig.stop()
    os.mkdir(the_rig.path("intruder"))

    start(the_rig, seccomp="no")  # what it could do otherwise: the proof that the thread inside tries
    found = proc_status(the_rig)
    r.equal({mode for mode, _ in found}, {"0"}, "seccomp = no: no filter")
    r.equal([none for _, none in found].count("0"), 1, "threads that may gain privileges: the intruder, older than main")
    tried = ask(the_rig, *FORBIDDEN - {"packet"}, *HARMLESS)
    r.equal({word for word, code in tried.items() if code}, set(), "what fails without a filter")
    r.equal(the_rig.stop(), 0, "exit status")

    start(the_rig)
    r.equal(set(proc_status(the_rig)), {("2", "1")}, "every thread is filtered and can gain no privileges")
    tried = ask(the_rig, *FORBIDDEN, *HARMLESS)
    r.equal({word: tried[word] for word in FORBIDDEN}, dict.fromkeys(FORBIDDEN, EPERM), "refused")
    r.equal({word: tried[word] for word in HARMLESS}, dict.fromkeys(HARMLESS, 0), "what serving needs")
    serves(the_rig, 1)
    r.equal(ask(the_rig, "exec"), None, "another program cannot be run, and trying ends the process")
    r.equal(the_rig.process.wait(r.DEADLINE), -signal.SIGSYS, "by")

    # A connection to a publisher that was lost must come back.
    publisher = the_rig.context.socket(zmq.PUB)
    port = publisher.bind_to_random_port("tcp://127.0.0.1")
    start(the_rig, ingest_connect=f"tcp://127.0.0.1:{port}")
    tried = ask(the_rig, "inet", "packet", "listen", "thread")
    r.equal(tried, {"inet": 0, "packet": EPERM, "listen": EPERM, "thread": EPERM}, "with tcp")
    publisher.close()
    publisher = the_rig.context.socket(zmq.PUB)
    bind_again(publisher, f"tcp://127.0.0.1:{port}")
    labels = the_rig.subscribe(b"s")
    for number in range(1, 600):
        publisher.send_multipart([b"s", the_rig.sample(number, "motor hot")])
        if labels.poll(200):
            break
    r.equal(the_rig.label(labels)[1].error, 0, "a label over the new connection")
    publisher.close()
    labels.close()
    r.equal(the_rig.stop(), 0, "exit status")
