#!/usr/bin/python3
"""Drop-ins, where each value comes from, and what changes on SIGHUP and on a reload without a path."""
import os
import re
import signal
import subprocess
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def wait(rig, words):
    """Until the log says so, in any order; what it says is returned."""
    end = time.monotonic() + r.DEADLINE
    while time.monotonic() < end:
        log = rig.read_log()
        if all(word in log for word in words):
            return log
        time.sleep(0.02)
    raise AssertionError(f"not all of {words} in the log")


def answer(rig, labels, push, seq, text):
    push.send_multipart([b"s", rig.sample(seq, text)])
    return rig.label(labels)[1]


with r.Rig() as rig:
    config, drop = rig.path("d.conf"), rig.path("d.conf.d")
    os.mkdir(drop)
    write(config, "queue = 64\nmax_length = 8\nlabel_wait = 2s\n")
    write(drop + "/10-site.conf", "\nqueue = 32\n")
    status, out, err = rig.run("--config", config, "--print-config")
    r.equal((status, err), (0, ""), "--print-config")
    r.check(f"queue = 32    ; {drop}/10-site.conf:2\n" in out, "the drop-in's value, and where it is")
    r.check(f"label_wait = 2s    ; {config}:3\n" in out, "the file's value, and where it is")
    write(drop + "/20-bad.conf", "queeu = 1\non_too_long = refuze\nbatch_tokens = 1\n")
    status, out, err = rig.run("--config", config, "--check")
    r.equal((status, out), (1, ""), "--check")
    r.equal(err.replace(drop, "D").splitlines(), [
        "diffused: D/20-bad.conf:1: unknown key 'queeu'; did you mean 'queue'?",
        "diffused: D/20-bad.conf:2: on_too_long: 'refuze' is not understood; expected one of: truncate refuse; "
        "did you mean 'refuse'?",
        "diffused: D/20-bad.conf:3: batch_tokens is 1, less than max_length 8; raise it, or no batch could hold "
        "the longest sample"], "all mistakes at once")
    os.unlink(drop + "/20-bad.conf")

    rig.start("--config", config)
    labels, push = rig.subscribe(b"s"), rig.connect(zmq.PUSH, "push", linger=-1)
    label = answer(rig, labels, push, 1, "much longer than eight")
    r.equal((label.error, label.truncated), (0, True), "a long sample is cut")

    # SIGHUP: two keys change, two need a restart, and one comes from the command line
    write(drop + "/10-site.conf", "queue = 16\nworkers = 2\nlabel_wait = 3s\non_too_long = refuse\nmodel = /nowhere\n")
    rig.process.send_signal(signal.SIGHUP)
    rig.wait_notify("RELOADING=1")
    rig.wait_notify("READY=1")
    log = wait(rig, ["[event=conf_restart"])
    r.check(f"label_wait = 3s, was 2s ({drop}/10-site.conf:3)" in log, "the change is logged")
    r.check(f"on_too_long = refuse, was truncate ({drop}/10-site.conf:4)" in log, "and the other")
    r.check(re.search(r"only after a restart: workers, queue \[", log), "what needs a restart is named")
    r.equal(log.count("event=conf_changed"), 2, "and nothing else changed")
    label = answer(rig, labels, push, 2, "much longer than eight")
    r.equal(label.error, 2, "the same sample is refused now: TOOBIG")

    # a mistake changes nothing, neither by SIGHUP nor by request
    write(drop + "/10-site.conf", "on_too_long = truncate\nlabel_weit = 1s\nlog_level = loud\n")
    rig.process.send_signal(signal.SIGHUP)
    wait(rig, ["10-site.conf:2: unknown key 'label_weit'; did you mean 'label_wait'? [event=conf_refused",
               "10-site.conf:3: log_level: 'loud'"])
    rig.wait_notify("RELOADING=1")
    rig.wait_notify("READY=1")
    reply = rig.request(reload=rig.pb.ReloadRequest())
    r.check(reply.error != 0 and b"10-site.conf:2: unknown key 'label_weit'" in reply.error_text,
            f"the request is told: {reply.error_text}")
    r.equal(answer(rig, labels, push, 3, "much longer than eight").error, 2, "still refused")

    # diffusectl reload, and another level of the log
    write(drop + "/10-site.conf", "on_too_long = truncate\nlog_level = error\n")
    done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), *r.PATIENT, "--endpoint", rig.path("run"), "reload"],
                          capture_output=True, text=True, timeout=r.DEADLINE)
    r.equal(done.returncode, 0, done.stderr)
    r.equal(answer(rig, labels, push, 4, "much longer than eight").truncated, True, "it is cut again")
    before = len(rig.read_log())
    r.equal(answer(rig, labels, push, 5, "").error, 11, "an empty sample is refused")
    r.equal(rig.stop(), 0, "exit status")
    r.equal(rig.read_log()[before:], "", "and less is logged")

with r.Rig() as rig:  # the configured model, and the watch on it
    config, other = rig.path("d.conf"), rig.path("other.safetensors")
    rig.make_model(other, "byte", "seed=7")
    write(config, f"model = {rig.model}\nwatch = no\n")
    command = rig.command("--config", config)
    model_set = command.index(f"model={rig.model}")
    command[model_set - 1:model_set + 1] = []
    rig.command = lambda *options, **keys: command
    rig.start()
    first = rig.status().model_id

    # a mistake, and another model beside it: neither is taken
    with open(rig.model, "rb") as file:
        before = file.read()
    rig.make_model(rig.path("new"), "byte", "seed=8")
    os.rename(rig.path("new"), rig.model)
    write(config, f"model = {rig.model}\nwatch = no\nlabel_weit = 1s\n")
    rig.process.send_signal(signal.SIGHUP)
    rig.wait_notify("RELOADING=1")
    rig.wait_notify("READY=1")
    r.equal(rig.status().model_id, first, "the model stays, as all else")
    counters = rig.counters()
    r.equal((counters["reloads"], counters["reloads_refused"]), (0, 1), "counted as refused")
    r.check("event=reload_refused" in rig.read_log(), "and said")
    with open(rig.path("new"), "wb") as file:
        file.write(before)
    os.rename(rig.path("new"), rig.model)

    write(config, f"model = {other}\nwatch = yes\n")
    rig.process.send_signal(signal.SIGHUP)
    wait(rig, ["event=reloaded"])
    second = rig.status().model_id
    r.check(second != first, "SIGHUP loads what is configured now")
    rig.make_model(rig.path("new"), "byte", "seed=9")
    os.rename(rig.path("new"), other)
    end = time.monotonic() + r.DEADLINE
    while rig.status().model_id == second and time.monotonic() < end:
        time.sleep(0.05)
    r.check(rig.status().model_id not in (first, second), "and it is watched")
    r.equal(rig.stop(), 0, "exit status")
