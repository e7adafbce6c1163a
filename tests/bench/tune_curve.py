#!/usr/bin/python3
"""Online tuning from end to end: a daemon gets messages and feedback over its sockets, and what it becomes is
measured beside a frozen model, one retrained from scratch, and a linear online learner.

    tune_curve.py FOLDER --out DIR [--run NAME]... [--seed N] [--rate N] [--build DIR] [--work DIR]

For each run (all of RUNS when none is named): a checkpoint is trained on the scenario's base rows with
`diffuse train` as it comes, and an upper bound on base and stream together. Then the daemon gets every message
over `push` at RATE a second, its label is awaited, and its feedback follows at once; each model that answers is kept,
and scored on the test rows after the last message. The same messages go to a daemon without tuning, and to the
peer of online_peer.py. Writes DIR/RUN.json, and tune_results.py makes tables and pictures of them.

Nothing is chosen by the test rows: neither the settings of the tuner nor those of the peer.
"""
import argparse
import collections
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time

import bench_daemon
import online_peer
import streams

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import rows as peers  # noqa: E402

# scenario; feedback on every how many-th message
Run = collections.namedtuple("Run", "scenario every")
RUNS = {
    "half": Run("half", 1),
    "half-tenth": Run("half", 10),
    "class": Run("class", 1),
    "class-tenth": Run("class", 10),
    "words": Run("words", 1),
    "words-tenth": Run("words", 10),
    "noise": Run("noise", 1),
    "liar": Run("liar", 1),
}
RECIPE = ("--threads", "1", "--quiet")
REHEARSAL = 4096  # rows that travel with the base
SERVING = {"memory_budget": "512M"}
TUNING = {"tune_rows": 8192, "tune_held": 1024, "tune_rehearsal": REHEARSAL}  # where the library's own defaults are
QUIET_S, SETTLE_S = 5, 90  # the tuner is done when it made no step for so long; patience
TRACE = 25                 # looks at the tuner in a run


# --- models -----------------------------------------------------------------------------------------
class Shop:
    """Trains and scores with `diffuse`; what was trained is kept in a folder named by its rows."""

    def __init__(self, build, work, seed):
        self.diffuse, self.work, self.seed = os.path.join(build, "diffuse"), work, seed

    def call(self, *args):
        environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
        done = subprocess.run([self.diffuse, *args], capture_output=True, text=True, env=environment)
        if done.returncode:
            sys.exit(f"diffuse {' '.join(args)}: {done.stderr.strip()}")
        return done.stdout

    def train(self, rows, what, *more):
        name = hashlib.sha256("\n".join("\t".join(row) for row in rows).encode()).hexdigest()[:12]
        folder = os.path.join(self.work, "models", "-".join([name, str(self.seed), *(m.strip("-") for m in more)]))
        model = os.path.join(folder, "model.safetensors")
        if not os.path.exists(model):
            print(f"  training {what}: {len(rows)} rows", flush=True)
            data = streams.write_rows(os.path.join(self.work, "rows", name + ".tsv"), rows)
            os.makedirs(os.path.dirname(folder), exist_ok=True)
            self.call("train", "--data", "tsv:" + data, "--out", folder, "--seed", str(self.seed), *RECIPE, *more)
        return model

    def train_base(self, scenario):
        return self.train(scenario.base, "the base", "--rehearsal", str(REHEARSAL))

    def score(self, model, tests):
        """Accuracy on each file of tests, name -> path."""
        return {name: json.loads(self.call("eval", "--json", "--model", model, "--data", "tsv:" + path))["accuracy"]
                for name, path in tests.items()}


