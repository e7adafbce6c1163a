#!/usr/bin/python3
"""Texts without an end: does the daemon stay as small and as fast as it was at their beginning?

    segment_soak.py [--tokens N] [--streams S] [--rounds R] [--blocks B] [--out FILE]

Long: one stream of N tokens in pieces, a label after each. Resident size every 1 % of the way, and its slope by
least squares over the last nine tenths (what ZeroMQ and malloc come to hold shows in the first). Then its cost: B blocks of a thousand tokens at the end of the stream,
by turns with the first thousand of B new streams, in processor time of the worker thread (the rest of the machine
does not count), medians.

Many: S streams at once, R rounds of a piece each; resident size after each round, slope as above.

The shipped robot-text model, random token ids, seed 1, one worker. Writes FILE
(default: docs/results/segments/daemon.json).
"""
import argparse
import json
import os
import platform
import random
import statistics
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
os.environ.setdefault("TEST_DEADLINE", "120")
import rig as r  # noqa: E402
import zmq  # noqa: E402

CONTINUES, ENDS = 1, 2
PIECE, BLOCK = 125, 1000  # tokens; the model was trained on 128
WINDOW = 64               # samples in flight


class Feeder:
    """Pieces out, labels in; never more than WINDOW under way."""

    def __init__(self, rig):
        self.rig, self.rng, self.seq, self.open = rig, random.Random(1), {}, 0
        self.push = rig.connect(zmq.PUSH, "push", linger=-1)
        self.labels = rig.subscribe(b"s")
        self.vocab = 2000
        self.last = None

    def send(self, stream, segment=CONTINUES, n=PIECE):
        while self.open >= WINDOW:
            self.take()
        seq = self.seq[stream] = self.seq.get(stream, 0) + 1
        ids = [self.rng.randrange(self.vocab) for _ in range(n)]
        self.push.send_multipart([stream.encode(), self.rig.sample(seq, ids=ids, segment=segment)])
        self.open += 1

    def take(self):
        _, label = self.rig.label(self.labels)
        r.equal((label.error, label.held), (0, False), f"label: {label.error_text}")
        self.last = label
        self.open -= 1

    def drain(self):
        while self.open:
            self.take()


def worker_ns(rig):
    """Processor time of the worker thread."""
    folder = f"/proc/{rig.process.pid}/task"
    total = 0
    for task in os.listdir(folder):
        with open(f"{folder}/{task}/comm", encoding="ascii") as f:
            if f.read().strip() != "worker":
                continue
        with open(f"{folder}/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def slope(points):
    """Bytes a million tokens."""
    mx, my = statistics.fmean(x for x, _ in points), statistics.fmean(y for _, y in points)
    return sum((x - mx) * (y - my) for x, y in points) / sum((x - mx) ** 2 for x, _ in points) * 1e6


def block(feeder, stream):
    """Processor time a token, of a thousand."""
    before = worker_ns(feeder.rig)
    for _ in range(BLOCK // PIECE):
        feeder.send(stream)
    feeder.drain()
    return (worker_ns(feeder.rig) - before) / BLOCK


def run_long(rig, args):
    feeder = Feeder(rig)
    sizes, done, since = [], 0, time.monotonic()
    end = args.tokens - args.blocks * BLOCK
    while done < end:
        for _ in range(max(1, args.tokens // 100 // PIECE)):
            feeder.send("s/long")
            done += PIECE
        feeder.drain()
        sizes.append((done, rig.resident()[0]))
    took = time.monotonic() - since
    late, early = [], []
    for i in range(args.blocks):
        early.append(block(feeder, f"s/new{i}"))
        feeder.send(f"s/new{i}", ENDS, 1)
        feeder.drain()
        late.append(block(feeder, "s/long"))
        done += BLOCK
    feeder.send("s/long", ENDS, 1)
    feeder.drain()
    r.equal(feeder.last.tokens, done + 1, "tokens of the segment")
    kept = [p for p in sizes if p[0] >= args.tokens / 10]
    return {"tokens": done, "seconds": round(took, 1), "resident_first": sizes[0][1], "resident_last": sizes[-1][1],
            "slope_bytes_per_million_tokens": round(slope(kept), 1), "points": len(kept), "blocks": args.blocks,
            "ns_per_token_first_thousand": round(statistics.median(early), 1),
            "ns_per_token_last_thousands": round(statistics.median(late), 1),
            "ratio": round(statistics.median(late) / statistics.median(early), 4),
            "ns_per_token_quartiles": {"first": [round(q) for q in statistics.quantiles(early)],
                                       "last": [round(q) for q in statistics.quantiles(late)]},
            "resident": sizes}


def run_many(rig, args):
    feeder = Feeder(rig)
    sizes, done = [], 0
    for _ in range(args.rounds):
        for i in range(args.streams):
            feeder.send(f"s/{i}")
        done += args.streams * PIECE
        feeder.drain()
        sizes.append((done, rig.resident()[0]))
    counters = rig.counters()
    r.equal((counters["segments_begun"], counters["segments_closed"]), (args.streams, 0), "all ran at once")
    r.equal(feeder.last.tokens, args.rounds * PIECE, "tokens of each")
    kept = sizes[len(sizes) // 10 + 1:]
    return {"streams": args.streams, "tokens": done, "resident_first": sizes[0][1], "resident_last": sizes[-1][1],
            "slope_bytes_per_million_tokens": round(slope(kept), 1), "points": len(kept), "resident": sizes}


def measure(rig, run, args, **keys):
    rig.start(scores="no", watch="no", reload="no", workers=1, max_length=128, log_level="error",
              memory_budget="256M", **keys)
    result = run(rig, args)
    status = rig.status()
    result["peak"] = rig.resident()[1]
    result["plan"] = status.memory_plan
    result["plan_rows"] = {row.name.decode(): row.bytes for row in status.plan}
    result["model"] = status.model_id.decode()
    r.check(result["peak"] <= result["plan"], f"inside the plan: {result['peak']} of {result['plan']}")
    r.equal(rig.stop(), 0, "exit status")
    print(", ".join(f"{k} {v}" for k, v in result.items() if isinstance(v, (int, float))))
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=int, default=50_000_000)
    parser.add_argument("--streams", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=80)
    parser.add_argument("--blocks", type=int, default=400)
    parser.add_argument("--out", default=os.path.join(ROOT, "docs/results/segments/daemon.json"))
    args = parser.parse_args()
    model = os.path.join(ROOT, "model/pretrained/robot-text.safetensors")
    with r.Rig() as rig:
        rig.model = model
        result = {"command": "make segments-soak", "seed": 1, "piece_tokens": PIECE, "machine": platform.processor() or
                  platform.machine(), "cores": os.cpu_count(),
                  "many": measure(rig, run_many, args, segments=args.streams, queue=256),
                  "long": measure(rig, run_long, args, segments=16, queue=256)}
    with open(args.out, "w", encoding="utf-8") as f:
        json.dump(result, f, indent=1)
        f.write("\n")
    long, many = result["long"], result["many"]
    failed = [what for what, ok in (("long: slope", long["slope_bytes_per_million_tokens"] < 1000),
                                    ("many: slope", many["slope_bytes_per_million_tokens"] < 1000),
                                    ("long: ratio", 0.95 <= long["ratio"] <= 1.05)) if not ok]
    print("all within bounds" if not failed else f"OUT OF BOUNDS: {failed}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
