"""What the daemon's system tests share: a daemon in a temporary folder, and the four sockets.

Each test runs with /usr/bin/python3, takes the build folder from B (default: build), and exits with
0 (passed), 1 (failed) or 9 (skipped: something it needs is missing). Waiting is for events, with a
deadline that only a failure meets: it is long enough for a machine that is many times slower than an idle one.
"""
import importlib
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

SKIP = 9
DEADLINE = float(os.environ.get("TEST_DEADLINE", "600"))
PATIENT = ("--timeout", str(int(DEADLINE * 1000)))  # options of diffusectl, whose own patience is for people
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
SANITIZED = os.path.basename(BUILD) in ("asan", "tsan")  # many times slower: fewer rounds will do


def skip(why):
    print("skipped:", why)
    sys.exit(SKIP)


try:
    import zmq
    importlib.import_module("google.protobuf")
except ImportError as missing:
    skip(f"{missing}; install python3-zmq and python3-protobuf")


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}: got {got!r}, expected {expected!r}")


def load_messages(folder):
    """Python classes of proto/diffused.proto, made by protoc."""
    if not shutil.which("protoc"):
        skip("protoc is missing; install protobuf-compiler")
    subprocess.run(["protoc", f"--proto_path={ROOT}/proto", f"--python_out={folder}",
                    f"{ROOT}/proto/diffused.proto"], check=True)
    sys.path.insert(0, folder)
    import diffused_pb2
    return diffused_pb2


fallen = []  # what ended threads that the test began


def note_fallen(what):
    fallen.append(f"a thread of the test ended: {what.exc_type.__name__}: {what.exc_value}")
    threading.__excepthook__(what)


threading.excepthook = note_fallen


def terminated(_number, _frame):
    """As any failure does, this ends the daemon and removes the folder."""
    raise AssertionError("the test was told to end")


