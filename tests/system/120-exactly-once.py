#!/usr/bin/python3
"""Four publishers at once, over push: every sample is answered once, in order within its stream."""
import threading
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

PUBLISHERS, ROWS = 4, 1000


def publish(rig, name, answered):
    s = rig.connect(zmq.PUSH, "push", linger=-1)
    for seq in range(1, ROWS + 1):
        s.send_multipart([name, rig.sample(seq, "row %d " % seq * (1 + seq % 9))])
    answered.wait(r.DEADLINE)
    s.close()


def scores_sum_to_one(label):
    return abs(sum(label.scores) - 1) < 1e-4 and max(label.scores) == label.confidence


with r.Rig(model=("byte", 16)) as rig:
    for workers, scores in ((1, "no"), (3, "yes")):
        rig.start(workers=workers, scores=scores, queue=100)
        labels = rig.subscribe()
        names = [b"robot%d/log" % i for i in range(PUBLISHERS)]
        answered = threading.Event()
        threads = [threading.Thread(target=publish, args=(rig, name, answered)) for name in names]
        for thread in threads:
            thread.start()
        expected = dict.fromkeys(names, 1)
        for _ in range(PUBLISHERS * ROWS):
            stream, label = rig.label(labels)
            r.equal((label.seq, label.error), (expected[stream], 0), f"next of {stream}")
            r.check(scores == "no" or scores_sum_to_one(label), "scores")
            expected[stream] += 1
        answered.set()
        for thread in threads:
            thread.join()
        r.check(not labels.poll(200), "nothing comes twice")
        counters = rig.counters()
        r.equal(counters["accepted_push"], PUBLISHERS * ROWS, "accepted")
        r.equal(counters["labelled"], PUBLISHERS * ROWS, "labelled")
        r.equal(counters["labels_dropped"], 0, "dropped")
        r.check(counters["batches"] <= PUBLISHERS * ROWS, "batches")
        print(f"workers {workers}: {PUBLISHERS * ROWS} samples in {counters['batches']} batches")
        r.equal(rig.stop(), 0, "exit status")
        labels.close()
