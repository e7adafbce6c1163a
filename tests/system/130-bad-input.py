#!/usr/bin/python3
"""Bad messages: an error label where there is somebody to tell, a counter, a line, and it goes on."""
import time
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

ERR = dict(TOOBIG=2, BADMSG=3, EMPTY=11, BADTEXT=12, BADTOKEN=13, UNSUPPORTED=15)


def wait_counter(rig, name, value):
    end = time.monotonic() + r.DEADLINE
    while rig.counters()[name] < value:
        r.check(time.monotonic() < end, f"{name} does not reach {value}")


def expect(rig, labels, push, frames, error, seq):
    push.send_multipart(frames)
    stream, label = rig.label(labels)
    r.equal((stream, label.error, label.seq), (b"s", ERR[error], seq), f"answer to {error}")
    r.check(label.error_text and b"\n" not in label.error_text, "one line of text")


def still_serves(rig, labels, push, seq):
    push.send_multipart([b"s", rig.sample(seq, "the motor is ok")])
    stream, label = rig.label(labels)
    r.equal((stream, label.seq, label.error), (b"s", seq, 0), "the service goes on")


with r.Rig(model=("wordpiece",)) as rig:
    rig.start(max_message="16K", max_length=64)
    labels = rig.subscribe()
    push = rig.connect(zmq.PUSH, "push", linger=-1)
    good = rig.sample(1, "the motor is hot")

    answered = [
        ([b"s", b"\xff\xff\xff not protobuf"], "BADMSG", 0),
        ([b"s", b""], "BADMSG", 0),
        ([b"s", good, b"third"], "BADMSG", 1),
        ([b"s"] + [good] * 9, "BADMSG", 1),
        ([b"s", rig.sample(2)], "BADMSG", 2),
        ([b"s", rig.sample(3, "")], "EMPTY", 3),
        ([b"s", rig.sample(4, " \t ")], "EMPTY", 4),
        ([b"s", rig.sample(5, b"the \xc3( motor")], "BADTEXT", 5),
        ([b"s", rig.sample(6, ids=[1, 2, 12])], "BADTOKEN", 6),
        ([b"s", rig.sample(7, ids=[2**32 - 1])], "BADTOKEN", 7),
        ([b"s", rig.sample(8, ids=[])], "EMPTY", 8),
        ([b"s", rig.sample(9, "x" * 20000)], "TOOBIG", 9),
        ([b"s", rig.sample(10, "the motor", segment=1)], "UNSUPPORTED", 10),
        ([b"s", rig.sample(11, "the motor", segment=2)], "UNSUPPORTED", 11),
        ([b"s", rig.sample(12, "the motor", segment=77)], "BADMSG", 12),
    ]
    for frames, error, seq in answered:
        expect(rig, labels, push, frames, error, seq)
    r.equal(rig.counters()["refused"], len(answered), "refusals are counted")
    r.equal(rig.counters()["error_BADTOKEN"], 2, "and by kind")
    still_serves(rig, labels, push, 100)

    nameless = [[good], [b"", good], [b"n" * 256, good], [b"bad\xff", good], [b"$sys/x", good],
                [b"two\nlines", good]]
    for frames in nameless:
        push.send_multipart(frames)
    wait_counter(rig, "unaddressed", len(nameless))
    push.send_multipart([b"s", rig.pb.Ingest(feedback=rig.pb.Feedback(seq=1, label_id=2))
                         .SerializeToString()])
    wait_counter(rig, "feedback_ignored", 1)
    still_serves(rig, labels, push, 101)

    push.send_multipart([b"s", rig.sample(102, "the motor " * 200)])
    label = rig.label(labels)[1]
    r.equal((label.error, label.tokens, label.truncated), (0, 64, True), "cut at max_length")
    r.equal(rig.counters()["truncated"], 1, "cuts are counted")

    # A frame of 10 MB ends its sender's connection, which comes back by itself.
    push.send_multipart([b"s", b"x" * 10_000_000])
    wait_counter(rig, "disconnected", 1)
    still_serves(rig, labels, push, 103)

    control = rig.connect(zmq.DEALER, "control")
    control.send(b"\xff\xff")
    r.equal(rig.pb.Reply.FromString(rig.receive(control)[-1]).error, ERR["BADMSG"], "bad request")
    control.send(rig.pb.Request(id=9).SerializeToString())
    reply = rig.pb.Reply.FromString(rig.receive(control)[-1])
    r.equal((reply.id, reply.error), (9, ERR["UNSUPPORTED"]), "request without a verb")
    control.send_multipart([b"", rig.pb.Request(id=10, status=rig.pb.StatusRequest())
                            .SerializeToString()])
    envelope, reply = rig.receive(control)
    r.equal((envelope, rig.pb.Reply.FromString(reply).id), (b"", 10), "REQ's envelope is mirrored")

    ingest = rig.connect(zmq.PUB, "ingest", linger=-1)
    seq = 0
    while not labels.poll(20):
        seq += 1
        ingest.send_multipart([b"i", rig.sample(seq, "the battery is low")])
    first = rig.label(labels)[1].seq
    while first < seq:
        first = rig.label(labels)[1].seq
    ingest.send_multipart([b"i", rig.sample(seq + 11, "the battery is low")])
    r.equal(rig.label(labels)[1].seq, seq + 11, "after the gap")
    r.equal(rig.counters()["ingest_gaps"], 10, "gap")

    r.equal(rig.stop(), 0, "exit status")
    log = rig.read_log()
    for word in ("BADMSG", "EMPTY", "BADTEXT", "BADTOKEN", "TOOBIG", "UNSUPPORTED", "BADNAME",
                 "feedback ignored", "was disconnected", "did not arrive"):
        r.check(word in log, f"the log speaks of {word}")
    r.check("the motor" not in log and "xxxx" not in log, "payloads are not logged")

# A model without a vocabulary takes ids, and refuses text.
with r.Rig(model=("none",)) as rig:
    rig.start(on_too_long="refuse", max_length=8)
    labels = rig.subscribe()
    push = rig.connect(zmq.PUSH, "push", linger=-1)
    expect(rig, labels, push, [b"s", rig.sample(1, "text")], "UNSUPPORTED", 1)
    expect(rig, labels, push, [b"s", rig.sample(2, ids=range(9))], "TOOBIG", 2)
    push.send_multipart([b"s", rig.sample(3, ids=range(8))])
    label = rig.label(labels)[1]
    r.equal((label.seq, label.error, label.tokens), (3, 0, 8), "ids of the longest sample")
    r.equal(rig.stop(), 0, "exit status")
