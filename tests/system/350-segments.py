#!/usr/bin/python3
"""Texts that run on from sample to sample: after every piece the label of all so far, whatever the cuts; label
policies, windows, closing, reload and bad input; memory that does not grow.
"""
import os
import random
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

WHOLE, CONTINUES, ENDS = 0, 1, 2
EMPTY, INVAL, BADTEXT, BADTOKEN, UNSUPPORTED, TOOBIG = "EMPTY", "INVAL", "BADTEXT", "BADTOKEN", "UNSUPPORTED", "TOOBIG"
WORDS = ("the motor motors is hot low battery ok . , Café ΟΔΟΣ, ΣΟΦΟΣ' 中文字 e\u0301 \U0001f600 unbelievablelongword "
         + "x" * 120 + " 4%").split()
ROBOT = os.path.join(r.ROOT, "model/pretrained/robot-text.safetensors")


with open(os.path.join(r.ROOT, "proto/diffuse_err.h"), encoding="utf-8") as header:
    NAMES = {int(number): name for name, number in re.findall(r" X\((\w+), (\d+),", header.read())}


class Talk:
    """A daemon, a publisher on push, and the labels that came, by stream and seq."""

    def __init__(self, rig, **keys):
        self.rig = rig
        keys = {"scores": "yes", "segments": 8, "workers": 2, "memory_budget": "256M", **keys}
        rig.start(**keys)
        self.labels = rig.subscribe(b"s")
        self.events = rig.subscribe(b"$sys/segment-closed")
        self.push = rig.connect(zmq.PUSH, "push", linger=-1, SNDHWM=0)
        self.seq, self.open, self.got = {}, 0, {}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for s in (self.labels, self.events, self.push):
            s.close()
        if kind is None:
            r.equal(self.rig.stop(), 0, "exit status")

    def send(self, stream, segment, text=None, ids=None, policy=None):
        seq = self.seq[stream] = self.seq.get(stream, 0) + 1
        fields = {"policy": self.rig.pb.Policy(**policy)} if policy else {}
        body = self.rig.sample(seq, text, ids, segment=segment, **fields)
        self.push.send_multipart([stream.encode(), body])
        self.open += 1
        return stream, seq

    def collect(self):
        """Everything that was sent is answered once, in order within its stream."""
        while self.open > 0:
            stream, label = self.rig.label(self.labels)
            key = stream.decode(), label.seq
            r.check(key not in self.got, f"{key} is answered once")
            r.check(label.seq == 1 or (key[0], label.seq - 1) in self.got, f"{key} comes in order")
            self.got[key] = label
            self.open -= 1

    def ask(self, stream, segment, text=None, ids=None, policy=None):
        key = self.send(stream, segment, text, ids, policy)
        self.collect()
        return self.got[key]

    def whole(self, text=None, ids=None):
        return self.ask("s/whole", WHOLE, text, ids)

    def event(self):
        while True:
            topic, body = self.rig.receive(self.events)
            if topic == b"$sys/segment-closed":
                return self.rig.pb.Event.FromString(body).text.decode()


def fails(label, name, *words):
    r.equal(NAMES[label.error] if label.error else "a label", name, f"error: {label.error_text}")
    for word in words:
        r.check(word.encode() in label.error_text, f"{word!r} is in {label.error_text}")


def close_to(got, want, what, tokens=None):
    r.equal((got.error, want.error, got.held), (0, 0, False), f"{what}: {got.error_text} {want.error_text}")
    r.equal(got.tokens, want.tokens if tokens is None else tokens, f"{what}: tokens")
    worst = max(abs(a - b) for a, b in zip(got.scores, want.scores))
    r.check(worst < 2e-5, f"{what}: scores differ by {worst}")
    r.equal((got.label_id, got.label_name), (want.label_id, want.label_name), f"{what}: label")


def cuts(rng, data, most):
    out = []
    while data:
        n = rng.randrange(0, most)
        out.append(data[:n])
        data = data[n:]
    return out


def prefix(model, data):
    """Without the bytes of a character that is not finished."""
    return data if "byte" in model else data.decode(errors="ignore").encode()


