#!/usr/bin/python3
"""Does tuning cost those who wait for labels? Open-loop load on one daemon, tuning off and on by turns.

    tune_latency.py FOLDER --out FILE [--share 0.5] [--phases 40] [--seconds 3] [--build DIR] [--work DIR]

The capacity is what a closed loop of 8 samples in flight gets with tuning off. Then messages come at SHARE of it,
at random moments (exponential gaps), from a process of their own that never waits for labels; latency counts from the
moment a message was due, so that a daemon which holds up its sender does not look better for it. Phases go off, on, on,
off, ...; in those that are on, feedback comes 100 times a second and the tuner trains, judges and promotes. The figures
of all phases of a side are pooled. How far p99 moves by itself is shown by the phases without tuning: every second of them
against the others. Prints JSON and writes it to FILE.
"""
import argparse
import json
import math
import multiprocessing
import os
import random
import statistics
import sys
import time

import bench_daemon
import streams
import tune_curve

IN_FLIGHT = 8
CAPACITY_S = 4
FEEDBACK_RATE = 100  # a second: so much that the tuner never rests
FEEDBACK_LAG = 100   # messages; by then they are answered
STREAM = "site1/intents"
PATIENCE_S = 20


# --- the sender, in a process of its own ------------------------------------------------------------
def send(folder, run, rows, first_seq, rate, seconds, told, seed):
    """Open loop. rows: [(label, text)], in turn; told: pieces of feedback a second."""
    sys.path.insert(0, folder)
    client = bench_daemon.diffuse_client.Client(run, bench_daemon.diffuse_client.messages(folder), timeout=60)
    rng = random.Random(seed)
    every = max(1, round(rate / told)) if told else 0
    push, pb = client.socket("push"), client.pb
    due, end, seq = time.monotonic() + 0.2, time.monotonic() + 0.2 + seconds, first_seq
    while due < end:
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        text = rows[seq % len(rows)][1].encode()
        sample = pb.Sample(seq=seq, stamp_ns=int(due * 1e9), text=text)
        push.send_multipart([STREAM.encode(), pb.Ingest(sample=sample).SerializeToString()])
        if every and seq % every == 0 and seq - FEEDBACK_LAG >= first_seq:
            of = seq - FEEDBACK_LAG
            feedback = pb.Feedback(seq=of, label_name=rows[of % len(rows)][0].encode())
            push.send_multipart([STREAM.encode(), pb.Ingest(feedback=feedback).SerializeToString()])
        seq += 1
        due += rng.expovariate(rate)
    time.sleep(1)  # what the daemon has not read yet goes with the connection
    client.close()
    return seq - first_seq


class Load:
    """Counts sequence numbers on, phase after phase."""

    def __init__(self, daemon, rows, build, seed):
        self.daemon, self.rows, self.folder, self.seed = daemon, rows, os.path.join(build, "python"), seed
        self.seq = 1
        self.pool = multiprocessing.get_context("spawn").Pool(1)
        daemon.client.subscribe(STREAM)

    def capacity(self):
        """Samples a second with IN_FLIGHT of them under way."""
        client, begin, sent, got = self.daemon.client, time.monotonic(), 0, 0
        while got < sent or time.monotonic() - begin < CAPACITY_S:
            while sent - got < IN_FLIGHT and time.monotonic() - begin < CAPACITY_S:
                client.push(STREAM, self.seq, self.rows[self.seq % len(self.rows)][1])
                self.seq += 1
                sent += 1
            client.receive("labels")
            got += 1
        return got / (time.monotonic() - begin)

    def phase(self, rate, seconds, told):
        """[(latency in ns as the client sees it, the same inside the daemon)] of each message."""
        client, raw = self.daemon.client, []
        call = self.pool.apply_async(send, (self.folder, self.daemon.run, self.rows, self.seq, rate, seconds, told,
                                            self.seed + self.seq))
        labels = client.socket("labels")
        while not call.ready() or labels.poll(200):
            if labels.poll(50):
                body = labels.recv_multipart()[1]
                raw.append((time.monotonic_ns(), body))
        sent = call.get(PATIENCE_S)
        self.seq += sent
        if len(raw) != sent:
            sys.exit(f"tune_latency: {sent} messages, {len(raw)} labels")
        out = []
        for now, body in raw:
            label = self.daemon.pb.Label.FromString(body)
            out.append((now - label.stamp_ns, label.times.total_ns))
        return out


