#!/usr/bin/python3
"""What a flood costs a quiet stream, and what fairness costs the flood.

    fairness.py [--rounds N] [--seconds S] [--rate R] [--before DIFFUSED] [--out DIR]

A quiet stream sends R samples a second, whether answers come or not, over a connection of its own; each one's time is
taken at the client, from sending to its label. S seconds alone; S seconds beside a stream that sends as fast as its
socket takes it (how many times as much is in the result); then the flood alone, for how many labels a second there
are. N rounds; with --before, a daemon of an earlier version takes turns with this one, in the same run.

Writes DIR/fairness.json and DIR/README.md (default: docs/results/fairness).
"""
import argparse
import json
import multiprocessing
import os
import platform
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
import rig as r  # noqa: E402
import zmq  # noqa: E402

MODEL = os.path.join(ROOT, "model/pretrained/robot-text.safetensors")
TEXT = "left wheel motor temperature 92 C above limit 85 C, derating to 40 percent; voltage 23.1 V; unit %d"


def quiet(rig, seconds, rate, pipe):
    """A process: round trips in nanoseconds."""
    rig.context = zmq.Context()
    labels, push = rig.subscribe(b"quiet"), rig.connect(zmq.PUSH, "push", linger=-1, SNDHWM=100000)
    sent, trips, begin = 0, [], time.monotonic()
    bodies = [rig.sample(seq, TEXT % seq) for seq in range(1, int(seconds * rate) + 1)]
    stamps = {}
    while len(trips) < len(bodies):
        due = begin + sent / rate
        wait = due - time.monotonic() if sent < len(bodies) else r.DEADLINE
        if wait <= 0:
            sent += 1
            stamps[sent] = time.monotonic_ns()
            push.send_multipart([b"quiet", bodies[sent - 1]])
        elif labels.poll(max(wait * 1000, 0.05)):
            label = rig.label(labels)[1]
            trips.append(time.monotonic_ns() - stamps[label.seq])
    pipe.send(trips)


def flood(rig, stop):
    """A process: as much as the daemon takes."""
    rig.context = zmq.Context()
    push, seq = rig.connect(zmq.PUSH, "push", linger=0), 0
    bodies = [rig.sample(i, TEXT % i) for i in range(1, 1001)]
    while not stop.is_set():
        seq += 1
        try:
            push.send_multipart([b"flood", bodies[seq % 1000]], zmq.NOBLOCK)
        except zmq.Again:
            push.poll(100, zmq.POLLOUT)
    push.close()


class Flood:
    def __init__(self, rig):
        self.stop = multiprocessing.Event()
        self.process = multiprocessing.Process(target=flood, args=(rig, self.stop))
        self.process.start()

    def end(self):
        self.stop.set()
        self.process.join()


def trips_of(rig, seconds, rate):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=quiet, args=(rig, seconds, rate, there))
    process.start()
    trips = here.recv()
    process.join()
    return trips


def labelled(rig):
    return rig.counters()["labelled"], time.monotonic()


def one_round(rig, command, seconds, rate):
    """Of one daemon."""
    keep, rig.command = rig.command, lambda *options, **keys: [command, *keep(*options, **keys)[1:]]
    rig.start(model=MODEL)
    rig.command = keep
    alone = trips_of(rig, seconds, rate)
    load = Flood(rig)
    time.sleep(0.5)
    before = labelled(rig)
    beside = trips_of(rig, seconds, rate)
    after = labelled(rig)
    time.sleep(seconds)
    last = labelled(rig)
    load.end()
    r.equal(rig.stop(), 0, "exit status")
    return {"alone": alone, "beside": beside,
            "times_as_much": (after[0] - before[0] - len(beside)) / len(beside),
            "labels_a_second": (last[0] - after[0]) / (last[1] - after[1])}


def quantile(trips, q):
    return round(sorted(trips)[min(len(trips) - 1, int(q * len(trips)))] / 1e6, 3)


