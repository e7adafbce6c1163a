#!/usr/bin/python3
"""More than can be answered: a flood beside quiet streams, what each overload policy does, samples that grow too old,
subscribers and publishers that fail, clocks that are set, streams that are forgotten. After each the books balance with
what was sent and received, and are printed."""
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq
from bare_peer import frame, greet
from ledger import ERRORS, Tally, balance, pages

FLOOD, QUIET, BATCH, QUEUE = 400 if r.SANITIZED else 3000, 30, 8, 256 if r.SANITIZED else 512
TEXT = "flood of words " * (3 if r.SANITIZED else 16)
SECOND = 1000000000


def until(what, good):
    end = time.monotonic() + r.DEADLINE
    while not good():
        r.check(time.monotonic() < end, what)
        time.sleep(0.01)


def p99(times):
    return sorted(times)[int(len(times) * 0.99)] / 1e6


class Flood:
    """One stream, as fast as its socket takes it, over a connection of its own."""

    def __init__(self, rig, stream=b"flood", n=FLOOD, way="push"):
        self.n = n
        self.socket = rig.connect(zmq.PUSH if way == "push" else zmq.PUB, way, linger=0, SNDHWM=n)
        bodies = [[stream, rig.sample(seq, TEXT)] for seq in range(1, n + 1)]
        if way == "ingest":
            self.listen(rig, stream)
        self.thread = threading.Thread(target=lambda: [self.socket.send_multipart(body) for body in bodies])
        self.thread.start()

    def listen(self, rig, stream):
        """PUB drops until its subscriber is there."""
        before = rig.counters()["unaddressed"]
        while rig.counters()["unaddressed"] == before:
            self.socket.send_multipart([b"", b"is anybody there"])
            time.sleep(0.01)

    def end(self, rig):
        """Until something that was sent later has come: PUB drops at its high-water mark."""
        self.thread.join()
        end, seq = time.monotonic() + r.DEADLINE, 0
        while not pages(rig, b"end")[0]:
            r.check(time.monotonic() < end, "the last one is accepted")
            seq += 1
            self.socket.send_multipart([b"end", rig.sample(seq, "x")])
            time.sleep(0.01)

    def close(self):
        self.thread.join()
        self.socket.close()


def ask(rig, tally, push, stream, seq):
    """One sample; how many answers of others come before its own, and its time."""
    push.send_multipart([stream, rig.sample(seq, TEXT)])
    before = 0
    while True:
        name, label = tally.take()
        if name == stream:
            r.equal((label.seq, label.error), (seq, 0), "answer")
            return before, label.times.total_ns
        before += 1


def fairness(rig, overload):
    rig.start(overload=overload, queue=QUEUE, batch_max=BATCH, max_length=256, batch_tokens=512)
    tally = Tally(rig)
    push = rig.connect(zmq.PUSH, "push", linger=-1)
    alone = [ask(rig, tally, push, b"quiet", seq)[1] for seq in range(1, QUIET + 1)]
    flood = Flood(rig)
    while tally.count(b"flood") == 0:
        tally.take()
    before, beside = [], []
    for seq in range(QUIET + 1, 2 * QUIET + 1):
        n, ns = ask(rig, tally, push, b"quiet", seq)
        if len(tally.answers[b"flood"]) < FLOOD:  # it still floods
            before.append(n)
            beside.append(ns)
    tally.take_all(2 * QUIET + FLOOD)
    tally.quiet()
    books = balance(rig, f"flood beside a quiet stream, overload = {overload}")
    r.equal((books[b"quiet"].labelled, books[b"quiet"].accepted), (2 * QUIET, 2 * QUIET), "quiet")
    for stream, row in books.items():
        tally.agrees(stream, row)
    flood.close()
    push.close()
    tally.close()
    r.equal(rig.stop(), 0, "exit status")
    return before, alone, beside


def check_fairness(rig):
    """Labels of the flood that leave before the one label that somebody waits for: of a queue that is answered in the
    order of acceptance they would be as many as it holds."""
    before, alone, beside = fairness(rig, "push_back")
    r.check(len(before) >= 3, f"the flood was over after {len(before)} samples")
    r.check(statistics.median(before) <= 10 * BATCH, f"labels of the flood before a quiet one: {before}")
    print(f"a quiet stream beside a flood: {statistics.median(before):.0f} labels of it before a label (most"
          f" {max(before)}, the queue holds {QUEUE}); p99 {p99(beside):.1f} ms, alone {p99(alone):.1f} ms")
    for overload in ("drop_oldest", "drop_newest", "reject"):
        fairness(rig, overload)


