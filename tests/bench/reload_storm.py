#!/usr/bin/python3
"""What reloads cost those who are being served.

    reload_storm.py [--reloads N] [--seconds S] [--rate R] [--workers W] [--realtime] [--out DIR]

Storm: N reloads under full load, with every 7th file damaged in one of eight ways; each sample has to be
answered exactly once, by a model that was in force, and each damage refused for its own reason.

Latency: R samples a second, whether answers come or not, in a process of their own; S seconds each, in turn,
without reloads and with a 20 MB checkpoint loaded again and again. Same run, same daemon, same clients.

On a machine that has other work, --realtime (as root) puts the clients and the daemon's threads that serve,
but not the one that loads, under SCHED_FIFO in the latency part: what is left is what the daemon does to itself.

Writes DIR/storm.json and DIR/README.md (default: docs/results/reload). Seeds are fixed.
"""
import argparse
import gc
import json
import multiprocessing
import os
import platform
import random
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))
os.environ.setdefault("TEST_DEADLINE", "120")
import rig as r  # noqa: E402
import spoil  # noqa: E402
import zmq  # noqa: E402

WORDS = "motor battery wheel hot low ok error drift lidar gripper voltage stuck clear path".split()
ROUNDS = 5  # turns of quiet and reloads in the latency part


def text_of(rng):
    return " ".join(rng.choice(WORDS) for _ in range(rng.randrange(4, 24)))


def reload(rig, path):
    return rig.request(reload=rig.pb.ReloadRequest(path=path.encode()))


# --- storm ------------------------------------------------------------------------------------------


class Load:
    """Publishers that send as fast as they can, and a subscriber that checks what comes back."""

    def __init__(self, rig, publishers):
        self.rig = rig
        self.labels = rig.subscribe(b"load")
        self.sent = dict.fromkeys([b"load%d" % i for i in range(publishers)], 0)
        self.got = dict.fromkeys(self.sent, 0)
        self.models, self.failure = {name: [] for name in self.sent}, None
        self.worst_pause, self.worst_latency = 0.0, 0
        self.enough, self.over = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self.publish, args=(i, n), daemon=True) for i, n in enumerate(self.sent)]
        self.collector = threading.Thread(target=self.collect, daemon=True)
        for thread in (*self.threads, self.collector):
            thread.start()

    def publish(self, i, name):
        rng = random.Random(i)
        texts = [text_of(rng) for _ in range(1000)]
        s = self.rig.connect(zmq.PUSH, "push", linger=-1)
        while not self.enough.is_set():
            seq = self.sent[name] = self.sent[name] + 1
            s.send_multipart([name, self.rig.sample(seq, texts[seq % len(texts)])])
        self.over.wait()
        s.close()

    def collect(self):
        last = None
        try:
            while not self.enough.is_set() or self.got != self.sent:
                if not self.labels.poll(1000):
                    continue
                stream, label = self.rig.label(self.labels)
                now = time.monotonic()
                if last and not self.enough.is_set():
                    self.worst_pause = max(self.worst_pause, now - last)
                last = now
                r.equal((label.seq, label.error), (self.got[stream] + 1, 0), f"next of {stream}")
                self.got[stream] += 1
                self.worst_latency = max(self.worst_latency, label.times.total_ns)
                if self.models[stream][-1:] != [label.model_id]:
                    self.models[stream].append(label.model_id)
            r.check(not self.labels.poll(500), "nothing comes twice")
        except AssertionError as failure:
            self.failure = failure

    def end(self):
        self.enough.set()
        self.collector.join()
        self.over.set()
        for thread in self.threads:
            thread.join()
        if self.failure:
            raise self.failure
        self.labels.close()


def subsequence(part, whole):
    rest = iter(whole)
    return all(x in rest for x in part)


