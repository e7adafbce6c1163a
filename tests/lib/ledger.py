"""The books of streams as the daemon keeps them, beside what publishers sent and subscribers got."""
import rig as r

FATES = ("labelled", "errored", "expired", "dropped")
ERRORS = {"EMPTY": 11, "EXPIRED": 19, "OVERLOADED": 20}


def pages(rig, prefix=b""):
    """All rows of a prefix, and the last page."""
    rows, start = [], 0
    while True:
        reply = rig.request(streams=rig.pb.StreamsRequest(prefix=prefix, **{"from": start}))
        r.equal(reply.error, 0, "streams")
        rows += reply.streams.streams
        start = reply.streams.next
        if start == 0:
            return rows, reply.streams


def check_row(row, name):
    parts = sum(getattr(row, fate) for fate in FATES)
    r.equal(row.accepted, parts + row.in_flight, f"book of {name}")


def balance(rig, what, show=8):
    """Every book balances, together they hold all, and the counters say the same; prints them. Nothing may be in
    flight, and nobody may send. Returns the rows by name."""
    rows, page = pages(rig)
    counters = rig.counters()
    for row in rows:
        check_row(row, row.stream)
    everything = [*rows, page.others]
    for field in ("accepted", *FATES, "in_flight", "gaps"):
        r.equal(sum(getattr(row, field) for row in everything), getattr(page.total, field), f"sum of {field}")
    total = page.total
    r.equal(total.in_flight, 0, "in flight")
    r.equal(total.accepted, counters["accepted_push"] + counters["accepted_ingest"], "accepted, as counted")
    r.equal(total.labelled, counters["labelled"] + counters["held"], "labelled, as counted")
    r.equal((total.expired, total.dropped), (counters["expired"], counters["dropped"]), "expired, dropped, as counted")
    r.equal(total.errored + total.expired + total.dropped, counters["refused"] + counters["dropped_silent"],
            "without a label, as counted")
    r.equal(total.gaps, counters["ingest_gaps"] + counters["push_gaps"], "gaps, as counted")
    r.equal(page.known, len(rows), "streams known")
    print(f"--- {what}")
    for name, row in [(row.stream.decode(), row) for row in rows[:show]] + [("(others)", page.others), ("(total)", total)]:
        print(f"{name:14} accepted {row.accepted:7} = labelled {row.labelled:7} + errored {row.errored:4} +"
              f" expired {row.expired:5} + dropped {row.dropped:6}; gaps {row.gaps}")
    return {row.stream: row for row in rows}


class Tally:
    """What a subscriber got: of each stream the answers by seq."""

    def __init__(self, rig, prefix=b"", **options):
        self.rig, self.labels = rig, rig.subscribe(prefix, **options)
        self.answers, self.order, self.latest = {}, [], {}

    def take(self):
        stream, label = self.rig.label(self.labels)
        mine = self.answers.setdefault(stream, {})
        r.check(label.seq not in mine, f"{stream} {label.seq} is answered twice")
        mine[label.seq] = label.error
        if label.error != ERRORS["OVERLOADED"]:  # comes at once, before those that are worked on
            r.check(label.seq > self.latest.get(stream, 0), f"{stream} {label.seq} comes after {self.latest.get(stream)}")
            self.latest[stream] = label.seq
        self.order.append(stream)
        return stream, label

    def take_all(self, n):
        while sum(map(len, self.answers.values())) < n:
            self.take()

    def quiet(self):
        while self.labels.poll(100):
            topic = self.labels.recv_multipart()[0]
            r.check(topic.startswith(b"$sys/"), f"an answer too many: {topic}")

    def count(self, stream, error=0):
        return sum(e == error for e in self.answers.get(stream, {}).values())

    def agrees(self, stream, row):
        """With the book of the stream."""
        got = [self.count(stream), self.count(stream, ERRORS["EXPIRED"]), self.count(stream, ERRORS["OVERLOADED"])]
        r.equal(got[:2], [row.labelled, row.expired], f"{stream}: labels and expired, got and booked")
        r.check(got[2] <= row.dropped, f"{stream}: {got[2]} answered OVERLOADED, {row.dropped} dropped")

    def close(self):
        self.labels.close()
