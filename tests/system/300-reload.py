#!/usr/bin/python3
"""Another model takes over while the daemon serves: on request, by SIGHUP, because the file was replaced;
what is not fit is refused with its reason; nothing is lost, and every label names the model that made it.
"""
import os
import signal
import threading
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import spoil
import zmq

SETTLE = 1  # seconds from one look at a watched file to the next
TURNS, ANSWERS = (8, 50) if r.SANITIZED else (20, 500)  # under load, and answers between two turns


def reload(rig, path=""):
    return rig.request(reload=rig.pb.ReloadRequest(path=path.encode()))


def rollback(rig):
    return rig.request(rollback=rig.pb.RollbackRequest())


def reloaded(rig, path=""):
    reply = reload(rig, path)
    r.equal((reply.error, reply.error_text), (0, b""), f"reload of {path}")
    return reply.model


def refused(rig, path, name, *words):
    before = rig.status().model_id
    reply = reload(rig, path)
    r.equal(reply.error, ERRORS[name], f"error of {path}: {reply.error_text}")
    for word in words:
        r.check(word.encode() in reply.error_text, f"{word!r} is not in {reply.error_text}")
    r.equal(rig.status().model_id, before, "what served serves on")
    return reply.error_text


ERRORS = {"BUSY": 4, "INVAL": 7, "NOTFOUND": 8, "CORRUPT": 9, "UNSUPPORTED": 15, "BUDGET": 16}


class Session:
    """One daemon, a publisher, and a subscriber to labels and events."""

    def __init__(self, rig, **keys):
        self.rig = rig
        rig.start(**keys)
        self.labels = rig.subscribe(b"robot")
        self.events = rig.subscribe(b"$sys/re")
        self.push = rig.connect(zmq.PUSH, "push", linger=-1)
        self.seq = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for s in (self.labels, self.events, self.push):
            s.close()
        if kind is None:
            r.equal(self.rig.stop(), 0, "exit status")

    def ask(self, text=None, ids=None):
        """The label of one sample."""
        self.seq += 1
        self.push.send_multipart([b"robot/log", self.rig.sample(self.seq, text, ids)])
        _, label = self.rig.label(self.labels)
        r.equal(label.seq, self.seq, "the label of this sample")
        return label

    def event(self, kind, *words):
        """The next event about a model; sync events are passed over."""
        while True:
            topic, body = self.rig.receive(self.events)
            if not topic.startswith(b"$sys/sync/"):
                break
        event = self.rig.pb.Event.FromString(body)
        r.equal((topic, event.kind.decode()), (b"$sys/" + kind.encode(), kind), f"event: {event.text}")
        for word in words:
            r.check(word.encode() in event.text, f"{word!r} is not in {event.text}")


