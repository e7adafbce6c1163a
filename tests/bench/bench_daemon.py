"""A daemon with a folder of its own for the benchmarks, told what to do over its sockets alone."""
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
import diffuse_client  # noqa: E402

TICKS = os.sysconf("SC_CLK_TCK")
BUSY = 4  # of diffuse_err.h


class Daemon:
    """Use as a context. keys are the daemon's own, as for --set."""

    def __init__(self, build, folder, **keys):
        self.folder = os.path.abspath(folder)
        os.makedirs(self.folder, exist_ok=True)
        self.log = os.path.join(self.folder, "log")
        self.run = os.path.join("/tmp", f"dfb-{os.getpid()}-{id(self) & 0xffffff:x}")  # a short path: sun_path
        keys = {"runtime_dir": self.run, **keys}
        self.command = [os.path.join(build, "diffused"), "--foreground"]
        for key, value in keys.items():
            self.command += ["--set", f"{key}={value}"]
        self.pb = diffuse_client.messages(os.path.join(build, "python"))
        self.process = self.client = None

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the daemon goes too
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stderr=log)
        self.client = diffuse_client.Client(self.run, self.pb, timeout=60)
        try:
            self.client.status()  # connects as soon as there is a socket
        except Exception:
            self.__exit__()
            with open(self.log, encoding="utf-8", errors="replace") as log:
                sys.exit(f"the daemon did not start:\n{' '.join(self.command)}\n{log.read()}")
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.client.close()
        shutil.rmtree(self.run, ignore_errors=True)

    def cpu_seconds(self):
        """Processor time of each thread so far, by name: {name: seconds}."""
        out = {}
        tasks = f"/proc/{self.process.pid}/task"
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/stat", encoding="ascii", errors="replace") as f:
                name, rest = f.read().split("(", 1)[1].rsplit(")", 1)
            words = rest.split()
            out[name] = out.get(name, 0) + (int(words[11]) + int(words[12])) / TICKS
        return out

    def tune(self, action="STATUS", patience=120):
        """`diffusectl tune ACTION`: the TuneStatus. BUSY is tried again; what is refused ends the benchmark."""
        request = self.pb.TuneRequest(action=getattr(self.pb.TuneRequest, action))
        waited, self.client.timeout = self.client.timeout, patience
        end = time.monotonic() + patience
        while True:
            reply = self.client.request(tune=request)
            if reply.error != BUSY or time.monotonic() > end:
                break
            time.sleep(0.1)
        self.client.timeout = waited
        if reply.error:
            sys.exit(f"the daemon refuses: {reply.error_text.decode()}")
        return reply.tune

    def feedback(self, stream, seq, label):
        message = self.pb.Ingest()
        message.feedback.seq = seq
        message.feedback.label_name = label.encode()
        self.client.send("push", stream, message.SerializeToString())


def empty(folder):
    """What an earlier run left goes."""
    shutil.rmtree(folder, ignore_errors=True)


def trust(status):
    """What a TuneStatus says of the streams."""
    return {s.stream.decode(): {"feedback": s.feedback, "agreed": s.agreed, "contested": s.contested,
                                "trust": round(s.trust, 4), "distrusted": s.distrusted} for s in status.streams}


def plain(status):
    """A TuneStatus as JSON takes it."""
    out = {}
    for field, value in status.ListFields():
        if field.name != "streams":
            out[field.name] = value.decode() if isinstance(value, bytes) else \
                round(value, 6) if isinstance(value, float) else value
    out["streams"] = trust(status)
    out.pop("state_dir", None)
    return out


def wait_until(true, seconds, step=0.2):
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            return False
        time.sleep(step)
    return True