# --- figures ----------------------------------------------------------------------------------------
def quantile(values, share):
    """The least value that at least this share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def figures(samples):
    """samples: [(client ns, daemon ns)]"""
    out = {"labels": len(samples)}
    for at, name in ((0, ""), (1, "daemon_")):
        values = [s[at] / 1e6 for s in samples]
        out.update({f"{name}p50_ms": round(quantile(values, 0.5), 4), f"{name}p99_ms": round(quantile(values, 0.99), 4),
                    f"{name}max_ms": round(max(values), 3)})
    return out


def run_phases(a, daemon, load, rate):
    made, pooled = [], {"off": [], "on": [], "off, every second": [], "off, the others": []}
    for i in range(a.phases):
        side = ("off", "on", "on", "off")[i % 4]
        before, cpu = daemon.tune(side.upper()), daemon.cpu_seconds()
        samples = load.phase(rate, a.seconds, FEEDBACK_RATE if side == "on" else 0)
        after, busy = daemon.tune(), daemon.cpu_seconds()
        pooled[side] += samples
        if side == "off":
            pooled["off, every second" if i % 4 else "off, the others"] += samples
        made.append({"side": side, **figures(samples), "steps": after.steps - before.steps,
                     "promotions": after.promotions - before.promotions,
                     "cpu_seconds": {k: round(v - cpu.get(k, 0), 2) for k, v in busy.items() if v - cpu.get(k, 0) > 0}})
        print(f"  {i + 1}: {side}, p50 {made[-1]['p50_ms']} p99 {made[-1]['p99_ms']} worst {made[-1]['max_ms']} ms, "
              f"{made[-1]['steps']} steps", file=sys.stderr, flush=True)
    return made, pooled


def rise(before, after):
    return round(100 * (after / before - 1), 2)


def rises(phases, sides):
    """Percent by which p99 is higher when tuning is on, and how far it moves by itself."""
    off, on = sides["off"], sides["on"]
    median = [statistics.median(p["p99_ms"] for p in phases if p["side"] == side) for side in ("off", "on")]
    alone = sides["off, the others"]["p99_ms"], sides["off, every second"]["p99_ms"]
    return {"p99_rise_percent": rise(off["p99_ms"], on["p99_ms"]), "p99_rise_of_medians_percent": rise(*median),
            "daemon_p99_rise_percent": rise(off["daemon_p99_ms"], on["daemon_p99_ms"]),
            "p99_by_itself_percent": rise(min(alone), max(alone))}


def measure(a):
    scenario = streams.make("half", a.folder, a.seed)
    model = tune_curve.Shop(a.build, a.work, a.seed).train_base(scenario)
    rows = [(m.truth, m.text) for m in scenario.messages]
    folder = os.path.join(a.work, "latency")
    bench_daemon.empty(folder)
    keys = {**tune_curve.SERVING, **tune_curve.TUNING, "state_dir": os.path.join(os.path.abspath(folder), "state")}
    with bench_daemon.Daemon(a.build, folder, model=model, **keys) as daemon:
        load = Load(daemon, rows, a.build, a.seed)
        capacity = load.capacity()
        rate = a.rate or a.share * capacity
        print(f"  capacity {capacity:.0f} a second; load {rate:.0f}", file=sys.stderr, flush=True)
        load.phase(rate, 2, 0)  # the sender starts up
        phases, pooled = run_phases(a, daemon, load, rate)
        status = bench_daemon.plain(daemon.tune())
    sides = {side: figures(samples) for side, samples in pooled.items()}
    by = rises(phases, sides)
    return {
        "about": f"{os.path.basename(os.path.abspath(a.folder))}, {rate:.0f} messages a second, {100 * rate / capacity:.0f} % of "
                 f"the capacity of a closed loop of {IN_FLIGHT}, at random moments; {a.phases} phases of {a.seconds:g} s.",
        "how": f"Median of the phases' p99: {by['p99_rise_of_medians_percent']:+.1f} %; inside the daemon (accepted to encoded), "
               f"pooled: {by['daemon_p99_rise_percent']:+.1f} %. Without tuning, every second phase differs from the others by "
               f"{by['p99_by_itself_percent']:.1f} %: other work on the machine moves p99 so far.",
        **sides, **by,
        "capacity": round(capacity, 1), "rate": round(rate, 1), "seed": a.seed, "seconds": a.seconds,
        "feedback_rate": FEEDBACK_RATE, "phases": phases, "status": status,
        "machine": tune_curve.peers.machine(), "load_average": [round(x, 2) for x in os.getloadavg()],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--out", required=True)
    parser.add_argument("--share", type=float, default=0.5)
    parser.add_argument("--rate", type=float, help="messages a second, instead of a share of the capacity")
    parser.add_argument("--phases", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--build", default="build")
    parser.add_argument("--work", default="build/tune-bench")
    a = parser.parse_args()
    a.build = os.path.abspath(a.build)
    a.work = os.path.join(a.work, f"{os.path.basename(os.path.abspath(a.folder))}-{a.seed}")
    made = json.dumps(measure(a), indent=1)
    print(made)
    os.makedirs(os.path.dirname(os.path.abspath(a.out)), exist_ok=True)
    with open(a.out, "w", encoding="utf-8") as f:
        f.write(made + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
