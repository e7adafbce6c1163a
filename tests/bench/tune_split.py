#!/usr/bin/python3
"""Rows for tune_sim, from a folder with train, val and test.tsv (or .gz): tune_split.py FOLDER OUT [SCENARIO [SEED]]

Writes OUT/half (the base rows of a scenario of streams.py), OUT/stream (what comes then, with its true labels) and
OUT/full (both), each with the validation rows as its test.tsv: settings are chosen by those, not by the test rows."""
import os
import sys

import streams


def main(folder, out, scenario="half", seed=1):
    made = streams.make(scenario, folder, int(seed))
    stream = [(m.truth, m.text) for m in made.messages]
    for name, rows in ("half", made.base), ("stream", stream), ("full", made.base + stream):
        streams.write_rows(os.path.join(out, name, "train.tsv"), rows)
        streams.write_rows(os.path.join(out, name, "test.tsv"), made.valid)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
