#!/usr/bin/python3
"""fleet.py BUILD [--seconds N] - make demo: a daemon, a made-up fleet of robots that talks to it, and its labels arriving
live, held against the truth. Everything goes through diffused, diffuse and diffusectl, as an operator's own script would.

First at the fleet's pace, with every label watched; then as fast as three publishers can, who wait for the labels of their
own lines. The exit status is 1 when a message was lost, doubled or answered for nobody, or the daemon did not stop cleanly.
"""
import argparse
import collections
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = os.path.join(ROOT, "model", "pretrained", "robot-text.safetensors")
PACE = 20  # messages a second and robot
FAST = 3  # publishers at full speed
READY_S = 60
ANSWERS_S = 60  # for labels that are under way
SHOWN_S = 0.2  # from one label that is shown to the next
GREEN, RED = ("nominal", "recovered"), ("critical", "estop", "collision", "lost", "crash")


class Failure(Exception):
    pass


def coloured(label, terminal):
    if not terminal:
        return f"{label:<18}"
    code = 32 if label in GREEN else 31 if any(word in label for word in RED) else 33
    return f"\033[{code}m{label:<18}\033[0m"


class Tally:
    """Labels against the truth, which is known by robot and number."""

    def __init__(self, truth):
        self.truth = truth  # robot: [(label, text)], number 1 first
        self.labels = self.errors = self.doubled = self.strangers = self.right = 0
        self.seen = set()
        self.by_label = collections.defaultdict(lambda: [0, 0])  # right, all

    def judge(self, label, true):
        self.labels += 1
        self.errors += label.startswith("!")
        self.right += label == true
        self.by_label[true][0] += label == true
        self.by_label[true][1] += 1
        return label == true

    def add(self, robot, seq, label):
        """Was it right? None: it is doubled, or of nobody."""
        if robot not in self.truth or not 0 < seq <= len(self.truth[robot]):
            self.strangers += 1
            return None
        if (robot, seq) in self.seen:
            self.doubled += 1
            return None
        self.seen.add((robot, seq))
        return self.judge(label, self.truth[robot][seq - 1][0])

    def weakest(self):
        shares = sorted((right / seen, name) for name, (right, seen) in self.by_label.items())
        return "  ".join(f"{name} {100 * share:.1f} %" for share, name in shares[:3])