def summary(rounds):
    """Milliseconds: of each round, and of these the median."""
    out = {}
    for phase in ("alone", "beside"):
        for name, q in (("p50", 0.5), ("p99", 0.99)):
            each = [quantile(x[phase], q) for x in rounds]
            out[f"{phase}_{name}_ms"] = {"median": statistics.median(each), "rounds": each}
    out["flood_times_as_much"] = round(statistics.median(x["times_as_much"] for x in rounds))
    out["labels_a_second"] = {"median": round(statistics.median(x["labels_a_second"] for x in rounds)),
                              "rounds": [round(x["labels_a_second"]) for x in rounds]}
    return out


def ratios(result):
    now = result["now"]
    out = {"beside_to_alone_p99": round(now["beside_p99_ms"]["median"] / now["alone_p99_ms"]["median"], 2)}
    if "before" in result:
        then = result["before"]
        out["before_beside_to_alone_p99"] = round(then["beside_p99_ms"]["median"] / then["alone_p99_ms"]["median"], 2)
        out["beside_p99_before_to_now"] = round(then["beside_p99_ms"]["median"] / now["beside_p99_ms"]["median"], 2)
        out["labels_a_second_now_to_before"] = round(statistics.median(
            a / b for a, b in zip(now["labels_a_second"]["rounds"], then["labels_a_second"]["rounds"])), 3)
    return out


def page(result):
    lines = ["# A quiet stream beside a flood", "",
             f"Made by `make fairness`; {result['command']}. {result['machine']}. Round trips of a stream that sends"
             f" {result['rate']} samples a second, taken at the client, in milliseconds: median of"
             f" {result['rounds']} rounds, each of which is in [fairness.json](fairness.json).", "",
             "| daemon | p50 alone | p99 alone | p50 beside | p99 beside | flood sends | labels a second, flood alone |",
             "|---|---|---|---|---|---|---|"]
    for name, words in (("before", "one queue in order of acceptance"), ("now", "streams in turn")):
        if name not in result:
            continue
        s = result[name]
        lines.append("| " + words + " | " + " | ".join(
            f"{s[key]['median']:.2f}" for key in ("alone_p50_ms", "alone_p99_ms", "beside_p50_ms", "beside_p99_ms")) +
            f" | {s['flood_times_as_much']} x | {s['labels_a_second']['median']:,} |")
    lines += ["", "Ratios: " + "; ".join(f"{k.replace('_', ' ')} {v}" for k, v in result["ratios"].items()) + "."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--before")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs/results/fairness"))
    args = parser.parse_args()
    daemons = {"now": os.path.join(r.BUILD, "diffused"), **({"before": args.before} if args.before else {})}
    rounds = {name: [] for name in daemons}
    with r.Rig() as rig:
        for i in range(args.rounds):
            for name, command in list(daemons.items())[::1 if i % 2 else -1]:
                rounds[name].append(one_round(rig, command, args.seconds, args.rate))
                last = summary(rounds[name][-1:])
                print(f"round {i + 1}, {name}: p99 alone {last['alone_p99_ms']['median']} ms, beside a flood of"
                      f" {last['flood_times_as_much']} x {last['beside_p99_ms']['median']} ms;"
                      f" {last['labels_a_second']['median']} labels a second", flush=True)
    result = {"command": f"rounds {args.rounds}, seconds {args.seconds:g}, rate {args.rate:g}", "rate": args.rate,
              "rounds": args.rounds, "machine": f"{platform.machine()}, {os.cpu_count()} cores",
              **{name: summary(x) for name, x in rounds.items()}}
    result["ratios"] = ratios(result)
    os.makedirs(args.out, exist_ok=True)
    with open(os.path.join(args.out, "fairness.json"), "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    with open(os.path.join(args.out, "README.md"), "w", encoding="utf-8") as f:
        f.write(page(result))
    print(page(result))


if __name__ == "__main__":
    main()