def check_ingest(rig):
    """On ingest nobody waits: what is dropped is told by an event, or (reject) by its answer."""
    for overload, told in (("drop_oldest", False), ("drop_newest", False), ("reject", True)):
        rig.start(overload=overload, queue=16, max_length=256, ingest_hwm=800, max_message=2048, memory_budget="128M")
        tally, events = Tally(rig, b"flood"), rig.subscribe(b"$sys/overload")
        flood = Flood(rig, way="ingest")
        flood.end(rig)
        until("all is answered", lambda: pages(rig)[1].total.in_flight == 0)
        books = balance(rig, f"flood on ingest, overload = {overload}")
        row = books[b"flood"]
        r.check(row.dropped > 0, "it was too much")
        r.equal(row.accepted + row.gaps + (FLOOD - row.last_seq), FLOOD, "what was sent")
        tally.take_all(row.labelled + (row.dropped if told else 0))
        tally.quiet()
        tally.agrees(b"flood", row)
        r.equal(tally.count(b"flood", ERRORS["OVERLOADED"]), row.dropped if told else 0, "told by an answer")
        r.equal(rig.counters()["dropped_silent"], 0 if told else row.dropped, "not told by an answer")
        event = rig.pb.Event.FromString(rig.receive(events)[1])
        r.check(event.kind == b"overload" and b"dropped for overload" in event.text, f"event: {event.text}")
        for s in (flood, tally, events):
            s.close()
        r.equal(rig.stop(), 0, "exit status")