def equality(rig, model, seed, tokens=False, words=60):
    """Several streams at once, any cuts: each label is that of the prefix alone."""
    rng = random.Random(seed)
    with Talk(rig, model=model, max_length=4096, batch_tokens=4096, queue=256) as t:
        if tokens:
            texts = {f"s/{i}": [rng.randrange(90) for _ in range(rng.randrange(1, 200))] for i in range(6)}
        else:
            texts = {f"s/{i}": " ".join(rng.choices(WORDS, k=rng.randrange(3, words))).encode() for i in range(6)}
        pieces = {s: cuts(rng, text, 12) for s, text in texts.items()}
        sent = []
        while any(pieces.values()):
            stream = rng.choice([s for s, p in pieces.items() if p])
            piece = pieces[stream].pop(0)
            so_far = texts[stream][:len(texts[stream]) - sum(map(len, pieces[stream]))]
            segment = CONTINUES if pieces[stream] else ENDS
            key = t.send(stream, segment, ids=piece) if tokens else t.send(stream, segment, piece)
            sent.append((key, so_far))
        t.collect()
        same = 0
        for key, so_far in sent:
            want = t.whole(ids=so_far) if tokens else t.whole(prefix(model, so_far))
            if want.truncated:  # beyond what the model was trained on, only segments go
                continue
            if want.error:
                r.equal(NAMES[want.error], EMPTY, f"{so_far}")
                r.check(t.got[key].held, "no token yet: no label")
                continue
            close_to(t.got[key], want, f"{key} {so_far[-20:]}")
            same += 1
        counters = rig.counters()
        r.equal((counters["segments_begun"], counters["segments_ended"], counters["segments_closed"]), (6, 6, 0),
                "counters")
        print(f"{os.path.basename(model)}: {same} labels are those of the prefix alone")


def mixed(rig, model):
    """Ids end the text before them; text goes on after them."""
    with Talk(rig, model=model) as t:
        t.ask("s/m", CONTINUES, "motors hot")
        got = t.ask("s/m", ENDS, ids=[3, 4])
        close_to(got, t.whole(ids=[3, 4, 8, 3, 4]), "text, then ids")
        t.ask("s/m", CONTINUES, b"hot \xe4")
        fails(t.ask("s/m", CONTINUES, ids=[1]), BADTEXT, "character")
        r.equal(t.ask("s/m", ENDS, b"\xb8\xad").tokens, 2, "and the text can still go on")


def bad_input(rig, model):
    """What is refused changes nothing; ENDS closes in any case."""
    with Talk(rig, model=model, max_length=16, batch_tokens=64) as t:
        t.ask("s/b", CONTINUES, "motor is ")
        fails(t.ask("s/b", CONTINUES, b"hot \xff"), BADTEXT)
        fails(t.ask("s/b", CONTINUES, ids=[99999999]), BADTOKEN, "99999999")
        fails(t.ask("s/b", CONTINUES, "hot " * 17), TOOBIG, "max_length 16", "smaller")
        fails(t.ask("s/b", CONTINUES, ids=[1] * 17), TOOBIG)
        close_to(t.ask("s/b", CONTINUES, "hot " * 13), t.whole("motor is " + "hot " * 13), "all else counts")
        r.check(t.ask("s/b", CONTINUES, "ok " * 16).tokens == 31, "a segment may be longer than max_length")
        fails(t.ask("s/b", ENDS, b"\xe2\x82"), BADTEXT, "within a character")
        close_to(t.ask("s/b", ENDS, "motor"), t.whole("motor"), "it was closed")
        fails(t.ask("s/b", ENDS, " \n"), EMPTY)
        r.check(t.ask("s/b", CONTINUES, "").held, "no token yet")
        fails(t.ask("s/b", ENDS, ""), EMPTY)
        fails(t.ask("s/b", CONTINUES, b"\xff"), BADTEXT)
        fails(t.ask("s/b", CONTINUES, "a", policy={"min_confidence": 2}), INVAL, "min_confidence")
        fails(t.ask("s/b", CONTINUES, "a", policy={"window": 8, "step": 4}), INVAL, "segment_window")
        counters = rig.counters()
        r.equal((counters["segments_begun"], counters["segments_ended"]), (3, 3), "a refused beginning begins nothing")


