#!/usr/bin/python3
"""libdiffuse, diffusectl and a client in Python, each against a real daemon."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r

sys.path.insert(0, os.path.join(r.ROOT, "tests", "lib"))
import diffuse_client  # noqa: E402

os.environ.setdefault("TSAN_OPTIONS", f"suppressions={r.ROOT}/tests/lib/tsan.supp")


def ctl(rig, *arguments, stdin="", status=0):
    """Run diffusectl; returns the lines of its output and its error text."""
    done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), *r.PATIENT, "--endpoint", rig.path("run"),
                           *arguments], input=stdin, capture_output=True, text=True,
                          timeout=r.DEADLINE)
    r.equal(done.returncode, status, f"diffusectl {' '.join(arguments)}: {done.stderr}")
    return done.stdout.splitlines(), done.stderr


def probe(rig):
    """Every call of the library."""
    done = subprocess.run([os.path.join(r.BUILD, "tests/probe_client")], capture_output=True,
                          env=dict(os.environ, DIFFUSE_ENDPOINT=rig.path("run")), text=True,
                          timeout=2 * r.DEADLINE)
    r.equal(done.returncode, 0, "probe_client: " + done.stdout + done.stderr)


def send_verb(rig):
    lines = [f"row {i} of the log" for i in range(1, 3001)]
    _, said = ctl(rig, "send", "--push", "--stream", "a/push", stdin="\n".join(lines) + "\n")
    r.equal(said, "sent 3000, answered 3000\n", "count")
    _, said = ctl(rig, "send", "--stream", "a/ingest", stdin="\n".join(lines))
    r.equal(said, "sent 3000, answered 3000\n", "count, published")
    out, _ = ctl(rig, "send", "--wait", stdin="\n".join(lines))
    r.equal([line.split("\t")[2] for line in out], lines, "texts beside their labels")
    out, said = ctl(rig, "send", "--wait", "--tokens", stdin="1 2 3\nfour\n 5 \n999\n", status=1)
    r.equal([line.split("\t")[2] for line in out], ["1 2 3", " 5 ", "999"], "token lines")
    r.check(out[2].startswith("!BADTOKEN"), out[2])
    r.check("line 2: expected token ids" in said, said)
    _, said = ctl(rig, "send", "--quiet", "--push", stdin="x\r\n")
    r.equal(said, "", "quiet")
    _, said = ctl(rig, "send", "--push", stdin="\n", status=1)
    r.check("1 of them without a label" in said, said)
    _, said = ctl(rig, "send", "--stream", "x" * 256, stdin="x\n", status=1)
    r.check("255 bytes" in said, said)
    longest = "x" * (2 << 20)  # beyond what a frame may hold: refused before it is sent
    _, said = ctl(rig, "send", "--push", stdin=f"a\n{longest}\nb\n", status=1)
    r.check("line 2: text of 2097152 bytes" in said and "answered 2, not sent 1" in said, said)


def classify_verb(rig):
    out, _ = ctl(rig, "classify", "motor hot", "battery low")
    r.equal(len(out), 2, "answers")
    label, confidence = out[0].split("\t")
    out, _ = ctl(rig, "classify", "--json", stdin="motor hot\nbattery low\n")
    answers = [json.loads(line) for line in out]
    r.equal([a["text"] for a in answers], ["motor hot", "battery low"], "texts")
    r.equal(answers[0]["label"], label, "the same label again")
    r.equal("%.4f" % answers[0]["confidence"], confidence, "the same confidence again")
    out, _ = ctl(rig, "classify", "", status=1)
    r.check(out[0].startswith("!EMPTY\t"), out[0])


def watch_verb(rig):
    watch = subprocess.Popen([os.path.join(r.BUILD, "diffusectl"), *r.PATIENT, "--endpoint", rig.path("run"),
                              "watch", "--stream", "w/", "--json", "--count", "5"],
                             stdout=subprocess.PIPE, text=True)
    with diffuse_client.Client(rig.path("run"), rig.pb, timeout=r.DEADLINE) as sender:
        seq = 0
        while watch.poll() is None:  # until five have come: when it subscribes is its own affair
            seq += 1
            sender.push("w/x", seq, text="lidar")
            sender.push("v/x", seq, text="unwatched")
            try:
                watch.wait(0.02)
            except subprocess.TimeoutExpired:
                pass
    rows = [json.loads(line) for line in watch.stdout]
    r.equal(watch.returncode, 0, "exit status of watch")
    r.equal({row["stream"] for row in rows}, {"w/x"}, "streams")
    r.equal([row["seq"] for row in rows], list(range(rows[0]["seq"], rows[0]["seq"] + 5)), "order")


def status_verb(rig):
    out, _ = ctl(rig, "status", "--json")
    s = json.loads(out[0])
    r.equal(sum(row["bytes"] for row in s["memory"]["rows"]), s["memory"]["plan"], "plan")
    r.check(s["counters"]["accepted_push"] > 3000, "counters")
    out, _ = ctl(rig, "status")
    r.check(any("planned" in line for line in out), "\n".join(out))


def python_client(rig):
    with diffuse_client.Client(rig.path("run"), rig.pb, timeout=r.DEADLINE) as c:
        c.subscribe("py/")
        for seq in range(1, 501):
            c.push("py/push", seq, text=f"row {seq}", stamp_ns=-seq)
        c.publish("py/ingest", 1, tokens=[1, 2, 3])
        answers = c.labels(501)
        pushed = [label for stream, label in answers if stream == "py/push"]
        r.equal([label.seq for label in pushed], list(range(1, 501)), "order")
        r.equal([label.stamp_ns for label in pushed], list(range(-1, -501, -1)), "stamps")
        r.check(all(label.error == 0 for _, label in answers), "errors")


def without_a_daemon(rig):
    for verb, stdin in (("classify", "x\n"), ("status", ""), ("watch", ""), ("send", "x\n")):
        _, said = ctl(rig, "--timeout", "50", verb, stdin=stdin, status=1)
        r.check("no answer at " + rig.path("run") in said and "--endpoint" in said, said)
    ctl(rig, "frobnicate", status=2)
    ctl(rig, "send", "--frob", status=2)
    ctl(rig, "--timeout", "soon", "status", status=2)
    ctl(rig, status=2)


def restart(rig):
    """One client lives through a new daemon."""
    with diffuse_client.Client(rig.path("run"), rig.pb, timeout=r.DEADLINE) as watcher:
        send = subprocess.Popen([os.path.join(r.BUILD, "diffusectl"), *r.PATIENT, "--endpoint",
                                 rig.path("run"), "classify"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        send.stdin.write("before\n")
        send.stdin.flush()
        before = send.stdout.readline()
        r.equal(rig.stop(), 0, "exit status")
        rig.start()
        watcher.status()  # answers again
        send.stdin.write("before\n")
        send.stdin.close()
        r.equal(send.stdout.readline(), before, "the same text after the restart")
        r.equal(send.wait(r.DEADLINE), 0, "exit status of classify")


with r.Rig() as rig:
    for program in ("diffusectl", "tests/probe_client"):
        if not os.path.exists(os.path.join(r.BUILD, program)):
            raise AssertionError(f"{program} is not built")
    without_a_daemon(rig)
    rig.start()
    for part in (probe, send_verb, classify_verb, watch_verb, status_verb, python_client, restart):
        part(rig)
        print(part.__name__, "ok")
    r.equal(rig.stop(), 0, "exit status")