def by_request(rig):
    """Width, steps, vocabulary, tokenizer and labels change; each model answers as itself."""
    with Session(rig, max_length=64) as s:
        served = rig.status().model_id.decode()
        for i, (kind, width, labels, *more) in enumerate((
                ("byte", 64, 5), ("byte", 16, 150), ("wordpiece", 48, 3), ("none", 32, 7),
                ("byte", 32, 5, "steps=7"), ("byte", 32, 5, "steps=0"), ("byte", 32, 5, "ngram_rows=500"))):
            path = rig.path(f"shape{i}.safetensors")
            rig.make_model(path, kind, width, labels, *more)
            model = reloaded(rig, path)
            r.equal((model.labels, model.previous.decode(), model.path.decode()), (labels, served, path), "reply")
            r.check(model.load_ns > 0, "the time that it took")
            s.event("reloaded", model.id[:12].decode(), served[:12], "a request")
            label = s.ask("motor hot") if kind != "none" else s.ask(ids=[1, 99])
            r.equal((label.error, label.model_id), (0, model.id), f"label of {kind}: {label.error_text}")
            r.equal(label.tokens, {"byte": 9, "wordpiece": 2, "none": 2}[kind], "its tokenizer")
            if kind == "none":
                r.equal(s.ask("motor hot").error, ERRORS["UNSUPPORTED"], "a model without a vocabulary")
            status = rig.status()
            r.equal((status.model_id, status.model_previous.decode(), status.model_path.decode(),
                     len(status.labels)), (model.id, served, path, labels), "status")
            r.equal(sum(row.bytes for row in status.plan), status.memory_plan, "sum of the plan")
            if not rig.sanitized():
                r.check(rig.resident()[0] <= status.memory_plan, f"resident {rig.resident()}, plan {status.memory_plan}")
            served = model.id.decode()
        again = reloaded(rig, path)
        r.check(b"serves already" in again.note, again.note)
        r.equal(again.previous, model.previous, "a file that serves already changes nothing")
        r.equal(reloaded(rig).path.decode(), rig.model, "no path: the configured one")
        refused(rig, "relative.safetensors", "INVAL", "absolute")
        refused(rig, rig.path("missing"), "NOTFOUND", "missing")
        counters = rig.counters()
        r.equal((counters["reloads"], counters["reloads_refused"]), (8, 1), "counters")


def lengths(rig):
    """The tables were laid for samples of 20 tokens; a model of longer ones has to do with that."""
    short, long = rig.path("short.safetensors"), rig.path("long.safetensors")
    rig.make_model(short, "byte", 16, 5, "max_length=20")
    rig.make_model(long, "byte", 16, 5, "max_length=40", "seed=2")
    with Session(rig, model=short) as s:
        r.equal(s.ask("x" * 30).tokens, 20, "cut by the first")
        model = reloaded(rig, long)
        r.check(b"20 tokens" in model.note and b"40" in model.note, model.note)
        label = s.ask("x" * 30)
        r.equal((label.tokens, label.truncated), (20, True), "cut by the second")
    with Session(rig, model=long) as s:
        r.equal(s.ask("x" * 30).tokens, 30, "not cut")
        r.equal(reloaded(rig, short).note, b"", "nothing to note")
        r.equal(s.ask("x" * 30).tokens, 20, "cut by the shorter model")


def budget(rig):
    """What does not fit is refused, and the row is named."""
    large, many = rig.path("large.safetensors"), rig.path("many.safetensors")
    rig.make_model(large, "byte", 32, 5, "ngram_rows=250000")
    rig.make_model(many, "byte", 32, 6)
    with Session(rig, scores="yes", memory_budget="40M") as s:
        refused(rig, large, "BUDGET", "memory_budget", "row", "'model'")
        s.event("reload-refused", "BUDGET", large)
        refused(rig, many, "BUDGET", "'samples'", "5", "6")
    with Session(rig, reload="no") as s:
        r.check(not any(row.name == b"second model" for row in rig.status().plan), "no second model is planned")
        refused(rig, many, "UNSUPPORTED", "reload = yes")
        s.event("reload-refused", "UNSUPPORTED", many)
        r.equal(rig.counters()["reloads_refused"], 1, "it counts as every other")
        r.check(f"reload of {many} for a request refused: UNSUPPORTED" in rig.read_log(), "and is in the log")
    status, _, err = rig.run(model=large, reload="yes", memory_budget="66M")
    r.check(status == 1 and "'second model'" in err, err)
    with Session(rig, model=large, memory_budget="66M"):  # reload = auto
        refused(rig, many, "UNSUPPORTED", "reload = yes")
    r.check("reload is not offered" in rig.read_log(), "and the log says so at the start")