def not_offered(rig, model):
    with Talk(rig, model=model, segments=0) as t:
        fails(t.ask("s/n", CONTINUES, "motor"), UNSUPPORTED, "segments")
    ring = rig.path("ring.safetensors")
    rig.make_model(ring)
    with Talk(rig, model=ring) as t:
        fails(t.ask("s/n", CONTINUES, "motor"), UNSUPPORTED, "ring")
        r.check("running segments are not offered" in rig.read_log(), "said at the start")
    for policy, word in (("robot", "PREFIX:WORD"), ("a:every=0", "every=0"), ("a:end,every=3", "remove one"),
                         ("a:window=8/9", "step"), ("a:min_confidence=1.5", "0 to 1"), ("a:never", "never"),
                         ("a:window=513/8", "max_length")):
        status, _, err = rig.run("--check", model=model, policy=policy)
        r.check(status == 1 and word in err, f"policy={policy} is refused: {err}")
    status, _, err = rig.run("--plan", model=model, segments=1000000)
    r.check(status == 1 and "lower segments to" in err, f"too many segments are refused: {err}")


def closing(rig, model):
    """The table is bounded: the stream that was silent longest is closed, and begins anew."""
    with Talk(rig, model=model, segments=3) as t:
        for name in "abca":
            t.ask(f"s/{name}", CONTINUES, "motor ")
        t.ask("s/d", CONTINUES, "hot ")
        event = t.event()
        r.check(event.startswith("s/b: closed after 1 tokens"), event)
        r.equal(t.ask("s/a", CONTINUES, "hot ").tokens, 3, "one that was not silent")
        r.equal(t.ask("s/b", CONTINUES, "hot ").tokens, 1, "the closed one begins anew")
        r.check(t.event().startswith("s/c: closed"), "and closes another")
        r.equal(rig.counters()["segments_closed"], 2, "counted")
        # Far more streams than rows, all at once: every piece is answered.
        rng = random.Random(8)
        for _ in range(600):
            t.send(f"s/{rng.randrange(12)}", rng.choice((CONTINUES, CONTINUES, ENDS)), "motors hot, ")
        t.collect()


def reload(rig, model):
    """Another model: segments close, with one event, and begin anew; nothing is lost or answered twice."""
    other = rig.path("other.safetensors")
    rig.make_model(other, "wordpiece", 48, 3, "ring=0", "seed=2", "steps=3")
    ring = rig.path("ring.safetensors")
    rig.make_model(ring)
    with Talk(rig, model=model, segments=16, queue=4096) as t:
        rng = random.Random(9)
        names = [f"s/{i}" for i in range(10)]
        for path in (other, model, ring, other):
            for _ in range(150):
                t.send(rng.choice(names), CONTINUES, rng.choice(WORDS) + " ")
            reply = rig.request(reload=rig.pb.ReloadRequest(path=path.encode()))
            r.equal(reply.error, 0, f"reload: {reply.error_text}")
            for _ in range(150):
                t.send(rng.choice(names), CONTINUES, "motor ")
            t.collect()
        r.equal(len(t.got), 1200, "answers")
        events = [t.event() for _ in range(3)]  # from the ring there was nothing to close
        r.check(all("another model serves" in e for e in events), f"{events}")
        # Each stream: labels of one model after those of another, counting anew with each.
        for name in names:
            last = None
            for seq in range(1, t.seq[name] + 1):
                label = t.got[name, seq]
                if label.error:
                    fails(label, UNSUPPORTED, "ring")
                    continue
                fresh = last is None or last.model_id != label.model_id
                r.check((label.tokens < 60) if fresh else label.tokens >= last.tokens - 60, "tokens grow, or begin anew")
                last = label
        reply = rig.request(rollback=rig.pb.RollbackRequest())
        r.equal(reply.error, 0, f"rollback: {reply.error_text}")


def held_or(label, wanted):
    r.equal((label.error, label.held), (0, not wanted), f"label {label.seq} at {label.tokens} tokens: held")


