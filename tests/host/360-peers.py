#!/usr/bin/python3
"""Peers cannot make the daemon grow or end it: floods of connections, topics and frames, peers that die
at any point, and too few descriptors. The books balance afterwards, and are printed."""
import os
import resource
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq
from bare_peer import GREETING, frame, greet, raw

CHURN = int(os.environ.get("PEERS_CHURN", "10000"))
ROWS = 2000


def until(rig, what, good):
    end = time.monotonic() + r.DEADLINE
    while not good():
        r.check(time.monotonic() < end, what)
        time.sleep(0.02)


def serves(rig, seq):
    labels = rig.subscribe(b"check")
    push = rig.connect(zmq.PUSH, "push")
    push.send_multipart([b"check", rig.sample(seq, "x")])
    r.equal(rig.label(labels)[1].seq, seq, "still served")
    labels.close()
    push.close()


def too_many(rig):
    """Who comes when all places are taken is served as soon as one is free."""
    first, second = rig.subscribe(b"s"), rig.subscribe(b"s")
    third = rig.connect(zmq.SUB, "labels")
    third.setsockopt(zmq.SUBSCRIBE, b"")
    until(rig, "the third is refused", lambda: rig.counters()["connections_refused"] > 0)
    push = rig.connect(zmq.PUSH, "push")
    push.send_multipart([b"s", rig.sample(1, "x")])
    for s in (first, second):
        r.equal(rig.label(s)[1].seq, 1, "those who are there are served")
    r.check(not third.poll(100), "the third is not")
    first.close()
    seq = 1
    while not third.poll(50):
        seq += 1
        push.send_multipart([b"s", rig.sample(seq, "x")])
    for s in (second, third, push):
        s.close()
    return seq


def churn(rig, name, n, greeting):
    """Connections that come and go while nobody else speaks."""
    before = rig.resident()[0]
    for _ in range(n):
        s = raw(rig, name)
        try:
            s.sendall(greeting)
        except (BrokenPipeError, ConnectionResetError):
            pass
        s.close()
    until(rig, "what they left is given up", lambda: rig.resident()[0] < before + (1 << 20))
    return rig.resident()[0] - before


def subscribe_and_leave(rig, n):
    """On a socket that has nothing to say, which nobody would touch but for the tick. That each is let
    in shows that those before are given up."""
    before = rig.resident()[0]
    for i in range(n):
        s = greet(rig, "labels", b"SUB")
        s.sendall(frame(b"\x01topic%d" % i))
        s.close()
    return rig.resident()[0] - before


def die_mid_message(rig, seq):
    """Publishers that leave inside a frame, and between the frames of a message."""
    body = rig.sample(seq, "never")
    cuts = [frame(b"half", more=True), frame(b"half", more=True) + frame(body)[:-3], frame(b"half", more=True)[:5]]
    for part in cuts * 10:
        s = greet(rig, "push", b"PUSH")
        s.sendall(part)
        s.close()