def storm(rig, reloads, workers, seconds):
    """Shapes, vocabularies and label sets change with each reload."""
    shapes = (("byte", 32, 5), ("wordpiece", 64, 9), ("byte", 64, 150), ("wordpiece", 16, 5))
    paths = [rig.path(f"storm{i}.safetensors") for i in range(len(shapes))]
    for i, (path, shape) in enumerate(zip(paths, shapes)):
        rig.make_model(path, *shape, f"seed={100 + i}", f"steps={2 + i}")
    with open(paths[0], "rb") as f:
        data = f.read()
    bad = rig.path("bad.safetensors")
    rig.start(workers=workers, memory_budget="128M", model=paths[-1])
    load = Load(rig, 4)
    time.sleep(seconds)
    quiet_pause, load.worst_pause = load.worst_pause, 0.0
    served, refusals, took = [rig.status().model_id], {}, []
    begun, labels = time.monotonic(), sum(load.got.values())
    for turn in range(1, reloads + 1):
        before = sum(load.got.values())
        if turn % 7 == 0:
            kind, spoiled, words = spoil.KINDS[turn // 7 % len(spoil.KINDS)]
            with open(bad, "wb") as f:
                f.write(spoiled(data))
            reply = reload(rig, bad)
            r.check(reply.error and words.encode() in reply.error_text, f"{kind}: {reply.error} {reply.error_text}")
            refusals[kind] = reply.error_text.decode().split(": ", 1)[1]
        else:
            reply = reload(rig, paths[turn % len(paths)])
            if turn % 7 == 1 and reply.error == 0 and reply.model.id == served[-1]:
                continue
            r.equal((reply.error, reply.error_text), (0, b""), "reload")
            served.append(reply.model.id)
            took.append(reply.model.load_ns)
        while sum(load.got.values()) < before + 1000 and not load.failure:
            time.sleep(0.001)
    took_all, labels = time.monotonic() - begun, sum(load.got.values()) - labels
    load.end()
    for models in load.models.values():
        r.check(subsequence(models, served), "labels of a stream name models that were in force, in that order")
    r.equal(len(set(refusals.values())), len(refusals), "distinct reasons")
    counters = rig.counters()
    r.equal(counters["labelled"], sum(load.got.values()), "labels counted by the daemon")
    peak, plan = rig.resident()[1], rig.status().memory_plan
    r.equal(rig.stop(), 0, "exit status")
    return {"reloads": counters["reloads"], "refused": counters["reloads_refused"], "labels": sum(load.got.values()),
            "labels_a_second": round(labels / took_all), "answered_once": True,
            "models_in_force": len(served), "models_seen_in_labels": max(map(len, load.models.values())), "reasons": refusals,
            "worst_pause_ms": round(load.worst_pause * 1e3, 2),
            "worst_pause_before_the_first_reload_ms": round(quiet_pause * 1e3, 2), "seconds_before_it": seconds,
            "seconds": round(took_all, 1),
            "worst_latency_in_the_daemon_ms": round(load.worst_latency / 1e6, 2),
            "reload_ms": {"median": round(sorted(took)[len(took) // 2] / 1e6, 1), "worst": round(max(took) / 1e6, 1)},
            "peak_resident_mib": round(peak / 2**20, 1), "plan_mib": round(plan / 2**20, 1)}


# --- latency ----------------------------------------------------------------------------------------


def put_first(realtime, tid=0):
    if realtime:
        os.sched_setscheduler(tid, os.SCHED_FIFO, os.sched_param(1))


def put_daemon_first(realtime, pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as f:
            if f.read().strip() != "background":
                put_first(realtime, int(tid))


def send_steadily(folder, endpoint, rate, over, sent, seed, realtime):
    """A process: samples at a steady rate, whatever comes back; stamped when they are sent."""
    put_first(realtime)
    sys.path.insert(0, folder)
    import diffused_pb2 as pb
    rng = random.Random(seed)
    bodies = [text_of(rng).encode() for _ in range(500)]
    s = zmq.Context().socket(zmq.PUSH)
    s.connect(endpoint)
    gc.disable()
    begun = time.monotonic()
    seq = 0
    while not (seq % 100 == 0 and over.value):
        seq += 1
        wait = begun + seq / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        sample = pb.Sample(seq=seq, stamp_ns=time.monotonic_ns(), text=bodies[seq % len(bodies)])
        s.send_multipart([b"steady", pb.Ingest(sample=sample).SerializeToString()])
    sent.put(seq)
    time.sleep(3)  # nobody leaves before all was read


def receive_all(folder, endpoint, sent, ready, result, realtime):
    """A process: (stamp, latency there and back, latency in the daemon) of each label, in order."""
    put_first(realtime)
    sys.path.insert(0, folder)
    import diffused_pb2 as pb
    s = zmq.Context().socket(zmq.SUB)
    s.setsockopt(zmq.RCVHWM, 0)
    s.setsockopt(zmq.SUBSCRIBE, b"steady")
    s.connect(endpoint)
    gc.disable()
    time.sleep(1)
    ready.set()
    rows, samples = [], None
    while samples is None or len(rows) < samples:
        if not s.poll(200):
            samples = samples or (None if sent.empty() else sent.get())
            continue
        seq = len(rows) + 1
        body = s.recv_multipart()[1]
        now = time.monotonic_ns()
        label = pb.Label.FromString(body)
        if (label.seq, label.error) != (seq, 0):
            result.put(f"expected label {seq}, got {label.seq}, error {label.error}")
            return
        rows.append((label.stamp_ns, now - label.stamp_ns, label.times.total_ns))
    result.put(rows)


def quantiles(values):
    values = sorted(values)
    return {"samples": len(values), **{name: round(values[min(len(values) - 1, int(q * len(values)))] / 1e6, 3)
                                       for name, q in (("p50_ms", .5), ("p99_ms", .99), ("p999_ms", .999), ("worst_ms", 1))}}


def latency(rig, seconds, rate, workers, realtime):
    paths = [rig.path(f"large{i}.safetensors") for i in range(2)]
    for i, path in enumerate(paths):
        rig.make_model(path, "byte", 64, 5, f"seed={i + 1}", "ngram_rows=80000")
    rig.start(workers=workers, memory_budget="128M", model=paths[0])
    put_daemon_first(realtime, rig.process.pid)
    ready, sent, result = multiprocessing.Event(), multiprocessing.Queue(), multiprocessing.Queue()
    over = multiprocessing.RawValue("b", 0)  # no lock that the sender could wait for
    receiver = multiprocessing.Process(target=receive_all, args=(rig.dir, rig.endpoint("labels"), sent, ready, result,
                                                                 realtime))
    receiver.start()
    ready.wait()
    sender = multiprocessing.Process(target=send_steadily, args=(rig.dir, rig.endpoint("push"), rate, over, sent, 1,
                                                                  realtime))
    sender.start()
    time.sleep(seconds / 2)
    phases, reloads, took = [], 0, []
    for turn in range(2 * ROUNDS):
        begun = time.monotonic_ns()
        while time.monotonic_ns() - begun < seconds * 1e9:
            if turn % 2:
                reply = reload(rig, paths[(reloads + 1) % 2])
                r.equal((reply.error, reply.error_text, reply.model.note), (0, b"", b""), "reload")
                took.append(reply.model.load_ns)
                reloads += 1
            time.sleep(0.1)
        phases.append((begun, time.monotonic_ns(), ("quiet", "reloads")[turn % 2]))
        if turn + 1 == 2 * ROUNDS:
            over.value = 1
    rows = result.get()
    r.check(not isinstance(rows, str), rows)
    sender.join()
    receiver.join()
    peak, plan = rig.resident()[1], rig.status().memory_plan
    r.equal(rig.stop(), 0, "exit status")
    found = {"checkpoint_mb": round(os.path.getsize(paths[0]) / 1e6, 1), "rate": rate, "reloads": reloads, "realtime": realtime,
             "reload_ms": {"median": round(sorted(took)[len(took) // 2] / 1e6, 1), "worst": round(max(took) / 1e6, 1)},
             "peak_resident_mib": round(peak / 2**20, 1), "plan_mib": round(plan / 2**20, 1), "rounds": []}
    for what, column in (("there_and_back", 1), ("in_the_daemon", 2)):
        part = {}
        for kind in ("quiet", "reloads"):
            inside = [row[column] for row in rows
                      if any(begin <= row[0] < end and k == kind for begin, end, k in phases)]
            part[kind] = quantiles(inside)
        part["worst_added_ms"] = round(part["reloads"]["worst_ms"] - part["quiet"]["worst_ms"], 3)
        found[what] = part
    for begin, end, kind in phases:
        found["rounds"].append({"kind": kind, "worst_there_and_back_ms":
                                round(max(row[1] for row in rows if begin <= row[0] < end) / 1e6, 3)})
    return found


# --- words ------------------------------------------------------------------------------------------


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as f:
        names = [line.split(":")[1].strip() for line in f if line.startswith("model name")]
    return {"cpu": names[0] if names else platform.machine(), "cores": os.cpu_count(), "kernel": platform.release(),
            "load_average_at_the_start": round(os.getloadavg()[0], 1), "nice": os.nice(0)}


def readme(found, command):
    s, q = found["storm"], found["latency"]
    lines = ["# Reloads while serving", "",
             "What a reload costs those who are being served; the numbers are in `storm.json`.", "",
             f"    {command}", "",
             "Machine: {cpu}, {cores} cores, kernel {kernel}, load average {load_average_at_the_start} when it began, "
             "nice {nice}.".format(**found["machine"]), "",
             "## Storm", "",
             f"{s['reloads']} reloads and {s['refused']} refusals of damaged files under full load: {s['labels']} samples, "
             f"{s['labels_a_second']} a second, each answered exactly once and in order, by {s['models_in_force']} models in "
             "force one after the other (other widths, steps, tokenizers and label sets), in the order in which they were.", "",
             f"Worst pause in the stream of labels: {s['worst_pause_ms']} ms in {s['seconds']} s, seen by a client in Python on the "
             f"same cores; {s['worst_pause_before_the_first_reload_ms']} ms in the {s['seconds_before_it']} s of the same load "
             "before the first reload. "
             f"A reload took {s['reload_ms']['median']} ms (median), {s['reload_ms']['worst']} ms at worst. "
             f"Peak resident {s['peak_resident_mib']} MiB, plan {s['plan_mib']} MiB.", "",
             "| damage | reason |", "|---|---|"]
    lines += [f"| {kind} | {reason} |" for kind, reason in sorted(s["reasons"].items())]
    lines += ["", "## Latency", "",
              f"{q['rate']} samples a second, open loop; a checkpoint of {q['checkpoint_mb']} MB loaded {q['reloads']} times "
              f"({q['reload_ms']['median']} ms each, {q['reload_ms']['worst']} ms at worst), {ROUNDS} rounds of each in turn, in one run."
              + (" Clients and serving threads under SCHED_FIFO." if q["realtime"] else ""), "",
              "| | without reloads | with reloads |", "|---|---|---|"]
    for what, title in (("there_and_back", "there and back"), ("in_the_daemon", "in the daemon")):
        for key in ("p50_ms", "p99_ms", "p999_ms", "worst_ms"):
            lines.append(f"| {title}, {key[:-3]} | {q[what]['quiet'][key]} ms | {q[what]['reloads'][key]} ms |")
    lines += ["", f"Added to the worst: {q['there_and_back']['worst_added_ms']} ms there and back, "
              f"{q['in_the_daemon']['worst_added_ms']} ms in the daemon.", ""]
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reloads", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--realtime", action="store_true")
    parser.add_argument("--out", default=os.path.join(ROOT, "docs", "results", "reload"))
    args = parser.parse_args()
    found = {"machine": machine()}
    with r.Rig() as rig:
        found["storm"] = storm(rig, args.reloads, args.workers, args.seconds)
        print(json.dumps(found["storm"], indent=1), flush=True)
        found["latency"] = latency(rig, args.seconds, args.rate, args.workers, args.realtime)
        print(json.dumps(found["latency"], indent=1))
    os.makedirs(args.out, exist_ok=True)
    command = "tests/bench/reload_storm.py" + "".join(
        f" --{k}" + ("" if v is True else f" {v}") for k, v in vars(args).items() if k != "out" and v != parser.get_default(k))
    with open(os.path.join(args.out, "storm.json"), "w", encoding="utf-8") as f:
        json.dump({"command": command, **found}, f, indent=1)
        f.write("\n")
    with open(os.path.join(args.out, "README.md"), "w", encoding="utf-8") as f:
        f.write(readme(found, command))


main()