# --- the daemon -------------------------------------------------------------------------------------
class Drive:
    """Messages through a daemon, one after the other."""

    def __init__(self, daemon, keep):
        self.daemon, self.keep = daemon, keep
        self.right, self.events, self.served, self.trace = [], [], [], []
        self.model, self.begin, self.lag = None, None, 0.0
        os.makedirs(keep, exist_ok=True)
        for prefix in ("site", "$sys/"):
            daemon.client.subscribe(prefix)

    def seconds(self):
        return time.monotonic() - self.begin

    def note_event(self, topic, body):
        event = self.daemon.pb.Event.FromString(body)
        self.events.append({"after": len(self.right), "seconds": round(self.seconds(), 1), "topic": topic.decode(),
                            "kind": event.kind.decode(),
                            "text": event.text.decode().replace(self.daemon.folder + os.sep, "")})

    def label(self):
        """The next label; events on the way are noted."""
        client = self.daemon.client
        while True:
            topic, body = client.kept.pop(0) if client.kept else client.receive("labels")
            if not topic.startswith(b"$"):
                return self.daemon.pb.Label.FromString(body)
            self.note_event(topic, body)

    def note_model(self):
        """Keep the file of a model that began to answer: the daemon keeps only the latest few."""
        status = self.daemon.client.status()
        model, path = status.model_id.decode(), status.model_path.decode()
        if model == self.model:
            return
        self.model = model
        kept = os.path.join(self.keep, model[:16] + ".safetensors")
        if not os.path.exists(kept):
            shutil.copyfile(path, kept)
        self.served.append({"after": len(self.right), "seconds": round(self.seconds(), 1), "model": model[:16]})

    def send(self, messages, rate=None, look=0):
        """rate: messages a second; None: as fast as they are answered."""
        client = self.daemon.client
        self.begin = time.monotonic()
        self.note_model()
        for i, m in enumerate(messages):
            if rate:
                wait = i / rate - self.seconds()
                self.lag = max(self.lag, -wait)
                time.sleep(max(0.0, wait))
            client.push(m.stream, m.seq, m.text)
            label = self.label()
            if label.error or label.seq != m.seq:
                sys.exit(f"{m.stream} {m.seq}: answered {label.seq}, error {label.error_text.decode()}")
            if label.model_id.decode() != self.model:
                self.note_model()
            self.right.append(label.label_name.decode() == m.truth)
            if look and m.feedback is not None:
                self.daemon.feedback(m.stream, m.seq, m.feedback)
            if look and i % look == look - 1:
                self.trace.append({"after": i + 1, **bench_daemon.plain(self.daemon.tune())})

    def settle(self):
        """Until the tuner rests."""
        seen = {"steps": None, "since": time.monotonic()}

        def rests():
            steps = self.daemon.tune().steps
            if steps != seen["steps"]:
                seen.update(steps=steps, since=time.monotonic())
            self.note_model()
            return time.monotonic() - seen["since"] > QUIET_S

        rested = bench_daemon.wait_until(rests, SETTLE_S)
        client = self.daemon.client
        while client.socket("labels").poll(0):
            self.note_event(*client.receive("labels"))
        return rested


def run_frozen(a, model, messages, folder):
    with bench_daemon.Daemon(a.build, folder, model=model, **SERVING) as daemon:
        drive = Drive(daemon, os.path.join(folder, "models"))
        drive.send(messages)
        return drive


