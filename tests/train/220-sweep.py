#!/usr/bin/python3
"""diffuse sweep: every setting is trained and compared, what is done is not done again, what fails does not stop the
others, an interrupt leaves a table and something to go on from, and nothing is left running.
"""
import csv
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree as xml

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DIFFUSE = os.path.join(ROOT, os.environ.get("B", "build"), "diffuse")
SMALL = ["--", "--width", "8", "--steps", "1", "--ngram-rows", "512", "--valid", "0.2"]
PATIENCE = 600  # seconds


def rows(path):
    with open(path, encoding="utf-8") as f:
        return list(csv.DictReader(f))


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def until(what, true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def children(pid):
    """The processes that pid started and that still run."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            state, parent = read("/proc", name, "stat").rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == pid and state != "Z":
            found.append(int(name))
    return found


def alive(pid):
    try:
        return read("/proc", str(pid), "stat").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Sweep:
    def __init__(self, top):
        self.top = top
        self.spec = f"tsv:{top}/data"
        os.mkdir(f"{top}/data")
        for split in "train", "test":
            subprocess.run([DIFFUSE, "corpus", "--count", "240", "--split", split, "--out", f"{top}/data/{split}.tsv"],
                           check=True)

    def command(self, out, *args, test=True):
        return [DIFFUSE, "sweep", "--data", self.spec, *(["--test", self.spec] if test else []), "--out",
                os.path.join(self.top, out), *args]

    def run(self, out, *args, status=0, test=True):
        done = subprocess.run(self.command(out, *args, test=test), capture_output=True, text=True, check=False,
                              timeout=PATIENCE)
        assert done.returncode == status, (args, done.returncode, done.stderr)
        return done

    def results(self, out):
        return rows(os.path.join(self.top, out, "results.csv"))


def check_whole(sweep):
    """Two by two with two seeds: tables, picture and JSON say what the runs' own records say."""
    args = ["--grid", "batch=16,64", "--grid", "norm=pre,residual", "--seeds", "3,4", "--jobs", "2"]
    epochs = [*SMALL, "--epochs", "2"]
    done = sweep.run("a", *args, "--json", *epochs)
    top = os.path.join(sweep.top, "a")
    told, table = json.loads(done.stdout), sweep.results("a")
    assert [(r["batch"], r["norm"], r["seed"]) for r in table] == [
        (b, n, s) for b in ("16", "64") for n in ("pre", "residual") for s in ("3", "4")]
    means = []
    for i, r in enumerate(table):
        assert r["state"] == "done" and r["name"] == f"batch-{r['batch']}_norm-{r['norm']}_seed-{r['seed']}", r
        summary = json.loads(read(top, r["name"], "summary.json"))
        config = json.loads(read(top, r["name"], "config.json"))["parameters"]
        assert (config["batch"], config["norm"], config["seed"]) == (int(r["batch"]), r["norm"], int(r["seed"]))
        assert (config["width"], config["epochs"]) == (8, 2)
        for column, split in (("valid_accuracy", "valid"), ("test_accuracy", "test")):
            assert abs(float(r[column]) - summary["best"][split]["accuracy"]) < 1e-6, (column, r)
        assert float(r["train_seconds"]) >= 0 and float(r["peak_mb"]) > 0 and float(r["model_bytes"]) > 0
        assert "epoch 2:" in read(top, r["name"], "output.log")
        if i % 2:
            means.append((float(r["valid_accuracy"]) + float(table[i - 1]["valid_accuracy"])) / 2)
    best = [p["best"] for p in told["points"]]
    assert told["chosen_by"] == "valid_accuracy" and best == [m == max(means) and i == means.index(m)
                                                             for i, m in enumerate(means)], (means, best)
    for point, mean in zip(told["points"], means):
        assert abs(point["mean"]["valid_accuracy"] - mean) < 1e-6
    markdown = read(top, "table.md").splitlines()
    lines = [line for line in markdown if line.startswith("|")][2:]
    assert len(lines) == 4 and [line.startswith("| **") for line in lines] == best, markdown
    assert f"{100 * max(means):.2f}" in lines[best.index(True)]
    assert xml.parse(os.path.join(top, "sweep.svg")).getroot().tag.endswith("svg")

    # Once more: nothing is trained again, and one more value trains only what is new.
    stamps = {r["name"]: os.stat(os.path.join(top, r["name"], "summary.json")).st_mtime_ns for r in table}
    again = sweep.run("a", *args, *epochs)
    assert "8 done before" in again.stderr and "Best: **" in again.stdout, again.stderr
    assert sweep.results("a") == table
    sweep.run("a", "--grid", "batch=16,32", *args[2:], "--quiet", *epochs)
    for name, stamp in stamps.items():
        assert os.stat(os.path.join(top, name, "summary.json")).st_mtime_ns == stamp, name
    assert {r["name"] for r in sweep.results("a")} - stamps.keys() == {
        f"batch-32_norm-{n}_seed-{s}" for n in ("pre", "residual") for s in (3, 4)}

    # With other settings they are another sweep's.
    before = sweep.results("a")
    refused = sweep.run("a", *args, *SMALL, "--epochs", "3", status=1)
    assert "epochs is 2 there and 3 here" in refused.stderr, refused.stderr
    assert sweep.results("a") == before
    sweep.run("a", *args, *epochs, "--threads", "1")  # how it runs does not count


def check_failing(sweep):
    """A run that fails is named, the others go on, and the next call tries it again."""
    args = ["--grid", "brackets=,qqzz", "--grid", "batch=16,32", *SMALL, "--epochs", "1"]
    for _ in range(2):
        done = sweep.run("b", *args, status=1)
        assert "2 of 4 runs failed" in done.stderr.splitlines()[-1], done.stderr
        states = [r["state"] for r in sweep.results("b")]
        assert states == ["failed", "failed", "done", "done"] or states == ["done", "done", "failed", "failed"], states
        for r in sweep.results("b"):
            if r["state"] == "failed":
                assert "qqzz" in r["reason"] and not r["valid_accuracy"], r
        assert "qqzz" in done.stdout and "0/1" in done.stdout, done.stdout
    assert "[1/2]" in done.stderr and "[1/4]" not in done.stderr, done.stderr


def check_usage(sweep):
    """What is no setting is refused before there is a folder."""
    for args, word in ((["--grid", "bacth=1,2"], "bacth"), (["--grid", "lr=1,1000"], "1000"),
                       (["--grid", "pool=mean,middle"], "middle"), (["--grid", "batch=1,2", *SMALL, "--batch", "3"],
                                                                    "--batch"), ([], "--grid"),
                       (["--grid", "batch=1,2", "--jobs", "0"], "--jobs"),
                       (["--grid", "batch=1,2", *SMALL, "--out", "x"], "--out"),
                       (["--grid", "batch=1,2", *SMALL, "--no-such-option"], "no-such-option")):
        done = sweep.run("none", *args, status=2)
        assert word in done.stderr, (args, done.stderr)
    assert "nothing to compare by" in sweep.run("none", "--grid", "batch=1,2", status=2, test=False).stderr
    done = subprocess.run([DIFFUSE, "sweep", "--data", "tsv:/nowhere", "--out", f"{sweep.top}/none", "--grid",
                           "batch=1,2", *SMALL], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "/nowhere" in done.stderr, done.stderr
    assert not os.path.exists(os.path.join(sweep.top, "none"))
    flattering = sweep.run("c", "--grid", "batch=32,64", "--", "--epochs", "1", "--width", "8")
    assert "flatters" in flattering.stderr and "flatters" in flattering.stdout, flattering.stderr


def check_interrupt(sweep):
    """Ctrl-C: the table of what is done, the rest to go on with; kill -9 leaves no child behind."""
    args = sweep.command("d", "--grid", "epochs=1,100000", *SMALL)
    top = os.path.join(sweep.top, "d")
    second = os.path.join(top, "epochs-100000_seed-1")

    def start():
        p = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        until("the second run trains", lambda: p.poll() is not None or os.path.exists(
            os.path.join(second, "epoch_results.csv")) and len(rows(os.path.join(second, "epoch_results.csv"))) > 0)
        assert p.poll() is None, p.communicate()
        return p

    for time_of in range(2):
        p = start()
        if time_of == 1:
            until("it goes on", lambda: "goes on in epoch" in read(second, "output.log"))
        busy = sweep.run("d", "--grid", "epochs=1,100000", *SMALL, status=1)
        assert "another sweep" in busy.stderr, busy.stderr
        started = children(p.pid)
        assert len(started) == 1, started
        p.send_signal(signal.SIGINT)
        told, said = p.communicate(timeout=PATIENCE)
        assert p.returncode == 1 and "1 of 2 runs are not done" in said, said
        assert "| **1** |" in told, told
        assert [r["state"] for r in sweep.results("d")] == ["done", "stopped"]
        assert os.path.exists(os.path.join(top, "sweep.svg"))
        assert os.path.exists(os.path.join(second, "resume.safetensors")) and not alive(started[0])
        os.remove(os.path.join(second, "epoch_results.csv"))

    p = start()
    started = children(p.pid)
    p.kill()
    p.communicate()
    until("the child ends", lambda: not alive(started[0]))


def main():
    top = tempfile.mkdtemp(prefix="sweep.")
    try:
        sweep = Sweep(top)
        check_usage(sweep)
        check_whole(sweep)
        check_failing(sweep)
        check_interrupt(sweep)
    finally:
        shutil.rmtree(top, ignore_errors=True)


if __name__ == "__main__":
    main()
