#!/usr/bin/python3
"""diffusectl top on a terminal of its own, on a dumb one, in a pipe, and as JSON; the terminal is given back."""
import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

CTL = os.path.join(r.BUILD, "diffusectl")
ENTER, LEAVE = "\033[?1049h", "\033[?25h\033[?1049l"


class Screen:
    """What a program writes to a terminal of some size, and what a person would see of it."""

    def __init__(self, rig, *args, size=(24, 100), term="xterm", lang="C.UTF-8"):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(*size)
        self.before = termios.tcgetattr(slave)
        environment = dict(os.environ, TERM=term, LC_ALL=lang)
        self.process = subprocess.Popen([CTL, *r.PATIENT, "--endpoint", rig.path("run"), "top", "--interval", "0.1", *args],
                                        stdin=slave, stdout=slave, stderr=slave, env=environment,
                                        start_new_session=True)
        self.text = ""
        self.decode = codecs.getincrementaldecoder("utf-8")().decode

    def resize(self, rows, columns):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds=0.1):
        if select.select([self.master], [], [], seconds)[0]:
            self.text += self.decode(os.read(self.master, 65536))

    def until(self, what, true):
        end = time.monotonic() + r.DEADLINE
        while time.monotonic() < end:
            self.read()
            if true():
                return
        raise AssertionError(f"never: {what}; the terminal has: {self.text[-3000:]!r}")

    def pages(self):
        """Whole pages, as lines without control sequences."""
        found = []
        for page in self.text.split("\033[H")[1:]:
            if "\033[J" in page:
                page = page.split("\033[J")[0]
                found.append([re.sub("\033\\[[0-9;?]*[A-Za-z]", "", line) for line in page.split("\r\n")])
        return found

    def sees(self, pattern):
        pages = self.pages()
        return pages and any(re.search(pattern, line) for line in pages[-1])

    def end(self):
        """The exit status; and the terminal is as it was before."""
        end = time.monotonic() + r.DEADLINE
        while self.process.poll() is None and time.monotonic() < end:
            self.read(0.02)
        status = self.process.wait(1)
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        now = termios.tcgetattr(self.slave)
        r.equal(now[3], self.before[3], "modes of the terminal")
        if ENTER in self.text:
            r.check(self.text.endswith(LEAVE), f"the screen before is back: {self.text[-40:]!r}")
        os.close(self.master)
        os.close(self.slave)
        return status