def back(rig):
    second, bad = rig.path("second.safetensors"), rig.path("bad.safetensors")
    rig.make_model(second, "byte", 16, 3)
    with Session(rig) as s:
        first = rig.status().model_id
        r.equal(rollback(rig).error, ERRORS["NOTFOUND"], "nothing to go back to")
        model = reloaded(rig, second)
        s.event("reloaded")
        for there, here in ((first, model.id), (model.id, first)):
            reply = rollback(rig)
            r.equal((reply.error, reply.model.id, reply.model.previous), (0, there, here), "rollback")
            r.equal(s.ask("motor").model_id, there, "it answers")
        with open(second, "rb") as f:
            data = f.read()
        # Damage that the content's hash shows costs nothing; only what the self-test finds does.
        for name, spoiled, left in (("flipped", spoil.flipped, 0), ("changed", spoil.changed, ERRORS["NOTFOUND"])):
            with open(bad, "wb") as f:
                f.write(spoiled(data.replace(b"label0", b"lapel0")) if name == "changed" else spoiled(data))
            refused(rig, bad, "CORRUPT")
            r.equal(rollback(rig).error, left, f"rollback after a {name} file")
        r.equal(rig.counters()["rollbacks"], 3, "counter")


def corrupt(rig):
    good, bad = rig.path("good.safetensors"), rig.path("bad.safetensors")
    rig.make_model(good, "byte", 16, 5)
    with open(good, "rb") as f:
        data = f.read()
    reasons = set()
    with Session(rig) as s:
        for name, spoiled, words in spoil.KINDS:
            with open(bad, "wb") as f:
                f.write(spoiled(data))
            reasons.add(refused(rig, bad, "CORRUPT", bad, words))
            s.event("reload-refused", "CORRUPT", words)
        r.equal(len(reasons), len(spoil.KINDS), "every kind has a reason of its own")
        os.remove(bad)
        os.mkfifo(bad)
        reply = reload(rig, bad)
        r.check(b"not a regular file" in reply.error_text, reply.error_text)
        os.remove(bad)
        r.equal(s.ask("motor").error, 0, "it still answers")


def by_signal(rig):
    other = rig.path("other.safetensors")
    rig.make_model(other, "byte", 16, 5)
    with open(other, "rb") as f:
        data = f.read()
    with open(rig.model, "rb") as f:
        before = f.read()
    with Session(rig, watch="no") as s:
        for content, kind, words in ((data, "reloaded", "serves for SIGHUP"), (data[:-1], "reload-refused", "refused")):
            with open(rig.model, "wb") as f:
                f.write(content)
            rig.process.send_signal(signal.SIGHUP)
            r.check(any(line.startswith("MONOTONIC_USEC=") for line in rig.wait_notify("RELOADING=1")), "time")
            status = [line for line in rig.wait_notify("READY=1") if line.startswith("STATUS=")]
            r.check(words in status[0], status)
            s.event(kind, "SIGHUP")
    with open(rig.model, "wb") as f:
        f.write(before)