def policies(rig, model):
    """By prefix in the configuration, or with the first sample; every word of a policy."""
    rule = ("s/every:every=10 s/every/change:change=0 s/end:end s/sure:min_confidence=0.99 s/tumble:window=8 "
            "s/slide:window=8/4")
    with Talk(rig, model=model, policy=rule, segments=16) as t:
        ids = [random.Random(3).randrange(12) for _ in range(200)]
        # every: with the piece that reaches the next multiple
        at = 0
        for n in (3, 3, 3, 3, 9, 20, 1, 8, 9):
            label = t.ask("s/every", CONTINUES, ids=ids[at:at + n])
            held_or(label, (at + n) // 10 > at // 10)
            r.equal(label.tokens, at + n, "tokens are counted meanwhile")
            at += n
        # end
        for i in range(5):
            held_or(t.ask("s/end", CONTINUES, ids=ids[i:i + 1]), False)
        close_to(t.ask("s/end", ENDS, ids=[]), t.whole(ids=ids[:5]), "only at the end")
        # min_confidence: the label is said, and that it is not sure
        label = t.ask("s/sure", ENDS, ids=ids[:5])
        r.check(label.abstained and label.label_name != b"" and 0 < label.confidence < 0.99, "abstained")
        r.check(not t.ask("s/none", ENDS, ids=ids[:5]).abstained, "without a policy, never")
        # tumbling: the text begins anew, exactly where the window is full
        at, window = 0, 8
        for n in (3, 3, 3, 7, 20, 4, 1, 0):
            label = t.ask("s/tumble", CONTINUES, ids=ids[at:at + n])
            at += n
            full = at // window > (at - n) // window
            end = at // window * window if full else at
            start = (end - 1) // window * window
            if end == start:
                held_or(label, False)
            else:
                close_to(label, t.whole(ids=ids[start:end]), f"tumbling at {at}")
        close_to(t.ask("s/tumble", ENDS, ids=ids[at:at + 5]), t.whole(ids=ids[(at + 4) // 8 * 8:at + 5]), "its end")
        # sliding: the last 8 at each multiple of 4
        at = 0
        for n in (3, 1, 2, 9, 4, 1, 30):
            label = t.ask("s/slide", CONTINUES, ids=ids[at:at + n])
            at += n
            end = at // 4 * 4
            held_or(label, end > (at - n) // 4 * 4)
            if not label.held:
                close_to(label, t.whole(ids=ids[max(0, end - 8):end]), f"sliding at {at}")
        close_to(t.ask("s/slide", ENDS, ids=ids[at:at + 3]), t.whole(ids=ids[at - 5:at + 3]), "its end")
        # with the first sample, in place of what is configured; later ones are without effect
        held_or(t.ask("s/every", ENDS, ids=[1]), True)
        held_or(t.ask("s/every", CONTINUES, ids=ids[:1], policy={"every": 2}), False)
        held_or(t.ask("s/every", CONTINUES, ids=ids[:1], policy={"end": True}), True)
        t.ask("s/every", ENDS, ids=[])
        counters = rig.counters()
        r.equal(counters["held"] + counters["labelled"], sum(t.seq.values()), "every sample is answered")
        r.equal(counters["abstained"], 1, "abstained")
        label = t.whole(ids=ids[:5])
        r.check(0 < label.confidence < 1, f"a label that can be too unsure: {label.confidence}")
    how_sure(rig, model, ids[:5], label)


def how_sure(rig, model, ids, label):
    """min_confidence of samples that are whole: by prefix, and by label, which comes before."""
    name = label.label_name.decode()
    rules = {"s/all": ([":min_confidence=1"], True), "s/low": ([":min_confidence=0"], False),
             "s/this": ([f":label={name},min_confidence=1"], True),
             "s/other": ([f":label=not_{name},min_confidence=1"], False),
             "s/but": ([":min_confidence=1", f":label={name},min_confidence=0"], False)}
    for segments in (8, 0):  # whether or not texts may grow
        policy = " ".join(stream + rule for stream, (own, _) in rules.items() for rule in own)
        with Talk(rig, model=model, policy=policy, segments=segments) as t:
            for stream, (_, unsure) in rules.items():
                got = t.ask(stream, WHOLE, ids=ids)
                r.equal((got.error, got.label_name, got.abstained), (0, label.label_name, unsure), stream)
            r.check(not t.whole(ids=ids).abstained, "a stream that no rule names")
            r.equal(rig.counters()["abstained"], sum(unsure for _, unsure in rules.values()), "counted")


def change(rig, model):
    """On change: what a stream without a policy shows, less what repeats or is within the hysteresis."""
    rng = random.Random(4)
    with Talk(rig, model=model) as t:
        for margin, least in ((0, 0), (0.05, 0), (0, 0.22), (0.01, 0.22)):
            said, shown = None, 0
            name = f"s/c{margin}/{least}"
            for i in range(120):
                ids = [rng.choice((2 + i // 20 % 8, rng.randrange(12)))]
                segment = ENDS if i == 119 else CONTINUES
                full = t.ask("s/all", segment, ids=ids)
                part = t.ask(name, segment, ids=ids,
                             policy={"change": True, "margin": margin, "min_confidence": least})
                unsure = full.confidence < least
                if said is None or segment == ENDS:
                    news = True
                elif unsure:
                    news = said != "abstained" and full.confidence < least - margin
                else:
                    news = said == "abstained" or (said != full.label_id and
                                                   full.confidence - full.scores[said] >= margin)
                r.equal(part.held, not news, f"{name} {i}: {full.confidence} {said}")
                if news:
                    close_to(part, full, name)
                    r.equal(part.abstained, unsure, "abstained")
                    said = "abstained" if unsure else full.label_id
                    shown += 1
            print(f"change={margin}, min_confidence={least}: {shown} of 120 labels are said")
            r.check(2 < shown < 120, "some are said, and some not")


def flat(rig, model):
    """One long stream and many at once: the resident size is inside the plan, and does not grow."""
    with Talk(rig, model=model, segments=64, queue=256, scores="no", policy=":every=1000") as t:
        def round_of(n):
            for _ in range(n):
                t.send("s/long", CONTINUES, ids=piece)
                for k in range(4):
                    t.send(f"s/{rng.randrange(80)}", CONTINUES, ids=piece[:20 * k])
            t.collect()
            t.got.clear()
            for name in t.seq:
                t.got[name, t.seq[name]] = None
            return rig.resident()[0]
        rng = random.Random(1)
        piece = [rng.randrange(12) for _ in range(500)]
        first = round_of(100)
        last = [round_of(100) for _ in range(3)][-1]
        r.check(rig.sanitized() or last <= rig.status().memory_plan, "inside the plan")
        r.check(rig.sanitized() or last - first < 128 << 10, f"resident {first}, then {last}")


def by_tool(rig, model):
    """diffusectl send --segment: each line is answered for all lines so far."""
    with Talk(rig, model=model, policy="tool/sure:min_confidence=1 tool/end:end") as t:
        def send(stream, *options):
            done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), *r.PATIENT, "--endpoint", rig.path("run"), "send", "--wait",
                                   "--segment", "--quiet", "--stream", stream, *options], input="motor\nhot\n",
                                  capture_output=True, text=True,
                                  env=dict(os.environ, TSAN_OPTIONS=f"suppressions={r.ROOT}/tests/lib/tsan.supp"))
            r.equal((done.returncode, done.stderr), (0, ""), f"diffusectl: {done.stdout}")
            return [line.split("\t") for line in done.stdout.splitlines()]

        rows = send("tool/all")
        wanted = [t.whole(text) for text in ("motor", "motor\nhot", "motor\nhot")]
        r.equal([row[2] for row in rows], ["motor", "hot", ""], "the lines, and what ends them")
        for row, want in zip(rows, wanted):
            r.equal((row[0], row[1]), (want.label_name.decode(), f"{want.confidence:.4f}"), f"label of {row[2]}")
        r.equal([row[0][0] for row in send("tool/sure")], ["?"] * 3, "not sure")
        r.equal([row[0] for row in send("tool/end")], ["-", "-", wanted[2].label_name.decode()], "held")


with r.Rig(model=("wordpiece", 24, 5, "ring=0")) as rig:
    byte, none = rig.path("byte.safetensors"), rig.path("none.safetensors")
    rig.make_model(byte, "byte", 16, 7, "ring=0", "steps=5", "ngram_rows=50")
    rig.make_model(none, "none", 32, 4, "ring=0")
    equality(rig, rig.model, 1)
    equality(rig, byte, 2)
    equality(rig, none, 3, tokens=True)
    equality(rig, ROBOT, 4, words=20)
    mixed(rig, rig.model)
    bad_input(rig, rig.model)
    not_offered(rig, rig.model)
    closing(rig, rig.model)
    reload(rig, rig.model)
    policies(rig, rig.model)
    change(rig, rig.model)
    by_tool(rig, rig.model)
    flat(rig, rig.model)
