#!/usr/bin/python3
"""The daemon end to end beside the model alone, by turns, on one machine.

    daemon_bench.py [--build build] [--data ag_news:FOLDER] [--out docs/results/bench] [--rounds 3]
    daemon_bench.py --base BUILD_OF_ANOTHER_REVISION ...

Messages go over push, labels come over labels, both ipc, from tests/bench/load_gen.c. First as many as the
daemon takes, with 256 under way; then at 10, 50 and 80 % of that in an open loop, where latency counts from
the time at which a message was due. Every figure is the best of the rounds, all rounds are in the JSON.
Without --data the lines of `diffuse corpus` and the model of robot text are used.

With --base: both builds by turns, and the ratios with their spread; nothing is written.
"""
import argparse
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

import bench_daemon
import chart

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEVELS = (10, 50, 80)  # % of capacity
WINDOW = 256
QUANTILES = (("p50", 0.30103), ("p90", 1), ("p99", 2), ("p99.9", 3))
COLOURS = {10: "#1f6fb2", 50: "#3d8168", 80: "#c9730e"}


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def first_line(*command):
    try:
        return output(*command).split("\n")[0].strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


class Texts:
    """What is sent: a file of lines for the generator, the same rows for diffuse bench, and a model for them."""

    def __init__(self, build, folder, data, model):
        self.lines, self.rows = os.path.join(folder, "lines"), os.path.join(folder, "rows.tsv")
        if data:
            kind, _, path = data.partition(":")
            if kind != "ag_news":
                sys.exit("daemon_bench: --data takes ag_news:FOLDER")
            texts = list(self.ag_news(path))
        else:
            texts = output(os.path.join(build, "diffuse"), "corpus", "--count", "8000", "--split", "test").split("\n")
            texts = [line.split("\t", 1)[1] for line in texts if "\t" in line]
        name = "ag-news" if data else "robot-text"
        self.name = f"AG News, {len(texts):,} rows" if data else f"robot text, {len(texts):,} lines"
        self.model = model or os.path.join(ROOT, "model/pretrained", name + ".safetensors")
        with open(self.lines, "w", encoding="utf-8") as lines, open(self.rows, "w", encoding="utf-8") as rows:
            for text in texts:
                lines.write(text + "\n")
                rows.write(f"x\t{text}\n")

    @staticmethod
    def ag_news(folder):
        sys.path.insert(0, os.path.join(ROOT, "tests/peers"))
        import rows
        for _, text in rows.read_ag_news(rows.existing(folder, "test.csv") or sys.exit(f"no test.csv in {folder}")):
            yield " ".join(text.split())


