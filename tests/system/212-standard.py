#!/usr/bin/python3
"""Standard input, output and error of the three programs, as they may find them: closed, full, non-blocking, failing."""
import fcntl
import json
import os
import signal
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
from robot import wait

DIFFUSE, CTL = (os.path.join(r.BUILD, name) for name in ("diffuse", "diffusectl"))


def run(*command, status=0, **options):
    done = subprocess.run(command, capture_output="stdout" not in options, timeout=r.DEADLINE,
                          stderr=subprocess.PIPE if "stdout" in options else None, **options)
    r.equal(done.returncode, status, f"exit status of {command}: {done.stderr}")
    return done


def ignore_pipe():
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def verbs(rig):
    """Programs that answer a line by a line."""
    return ([DIFFUSE, "classify", "--model", rig.model], [DIFFUSE, "logits", "--model", rig.model],
            [CTL, "-e", rig.path("run"), "classify"], [CTL, "-e", rig.path("run"), "send", "--wait"])


def output(rig):
    """A full device, and a reader that went away where SIGPIPE is ignored: each ends, and says so."""
    for command in (*verbs(rig), [CTL, "-e", rig.path("run"), "status"], [CTL, "-e", rig.path("run"), "classify", "x"],
                    [CTL, "--help"], [DIFFUSE, "--version"], [DIFFUSE, "inspect", "--model", rig.model],
                    rig.command("--plan"), rig.command("--print-config")):
        with open("/dev/full", "wb") as full:
            done = run(*command, status=1, input=b"some words\n" * 20000, stdout=full)
        r.check(b"standard output: " in done.stderr, f"{command}: {done.stderr}")
    for command in verbs(rig):
        reader, writer = os.pipe()
        os.close(reader)
        feeder = subprocess.Popen(["yes", "some words"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        done = run(*command, status=1, stdin=feeder.stdout, stdout=writer, preexec_fn=ignore_pipe)
        r.check(b"standard output: " in done.stderr, f"{command}: {done.stderr}")
        os.close(writer)
        feeder.kill()
        feeder.wait()
        feeder.stdout.close()


def waiting(pipe):
    """Bytes in a pipe."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def input_errors(rig):
    """A descriptor that does not block is waited for; an error is no end."""
    feedback = [CTL, "-e", rig.path("run"), "feedback"]
    for command in verbs(rig):
        reader, writer = os.pipe()
        fcntl.fcntl(reader, fcntl.F_SETFL, os.O_NONBLOCK)
        process = subprocess.Popen(command, stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(reader)
        for _ in range(10):
            os.write(writer, b"some wo")
            wait("what is there is read", lambda: process.poll() is not None or waiting(writer) == 0)
            os.write(writer, b"rds\n")
        os.close(writer)
        out, said = process.communicate(timeout=r.DEADLINE)
        r.equal((process.returncode, len(out.splitlines())), (0, 10), f"answers of {command}: {said}")
    for command in (*verbs(rig), feedback):
        folder = os.open(rig.dir, os.O_RDONLY)
        done = run(*command, status=1, stdin=folder)
        r.check(b"standard input: Is a directory" in done.stderr, f"{command}: {done.stderr}")
        os.close(folder)


def closed(rig):
    """No file takes the place of a closed descriptor: what is said goes nowhere, and not into results."""
    rows = rig.path("rows.tsv")
    with open(rows, "w", encoding="ascii") as file:
        file.writelines(f"{'ab'[i % 2]}\tword{i % 2} and more {i}\n" for i in range(60))
    out = rig.path("trained")
    run("sh", "-c", f'exec "{DIFFUSE}" train --data tsv:{rows} --out {out} --epochs 2 --threads 1 --width 16 '
                    '--vocab-size 256 <&- >&- 2>&-')
    with open(os.path.join(out, "epoch_results.csv"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    r.equal({line.count(",") for line in lines}, {lines[0].count(",")}, f"fields of {lines}")
    r.equal(len(lines), 3, f"rows of {lines}")
    with open(os.path.join(out, "summary.json"), encoding="utf-8") as file:
        json.load(file)
    run("sh", "-c", f'exec "{CTL}" -e {rig.path("run")} status <&- 2>&- >&-')


def names(rig):
    """A process that starts itself again for the sake of a library keeps its name."""
    with open(f"/proc/{rig.process.pid}/comm", encoding="ascii") as file:
        r.equal(file.read(), "diffused\n", "name of the process")


def shapes(rig):
    """The two programs' JSON: the same names, and the same kinds of values."""
    ours = [json.loads(line) for line in
            run(DIFFUSE, "classify", "--json", "--model", rig.model, input=b"some words\n\n", status=1).stdout.splitlines()]
    theirs = [json.loads(line) for line in run(CTL, "-e", rig.path("run"), "classify", "--json", input=b"some words\n\n",
                                               status=1).stdout.splitlines()]
    for own, other in zip(ours, theirs):
        for key, value in own.items():
            r.equal(type(other.get(key)), type(value), f"{key} of {own} beside {other}")
    for key in ("label", "label_id", "text"):
        r.equal(ours[0][key], theirs[0][key], key)
    for key in ("error", "error_name", "text"):
        r.equal(ours[1][key], theirs[1][key], key)
    done = run(DIFFUSE, "train", "--data", "tsv:" + rig.path("none"), "--out", rig.path("none-out"), status=1)
    r.equal(done.stderr.count(b"no such file"), 1, f"an error is said once: {done.stderr}")
    done = run(CTL, "-e", rig.path("run"), "send", "--wait", input=b"one\0two\n")
    r.check(done.stdout.endswith(b"\tone\0two\n"), f"the line as it came: {done.stdout}")


with r.Rig() as the_rig:
    environment = {k: os.environ.pop(k) for k in ("OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE") if k in os.environ}
    the_rig.start(scores="yes")
    names(the_rig)
    shapes(the_rig)
    output(the_rig)
    input_errors(the_rig)
    closed(the_rig)
    os.environ.update(environment)