class Rig:
    """A temporary folder, a model, and at most one daemon at a time. Use as a context."""

    def __init__(self, model=("byte",)):
        for program in ("diffused", "tests/make_model"):
            if not os.path.exists(os.path.join(BUILD, program)):
                raise AssertionError(f"{BUILD}/{program} is not built")
        self.dir = tempfile.mkdtemp(prefix="dfd-", dir="/tmp")
        self.pb = load_messages(self.dir)
        self.model = os.path.join(self.dir, "model.safetensors")
        self.make_model(self.model, *model)
        self.context = zmq.Context()
        self.process = None
        self.log = ""
        self.request_id = 0
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(self.path("notify"))
        self.words = queue.Queue()
        threading.Thread(target=self.read_notify, daemon=True).start()

    def __enter__(self):
        signal.signal(signal.SIGTERM, terminated)
        return self

    def __exit__(self, kind, value, trace):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the end is under way
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        failed = kind is not None and kind is not SystemExit
        lost = list(fallen) if kind is None else []
        if failed:
            sys.stderr.write(self.read_log())
        if failed and threading.active_count() > 2:  # more than this one and the reader of notifications
            # A socket belongs to the thread that uses it: closed from here it ends the process, and hides the failure.
            traceback.print_exception(kind, value, trace)
            shutil.rmtree(self.dir, ignore_errors=True)
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(1)
        self.context.destroy(linger=0)
        self.notify.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        if lost:
            raise AssertionError("; ".join(lost))

    def path(self, name):
        return os.path.join(self.dir, name)

    def endpoint(self, name):
        return "ipc://" + self.path("run/" + name)

    def make_model(self, path, *args):
        subprocess.run([os.path.join(BUILD, "tests/make_model"), path, *map(str, args)], check=True)

    # --- the daemon ---------------------------------------------------------------------------------

    def command(self, *options, **keys):
        keys.setdefault("model", self.model)
        keys.setdefault("runtime_dir", self.path("run"))
        command = [os.path.join(BUILD, "diffused"), *options]
        for key, value in keys.items():
            command += ["--set", f"{key}={value}"]
        return command

    def run(self, *options, **keys):
        """Run to the end; returns status, stdout, stderr."""
        done = subprocess.run(self.command(*options, **keys), capture_output=True, text=True,
                              timeout=DEADLINE)
        return done.returncode, done.stdout, done.stderr

    def start(self, *options, **keys):
        """Start and wait for READY=1."""
        while not self.words.empty():  # of a daemon before
            self.words.get()
        environment = dict(os.environ, NOTIFY_SOCKET=self.path("notify"),
                           TSAN_OPTIONS=f"suppressions={ROOT}/tests/lib/tsan.supp")
        self.log_file = open(self.path("log"), "ab")
        self.process = subprocess.Popen(self.command(*options, **keys), stderr=self.log_file,
                                        env=environment)
        self.log_file.close()
        return self.wait_notify("READY=1")

    def read_notify(self):
        """As a service manager does: what nobody reads would stop the sender."""
        while True:
            try:
                self.words.put(self.notify.recv(65536).decode().split("\n"))
            except OSError:
                return

    def wait_notify(self, word):
        """The datagram to the service manager that holds a word."""
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            try:
                lines = self.words.get(timeout=0.1)
            except queue.Empty:
                if self.process.poll() not in (None, 0):
                    raise AssertionError(f"the daemon ended with {self.process.returncode}") from None
                continue
            if word in lines:
                return lines
        raise AssertionError(f"no {word} in {DEADLINE} s")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def read_log(self):
        try:
            with open(self.path("log"), encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def resident(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            rows = dict(line.split(":", 1) for line in file)
        return int(rows["VmRSS"].split()[0]) * 1024, int(rows["VmHWM"].split()[0]) * 1024

    def sanitized(self):
        with open(f"/proc/{self.process.pid}/maps", encoding="ascii") as file:
            maps = file.read()
        return "libasan" in maps or "libtsan" in maps

    # --- sockets ------------------------------------------------------------------------------------

    def connect(self, kind, name, **options):
        s = self.context.socket(kind)
        s.setsockopt(zmq.LINGER, options.pop("linger", 0))
        for option, value in options.items():
            s.setsockopt(getattr(zmq, option), value)
        s.connect(self.endpoint(name))
        return s

    def receive(self, s, deadline=None):
        if not s.poll((deadline or DEADLINE) * 1000):
            raise AssertionError("nothing arrived")
        return s.recv_multipart()

    def request(self, **verb):
        """One request on control; returns the Reply."""
        self.request_id += 1
        request = self.pb.Request(id=self.request_id, **verb)
        s = self.connect(zmq.DEALER, "control")
        s.send(request.SerializeToString())
        reply = self.pb.Reply.FromString(self.receive(s)[-1])
        s.close()
        equal(reply.id, self.request_id, "id of the reply")
        return reply

    def status(self):
        return self.request(status=self.pb.StatusRequest()).status

    def counters(self):
        return {c.name.decode(): c.value for c in self.status().counters}

    def subscribe(self, prefix=b"", **options):
        """A subscriber whose subscriptions are known to be in force."""
        topic = b"$sys/sync/%d" % id(options)
        s = self.connect(zmq.SUB, "labels", RCVHWM=options.pop("hwm", 0), **options)
        s.setsockopt(zmq.SUBSCRIBE, prefix)
        s.setsockopt(zmq.SUBSCRIBE, topic)
        end = time.monotonic() + DEADLINE
        while time.monotonic() < end:
            self.request(sync=self.pb.SyncRequest(topic=topic))
            while s.poll(50):
                if s.recv_multipart()[0] == topic:
                    s.setsockopt(zmq.UNSUBSCRIBE, topic)
                    return s
        raise AssertionError("no sync event")

    def label(self, s):
        """The next label: stream and Label. Events are passed over."""
        while True:
            topic, body = self.receive(s)
            if not topic.startswith(b"$sys/"):
                return topic, self.pb.Label.FromString(body)

    def sample(self, seq, text=None, ids=None, **fields):
        sample = self.pb.Sample(seq=seq, **fields)
        if ids is not None:
            sample.tokens.id.extend(ids)
            sample.tokens.SetInParent()
        elif text is not None:
            sample.text = text if isinstance(text, bytes) else text.encode()
        return self.pb.Ingest(sample=sample).SerializeToString()
