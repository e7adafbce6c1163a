#!/usr/bin/python3
"""Everything that serving touches is there at READY, and stays there when memory is locked."""
import shutil
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq


def proc(rig):
    with open(f"/proc/{rig.process.pid}/status", encoding="ascii") as file:
        rows = dict(line.split(":", 1) for line in file)
    return {k: int(v.split()[0]) for k, v in rows.items() if v.split()[1:] == ["kB"]}


def grows_by_messages_only(rig):
    """Texts of every length, alone and in full batches, on two workers: OpenBLAS's buffers too were touched
    before READY."""
    rig.start(workers=2, max_length=128, batch_tokens=1024)
    if rig.sanitized():
        r.skip("sanitizers take memory of their own")
    labels, push = rig.subscribe(b"s"), rig.connect(zmq.PUSH, "push", linger=-1)
    ready, seq = proc(rig)["RssAnon"], 0
    for burst in (1, 3, 64, 200):
        for length in (1, 2, 7, 40, 127, 128, 300):
            for _ in range(burst):
                seq += 1
                push.send_multipart([b"s", rig.sample(seq, "motor " * length)])
            for number in range(seq - burst + 1, seq + 1):
                r.equal(rig.label(labels)[1].seq, number, "next")
    grown = proc(rig)["RssAnon"] - ready
    print(f"at READY {ready} KiB, after all lengths and batches {grown} KiB more")
    r.check(grown <= 512, f"{grown} KiB were first touched after READY")
    push.close()
    labels.close()
    r.equal(rig.stop(), 0, "exit status")


def locked(rig):
    status, _, err = rig.run("--check", lock_memory="yes")
    r.equal(status, 0, err)
    if shutil.which("setpriv"):  # without the right, and with the usual limit
        inner = rig.command(lock_memory="yes")
        rig.command = lambda *options, **keys: ["prlimit", "--memlock=65536:65536", "setpriv", "--inh-caps=-all",
                                                "--bounding-set=-ipc_lock", *inner]
        status, _, err = rig.run()
        del rig.command
        if "setpriv" not in err:
            r.equal(status, 1, "not started without the right to lock")
            r.check("lock_memory" in err and "RLIMIT_MEMLOCK" in err and "LimitMEMLOCK" in err, f"says why: {err}")
        else:
            print("left out: lock_memory without the right: setpriv may take no right away here")
    else:
        print("left out: lock_memory without the right: setpriv is missing")
    try:
        rig.start(lock_memory="yes")
    except AssertionError:
        if "RLIMIT_MEMLOCK" in rig.read_log():
            print("left out: lock_memory in force: it is not permitted here")
            return
        raise
    rows, status = proc(rig), rig.status()
    plan = status.memory_plan >> 10
    r.check(status.memory_resident <= status.memory_peak <= status.memory_plan, "published beside each other")
    print(f"locked addresses {rows['VmLck']} KiB, resident {rows['VmRSS']} KiB, plan {plan} KiB")
    r.check(rows["VmLck"] > 0, "it is locked")
    r.check(rows["VmHWM"] <= plan, "and only what is touched is resident, not all of OpenBLAS's addresses")
    labels, push = rig.subscribe(b"s"), rig.connect(zmq.PUSH, "push", linger=-1)
    push.send_multipart([b"s", rig.sample(1, "motor")])
    r.equal(rig.label(labels)[1].seq, 1, "it serves")
    r.equal(rig.stop(), 0, "exit status")


with r.Rig(model=("wordpiece", 128)) as the_rig:
    grows_by_messages_only(the_rig)
    locked(the_rig)
