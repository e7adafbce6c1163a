#!/usr/bin/python3
"""make demo: nothing lost or doubled, and its books say so; it ends with 1 and one line when the daemon goes or it is
interrupted, and leaves no process and no file."""
import glob
import os
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r

DEMO = [os.path.join(r.ROOT, "client/demo/fleet.py"), r.BUILD, "--seconds"]


def begin(folder, seconds):
    """A running demo whose files are in a folder of its own, past its first label."""
    demo = subprocess.Popen(DEMO + [seconds], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=dict(os.environ, TMPDIR=folder))
    while not (line := demo.stdout.readline()).startswith(("+ ", "- ")):
        r.check(line, f"a first label: {demo.stderr.read() if not line else ''}")
    return demo


def running(folder):
    """Processes that work in the folder."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                if folder.encode() in file.read():
                    found.append(int(path.split("/")[2]))
        except OSError:
            pass
    return found


def ends_with(demo, folder, words):
    out, err = demo.communicate(timeout=r.DEADLINE)
    r.equal(demo.returncode, 1, "exit status")
    r.check(words in err, f"says why: {err!r}; {out[-300:]!r}")
    r.equal((glob.glob(f"{folder}/diffused-demo.*"), running(folder)), ([], []), "left behind")


with r.Rig() as rig:
    folder = rig.path("whole")
    os.mkdir(folder)
    done = subprocess.run(DEMO + ["1"], capture_output=True, text=True, timeout=r.DEADLINE,
                          env=dict(os.environ, TMPDIR=folder))
    r.equal((done.returncode, done.stderr), (0, ""), "exit status and errors")
    books = re.search(r"^sent (\d+) of 12 robots; labels (\d+), errors 0, lost 0, doubled 0$", done.stdout, re.M)
    r.check(books and books[1] == books[2], done.stdout[-500:])
    r.check(int(books[1]) > 60000, "both parts are counted")
    accuracy = re.search(r"^accuracy (\d+\.\d\d) %", done.stdout, re.M)
    r.check(85 < float(accuracy[1]) < 99, f"against the truth: {accuracy[0]}")
    r.check(re.search(r"^  planned \d+\.\d MiB, resident \d+\.\d MiB", done.stdout, re.M), "the memory plan")
    r.check("diffused stopped with exit status 0" in done.stdout, "the daemon's end")
    r.equal(os.listdir(folder), [], "files left")

    done = subprocess.run([DEMO[0], rig.path("nowhere")], capture_output=True, text=True, timeout=r.DEADLINE)
    r.equal((done.returncode, done.stderr.count("\n")), (1, 1), "without programs")
    r.check("was it built?" in done.stderr, done.stderr)

    folder = rig.path("interrupted")
    os.mkdir(folder)
    demo = begin(folder, "600")
    demo.send_signal(signal.SIGINT)
    ends_with(demo, folder, "fleet.py: interrupted")

    folder = rig.path("killed")
    os.mkdir(folder)
    demo = begin(folder, "5")
    daemon = next(pid for pid in running(folder) if os.readlink(f"/proc/{pid}/exe").endswith("/diffused"))
    os.kill(daemon, signal.SIGKILL)
    ends_with(demo, folder, "fleet.py: the daemon ended with")