class Demo:
    def __init__(self, build, seconds):
        self.build, self.seconds = build, seconds
        self.dir = tempfile.mkdtemp(prefix="diffused-demo.")
        self.run = os.path.join(self.dir, "run")
        self.terminal = sys.stdout.isatty()
        self.errors = open(os.path.join(self.dir, "errors"), "w+", encoding="utf-8")  # of all programs
        self.daemon = None
        self.children = []
        self.sent = 0

    # --- programs ---

    def spawn(self, name, *args, **options):
        """In a session of its own: Ctrl-C is for us, and we stop it in order."""
        options = {"text": True, "start_new_session": True, "stderr": self.errors} | options
        program = os.path.join(self.build, name)
        try:
            child = subprocess.Popen([program, *args], **options)
        except OSError as error:
            raise Failure(f"{program}: {error.strerror}; was it built?") from None
        self.children.append(child)
        return child

    def ctl(self, *args, **options):
        return self.spawn("diffusectl", "--timeout", str(1000 * READY_S), "--endpoint", self.run, *args, **options)

    def ask(self):
        done = self.ctl("status", "--json", stdout=subprocess.PIPE)
        text = done.communicate()[0]
        if done.returncode != 0:
            raise Failure("diffusectl status failed")
        return json.loads(text)

    def start(self):
        path = os.path.join(self.dir, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(path)
            ready.settimeout(0.1)
            self.daemon = self.spawn("diffused", "--foreground", "--set", f"model={MODEL}", "--set", f"runtime_dir={self.run}",
                                     env=dict(os.environ, NOTIFY_SOCKET=path))
            end = time.monotonic() + READY_S
            while time.monotonic() < end and self.daemon.poll() is None:
                try:
                    lines = ready.recv(4096).decode().split("\n")
                except TimeoutError:
                    continue
                if "READY=1" in lines:
                    print("diffused:", next(line[7:] for line in lines if line.startswith("STATUS=")), flush=True)
                    return
            raise Failure("the daemon is not ready")

    def rows(self):
        """Lines of the fleet by robot, from templates that the model's training never saw."""
        path = os.path.join(self.dir, "rows.tsv")
        made = self.spawn("diffuse", "corpus", "--seed", "3", "--count", "60000", "--split", "test", "--robots", "12",
                          "--streams", "--out", path, stdout=subprocess.DEVNULL)
        if made.wait() != 0:
            raise Failure("diffuse corpus failed")
        robots = collections.defaultdict(list)
        with open(path, encoding="utf-8") as file:
            for line in file:
                stream, label, text = line.rstrip("\n").split("\t", 2)
                robots[stream.split("/")[0]].append((label, text))
        return robots

    # --- at the fleet's pace ---

    def watch(self, robots):
        """diffusectl watch, once it hears labels: a line that counts for nothing is sent until its label came."""
        watch = self.ctl("watch", stdout=subprocess.PIPE)
        heard = threading.Event()
        tally = Tally(robots)
        reader = threading.Thread(target=self.read, args=(watch, tally, heard), daemon=True)
        reader.start()
        end = time.monotonic() + READY_S
        while not heard.is_set():
            if time.monotonic() > end or watch.poll() is not None:
                raise Failure("diffusectl watch hears nothing")
            self.ctl("send", "--push", "--quiet", "--stream", "demo", stdin=subprocess.PIPE).communicate("hello\n")
            heard.wait(0.2)
        return watch, reader, tally

    def read(self, watch, tally, heard):
        shown = 0
        for line in watch.stdout:
            robot, seq, label, confidence = line.rstrip("\n").split("\t")[:4]
            heard.set()
            if robot == "demo":
                continue
            right = tally.add(robot, int(seq), label)
            now = time.monotonic()
            if right is None or now - shown < SHOWN_S:
                continue
            shown = now
            true, text = tally.truth[robot][int(seq) - 1]
            sure = f"{100 * float(confidence):3.0f}%" if not label.startswith("!") else "    "
            print(f"{'+' if right else '-'} {robot:<10} {coloured(label, self.terminal)} {sure}  {text[:76]}"
                  f"{'' if right else f'   (truth: {true})'}", flush=True)

    def send(self, robot, rows, until, counts):
        """One publisher at the pace; what it has sent is counted when all of it is answered."""
        sender = self.ctl("send", "--push", "--quiet", "--stream", robot, stdin=subprocess.PIPE)
        due = time.monotonic()
        for n, (_, text) in enumerate(rows):
            time.sleep(max(0, due - time.monotonic()))
            if time.monotonic() >= until or self.daemon.poll() is not None:
                break
            try:
                sender.stdin.write(text + "\n")
                sender.stdin.flush()
            except BrokenPipeError:
                break
            counts[robot] = n + 1
            due += 1 / PACE
        try:
            sender.stdin.close()
        except BrokenPipeError:
            pass
        while sender.poll() is None and self.daemon.poll() is None:
            time.sleep(0.01)
        if sender.poll() != 0:
            counts["failed"] = robot

    def paced(self, robots):
        watch, reader, tally = self.watch(robots)
        counts, until = {}, time.monotonic() + self.seconds
        threads = [threading.Thread(target=self.send, args=(robot, rows, until, counts), daemon=True)
                   for robot, rows in robots.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if "failed" in counts:
            raise Failure(f"the publisher of {counts['failed']} failed")
        sent = sum(counts.values())
        end = time.monotonic() + ANSWERS_S
        while tally.labels < sent and watch.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        watch.terminate()
        reader.join()
        self.report("paced", sent, self.seconds)
        return sent, tally

    # --- at full speed ---

    def fast(self, robots, tally):
        """Publishers that are answered line by line; each label has its line's number by its place."""
        began, sent, jobs = time.monotonic(), 0, []
        for n in range(FAST):
            rows = [row for robot in list(robots)[n::FAST] for row in robots[robot]]
            text = os.path.join(self.dir, f"fast{n}")
            with open(text, "w", encoding="utf-8") as file:
                file.writelines(line + "\n" for _, line in rows)
            with open(text, encoding="utf-8") as lines, open(text + ".labels", "w", encoding="utf-8") as labels:
                jobs.append((rows, text + ".labels", self.ctl("send", "--wait", "--quiet", "--stream", f"fast/{n}",
                                                              stdin=lines, stdout=labels)))
        while any(job[2].poll() is None for job in jobs) and self.daemon.poll() is None:
            time.sleep(0.01)
        failed = [job[2].poll() != 0 for job in jobs]
        took = time.monotonic() - began
        for rows, path, _ in jobs:
            sent += len(rows)
            with open(path, encoding="utf-8") as file:
                labels = [line.split("\t")[0] for line in file]
            for (true, _), label in zip(rows, labels):
                tally.judge(label, true)
            tally.strangers += max(0, len(labels) - len(rows))
        self.report("full speed", sent, took)
        if any(failed):
            raise Failure("a publisher failed")
        return sent

    # --- the end ---

    def report(self, name, sent, took):
        latency = self.ask()["latency"]
        print(f"{name:<10} {sent:7} messages  {sent / took:7.0f}/s  latency so far p50 {latency['p50_ns'] / 1e6:.2f} ms  "
              f"p99 {latency['p99_ns'] / 1e6:.2f} ms", flush=True)

    def end(self, sent, tally):
        memory = self.ask()["memory"]
        print("\nmemory plan")
        for row in memory["rows"]:
            print(f"  {row['name']:<18} {row['bytes'] / 2**20:8.2f} MiB  {row['detail']}")
        print(f"  planned {memory['plan'] / 2**20:.1f} MiB, resident {memory['resident'] / 2**20:.1f} MiB (largest {memory['peak'] / 2**20:.1f}), "
              f"budget {memory['budget'] / 2**20:.1f} MiB")
        lost = sent - tally.labels
        print(f"\nsent {sent} of {len(tally.truth)} robots; labels {tally.labels}, errors {tally.errors}, lost {lost}, "
              f"doubled {tally.doubled}")
        print(f"accuracy {100 * tally.right / max(1, tally.labels):.2f} % on templates that training never saw; weakest labels:  "
              f"{tally.weakest()}")
        self.daemon.terminate()
        status = self.daemon.wait()
        print(f"diffused stopped with exit status {status}")
        if lost or tally.doubled or tally.strangers or tally.errors or status != 0:
            raise Failure("messages lost, doubled, refused or answered for nobody, or the daemon did not stop cleanly")

    def why(self, failure):
        """With the last words of the programs; a daemon that is gone explains all the rest."""
        if self.daemon and self.daemon.poll() not in (None, 0):
            return f"the daemon ended with status {self.daemon.returncode}"
        self.errors.seek(0)
        said = [line for line in self.errors.read().splitlines() if line.startswith("diffuse")]
        return f"{failure}: {said[-1]}" if said else str(failure)

    def done(self):
        for child in self.children:
            if child.poll() is None:
                child.kill()
                child.wait()
        self.errors.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="A made-up fleet of robots, classified live.")
    parser.add_argument("build", help="folder of the programs")
    parser.add_argument("--seconds", type=float, default=6, help="at the fleet's pace (6)")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    demo = Demo(args.build, args.seconds)
    try:
        robots = demo.rows()
        demo.start()
        sent, tally = demo.paced(robots)
        demo.end(sent + demo.fast(robots, tally), tally)
    except Failure as failure:
        print(f"fleet.py: {demo.why(failure)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fleet.py: interrupted", file=sys.stderr)
        return 1
    finally:
        demo.done()
    return 0


if __name__ == "__main__":
    sys.exit(main())