def check_age(rig, shim):
    """Whatever the clocks say: the age that can be true counts, and each sample has its one answer."""
    with open(rig.path("clock"), "wb") as clock:
        clock.write((0).to_bytes(8, sys.byteorder, signed=True))
    before = dict(os.environ)
    os.environ.update(LD_PRELOAD=shim, CLOCK_FILE=rig.path("clock"),
                      ASAN_OPTIONS=before.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0")
    rig.start(segments=4, queue=64)
    os.environ.clear()
    os.environ.update(before)
    tally, push, seq = Tally(rig), rig.connect(zmq.PUSH, "push", linger=-1), 0

    def say(age_s, max_age_ms=5000, **fields):
        """The error of a sample that was sent age_s ago, by the sender's clock."""
        nonlocal seq
        seq += 1
        stamp = 0 if age_s is None else time.time_ns() - int(age_s * SECOND)
        push.send_multipart([b"aged", rig.sample(seq, "some text", stamp_ns=stamp, max_age_ms=max_age_ms, **fields)])
        return tally.take()[1].error

    def set_clock(seconds):
        with open(rig.path("clock"), "r+b") as file:
            file.write((seconds * SECOND).to_bytes(8, sys.byteorder, signed=True))

    late = ERRORS["EXPIRED"]
    r.equal([say(0), say(60), say(-60), say(2 * 3600), say(None), say(60, max_age_ms=0), say(60, max_age_ms=100000)],
            [0, late, 0, 0, 0, 0, 0], "old; in the future; longer ago than can be; not said; no limit; young enough")
    set_clock(600)
    r.equal([say(0), say(610), say(-600)], [late, late, 0], "set forward: what is under way looks older than it is")
    set_clock(-600)
    r.equal([say(0), say(60), say(660)], [0, 0, late], "set back: what is under way looks younger")
    set_clock(100 * 365 * 86400)
    r.equal([say(0), say(60)], [0, 0], "set to another century: no age is plausible")
    set_clock(0)

    # A piece that is too old is in the text all the same.
    Continues, Ends = rig.pb.Segment.Value("CONTINUES"), rig.pb.Segment.Value("ENDS")
    r.equal([say(0, segment=Continues), say(60, segment=Continues)], [0, late], "pieces")
    push.send_multipart([b"aged", rig.sample(seq + 1, "the end", segment=Ends)])
    in_pieces = tally.take()[1]
    push.send_multipart([b"whole", rig.sample(1, "some textsome textthe end")])
    whole = tally.take()[1]
    r.equal((in_pieces.tokens, in_pieces.label_id), (whole.tokens, whole.label_id), "the text with all its pieces")
    r.check(abs(in_pieces.confidence - whole.confidence) < 1e-5, "its confidence")
    books = balance(rig, "samples that are too old, and clocks that are set")
    tally.agrees(b"aged", books[b"aged"])
    push.close()
    tally.close()
    r.equal(rig.stop(), 0, "exit status")

    # The time since acceptance: a flood that waits longer than it may.
    rig.start(queue=512, max_age="5ms", max_length=256)
    tally, flood = Tally(rig), Flood(rig)
    tally.take_all(FLOOD)
    tally.quiet()
    row = balance(rig, "a flood, max_age = 5ms")[b"flood"]
    r.check(row.expired > 0, "some waited longer")
    tally.agrees(b"flood", row)
    flood.close()
    tally.close()
    r.equal(rig.stop(), 0, "exit status")


def check_age_while_computed(rig):
    """A sample that is young when its turn comes and too old when its label is ready has no label."""
    slow, limit = rig.path("slow.safetensors"), 5  # milliseconds
    rig.make_model(slow, "byte", 128, 5, "steps=8")
    rig.start(model=slow, max_length=4096, batch_tokens=4096, memory_budget="256M")
    tally, push = Tally(rig), rig.connect(zmq.PUSH, "push", linger=-1)

    def say(seq, **fields):
        push.send_multipart([b"slow", rig.sample(seq, "x" * 4096, **fields)])
        return tally.take()[1]

    label = say(1)
    r.equal(label.error, 0, "without a limit")
    r.check(label.times.compute_ns > 2e6 * limit, f"it takes long enough: {label.times.compute_ns / 1e6} ms")
    said, end = [], time.monotonic() + r.DEADLINE
    while not said or b"when its label was ready" not in said[-1]:  # else the worker came late already
        r.check(time.monotonic() < end, f"one grows old while it is computed: {said}")
        label = say(len(said) + 2, max_age_ms=limit)
        r.equal((label.error, label.label_name), (ERRORS["EXPIRED"], b""), f"{label.error_text}")
        said.append(label.error_text)
    tally.agrees(b"slow", balance(rig, "computed for longer than max_age")[b"slow"])
    push.close()
    tally.close()
    r.equal(rig.stop(), 0, "exit status")


def check_peers(rig):
    """A subscriber that does not read, one that dies, publishers that die inside a message, streams that are forgotten."""
    rig.start(queue=64, label_hwm=10, label_wait="100ms", streams=8, subscribers=8, overload="drop_newest")
    tally = Tally(rig)
    sleeper, dead = rig.subscribe(hwm=1, RCVBUF=4096), rig.subscribe(hwm=1, RCVBUF=4096)
    flood = Flood(rig)
    tally.take_all(FLOOD // 4)
    dead.close()
    for part in (frame(b"dies", more=True), frame(b"dies", more=True) + frame(rig.sample(1, "x"))[:-1]) * 3:
        s = greet(rig, "push", b"PUSH")
        s.sendall(part)
        s.close()
    push = rig.connect(zmq.PUSH, "push", linger=-1)
    for seq in range(1, 6):
        for i in range(20):
            push.send_multipart([b"many%02d" % i, rig.sample(seq, "x" if seq % 2 else "")])
            while push.poll(0, zmq.POLLOUT) == 0:
                tally.take()
    tally.take_all(FLOOD + 100)
    tally.quiet()
    balance(rig, "subscribers and publishers that fail, 21 streams in a table of 8", show=3)
    counters = rig.counters()
    r.check(r.SANITIZED or counters["labels_dropped"] > 0, "the sleeper lost labels, when there were enough to fill it")
    r.check(counters["streams_forgotten"] > 0, "streams were forgotten")
    kinds = {error for name, mine in tally.answers.items() if name != b"flood" for error in mine.values()}
    r.check({0, ERRORS["EMPTY"]} <= kinds <= {0, *ERRORS.values()}, f"quiet streams: errors {kinds}")
    ctl = os.path.join(r.BUILD, "diffusectl")
    shown = subprocess.run([ctl, "--endpoint", rig.path("run"), "streams"], check=True, capture_output=True, text=True)
    lines = [line.split() for line in shown.stdout.splitlines()]
    r.equal((len(lines), lines[-2][0], lines[-1][:2]), (11, "(others)", ["(total)", str(FLOOD + 100)]), "diffusectl streams")
    for s in (flood, push, tally, sleeper):
        s.close()
    r.equal(rig.stop(signal.SIGTERM), 0, "exit status")


with r.Rig(model=("byte", 48, 4, "ring=0")) as the_rig:
    the_shim = os.path.abspath(os.path.join(r.BUILD, "tests/clock_shim.so"))
    check_fairness(the_rig)
    check_ingest(the_rig)
    check_age(the_rig, the_shim)
    check_age_while_computed(the_rig)
    check_peers(the_rig)