def by_watch(rig):
    """Rename, overwrite in place, and links, at the end of the path and in it."""
    models = {}
    for seed in range(1, 8):
        path = rig.path(f"seed{seed}.safetensors")
        rig.make_model(path, "byte", 16, 5, f"seed={seed}")
        with open(path, "rb") as f:
            models[seed] = f.read()

    def put(seed, *names):
        os.makedirs(rig.path(os.path.join(*names[:-1])), exist_ok=True)
        with open(rig.path(os.path.join(*names)), "wb") as f:
            f.write(models[seed])

    def link(target, *names):
        os.symlink(target, rig.path("link.tmp"))
        os.rename(rig.path("link.tmp"), rig.path(os.path.join(*names)))

    put(1, "models", "v1", "model.safetensors")
    link("v1", "models", "current")
    path = rig.path("models/current/model.safetensors")
    with Session(rig, model=path) as s:
        def served(seed):
            s.event("reloaded", "the watched file")
            header, _ = spoil.split(models[seed])
            r.equal(s.ask("motor").model_id.decode(), header["__metadata__"]["id"], f"seed {seed} serves")

        put(2, "models", "v2", "model.safetensors")
        link("v2", "models", "current")  # a link on the way
        served(2)
        put(3, "models", "v2", "new")
        os.rename(rig.path("models/v2/new"), path)  # over the file, in the folder that the link names now
        served(3)
        with open(path, "wb") as f:  # in place, in pieces: whenever it is looked at it has just changed
            for at in range(0, len(models[4]), len(models[4]) // 20 + 1):
                f.write(models[4][at:at + len(models[4]) // 20 + 1])
                f.flush()
                time.sleep(SETTLE / 10)  # paced: looks would fall into it
        served(4)
        put(5, "elsewhere", "model")
        link(rig.path("elsewhere/model"), "models", "v2", "model.safetensors")  # the file becomes a link
        served(5)
        put(6, "elsewhere", "new")
        os.rename(rig.path("elsewhere/new"), rig.path("elsewhere/model"))  # what the link names is replaced
        served(6)
        put(7, "models", "v3", "model.safetensors")
        with open(rig.path("models/v3/model.safetensors"), "r+b") as f:
            f.truncate(1000)
        link("v3", "models", "current")
        s.event("reload-refused", "the watched file", "CORRUPT")
        put(7, "models", "v3", "model.safetensors")
        served(7)
        os.remove(path)  # nothing to load: nothing happens
        os.utime(rig.path("models/v2/model.safetensors"))
        put(7, "models", "v3", "model.safetensors")  # the same again: no reload
        time.sleep(3 * SETTLE)  # paced: a look, if there were one, would fall into it
        r.equal(rig.counters()["reloads"], 6, "reloads")
    status = rig.start(model=rig.path("seed1.safetensors"), watch="no")
    r.check(status, "starts without a watch")
    os.rename(rig.path("seed2.safetensors"), rig.path("seed1.safetensors"))
    time.sleep(3 * SETTLE)  # paced: as above
    r.equal(rig.counters()["reloads"], 0, "and does not look")
    r.equal(rig.stop(), 0, "exit status")


def at_once(rig):
    """Many clients ask at the same time: one is served at a time, the others hear what is under way."""
    paths = [rig.path(f"many{i}.safetensors") for i in range(8)]
    for i, path in enumerate(paths):
        rig.make_model(path, "byte", 32, 5, f"seed={i + 20}", "ngram_rows=20000")
    with Session(rig, subscribers=len(paths) + 4):
        busy = 0
        clients = [rig.connect(zmq.DEALER, "control") for _ in paths]
        for _ in range(5):
            for i, (client, path) in enumerate(zip(clients, paths)):
                client.send(rig.pb.Request(id=i, reload=rig.pb.ReloadRequest(path=path.encode())).SerializeToString())
            replies = [rig.pb.Reply.FromString(rig.receive(client)[-1]) for client in clients]
            r.equal([reply.id for reply in replies], list(range(len(paths))), "each hears of its own")
            done = [reply for reply in replies if reply.error == 0]
            r.check(len(done) >= 1, "at least one is served")
            for reply in replies:
                r.check(reply.error in (0, ERRORS["BUSY"]), reply.error_text)
                r.check(reply.error == 0 or b".safetensors is being loaded for a request" in reply.error_text,
                        reply.error_text)
            r.check(rig.status().model_id in [reply.model.id for reply in done], "one of them serves")
            busy += len(replies) - len(done)
        r.equal(rig.counters()["reloads_refused"], busy, "each refusal is counted")
        for client in clients:
            client.close()
        # A client that has gone when its reply comes, and one that waits when the daemon stops.
        client = rig.connect(zmq.DEALER, "control")
        client.send(rig.pb.Request(id=1, reload=rig.pb.ReloadRequest(path=paths[0].encode())).SerializeToString())
        client.close()


class Load:
    """Publishers that send as fast as they can, and a subscriber that counts what comes back."""

    def __init__(self, rig, publishers):
        self.rig = rig
        self.labels = rig.subscribe(b"load")
        self.sent = dict.fromkeys([b"load%d" % i for i in range(publishers)], 0)
        self.got = dict.fromkeys(self.sent, 0)
        self.models = {name: [] for name in self.sent}  # that answered each, in order, without repetitions
        self.failure = None
        self.enough, self.over = threading.Event(), threading.Event()
        self.threads = [threading.Thread(target=self.publish, args=(name,), daemon=True) for name in self.sent]
        self.collector = threading.Thread(target=self.collect, daemon=True)
        for thread in (*self.threads, self.collector):
            thread.start()

    def publish(self, name):
        s = self.rig.connect(zmq.PUSH, "push", linger=-1)
        while not self.enough.is_set():
            seq = self.sent[name] = self.sent[name] + 1
            s.send_multipart([name, self.rig.sample(seq, "row %d " % seq * (1 + seq % 9))])
        self.over.wait()
        s.close()

    def collect(self):
        """Every label of every stream, once and in order."""
        try:
            while not self.enough.is_set() or self.got != self.sent:
                if not self.labels.poll(100):
                    continue
                stream, label = self.rig.label(self.labels)
                r.equal((label.seq, label.error), (self.got[stream] + 1, 0), f"next of {stream}")
                self.got[stream] += 1
                if self.models[stream][-1:] != [label.model_id]:
                    self.models[stream].append(label.model_id)
            r.check(not self.labels.poll(200), "nothing comes twice")
        except AssertionError as failure:
            self.failure = failure

    def end(self):
        self.enough.set()
        self.collector.join(r.DEADLINE)
        self.over.set()
        for thread in self.threads:
            thread.join(r.DEADLINE)
        if self.failure:
            raise self.failure
        r.equal(self.got, self.sent, "every sample was answered")
        self.labels.close()


def subsequence(part, whole):
    rest = iter(whole)
    return all(x in rest for x in part)


def under_load(rig):
    """Many turns while four publishers send as fast as they can: reloads, rollbacks, damaged files."""
    paths = [rig.path(f"load{i}.safetensors") for i in range(3)]
    for i, path in enumerate(paths):
        rig.make_model(path, "byte", (32, 64, 16)[i], 5, f"seed={i + 40}", f"steps={2 + i}")
    with open(paths[0], "rb") as f:
        data = f.read()
    bad = rig.path("bad.safetensors")
    with Session(rig, workers=3, queue=200, memory_budget="128M") as s:
        load = Load(rig, 4)
        served = [rig.status().model_id]
        for turn in range(TURNS):
            before = sum(load.got.values())
            if turn % 7 == 6:
                _, spoiled, words = spoil.KINDS[turn // 7 % len(spoil.KINDS)]
                with open(bad, "wb") as f:
                    f.write(spoiled(data))
                refused(rig, bad, "CORRUPT", words)
            elif turn % 5 == 4:
                reply = rollback(rig)
                r.equal(reply.error, 0, f"rollback: {reply.error_text}")
                served.append(reply.model.id)
            else:
                served.append(reloaded(rig, paths[turn % 3]).id)
            end = time.monotonic() + r.DEADLINE
            while sum(load.got.values()) < before + ANSWERS and not load.failure and time.monotonic() < end:
                time.sleep(0.001)
        load.end()
        for stream, models in load.models.items():
            r.check(subsequence(models, served), f"{stream}: answered in the order {models}, served in that of {served}")
        print(f"{sum(load.got.values())} labels by {max(map(len, load.models.values()))} models in turn,"
              f" of {len(served)} in force")
        r.equal(s.ask("motor").model_id, served[-1], "the last one")


with r.Rig() as the_rig:
    for part in (by_request, lengths, budget, back, corrupt, by_signal, by_watch, at_once, under_load):
        begun = time.monotonic()
        part(the_rig)
        print(f"{part.__name__} ok, {time.monotonic() - begun:.1f} s", flush=True)