def flood_topics(rig, size):
    """Distinct topics without end, from a subscriber that comes back again and again."""
    ended, n = rig.counters()["connections_ended"], 0
    for turn in range(20):
        s = greet(rig, "labels", b"SUB")
        try:
            for _ in range(100_000 // size):
                s.sendall(frame(b"\x01" + os.urandom(size)))
                n += 1
            while s.recv(4096):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
        s.close()
    until(rig, "each is ended", lambda: rig.counters()["connections_ended"] >= ended + 20)
    return n, rig.resident()[1]


def amplify(rig, seq):
    """Small messages that a decoder could make large ones of: ids of a byte, unknown and empty fields."""
    labels, push = rig.subscribe(b"amp"), rig.connect(zmq.PUSH, "push", linger=-1)
    before = rig.resident()[1]
    unknown = rig.sample(seq, "x") + b"\xa0\x06\x01" * 20000
    many_ids = rig.sample(seq, ids=[1] * 60000)
    empty = rig.sample(seq, "x") + rig.pb.Ingest(sample=rig.pb.Sample(seq=seq)).SerializeToString() * 12000
    for _ in range(50):
        for body in (unknown, many_ids, empty):
            push.send_multipart([b"amp", body[:65536]])
            rig.label(labels)
    labels.close()
    push.close()
    return rig.resident()[1] - before


def flood_frames(rig, name, kind, size):
    """One message of endless frames: never full by the count of messages."""
    ended = rig.counters()["connections_ended"]
    s, sent = greet(rig, name, kind), 0
    try:
        while sent < 1 << 28:
            s.sendall(frame(b"\0" * size, more=True))
            sent += size
    except (BrokenPipeError, ConnectionResetError):
        pass
    s.close()
    r.check(sent < 1 << 28, f"{name}: 256 MiB of one message were taken")
    until(rig, "it is ended", lambda: rig.counters()["connections_ended"] > ended)
    return sent


def turned_away(rig):
    counters = rig.counters()
    return counters["connections_refused"] + counters["connections_unfinished"]


with r.Rig(model=("byte", 16, 2, 200)) as rig:
    rig.start(max_message="64K", subscribers=2, publishers=2)
    serves(rig, 1)
    sanitized = rig.sanitized()
    seq = too_many(rig)
    base = rig.resident()[0]
    if not sanitized:
        for name in ("labels", "control", "push", "ingest"):
            for what, greeting in (("silent", b""), ("greeting", GREETING)):
                grown = churn(rig, name, CHURN // 8, greeting)
                print(f"{name}: {CHURN // 8} {what} connections came and went: {grown >> 10} KiB more")
        grown = subscribe_and_leave(rig, CHURN // 20)
        print(f"labels: {CHURN // 20} subscribers came and went: {grown >> 10} KiB more")
        r.check(grown < 1 << 20, "dead peers are given up")
        before = rig.resident()[0]
        for size in (8, 60, 240):
            n, peak = flood_topics(rig, size)
            print(f"labels: {n} topics of {size} bytes by 20 connections, peak {(peak - before) >> 10} KiB more")
    die_mid_message(rig, 1)
    grown = amplify(rig, 1)
    print(f"push: 150 messages that amplify: {grown >> 10} KiB more")
    r.check(sanitized or grown < 1 << 20, "they are decoded in place")
    for name, kind, size in (("push", b"PUSH", 60000), ("ingest", b"PUB", 1000),
                             ("control", b"DEALER", 500), ("labels", b"SUB", 200)):
        sent = flood_frames(rig, name, kind, size)
        print(f"{name}: ended after {sent} bytes of one message in frames of {size}")
    serves(rig, 2)

    labels = rig.subscribe(b"load")
    push = rig.connect(zmq.PUSH, "push", linger=-1)
    for number in range(1, ROWS + 1):
        push.send_multipart([b"load", rig.sample(number, "x")])
    for number in range(1, ROWS + 1):
        r.equal(rig.label(labels)[1].seq, number, "every label, in order")
    counters, plan = rig.counters(), rig.status().memory_plan
    accepted = counters["accepted_push"] + counters["accepted_ingest"]
    peak = rig.resident()[1]
    print(f"books: accepted {accepted} = labelled {counters['labelled']} + refused {counters['refused']};"
          f" not addressed {counters['unaddressed']}, connections refused {counters['connections_refused']},"
          f" ended {counters['connections_ended']}; peak {peak >> 10} KiB, plan {plan >> 10} KiB")
    r.equal(accepted, counters["labelled"] + counters["refused"], "what came in went out")
    r.check(sanitized or peak <= plan, "the peak is inside the plan")
    r.equal(rig.stop(), 0, "exit status")
    r.check("raise it to let in more" in rig.read_log(), "refusals are spoken about")

    # A daemon with few descriptors, and more connections than it has.
    resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    few = f"prlimit --nofile=400:400 {' '.join(rig.command(subscribers=2, publishers=2))}"
    rig.command = lambda *options, **keys: few.split()
    rig.start()
    crowd = [raw(rig, "labels") for _ in range(380)]
    until(rig, "they are turned away", lambda: turned_away(rig) > 360)
    for s in crowd:
        s.close()
    serves(rig, 3)
    print(f"380 connections held open under 400 descriptors: {turned_away(rig)} turned away")
    r.equal(rig.stop(), 0, "exit status")
    few = few.replace("400:400", "100:100")
    status, out, err = rig.run()
    r.equal(status, 1, "too few descriptors for the plan")
    r.check("LimitNOFILE" in err, f"the remedy is named: {err}")