def run_tuned(a, model, messages, folder):
    bench_daemon.empty(folder)
    keys = {**SERVING, **TUNING, "state_dir": os.path.join(os.path.abspath(folder), "state")}
    with bench_daemon.Daemon(a.build, folder, model=model, **keys) as daemon:
        daemon.tune("ON")
        drive = Drive(daemon, os.path.join(folder, "models"))
        drive.send(messages, a.rate, max(1, len(messages) // TRACE))
        took = drive.seconds()
        busy = daemon.cpu_seconds()
        rested = drive.settle()
        made = {"seconds": round(took, 1), "lag_seconds": round(drive.lag, 3), "cpu_seconds": busy,
                "cpu_seconds_settled": daemon.cpu_seconds(), "rested": rested,
                "settled_after_seconds": round(drive.seconds(), 1), "status": bench_daemon.plain(daemon.tune()),
                "counters": {c.name.decode(): c.value for c in daemon.client.status().counters if c.value}}
        return drive, made


# --- a run ------------------------------------------------------------------------------------------
def rounded(scores):
    return {name: round(value, 6) for name, value in scores.items()}


def bits(right):
    return "".join("01"[r] for r in right)


def score_served(shop, drive, tests):
    """Each model that answered, scored once, in the order in which they did."""
    known = {}
    for entry in drive.served:
        model = entry["model"]
        if model not in known:
            known[model] = rounded(shop.score(os.path.join(drive.keep, model + ".safetensors"), tests))
        entry["tests"] = known[model]
    return drive.served


def kept(path, make):
    """What make() gives, made once: it is the same every time."""
    if not os.path.exists(path):
        made = make()
        with open(path, "w", encoding="utf-8") as f:
            json.dump(made, f)
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def run_peer(shop, scenario):
    def name(what, *of):
        return os.path.join(shop.work, f"{what}-{hashlib.sha256(repr(of).encode()).hexdigest()[:12]}.json")

    how = kept(name("peer-settings", scenario.base), lambda: online_peer.settings(scenario, shop.seed))
    return kept(name("peer", scenario.base, scenario.messages), lambda: online_peer.run(scenario, how, shop.seed))


def measure(a, name):
    run = RUNS[name]
    scenario = streams.make(run.scenario, a.folder, a.seed)
    if run.every > 1:
        scenario = scenario._replace(messages=streams.thin(scenario.messages, run.every))
    messages = scenario.messages[: a.messages or None]
    scenario = scenario._replace(messages=messages)
    shop = Shop(a.build, a.work, a.seed)
    tests = {test: streams.write_rows(os.path.join(a.work, name, test + ".tsv"), rows)
             for test, rows in scenario.tests.items()}
    told = [(m.truth, m.text) for m in messages if m.feedback is not None]
    base = shop.train_base(scenario)
    bound = shop.train(scenario.base + [(m.truth, m.text) for m in messages], "the upper bound")
    print(f"  {len(messages)} messages at {a.rate:g} a second, {len(told)} feedbacks", flush=True)
    drive, tuned = run_tuned(a, base, messages, os.path.join(a.work, name, "tuned"))
    frozen = run_frozen(a, base, messages, os.path.join(a.work, name, "frozen"))
    peer = run_peer(shop, scenario)
    out = {
        "run": name, "scenario": run.scenario, "about": scenario.note, "feedback_every": run.every,
        "data": os.path.basename(os.path.abspath(a.folder)), "seed": a.seed, "rate": a.rate,
        "settings": {**SERVING, **TUNING, "rehearsal": REHEARSAL},
        "rows": {"base": len(scenario.base), "messages": len(messages), "feedback": len(told),
                 **{test: len(rows) for test, rows in scenario.tests.items()}},
        "frozen": {"tests": rounded(shop.score(base, tests)), "right": bits(frozen.right)},
        "retrained": {"tests": rounded(shop.score(bound, tests))},
        "tuned": {**tuned, "right": bits(drive.right), "served": score_served(shop, drive, tests),
                  "trace": drive.trace, "events": drive.events},
        "peer": {"how": peer["how"], "cpu_seconds": round(peer["cpu_seconds"], 1), "right": bits(peer["right"]),
                 "measured": [{**m, "tests": rounded(m["tests"])} for m in peer["measured"]]},
        "machine": peers.machine(), "load_average": [round(x, 2) for x in os.getloadavg()],
    }
    if run.every > 1:
        same = shop.train(scenario.base + told, "on what feedback told")
        out["retrained_on_feedback"] = {"tests": rounded(shop.score(same, tests))}
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--out", required=True)
    parser.add_argument("--run", choices=sorted(RUNS), action="append", default=[])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--messages", type=int, default=0, help="only the first so many; 0: all")
    parser.add_argument("--build", default="build")
    parser.add_argument("--work", default="build/tune-bench")
    a = parser.parse_args()
    a.build = os.path.abspath(a.build)
    a.work = os.path.join(a.work, f"{os.path.basename(os.path.abspath(a.folder))}-{a.seed}")
    os.makedirs(a.out, exist_ok=True)
    for name in a.run or RUNS:
        print(f"{name} of {a.folder}", flush=True)
        made = measure(a, name)
        with open(os.path.join(a.out, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(made, f, indent=1)
            f.write("\n")
        last = made["tuned"]["served"][-1]
        print(f"  frozen {made['frozen']['tests']}\n  tuned {last['tests']} after {len(made['tuned']['served']) - 1} "
              f"changes\n  retrained {made['retrained']['tests']}\n  peer {made['peer']['measured'][-1]['tests']}",
              flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