class Side:
    """One build: its daemon and its tool. The generator is always ours."""

    def __init__(self, build, generator, texts, folder, keys):
        self.build, self.generator, self.texts, self.folder = build, generator, texts, folder
        self.keys = {"model": texts.model, "log_level": "error", "memory_budget": "256M", **keys}
        self.daemon = None

    def __enter__(self):
        self.daemon = bench_daemon.Daemon(self.build, self.folder, **self.keys).__enter__()
        return self

    def __exit__(self, *_):
        self.daemon.__exit__()

    def counters(self):
        return {c.name.decode(): c.value for c in self.daemon.client.status().counters}

    def load(self, how, number, seconds):
        out = output(os.path.join(self.generator, "tests/load_gen"), self.daemon.run, self.texts.lines, how,
                     str(number), str(seconds))
        return json.loads(out)

    def saturate(self, seconds):
        """As many as it takes; with its threads' time for a message, and the mean batch."""
        before, used = self.counters(), self.daemon.cpu_seconds()
        result = self.load("window", WINDOW, seconds)
        after, used_after = self.counters(), self.daemon.cpu_seconds()
        made = {name: after[name] - before[name] for name in after if name in before}
        messages = made["labelled"] + made["refused"]
        result["batch"] = made["labelled"] / max(1, made["batches"])
        result["refused"] = made["refused"]
        result["thread_us"] = {name: round(1e6 * (used_after[name] - used.get(name, 0)) / messages, 2)
                               for name in used_after}
        return result

    def alone(self, batch, seconds, options):
        """The model without a daemon."""
        return json.loads(output(os.path.join(self.build, "diffuse"), "bench", "--model", self.texts.model, "--data",
                                 f"tsv:{self.texts.rows}", "--json", "--batch", str(batch), "--seconds", str(seconds),
                                 *options))

    def peak(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def way_of(alone, precision):
    """The fastest way of the precision."""
    return max((w for w in alone["ways"] if w["precision"] == precision), key=lambda w: w["texts_s_batch"])


def rounds_of(side, args):
    """All rounds of one side: capacity and the model alone by turns, then latency at each level by turns."""
    print("capacity", end="", flush=True)
    found = {"capacity": [], "alone": [], "levels": {level: [] for level in LEVELS}}
    side.saturate(1)
    batch = 0
    for _ in range(args.rounds):
        found["capacity"].append(side.saturate(args.seconds))
        batch = batch or max(1, round(found["capacity"][0]["batch"]))
        found["alone"].append(side.alone(batch, args.seconds / 20, args.alone.split()))
        print(".", end="", flush=True)
    capacity = max(c["per_second"] for c in found["capacity"])
    print(" latency", end="", flush=True)
    for _ in range(args.rounds):
        for level in LEVELS:
            found["levels"][level].append(side.load("rate", max(1, capacity * level / 100), args.seconds))
            print(".", end="", flush=True)
    print()
    found["peak"] = side.peak()
    return found


def summary(found, precision):
    capacity = max(found["capacity"], key=lambda c: c["per_second"])
    ways = [way_of(a, precision) for a in found["alone"]]
    batch, one = max(w["texts_s_batch"] for w in ways), max(w["texts_s_one"] for w in ways)
    levels = {level: min(runs, key=lambda run: run["p99"]) for level, runs in found["levels"].items()}
    return {"messages_s": round(capacity["per_second"], 1), "mean_batch": round(capacity["batch"], 1),
            "thread_us": capacity["thread_us"], "alone_batch_s": round(batch, 1), "alone_one_s": round(one, 1),
            "share_of_alone": round(capacity["per_second"] / batch, 4), "one_message_us": round(1e6 / one, 1),
            "p99_at_half_over_one_message": round(levels[50]["p99"] / (1e6 / one), 2), "peak_bytes": found["peak"],
            "tokenizer_mb_s": round(max(a["tokenizer_bytes_s"] for a in found["alone"]) / 1e6, 1),
            "levels": {level: {q: run[q] for q, _ in QUANTILES} | {"max": run["max"], "late": run["late"],
                                                                  "missing": run["missing"]}
                       for level, run in levels.items()}}


def show(s):
    print(f"{s['messages_s']:,.0f} messages/s over ipc, {100 * s['share_of_alone']:.0f} % of {s['alone_batch_s']:,.0f} "
          f"in batches of {s['mean_batch']:.0f} in-process; one message alone {s['one_message_us']:.0f} us; "
          f"peak {s['peak_bytes'] / 2**20:.1f} MiB")
    print("time of each thread for a message, us: " + ", ".join(f"{k} {v}" for k, v in s["thread_us"].items()))
    print("% of capacity      p50      p90      p99    p99.9      max  us")
    for level, run in s["levels"].items():
        print(f"{level:>13} " + " ".join(f"{run[q]:8.0f}" for q, _ in QUANTILES) + f" {run['max']:8.0f}"
              + (f"  missing {run['missing']}" if run["missing"] else ""))
    print(f"p99 at half load is {s['p99_at_half_over_one_message']:.1f} times one message in-process")


def picture(s, title):
    lines = [chart.Line(f"{level} % of capacity", COLOURS[level],
                        [(x, run[q] / 1000) for q, x in QUANTILES])
             for level, run in s["levels"].items()]
    return chart.draw(title, "messages faster than that, in nines (1: 90 %, 2: 99 %, 3: 99.9 %)", 3,
                      [chart.Panel("Latency from the time a message was due", "milliseconds", lines)])


def record(args, texts, found, s):
    os.makedirs(args.out, exist_ok=True)
    about = {"date": datetime.date.today().isoformat(), "revision": first_line("git", "-C", ROOT, "rev-parse", "--short", "HEAD"),
             "cpu": cpu(), "cores": os.cpu_count(), "compiler": first_line("cc", "--version"),
             "texts": texts.name, "model": found["alone"][0]["model"][:12], "precision": args.precision,
             "loadavg": os.getloadavg()[0]}
    with open(os.path.join(args.out, "daemon.json"), "w", encoding="utf-8") as file:
        json.dump({**about, **s, "rounds": found}, file, indent=1)
        file.write("\n")
    with open(os.path.join(args.out, "latency.svg"), "w", encoding="utf-8") as file:
        file.write(picture(s, f"{texts.name}: {s['messages_s']:,.0f} messages a second at most"))
    row = {**about, **{k: v for k, v in s.items() if not isinstance(v, dict)},
           **{f"{q}_us_at_{level}": run[q] for level, run in s["levels"].items() for q, _ in QUANTILES}}
    path = os.path.join(args.out, "history.csv")
    new = not os.path.exists(path)
    with open(path, "a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, row.keys(), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def compare(args, texts, folder, keys):
    """Both builds by turns; each line is a measure of ours over theirs."""
    sides = {name: Side(build, args.build, texts, os.path.join(folder, name), keys)
             for name, build in (("base", args.base), ("now", args.build))}
    rates, half = {"base": [], "now": []}, {"base": [], "now": []}
    cpus = {"base": [], "now": []}
    with sides["base"], sides["now"]:
        for side in sides.values():
            side.saturate(1)
        for _ in range(2 * args.rounds):
            for name, side in sides.items():
                run = side.saturate(args.seconds)
                rates[name].append(run["per_second"])
                cpus[name].append(sum(run["thread_us"].values()))
        rate = min(max(rates["base"]), max(rates["now"])) / 2
        for _ in range(2 * args.rounds):
            for name, side in sides.items():
                half[name].append(side.load("rate", rate, args.seconds)["p99"])
        peaks = {name: [side.peak()] for name, side in sides.items()}
    print(f"{'':30} {'base':>12} {'now':>12} {'ratio':>7}  spread of the rounds' ratios")
    for what, runs, best in (("messages a second", rates, max), ("processor us a message", cpus, min),
                             (f"p99 us at {rate:,.0f} a second", half, min), ("peak bytes", peaks, min)):
        ratios = sorted(n / b for n, b in zip(runs["now"], runs["base"]))
        base, now = best(runs["base"]), best(runs["now"])
        print(f"{what:30} {base:12,.1f} {now:12,.1f} {now / base:7.3f}  {ratios[0]:.3f} to {ratios[-1]:.3f}, "
              f"median {statistics.median(ratios):.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--base")
    parser.add_argument("--data")
    parser.add_argument("--model")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs/results/bench"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--precision", default="f32", help="of diffuse bench, that the daemon is compared with")
    parser.add_argument("--alone", default="", help="further options of diffuse bench")
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of the daemon")
    args = parser.parse_args()
    keys = dict(pair.split("=", 1) for pair in args.set)
    with tempfile.TemporaryDirectory(prefix="dfb-") as folder:
        texts = Texts(args.build, folder, args.data, args.model)
        if args.base:
            compare(args, texts, folder, keys)
            return
        with Side(args.build, args.build, texts, os.path.join(folder, "d"), keys) as side:
            found = rounds_of(side, args)
        s = summary(found, args.precision)
        show(s)
        record(args, texts, found, s)


if __name__ == "__main__":
    main()
