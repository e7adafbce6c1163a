#!/usr/bin/python3
"""A training run, or one of pre-training, that is killed, interrupted and gone on with gives the bits of one that was
left alone; a state that is another run's, or damaged, is refused and nothing is overwritten; memory stays below its
limit; training rows go into the checkpoint.
"""
import csv
import glob
import json
import os
import random
import re
import resource
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
DIFFUSE = os.path.join(BUILD, "diffuse")
DEADLINE = float(os.environ.get("TEST_DEADLINE", "600"))
TIMES = {"epoch_time", "pass_time", "peak_resident_mb", "tokens_per_second"}


def sanitized():
    with open(DIFFUSE, "rb") as f:
        program = f.read()
    return b"__asan_init" in program or b"__tsan_init" in program


def wait_until(what, condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, f"no {what}"
        time.sleep(0.005)


class Runs:
    """Folders of runs on the same rows."""
    VERB, TABLE, MODELS, GOES_ON = "train", "epoch_results.csv", ("model", "last"), "goes on in epoch"

    def __init__(self, top):
        self.top = top
        self.data, self.test = os.path.join(top, "train.tsv"), os.path.join(top, "test.tsv")
        for path, *options in ((self.data, "-n", "1500"), (self.test, "-n", "200", "-p", "test")):
            subprocess.run([DIFFUSE, "corpus", "-o", path, *options], check=True)
        self.options = ["--data", f"tsv:{self.data}", "--test", f"tsv:{self.test}", "--valid", "0.1",
                        "--vocab-size", "400", "--width", "16", "--steps", "1", "--ngram-rows", "1024",
                        "--batch", "16", "--epochs", "24", "--save-every", "1", "--threads", "2", "--wide", "none",
                        "--quiet"]

    def folder(self, name):
        return os.path.join(self.top, name)

    def file(self, name, file):
        return os.path.join(self.folder(name), file)

    def command(self, name, *more):
        return [DIFFUSE, self.VERB, "--out", self.folder(name), *self.options, *more]

    def start(self, name, *more):
        return subprocess.Popen(self.command(name, *more), stderr=subprocess.PIPE, text=True)

    def run(self, name, *more, status=0, **options):
        done = subprocess.run(self.command(name, *more), capture_output=True, text=True, check=False, **options)
        assert done.returncode == status, (more, done.returncode, done.stderr)
        return done.stderr

    def rows(self, name):
        """Lines of the table so far, the header among them."""
        try:
            with open(self.file(name, self.TABLE), encoding="utf-8") as f:
                return f.read().count("\n")
        except FileNotFoundError:
            return 0

    def bytes(self, name, file):
        with open(self.file(name, file), "rb") as f:
            return f.read()

    def results(self, name):
        with open(self.file(name, self.TABLE), encoding="utf-8") as f:
            return [{key: value for key, value in row.items() if key not in TIMES} for row in csv.DictReader(f)]

    def log(self, name):
        return self.bytes(name, "training.log").decode()

    def state(self, name):
        """Which state is there? Changes with each save."""
        try:
            found = os.stat(self.file(name, "resume.safetensors"))
            return found.st_ino, found.st_mtime_ns
        except FileNotFoundError:
            return None


class Pretraining(Runs):
    VERB, TABLE, MODELS, GOES_ON = "pretrain", "pretrain_results.csv", ("model",), "goes on in pass"

    def __init__(self, top):
        super().__init__(top)
        self.options = ["--data", f"tsv:{self.data}", "--held", "0.1", "--vocab-size", "400", "--width", "16",
                        "--steps", "1", "--ngram-rows", "1024", "--batch", "16", "--candidates", "64",
                        "--passes", "24", "--save-every", "1", "--threads", "2", "--quiet"]

    def folder(self, name):
        return os.path.join(self.top, f"pretrain-{name}")


def stop_by_kill(runs, name, rng, first):
    """Kill it at a random moment after it has saved: --save-every passes while the process stands still."""
    p = runs.start(name, *([] if first else ["--resume"]))
    before, lines = runs.state(name), runs.rows(name) if not first else 0
    wait_until("epoch", lambda: runs.rows(name) > max(lines, 1) or p.poll() is not None)
    assert p.poll() is None, p.communicate()
    p.send_signal(signal.SIGSTOP)
    time.sleep(1.05)  # paced: what --save-every measures goes by while it stands still
    p.send_signal(signal.SIGCONT)
    wait_until("save", lambda: runs.state(name) != before or p.poll() is not None)
    time.sleep(rng.random() * 0.05)  # paced: a moment by chance, whichever it is
    p.kill()
    assert p.wait() == -signal.SIGKILL, "it ended before it could be killed: more epochs are needed"
    p.stderr.close()


def check_kills(runs):
    rng = random.Random()
    runs.run("whole")
    for k in range(3):
        stop_by_kill(runs, "killed", rng, first=k == 0)
    runs.run("killed", "--resume")
    assert runs.log("killed").count(runs.GOES_ON) == 3, runs.log("killed")
    for model in runs.MODELS:
        file = f"{model}.safetensors"
        assert runs.bytes("killed", file) == runs.bytes("whole", file), file
    assert runs.results("killed") == runs.results("whole"), (runs.results("killed"), runs.results("whole"))
    assert not os.path.exists(runs.file("killed", "resume.safetensors"))

    before = runs.bytes("killed", "summary.json")
    said = runs.run("killed", "--resume")
    assert "finished already" in said and said.count("\n") == 1, said
    assert runs.bytes("killed", "summary.json") == before


def interrupt(runs, name, number, *more):
    log = runs.file(name, "training.log")
    if os.path.exists(log):
        os.unlink(log)
    p = runs.start(name, *more)
    wait_until("epoch", lambda: os.path.exists(log) and re.search("(epoch|pass) [0-9]+: |goes on", runs.log(name))
               or p.poll() is not None)
    p.send_signal(number)
    said = p.communicate(timeout=DEADLINE)[1]
    assert p.returncode == 1 and "--resume" in said and said.count("\n") == 1, (p.returncode, said)
    assert runs.state(name)


def check_interrupts(runs):
    interrupt(runs, "asked", signal.SIGINT)
    done = runs.rows("asked")
    interrupt(runs, "asked", signal.SIGTERM, "--resume")
    assert runs.rows("asked") >= done
    # A new run in a folder whose run was finished is not finished.
    finished = runs.bytes("whole", "model.safetensors")
    interrupt(runs, "whole", signal.SIGTERM)
    assert runs.bytes("whole", "model.safetensors") == finished, "nor does what is served come from it"
    assert not os.path.exists(runs.file("whole", "summary.json"))
    runs.run("whole", "--resume")
    assert runs.bytes("whole", "model.safetensors") == runs.bytes("killed", "model.safetensors")


def contents(runs, name):
    """All but the log, which tells of every attempt."""
    return {path: open(path, "rb").read() for path in glob.glob(runs.folder(name) + "/*")
            if not path.endswith("training.log")}


def check_refusals(runs):
    """The run "asked" was stopped half-way."""
    before = contents(runs, "asked")
    for option, value in (("width", "32"), ("batch", "8"), ("lr", "0.1"), ("epochs", "25"), ("threads", "1"),
                          ("data", f"tsv:{runs.test}")):
        said = runs.run("asked", "--resume", f"--{option}", value, status=1)
        assert f"{option} differs" in said and "resume.safetensors" in said and said.count("\n") == 1, said
        assert contents(runs, "asked") == before, option

    path = runs.file("asked", "resume.safetensors")
    whole, rng = before[path], random.Random()
    header = int.from_bytes(whole[:8], "little")
    damaged = [whole[:7], whole[:8 + header // 2], whole[:8 + header], whole[:-1], whole + b"\0", b""]
    for at in [3, 8 + rng.randrange(header)] + [8 + header + rng.randrange(len(whole) - 8 - header) for _ in "1234"]:
        damaged.append(whole[:at] + bytes([whole[at] ^ 1 << rng.randrange(7)]) + whole[at + 1:])
    for state in damaged:
        with open(path, "wb") as f:
            f.write(state)
        said = runs.run("asked", "--resume", status=1)
        assert said.startswith("diffuse: ") and said.count("\n") == 1, said
        assert contents(runs, "asked") == {**before, path: state}, said
    with open(path, "wb") as f:
        f.write(whole)
    runs.run("asked", "--resume")
    assert runs.bytes("asked", "model.safetensors") == runs.bytes("killed", "model.safetensors")


def check_pretraining_refusals(runs):
    interrupt(runs, "asked", signal.SIGINT)
    before = contents(runs, "asked")
    for option, value in (("width", "32"), ("batch", "8"), ("candidates", "32"), ("passes", "25"), ("threads", "1")):
        said = runs.run("asked", "--resume", f"--{option}", value, status=1)
        assert f"{option} differs" in said and "resume.safetensors" in said and said.count("\n") == 1, said
        assert contents(runs, "asked") == before, option
    runs.run("asked", "--resume")
    assert runs.bytes("asked", "model.safetensors") == runs.bytes("killed", "model.safetensors")


def check_pieces(runs):
    """The same bits after a stop, in what may be kept in 16 bits and in pieces."""
    more = ["--epochs", "4", "--precision", "bf16", "--batch", "750", "--memory", "48M"]
    runs.run("in pieces", *more)
    interrupt(runs, "stopped in pieces", signal.SIGTERM, *more)
    said = runs.run("stopped in pieces", "--resume", *more, "--dropout", "0.2", status=1)
    assert "dropout differs" in said, said
    runs.run("stopped in pieces", "--resume", *more)
    for model in runs.MODELS:
        file = f"{model}.safetensors"
        assert runs.bytes("stopped in pieces", file) == runs.bytes("in pieces", file), file


def check_memory(runs):
    big = ["--batch", "750", "--width", "32", "--epochs", "2"]
    for limit, how in ((1024, "at once, in one piece"), (48, "in pieces")):
        name = f"within {limit}"
        runs.run(name, *big, "--memory", f"{limit}M")
        assert f"memory: {limit} MiB may be used" in runs.log(name) and how in runs.log(name), runs.log(name)
        assert json.loads(runs.bytes(name, "summary.json"))["peak_resident_mb"] < limit
    said = runs.run("too little", *big, "--memory", "2M", status=1)
    assert re.search(r"take \d+ MiB, --memory allows 2 MiB", said) and said.count("\n") == 1, said

    # In pieces, and gone on with.
    interrupt(runs, "pieces", signal.SIGTERM, *big, "--epochs", "8", "--memory", "48M")
    # Its pieces were planned once: that the process is larger this time, by its environment, is no reason.
    larger = dict(os.environ, **{f"FILLING_{k}": "x" * 100000 for k in range(50)})
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    runs.run("pieces", *big, "--epochs", "8", "--memory", "48M", "--resume", env=larger,
             preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_STACK, (64 << 20, hard)))
    sizes = re.findall(r"in pieces of up to (\d+) tokens", runs.log("pieces"))
    assert len(sizes) == 2 and sizes[0] == sizes[1], sizes


def check_rehearsal(runs):
    """Training rows in the checkpoint: as many as were asked for, of every label alike."""
    for wanted in (0, 48):
        name = f"rehearsal {wanted}"
        runs.run(name, "--epochs", "1", "--rehearsal", str(wanted))
        model = runs.file(name, "model.safetensors")
        found = json.loads(subprocess.run([DIFFUSE, "inspect", "--json", "-m", model], check=True,
                                          capture_output=True, text=True).stdout)
        assert found["rehearsal_rows"] == wanted and found["selftest"] == "passed", found
        assert ("training rows are kept" in runs.log(name)) == (wanted > 0)
        if wanted:
            whole = runs.bytes(name, "model.safetensors")
            data = 8 + int.from_bytes(whole[:8], "little")
            begin, end = json.loads(whole[8:data])["rehearsal.rows"]["data_offsets"]
            labels = [line.split()[0] for line in whole[data + begin:data + end].decode().splitlines()]
            assert len(labels) == wanted and {labels.count(label) for label in labels} == {2}, labels


def main():
    with tempfile.TemporaryDirectory() as top:
        runs = Runs(top)
        check_kills(runs)
        check_interrupts(runs)
        check_refusals(runs)
        check_pieces(runs)
        check_rehearsal(runs)
        pretraining = Pretraining(top)
        check_kills(pretraining)
        check_pretraining_refusals(pretraining)
        if not sanitized():
            check_memory(runs)


main()
