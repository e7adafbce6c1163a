#!/usr/bin/python3
"""diffusectl record and replay against real daemons: nothing lost on the way, the same labels again."""
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

sys.path.insert(0, os.path.join(r.ROOT, "tests", "lib"))
import diffuse_client  # noqa: E402

os.environ.setdefault("TSAN_OPTIONS", f"suppressions={r.ROOT}/tests/lib/tsan.supp")
CTL = os.path.join(r.BUILD, "diffusectl")
ROWS = 300


def ctl(rig, *arguments, status=0):
    done = subprocess.run([CTL, *r.PATIENT, "--endpoint", rig.path("run"), *arguments], capture_output=True,
                          text=True, timeout=2 * r.DEADLINE)
    r.equal(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
    return done.stdout, done.stderr


class Recorder:
    """diffusectl record: in a folder that is named, in one of its own (""), or without (None)."""

    def __init__(self, rig, name, *options, listen="relay-", **popen):
        self.file = rig.path(name)
        command = [CTL, *r.PATIENT, "--endpoint", rig.path("run"), "record", self.file, *options]
        if listen is not None:
            command += ["--listen", rig.path(listen + name)] if listen else ["--private"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, **popen)
        self.first = self.process.stderr.readline()
        r.check(self.first.startswith("recording to " + self.file), self.first)
        if listen is not None:
            self.dir = self.process.stdout.readline().rstrip("\n")
            r.check(os.path.isdir(self.dir) and self.dir in self.first, "the folder is printed")

    def end(self, number=signal.SIGTERM, status=0):
        self.process.send_signal(number)
        said = self.process.communicate(timeout=2 * r.DEADLINE)[1]
        r.equal(self.process.returncode, status, "exit status of record: " + said)
        return said


def replay(rig, file, *options, status=0):
    out, said = ctl(rig, "replay", file, "--json", *options, status=status)
    return json.loads(out), said


def push_rows(recorder, pb, stream, answered):
    with diffuse_client.Client(recorder.dir, pb, timeout=r.DEADLINE) as client:
        for seq in range(1, ROWS + 1):
            client.push(stream, seq, text=f"row {seq} of {stream} " * (1 + seq % 5), stamp_ns=-seq)
        answered.wait(2 * r.DEADLINE)


def publish_rows(recorder, pb, stream, answered):
    with diffuse_client.Client(recorder.dir, pb, timeout=r.DEADLINE) as client:
        for seq in range(1, ROWS + 1):
            client.publish(stream, seq, tokens=[seq % 200, 7, 9])
        answered.wait(2 * r.DEADLINE)


BAD = [  # frames behind the stream, and whether the daemon answers
    ([b"\xff\xff\xff"], True), ([b""], True), ([], False), ([b"x", b"y", b"z"], True),
    ([b"x"] * 12, True), ([b"x" * 20000], True)]


def under_publishers(rig):
    """Push, ingest and bad input at once; every label comes once and in order, and is recorded."""
    recorder = Recorder(rig, "busy")
    answered = threading.Event()
    threads = [threading.Thread(target=push_rows, args=(recorder, rig.pb, f"push/{i}", answered))
               for i in range(3)]
    threads.append(threading.Thread(target=publish_rows,
                                    args=(recorder, rig.pb, "ingest/0", answered)))
    with diffuse_client.Client(recorder.dir, rig.pb, timeout=r.DEADLINE) as watcher:
        watcher.subscribe("")
        for thread in threads:
            thread.start()
        s = watcher.socket("push")
        for frames, _ in BAD:
            s.send_multipart([b"bad"] + frames)
        with diffuse_client.Client(recorder.dir, rig.pb, timeout=r.DEADLINE) as hostile:  # cut off before the daemon
            hostile.socket("push").send_multipart([b"bad", b"x" * 1000000])
        s.send_multipart([b"", watcher.ingest_message(1, "no name")])
        s.send_multipart([b"$sys/x", watcher.ingest_message(1, "a reserved name")])
        watcher.push("bad", 7, text="")
        watcher.push("bad", 8, tokens=[2**32 - 1])
        s.send_multipart([b"bad", rig.pb.Ingest(feedback=rig.pb.Feedback(seq=8, label_id=1))
                          .SerializeToString()])
        watcher.push("bad", 9, text="good again")
        n_bad = sum(answer for _, answer in BAD) + 3
        expected = {f"push/{i}": 1 for i in range(3)}
        ingest_seen, bad = 0, []
        while min(expected.values()) <= ROWS or len(bad) < n_bad or ingest_seen < ROWS:
            stream, label = watcher.label()
            if stream == "bad":
                bad.append((label.seq, label.error))
            elif stream == "ingest/0":  # may lose some on the way, but has no order of its own
                r.check(label.seq > ingest_seen, "order of ingest")
                ingest_seen = label.seq
            else:
                r.equal((label.seq, label.stamp_ns), (expected[stream], -expected[stream]),
                        f"next of {stream}")
                expected[stream] += 1
        r.check(not watcher.socket("labels").poll(200), "nothing comes twice")
        r.equal(bad[-1], (9, 0), "the last of the bad stream is good")
        r.check(watcher.status().model_id, "control passes")
        answered.set()
        for thread in threads:
            thread.join()
        said = recorder.end()
    r.check(not os.path.exists(recorder.dir), "the folder is gone")
    r.equal(rig.counters()["disconnected"], 0, "connections that the daemon cut")
    r.check("1 feedback" in said and "held" not in said, said)
    return recorder.file, 3 * ROWS + n_bad


def the_same_again(rig, file, at_least):
    for options in (("--speed", "max"), ("--speed", "1000", "--push")):
        rig.stop()
        rig.start()
        result, said = replay(rig, file, *options)
        r.equal((result["different"], result["missing"], result["foreign"]), (0, 0, 0), said)
        r.check(result["identical"] > at_least, f"labels compared: {result}")
        r.equal(result["identical"], result["answered"], "each answer was compared")
        r.equal(result["skipped"], 1, "feedback stays where it is")
    out, said = ctl(rig, "replay", file, "--speed=max")
    r.check("different 0, missing 0\n" in out and "--feedback" in said, out + said)
    rig.make_model(rig.path("other"), "byte", "seed=99")
    rig.stop()
    rig.start(model=rig.path("other"))
    result, said = replay(rig, file, "--speed=max", status=1)
    r.check(result["different"] > 0 and result["model_then"] != result["model_now"], str(result))
    r.check("then" in result["differences"][0]["what"] and len(result["differences"]) <= 10, "shown")
    r.check("answered then" in said, said)
    result, _ = replay(rig, file, "--speed=max", "--no-compare")
    r.equal(result["answered"] > at_least, True, "without comparing")
    rig.stop()
    rig.start()
    return result["answered"]


def torn(rig, file, total):
    with open(file, "rb") as whole:
        content = whole.read()
    cut = rig.path("torn")
    for share, least in ((0.3, 0), (0.9, 1)):  # early on, a slow daemon may have answered nothing
        with open(cut, "wb") as part:
            part.write(content[:int(len(content) * share) | 1])
        result, said = replay(rig, cut, "--speed=max")
        r.check("byte" in said and "ends within a record" in said or "may be missing" in said, said)
        r.check(least <= result["identical"] < total, str(result))
        r.equal(result["different"] + result["missing"], 0, str(result))
        r.equal(result["identical"] + result["unrecorded"], result["answered"], str(result))
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 4
    with open(cut, "wb") as part:
        part.write(damaged)
    result, said = replay(rig, cut, "--speed=max")
    r.check("what comes before it is whole" in said and result["different"] == 0, said)
    with open(cut, "wb") as part:
        part.write(b"something else, long enough for a header to be there in full" * 3)
    _, said = ctl(rig, "replay", cut, status=1)
    r.check("no recording" in said, said)


def killed(rig):
    """kill -9 of the recorder: what it had handed to the system is there."""
    recorder = Recorder(rig, "killed")
    with diffuse_client.Client(recorder.dir, rig.pb, timeout=r.DEADLINE) as client:
        client.subscribe("k/")
        seq, size = 0, None
        while size is None or os.path.getsize(recorder.file) == size:  # what came before goes to the file as one
            seq += 1
            client.push("k/log", seq, text=f"row {seq}")
            client.label()
            if seq == 100:
                size = os.path.getsize(recorder.file)
        recorder.process.kill()
        recorder.process.wait(r.DEADLINE)
    result, said = replay(rig, recorder.file, "--speed=max")
    r.check(result["identical"] > 50 and result["different"] == 0, f"{result} {said}")
    r.check("was killed" in said, said)
    os.rename(recorder.dir, rig.path("relay-again"))
    Recorder(rig, "again").end()  # over the sockets that it left


def speed(rig):
    """Order is kept, and a slow replay is under way when it is interrupted."""
    recorder = Recorder(rig, "spaced", listen="")
    with diffuse_client.Client(recorder.dir, rig.pb, timeout=r.DEADLINE) as client:
        client.subscribe("s/")
        for seq in range(1, 11):
            client.push(f"s/{seq % 2}", seq, text=f"row {seq}")
            client.label()
            time.sleep(0.1)  # paced: distances for replay to keep
        recorder.end(signal.SIGINT)
    with diffuse_client.Client(rig.path("run"), rig.pb, timeout=r.DEADLINE) as client:
        client.subscribe("s/")
        result, _ = replay(rig, recorder.file, "--speed", "4")
        r.equal(result["identical"], 10, "identical")
        r.equal([label.seq for _, label in client.labels(10)], list(range(1, 11)), "order")
        slow = subprocess.Popen([CTL, *r.PATIENT, "--endpoint", rig.path("run"), "replay", recorder.file,
                                 "--speed=0.0001", "--json"], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)
        r.equal(client.label()[1].seq, 1, "the first is sent at once")
        slow.send_signal(signal.SIGTERM)
        out, said = slow.communicate(timeout=r.DEADLINE)
        r.equal((slow.returncode, json.loads(out)["sent"]), (1, 1), "interrupted: " + said)
    ctl(rig, "replay", recorder.file, "--speed", "0", status=2)
    ctl(rig, "replay", recorder.file, "--speed", "fast", status=2)


def outside_only(rig):
    recorder = Recorder(rig, "outside", listen=None)
    r.check("labels and events only" in recorder.first, recorder.first)
    with diffuse_client.Client(rig.path("run"), rig.pb, timeout=r.DEADLINE) as client:
        client.subscribe("o/")
        client.push("o/x", 1, text="seen from outside")
        client.label()
    said = recorder.end()
    r.check("0 samples" in said and "1 labels" in said, said)
    _, said = ctl(rig, "replay", recorder.file, status=1)
    r.check("nothing to send" in said, said)


def back_pressure(rig):
    """While the daemon takes nothing, the recorder takes but a few; nothing is lost or doubled."""
    recorder = Recorder(rig, "pressed")
    with diffuse_client.Client(recorder.dir, rig.pb, timeout=r.DEADLINE) as client:
        client.subscribe("p/")
        client.push("p/x", 1, text="x" * 2000)
        client.label()
        rig.process.send_signal(signal.SIGSTOP)
        s = client.socket("push")
        s.setsockopt(zmq.SNDTIMEO, 1000)
        seq, stuck = 1, False
        while not stuck and seq < 20000:
            try:
                client.push("p/x", seq + 1, text="x" * 2000)
                seq += 1
            except zmq.Again:
                stuck = True
        r.check(stuck, "the sender is held up in the end")
        rig.process.send_signal(signal.SIGCONT)
        for expected in range(2, seq + 1):
            r.equal(client.label()[1].seq, expected, "next")
        r.check(not client.socket("labels").poll(200), "nothing comes twice")
        said = recorder.end()
    r.check(f"recorded {seq} samples" in said and f"{seq} labels" in said, said)


def push_more(recorder, pb, numbers, answered):
    with diffuse_client.Client(recorder.dir, pb, timeout=r.DEADLINE) as client:
        for seq in numbers:
            client.push("w/x", seq, text="more")
        answered.wait(2 * r.DEADLINE)


def ended_under_load(rig):
    """A publisher that goes on: what was taken is answered, recorded, and the end is clean."""
    recorder = Recorder(rig, "loaded")
    stop = threading.Event()

    def send():
        with diffuse_client.Client(recorder.dir, rig.pb, timeout=0.2) as client:
            seq = 0
            while not stop.is_set():
                try:
                    client.push("l/x", seq + 1, text=f"row {seq}")
                    seq += 1
                except zmq.Again:  # the recorder is gone
                    pass
            client.context.destroy(linger=0)

    sender = threading.Thread(target=send)
    with diffuse_client.Client(rig.path("run"), rig.pb, timeout=r.DEADLINE) as watcher:
        watcher.subscribe("l/")
        sender.start()
        watcher.labels(200)
        said = recorder.end()
        stop.set()
        sender.join()
    words = said.split()
    r.equal(words[words.index("recorded") + 1], words[words.index("labels,") - 1], said)
    r.check("did not take" not in said and "had not come" not in said, said)


def slow_subscriber(rig):
    """Who does not read holds nobody up for long, and is told to the recorder's owner."""
    recorder = Recorder(rig, "slow")
    with diffuse_client.Client(recorder.dir, rig.pb, timeout=r.DEADLINE) as client:
        client.subscribe("w/")
        lazy = rig.context.socket(zmq.SUB)
        lazy.setsockopt(zmq.RCVHWM, 1)
        lazy.setsockopt(zmq.RCVBUF, 4096)
        lazy.setsockopt(zmq.SUBSCRIBE, b"w/")
        lazy.connect(f"ipc://{recorder.dir}/labels")
        seq = 1
        client.push("w/x", seq, text="until the lazy one hears")
        while not lazy.poll(50):
            seq += 1
            client.push("w/x", seq, text="until the lazy one hears")
        total = seq + 6000
        answered = threading.Event()
        sender = threading.Thread(target=push_more,
                                  args=(recorder, rig.pb, range(seq + 1, total + 1), answered))
        sender.start()
        for expected in range(1, total + 1):
            r.equal(client.label()[1].seq, expected, "who reads gets all")
        answered.set()
        sender.join()
        lazy.close(linger=0)
        said = recorder.end()
    r.check("did not reach subscribers" in said, said)
    r.check(f"recorded {total} samples" in said and f"{total} labels" in said, said)


def daemon_restarts(rig):
    recorder = Recorder(rig, "restart")
    with diffuse_client.Client(recorder.dir, rig.pb, timeout=r.DEADLINE) as client:
        client.subscribe("d/")
        client.push("d/x", 1, text="before")
        client.label()
        rig.stop(signal.SIGKILL)
        rig.start()
        client.push("d/x", 2, text="after")
        r.equal(client.label()[1].seq, 2, "the next daemon answers through the same recorder")
        client.status()
        said = recorder.end()
    r.check("went away 1 times" in said, said)


def disk_full(rig):
    """A file that may not grow stands for a full disk: said once, and serving goes on."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    recorder = Recorder(rig, "full", preexec_fn=limit)
    with diffuse_client.Client(recorder.dir, rig.pb, timeout=r.DEADLINE) as client:
        client.subscribe("f/")
        for seq in range(1, 201):
            client.push("f/x", seq, text=f"row {seq}")
            r.equal(client.label()[1].seq, seq, "served")
            time.sleep(0.005)  # paced: several writes, not one
        said = recorder.end(status=1)
    r.equal(said.count("cannot be written"), 1, said)
    r.check("passing on goes on" in said, said)
    result, _ = replay(rig, recorder.file, "--speed=max")
    r.equal(result["different"] + result["missing"], 0, "what is in the file is whole")


def refusals(rig):
    _, said = ctl(rig, "record", rig.path("x"), f"--listen={rig.path('run')}", status=1)
    r.check("somebody listens there" in said and not os.path.exists(rig.path("x")), said)
    rig.status()  # its sockets are where they were
    with open(rig.path("x"), "w", encoding="ascii") as file:
        file.write("dear")
    _, said = ctl(rig, "record", rig.path("x"), status=1)
    r.check("is there already" in said, said)
    ctl(rig, "record", status=2)
    ctl(rig, "replay", status=2)
    _, said = ctl(rig, "replay", rig.path("none"), status=1)
    r.check("cannot be opened" in said, said)


with r.Rig() as rig:
    if not os.path.exists(CTL):
        raise AssertionError("diffusectl is not built")
    rig.start()
    path, pushed = under_publishers(rig)
    print("under_publishers ok")
    torn(rig, path, the_same_again(rig, path, pushed))
    print("the_same_again, torn ok")
    for part in (killed, speed, outside_only, back_pressure, ended_under_load, slow_subscriber,
                 daemon_restarts, disk_full, refusals):
        part(rig)
        print(part.__name__, "ok")
    r.equal(rig.stop(), 0, "exit status")
