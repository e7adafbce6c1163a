#!/usr/bin/python3
"""The whole daemon in a memory cgroup that has exactly what its plan says: mixed load, reloads and tuning,
and nothing is refused, killed or lost.

SOAK_ROWS: samples (360,000 are an hour at 100 a second); SOAK_OUT: a file for the figures.
"""
import json
import os
import random
import threading
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

ROWS = int(os.environ.get("SOAK_ROWS", "6000"))
OUT = os.environ.get("SOAK_OUT")
MODEL = os.path.join(r.ROOT, "model/pretrained/ag-news.safetensors")
INT8 = os.path.join(r.ROOT, "model/pretrained/ag-news-i8.safetensors")
OTHER = os.path.join(r.ROOT, "model/pretrained/robot-text.safetensors")
WORDS = ("shares fell in early trade after the company said profit would miss forecasts while the team won its"
         " third match and a probe sent back pictures of the moon as talks on the border resumed").split()


class Cgroup:
    """A group of cgroup v1 or v2 that may be limited. Skips where there is none."""

    def __init__(self):
        v1 = "/sys/fs/cgroup/memory"
        self.v1 = os.path.isdir(v1)
        self.dir = os.path.join(v1 if self.v1 else "/sys/fs/cgroup", f"diffused-test-{os.getpid()}")
        try:
            os.mkdir(self.dir)
        except OSError as why:
            r.skip(f"{why}; a memory cgroup has to be made, which takes root or a delegated group")
        if not os.path.exists(self.path("memory.limit_in_bytes" if self.v1 else "memory.max")):
            os.rmdir(self.dir)
            r.skip("there is no memory controller")

    def path(self, name):
        return os.path.join(self.dir, name)

    def read(self, name):
        with open(self.path(name), encoding="ascii") as file:
            return file.read()

    def write(self, name, value):
        with open(self.path(name), "w", encoding="ascii") as file:
            file.write(str(value))

    def limit(self, n):
        if not self.v1:
            self.write("memory.max", n)
            return
        for name in ("memory.memsw.limit_in_bytes", "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"):
            try:  # no way out into swap; the one may never be below the other
                self.write(name, n)
            except OSError:
                pass
        r.equal(int(self.read("memory.limit_in_bytes")), n // 4096 * 4096, "the group's limit")

    def counts(self):
        name = "memory.oom_control" if self.v1 else "memory.events"
        rows = dict(line.split() for line in self.read(name).splitlines())
        return int(rows.get("oom_kill", 0)), int(self.read("memory.max_usage_in_bytes" if self.v1 else "memory.peak"))

    def stat(self):
        return {k: int(v) for k, v in (line.split() for line in self.read("memory.stat").splitlines())}

    def remove(self):
        for _ in range(100):
            try:
                os.rmdir(self.dir)
                return
            except OSError:
                time.sleep(0.05)


# Whole numbers in 16 MiB, as docs/memory.md has it.
SMALL = {"memory_budget": "16M", "max_message": "4K", "publishers": 4, "subscribers": 2, "label_hwm": 128, "queue": 256}
# Least of all with float32 arithmetic: two publishers, two subscribers, messages of 4 KiB, 192 tokens of a text.
LEAST = {"reload": "no", "memory_budget": "24M", "max_length": 192, "batch_tokens": 192, "batch_max": 8, "queue": 64,
         "streams": 64, "publishers": 2, "subscribers": 2, "ingest_hwm": 2, "push_hwm": 2, "max_message": "4K",
         "label_hwm": 32, "tune_queue": 1}


def text(rng, largest):
    kind = rng.random()
    if kind < 0.02:
        return "market " * (largest // 7 - 20)  # almost the largest message
    if kind < 0.04:
        return b"\xff\xfe"  # refused
    return " ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 80)))


def publish(rig, name, rows, tuned, largest):
    rng = random.Random(name)
    s = rig.connect(zmq.PUSH, "push", linger=-1, SNDHWM=16)
    for seq in range(1, rows + 1):
        s.send_multipart([name, rig.sample(seq, text(rng, largest))])
        if tuned and seq % 20 == 0:
            feedback = rig.pb.Feedback(seq=seq, label_id=rng.randrange(4), text=b"shares of the team %d" % seq)
            s.send_multipart([name, rig.pb.Ingest(feedback=feedback).SerializeToString()])
    return s


def meddle(rig, over, done, tuned):
    """Reloads, peers that come and go, and a subscriber that never reads."""
    sleeper, turn = rig.subscribe(hwm=1), 0
    while not over.wait(0.3):
        if tuned:
            turn += 1
            path = (OTHER, MODEL)[turn % 2 == 0]
            reply = rig.request(reload=rig.pb.ReloadRequest(path=path.encode()))
            done["reloads" if reply.error == 0 else "reloads_busy"] += 1
        done["requests"] += rig.status().memory_plan > 0
        passer = rig.connect(zmq.SUB, "labels")
        passer.setsockopt(zmq.SUBSCRIBE, b"passing")
        passer.close()
    sleeper.close()


def run(rig, group, title, rows, tuned, most, model=MODEL, **keys):
    command, publishers = type(rig).command, min(3, int(keys.get("publishers", 3)))
    keys = dict(keys, model=model, state_dir=rig.path("state-" + title))
    inside = ["sh", "-c", f'echo $$ >{group.path("cgroup.procs")} && exec "$@"', "sh"]
    rig.command = lambda *options, **more: inside + command(rig, *options, **more)
    status, out, err = rig.run("--plan", **keys)
    r.equal(status, 0, f"plan: {err}")
    print(f"--- {title}\n{out}", end="")
    planned = float([line for line in out.splitlines() if line.startswith("total")][0].split()[1])
    group.limit(int(planned * (1 << 20)) + (1 << 20))
    if group.v1:
        group.write("memory.max_usage_in_bytes", 0)
    rig.start(**keys)
    end = time.monotonic() + r.DEADLINE
    while tuned and rig.status().tuning != b"on":
        r.check(time.monotonic() < end, "tuning comes on")
        time.sleep(0.1)
    plan = rig.status().memory_plan
    r.check(plan <= most << 20, f"a plan of {plan} bytes, at most {most} MiB")
    group.limit(plan)
    labels = rig.subscribe(b"press")
    over, done = threading.Event(), {"reloads": 0, "reloads_busy": 0, "requests": 0}
    names, each = [b"press%d" % i for i in range(publishers)], rows // publishers
    largest = 1024 * int(str(keys.get("max_message", "16K"))[:-1])
    senders = []
    threads = [threading.Thread(target=lambda n=n: senders.append(publish(rig, n, each, tuned, largest)))
               for n in names]
    threads.append(threading.Thread(target=meddle, args=(rig, over, done, tuned)))
    began = time.monotonic()
    for thread in threads:
        thread.start()
    expected, refused = dict.fromkeys(names, 1), 0
    for _ in range(each * publishers):
        stream, label = rig.label(labels)
        r.equal(label.seq, expected[stream], f"next of {stream}")
        expected[stream] += 1
        refused += label.error != 0
    over.set()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    counters, kills, top = rig.counters(), *group.counts()
    stat, (resident, peak) = group.stat(), rig.resident()
    with open(f"/proc/{rig.process.pid}/status", encoding="ascii") as file:
        files = [int(line.split()[1]) * 1024 for line in file if line.startswith("RssFile")][0]
    figures = {"config": {k: v for k, v in keys.items() if k not in ("model", "state_dir")}, "rows": rows,
               "seconds": round(seconds, 1), "plan_bytes": plan, "cgroup_limit_bytes": plan, "cgroup_peak_bytes": top,
               "resident_bytes": resident, "resident_peak_bytes": peak, "resident_of_files_bytes": files, "oom_kills": kills,
               "limit_met": int(group.read("memory.failcnt")) if group.v1 else None,
               "kernel_bytes": int(group.read("memory.kmem.usage_in_bytes")) if group.v1 else stat.get("kernel"),
               "rows_of_plan": {row.name.decode(): row.bytes for row in rig.status().plan},
               "counters": {k: v for k, v in counters.items() if v}, **done}
    print(json.dumps(figures, indent=1))
    accepted = counters["accepted_push"] + counters["accepted_ingest"]
    r.equal(kills, 0, "OOM kills")
    r.equal(accepted, counters["labelled"] + counters["refused"], "what came in went out")
    r.equal(counters["refused"], refused, "refusals are those that were sent")
    r.equal(counters.get("error_NOMEM", 0), 0, "failed allocations")
    r.check(peak <= plan, f"peak {peak} is inside the plan {plan}")
    if tuned:
        r.check(done["reloads"] > 0 and counters["reloads"] > 0, "it was reloaded")
        r.check(counters["feedback_accepted"] > 0, "it learned")
    labels.close()
    for s in senders:
        s.close()
    r.equal(rig.stop(), 0, "exit status")
    r.check("refuses" not in rig.read_log(), "no allocation failed")
    return figures


if not os.path.exists(MODEL):
    raise AssertionError(f"{MODEL} is missing")
with r.Rig() as the_rig:
    the_rig.start(memory_budget="1G")
    if the_rig.sanitized():
        r.skip("sanitizers take memory of their own")
    the_rig.stop()
    the_group = Cgroup()
    try:
        results = {"least": run(the_rig, the_group, "least", ROWS, False, 24, **LEAST),
                   "int8": run(the_rig, the_group, "int8", ROWS, False, 16, model=INT8, **SMALL),
                   "serving": run(the_rig, the_group, "serving", ROWS, False, 36, reload="no")}
        results["tuning"] = run(the_rig, the_group, "tuning", ROWS, True, 256, reload="yes", tune="yes",
                                memory_budget="256M", tune_rehearsal=0)
        if OUT:
            with open(OUT, "w", encoding="ascii") as file:
                json.dump(results, file, indent=1)
                file.write("\n")
    finally:
        if the_rig.process and the_rig.process.poll() is None:
            the_rig.process.kill()
            the_rig.process.wait()
        the_group.remove()