class Traffic(threading.Thread):
    """Samples on three streams until it is told to stop: one busy, one calm, one wrong."""

    def __init__(self, rig):
        super().__init__()
        self.rig, self.over = rig, threading.Event()
        self.push = rig.connect(zmq.PUSH, "push", linger=0)

    def run(self):
        seq = 0
        while not self.over.is_set():
            seq += 1
            self.push.send_multipart([b"busy/\xc3\xa9", self.rig.sample(seq, "motor hot")])
            if seq % 5 == 0:
                self.push.send_multipart([b"calm", self.rig.sample(seq // 5, "ok")])
                self.push.send_multipart([b"wrong", self.rig.sample(seq // 5, "")])
            self.over.wait(0.004)
        self.push.close()


with r.Rig() as rig:
    rig.start()
    traffic = Traffic(rig)
    traffic.start()
    try:
        # a terminal: pages that fit, with all there is to see, until q
        screen = Screen(rig)
        screen.until("streams", lambda: screen.sees(r"^busy/é +[1-9]\d*\.\d +\d+ +0 +0 +0  label\d \d\.\d\d"))
        screen.until("errors by stream", lambda: screen.sees(r"^wrong +\d+\.\d +\d+ +[1-9]\d* +0 +0  !EMPTY"))
        screen.until("labels with their history", lambda: screen.sees("^label\\d +\\d+ +\\d+\\.\\d%  .*[\u2581-\u2588]"))
        model = rig.status().model_id.decode()[:12]
        r.check(screen.sees(rf"diffused .*, up 0:\d\d:\d\d, model {model} \(5 labels"), "the model")
        r.check(screen.sees(r"^samples +[1-9]\d*/s in, [1-9]\d*/s labelled, [1-9]\d*/s refused, 0/s lost"), "rates")
        r.check(screen.sees(r"^latency  now p50 \d+\.\d+ ms, p99"), "latency")
        bar = "\u2588+[\u2591 ]*" if rig.sanitized() else "\u2588+\u2591+ +"
        r.check(screen.sees(f"^memory   \\[{bar}\\] \\d+\\.\\d MiB resident"), "memory against plan")
        r.check(screen.sees("^tuning   off"), "the tuner")
        lines = screen.pages()[-1]
        rows = [line.split()[0] for line in lines]
        r.check(rows.index("busy/é") < rows.index("calm"), "the busiest stream first")
        for page in screen.pages():
            r.check(len(page) <= 24 and all(len(line) <= 100 for line in page), f"the page fits: {page}")
        # resized, it fits again
        screen.resize(9, 40)
        os.kill(screen.process.pid, signal.SIGWINCH)
        def fits(page):
            return len(page) <= 9 and all(len(line) <= 40 for line in page)

        screen.until("a page that fits", lambda: fits(screen.pages()[-1]))
        mark = len(screen.pages())
        screen.until("the next page", lambda: len(screen.pages()) > mark)
        for page in screen.pages()[mark - 1:]:
            r.check(fits(page), f"the smaller page fits: {page}")
        os.write(screen.master, b"q")
        r.equal(screen.end(), 0, "q")

        # signals give the terminal back too; ^Z does, and takes it again
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            screen = Screen(rig)
            screen.until("a page", lambda: screen.sees("^memory"))
            screen.process.send_signal(number)
            r.equal(screen.end(), 0, f"signal {number}")
        screen = Screen(rig)
        screen.until("a page", lambda: screen.sees("^memory"))
        screen.process.send_signal(signal.SIGTSTP)
        screen.until("it has left the screen", lambda: screen.text.endswith(LEAVE))
        screen.until("modes while it is stopped", lambda: termios.tcgetattr(screen.slave)[3] == screen.before[3])
        screen.process.send_signal(signal.SIGCONT)
        screen.until("it is back", lambda: screen.text.count(ENTER) == 2)
        os.write(screen.master, b"q")
        r.equal(screen.end(), 0, "q after a stop")

        # no UTF-8: ASCII only; a dumb terminal: no control sequences; one stream only
        screen = Screen(rig, "--stream", "calm", term="dumb", lang="C")
        screen.until("plain pages", lambda: "STREAM" in screen.text and "\ncalm " in screen.text)
        screen.process.send_signal(signal.SIGINT)
        r.equal(screen.end(), 0, "SIGINT")
        r.check("\033" not in screen.text and screen.text.isascii(), f"plain text: {screen.text!r}")
        r.check("busy" not in screen.text, "only the streams asked for")

        # pipes and scripts
        done = subprocess.run([CTL, *r.PATIENT, "--endpoint", rig.path("run"), "top", "--once", "--interval", "0.5"],
                              capture_output=True, text=True, timeout=r.DEADLINE, env=dict(os.environ, LC_ALL="C.UTF-8"))
        r.equal((done.returncode, done.stderr), (0, ""), "--once")
        r.check("\033" not in done.stdout and "\nbusy/é " in done.stdout, done.stdout)
        done = subprocess.run([CTL, *r.PATIENT, "--endpoint", rig.path("run"), "top", "--once", "--json", "--interval", "0.5"],
                              capture_output=True, text=True, timeout=r.DEADLINE)
        page = json.loads(done.stdout)
        streams = {row["stream"]: row for row in page["streams"]}
        r.check(streams["busy/é"]["rate"] > 2 * streams["calm"]["rate"] > 0, f"rates: {streams}")
        r.equal(streams["wrong"]["label"], "!EMPTY", "the last answer is an error")
        r.check(0 <= streams["wrong"]["accepted"] - streams["wrong"]["errors"] <= 2, f"all but what waits: {streams}")
        r.check(streams["busy/é"]["errors"] == 0 and streams["busy/é"]["confidence"] > 0.2, f"{streams}")
        r.equal(page["model_id"][:12], model, "model")
        r.check(page["rates"]["labelled"] > 0 and page["p99_us"] >= page["p50_us"] > 0, f"{page}")

        # the daemon goes, and comes back
        screen = Screen(rig)
        screen.until("a page", lambda: screen.sees("^memory"))
    finally:
        traffic.over.set()
        traffic.join()
    rig.stop()
    screen.until("it says so", lambda: screen.sees("no answer"))
    rig.start()
    screen.until("it has found it again", lambda: screen.sees("^diffused") and not screen.sees("no answer"))
    os.write(screen.master, b"q")
    r.equal(screen.end(), 0, "q")
    r.equal(rig.stop(), 0, "exit status")
    for args, code in ((["--interval", "0"], 2), (["--interval", "x"], 2), (["what"], 2), (["--once"], 1)):
        done = subprocess.run([CTL, "--endpoint", rig.path("run"), "--timeout", "200", "top", *args],
                              capture_output=True, text=True, timeout=r.DEADLINE)
        r.check(done.returncode == code and done.stderr, f"{args}: {done}")
