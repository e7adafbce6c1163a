#!/usr/bin/python3
"""Load, feedback, reloads, rollbacks, tuning switched and saved, all at once: every sample is answered exactly
once and in order by a model that was in force, and the daemon ends well. Its worth is under ThreadSanitizer.
"""
import os
import queue
import random
import shutil
import signal
import threading
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq
from robot import LABELS, NEW, OLD, text, train, tune, wait

SECONDS = float(os.environ.get("ALL_AT_ONCE_SECONDS", "6"))


def publish(rig, stream, end, todo, sent):
    """A thousand samples a second between all, and feedback on what came back."""
    rng = random.Random(stream)
    push = rig.connect(zmq.PUSH, "push", linger=-1, SNDTIMEO=int(r.DEADLINE * 1000))
    truth, seq = {}, 0
    while time.monotonic() < end:
        seq += 1
        truth[seq] = rng.choice(LABELS)
        push.send_multipart([stream, rig.sample(seq, text(rng, truth[seq], rng.choice([OLD, NEW])))])
        while not todo.empty():
            known = todo.get()
            f = rig.pb.Feedback(seq=known, label_name=truth[known].encode())
            push.send_multipart([stream, rig.pb.Ingest(feedback=f).SerializeToString()])
        time.sleep(0.003)
    sent[stream] = seq
    return push


def trouble(rig, end, others, outcome):
    """Requests that change what serves, one after the other, whatever they are answered."""
    rng, control = random.Random(3), rig.connect(zmq.DEALER, "control")
    pb, n = rig.pb, 0
    actions = pb.TuneRequest.Action
    while time.monotonic() < end:
        verb = rng.choice(["reload", "reload", "rollback", "SAVE", "OFF", "ON", "ON", "RESET", "STATUS", "hup", "file"])
        n += 1
        if verb == "hup":
            rig.process.send_signal(signal.SIGHUP)
            continue
        if verb == "file":
            shutil.copy(rng.choice(others), rig.path("aside"))
            os.replace(rig.path("aside"), rig.path("serving.safetensors"))
            continue
        request = pb.Request(id=n)
        if verb == "reload":
            request.reload.path = rng.choice(others + [rig.path("none")]).encode()
        elif verb == "rollback":
            request.rollback.SetInParent()
        else:
            request.tune.action = actions.Value(verb)
        control.send(request.SerializeToString())
        reply = pb.Reply.FromString(rig.receive(control)[-1])
        r.equal(reply.id, n, "id of the reply")
        key = f"{verb} {reply.error}"
        outcome[key] = outcome.get(key, 0) + 1
    control.close()


def run(rig, base):
    others = [base, rig.path("other.safetensors"), rig.path("third.safetensors")]
    shutil.copy(base, rig.path("serving.safetensors"))
    rig.make_model(others[1], "byte", 32, 5)
    rig.make_model(others[2], "wordpiece", 48, 3)
    rig.start(model=rig.path("serving.safetensors"), tune="yes", state_dir=rig.path("state"), tune_cpu=100,
              memory_budget="512M", workers=2, queue=64)
    labels = rig.subscribe(b"r")
    streams = [b"r1", b"r2", b"r3"]
    todo = {s: queue.Queue(maxsize=50) for s in streams}
    sent, outcome, pushes = {}, {}, []
    end = time.monotonic() + SECONDS
    threads = [threading.Thread(target=lambda s=s: pushes.append(publish(rig, s, end, todo[s], sent)))
               for s in streams]
    threads.append(threading.Thread(target=trouble, args=(rig, end, others, outcome)))
    for t in threads:
        t.start()
    last, models = {s: 0 for s in streams}, set()
    quiet = time.monotonic()
    while any(t.is_alive() for t in threads) or any(last[s] < sent.get(s, 1) for s in streams):
        if not labels.poll(100):
            r.check(time.monotonic() - quiet < r.DEADLINE, f"nothing more arrived: {last} of {sent}")
            continue
        quiet = time.monotonic()
        stream, label = rig.label(labels)
        r.equal(label.seq, last[stream] + 1, f"next answer of {stream}")
        r.equal(label.error, 0, f"error: {label.error_text}")
        last[stream] = label.seq
        models.add(label.model_id)
        if label.seq % 3 == 0 and not todo[stream].full():
            todo[stream].put(label.seq)
    for t in threads:
        t.join()
    r.equal(last, sent, "every sample is answered once")
    print(f"{sum(sent.values())} samples, {len(models)} models answered; {dict(sorted(outcome.items()))}")
    r.check(len(models) >= 2, f"models that answered: {models}")
    wait("the tuner answers", lambda: tune(rig)[0] == 0)
    for s in (labels, *pushes):
        s.close()
    r.equal(rig.stop(), 0, "exit status")


with r.Rig() as rig:
    run(rig, train(rig))
