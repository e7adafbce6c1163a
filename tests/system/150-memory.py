#!/usr/bin/python3
"""The resident size stays inside the plan, and the plan inside the budget, whatever is sent."""
import os
import re
import subprocess
import threading
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import spoil
import zmq

PUBLISHERS = 8
ROWS = 200


def flood(rig, name, answered):
    """Largest messages, mixed with small and bad ones."""
    s = rig.connect(zmq.PUSH, "push", linger=0, SNDHWM=4)
    big = "motor " * 2700  # almost max_message
    for seq in range(1, ROWS + 1):
        text = (big, "motor", b"\xff\xff", "x" * 25_000)[seq % 4]
        s.send_multipart([name, rig.sample(seq, text)])
    answered.wait(r.DEADLINE)
    s.close()


def run(rig, **keys):
    rig.start(**keys)
    if rig.sanitized():
        r.skip("sanitizers take memory of their own")
    plan = rig.status().memory_plan
    ready = rig.resident()[0]
    r.check(ready <= plan <= rig.status().memory_budget, f"resident {ready} at READY, plan {plan}")
    labels = rig.subscribe()
    sleeper = rig.subscribe(hwm=1)  # never read: its queue fills up
    answered = threading.Event()
    names = [b"robot%d" % i for i in range(PUBLISHERS)]
    threads = [threading.Thread(target=flood, args=(rig, name, answered)) for name in names]
    for thread in threads:
        thread.start()
    expected = dict.fromkeys(names, 1)
    for _ in range(PUBLISHERS * ROWS):
        stream, label = rig.label(labels)
        r.equal(label.seq, expected[stream], f"next of {stream}")
        expected[stream] += 1
    peak = rig.resident()[1]
    answered.set()
    for thread in threads:
        thread.join()
    status = rig.status()
    print(f"ready {ready >> 10} KiB, peak {peak >> 10} KiB, plan {plan >> 10} KiB,"
          f" budget {status.memory_budget >> 10} KiB")
    r.check(peak <= plan, f"peak {peak} is above the plan {plan}")
    sleeper.close()
    labels.close()
    r.equal(rig.stop(), 0, "exit status")


def with_header(rig, n):
    """A checkpoint whose header has about n bytes more."""
    with open(rig.model, "rb") as file:
        header, tensors = spoil.split(file.read())
    header["__metadata__"]["note"] = "x" * n
    header["__metadata__"]["id"] = spoil.content_id(header, tensors)
    path = rig.path(f"header{n}.safetensors")
    with open(path, "wb") as file:
        file.write(spoil.join(header, tensors))
    return path


def headers(rig):
    """What a header takes while it is read is in the plan; one that is larger is refused before that."""
    most, over = with_header(rig, 1000 << 10), with_header(rig, 7 << 20)
    status, _, err = rig.run(model=over, max_length=128)
    r.check(status == 1 and "header of 7" in err, f"at the start: {status}, {err}")
    rig.start(model=most, max_length=128)
    plan = rig.status().memory_plan
    reply = rig.request(reload=rig.pb.ReloadRequest(path=over.encode()))
    r.check(b"header of 7" in reply.error_text, f"at a reload: {reply.error_text}")
    for path in (rig.model, most):
        r.equal(rig.request(reload=rig.pb.ReloadRequest(path=path.encode())).error, 0, f"reload of {path}")
    peak = rig.resident()[1]
    print(f"a header of 1000 KiB: peak {peak >> 10} KiB, plan {plan >> 10} KiB")
    r.check(rig.sanitized() or peak <= plan, f"peak {peak} is above the plan {plan}")
    r.equal(rig.stop(), 0, "exit status")


def without_proc(rig):
    """Where /proc is not there, the program's row is no smaller for that."""
    def row(command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=r.DEADLINE)
        found = re.search(r"^program +([0-9.]+) MiB", done.stdout, re.M)
        return float(found.group(1)) if found else done.stderr
    plan = rig.command("--plan", max_length=128)
    here = row(plan)
    hidden = ["unshare", "-m", "sh", "-c", "mount --make-rprivate / && umount -l /proc && exec \"$@\"", "sh"]
    if subprocess.run([*hidden, "true"], capture_output=True).returncode:
        print("left out: a plan without /proc: it cannot be taken away here, which takes root")
        return
    bare = row([*hidden, *map(os.path.abspath, plan[:1]), *plan[1:]])
    r.check(isinstance(bare, float) and bare >= here > 4, f"program: {here} MiB, without /proc {bare}")


with r.Rig(model=("wordpiece", 128)) as rig:
    headers(rig)
    without_proc(rig)
    run(rig, max_length=128)
    run(rig, workers=2, max_length=64, batch_tokens=2048, scores="yes", memory_budget="128M")

    status, out, err = rig.run("--plan", memory_budget="20M")
    r.equal(status, 1, "a plan over the budget is refused")
    r.check("lower" in err or "set memory_budget" in err, "and the remedy is named")
    r.check("total" in out, "the table is shown all the same")
    status, out, err = rig.run(memory_budget="20M")
    r.equal(status, 1, "neither does the daemon start")
