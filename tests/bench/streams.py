#!/usr/bin/python3
"""Scenarios of online tuning, made from a labelled data set: what a checkpoint is trained on before it is
put to work, the messages that come then with what is said about them, and the rows it is measured on.

    streams.py FOLDER --out DIR [--seed N]

FOLDER holds train.tsv and test.tsv (or .gz), a row `label TAB text`. Same seed, same rows.

half    a class-balanced half of the training rows is the base, the other half the stream
class   three in twenty labels have 3 rows each in the base and all their others in the stream, where they begin
        to appear after a quarter of it, twice as often as other labels
words   half, and in the stream frequent content words have new names and some words have typos

and over the same messages as `half`:

noise   30 % of all feedback says a label drawn at random
liar    four honest streams, and one whose feedback is wrong every time

Writes DIR/NAME/{base,all}/train.tsv, DIR/NAME/stream.tsv (stream, seq, true label, feedback, text) and
DIR/NAME/{original,shifted}.tsv, the rows to measure on.
"""
import argparse
import collections
import os
import random
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../peers"))
import rows as peers  # noqa: E402

# feedback: the label that is claimed, or None where nothing is said
Message = collections.namedtuple("Message", "stream seq text truth feedback")
# tests: name -> rows; valid: rows like those of the base, to choose settings by, or None
Scenario = collections.namedtuple("Scenario", "name base messages tests valid note")

STREAMS = ("site1/intents", "site2/intents", "site3/intents", "site4/intents")
LIAR = "site5/intents"
LIAR_SHARE = 0.2     # of the messages
NOISE = 0.3          # of all feedback
RARE_LABELS = 0.15   # of the labels
RARE_ROWS = 3
RARE_FROM = 0.25     # of the stream
RENAMED = 60         # words
CONTENT = 0.2        # least share of a word's rows that one label has, for it to count as content
TYPO = 0.06          # of the words of four letters and more
WORD = re.compile(r"[a-z]{4,}")


def read(folder):
    """Training, test and validation rows; the last may be None."""
    valid = peers.existing(folder, "val.tsv", "valid.tsv")
    return (peers.read_tsv(peers.need(folder, "train.tsv")), peers.read_tsv(peers.need(folder, "test.tsv")),
            valid and peers.read_tsv(valid))


def by_label(rows):
    out = collections.defaultdict(list)
    for row in rows:
        out[row[0]].append(row)
    return {label: out[label] for label in sorted(out)}


def halves(rows, rng):
    """Two halves of each label's rows, and each half in a random order."""
    first, second = [], []
    for of in by_label(rows).values():
        rng.shuffle(of)
        cut = (len(of) + 1) // 2
        first += of[:cut]
        second += of[cut:]
    rng.shuffle(first)
    rng.shuffle(second)
    return first, second


def send(rows, streams=STREAMS):
    """The rows as messages, each stream in turn, with the true label as feedback."""
    seqs = collections.Counter()
    out = []
    for i, (label, text) in enumerate(rows):
        stream = streams[i % len(streams)]
        seqs[stream] += 1
        out.append(Message(stream, seqs[stream], text, label, label))
    return out


# --- scenarios --------------------------------------------------------------------------------------
def make_half(train, test, valid, seed):
    base, rest = halves(train, random.Random(seed))
    return Scenario("half", base, send(rest), {"original": test}, valid,
                    f"{len(base)} rows before, {len(rest)} in the stream, of the same labels and words")


def make_class(train, test, valid, seed):
    rng = random.Random(seed)
    groups = by_label(train)
    rare = set(rng.sample(sorted(groups), max(1, round(RARE_LABELS * len(groups)))))
    base, rest = halves([row for row in train if row[0] not in rare], rng)
    late = []
    for label in sorted(rare):
        rng.shuffle(groups[label])
        base += groups[label][:RARE_ROWS]
        late += groups[label][RARE_ROWS:]
    rng.shuffle(base)
    calm = round(RARE_FROM * len(rest))
    mixed = rest[calm:] + late
    rng.shuffle(mixed)
    tests = {"original": test, "known": [row for row in test if row[0] not in rare],
             "shifted": [row for row in test if row[0] in rare]}
    return Scenario("class", base, send(rest[:calm] + mixed), tests, valid,
                    f"{len(rare)} of {len(groups)} labels have {RARE_ROWS} rows before; from message {calm} of "
                    f"{len(rest) + len(late)} on they are {100 * len(late) / len(mixed):.0f} % of the stream")


def content_words(rows):
    """The most frequent words that say something about the label."""
    count, labels = collections.Counter(), collections.defaultdict(collections.Counter)
    for label, text in rows:
        for word in sorted(set(WORD.findall(text.lower()))):
            count[word] += 1
            labels[word][label] += 1
    telling = [w for w in count if labels[w].most_common(1)[0][1] >= CONTENT * count[w]]
    return sorted(telling, key=lambda w: (-count[w], w))[:RENAMED]


def new_names(words, taken, rng):
    names = {}
    while len(names) < len(words):
        name = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.choice((2, 3)))) \
            + rng.choice("klnrsx")
        if name not in taken:
            taken.add(name)
            names[words[len(names)]] = name
    return names


def mistype(word, rng):
    """Two letters swapped, one left out, or one doubled; never the first."""
    at = rng.randrange(1, len(word) - 1)
    kind = rng.randrange(3)
    if kind == 0:
        return word[:at] + word[at + 1] + word[at] + word[at + 2:]
    return word[:at] + word[at + 1:] if kind == 1 else word[:at] + word[at] + word[at:]


def shift_text(text, names, rng):
    def change(match):
        word = names.get(match.group(), match.group())
        return mistype(word, rng) if rng.random() < TYPO else word

    return WORD.sub(change, text.lower())


def make_words(train, test, valid, seed):
    rng = random.Random(seed)
    base, rest = halves(train, rng)
    words = content_words(train)
    taken = {w for _, text in train + test for w in WORD.findall(text.lower())}
    names = new_names(words, taken, rng)
    moved = [(label, shift_text(text, names, rng)) for label, text in rest]
    shifted = [(label, shift_text(text, names, rng)) for label, text in test]
    changed = sum(a[1] != b[1] for a, b in zip(test, shifted))
    return Scenario("words", base, send(moved), {"original": test, "shifted": shifted}, valid,
                    f"{len(names)} words have new names ({', '.join(f'{w} → {names[w]}' for w in words[:3])}, ...), "
                    f"{100 * TYPO:.0f} % of the longer ones a typo: {100 * changed / len(test):.0f} % of the rows "
                    "differ")


def make_noise(train, test, valid, seed):
    half = make_half(train, test, valid, seed)
    rng = random.Random(seed + 1)
    labels = sorted({label for label, _ in train})
    messages = [m._replace(feedback=rng.choice(labels)) if rng.random() < NOISE else m for m in half.messages]
    wrong = sum(m.feedback != m.truth for m in messages)
    return half._replace(name="noise", messages=messages,
                         note=f"the stream of half; {wrong} of {len(messages)} feedbacks are wrong")


def make_liar(train, test, valid, seed):
    half = make_half(train, test, valid, seed)
    rng = random.Random(seed + 1)
    labels = sorted({label for label, _ in train})
    seqs, messages = collections.Counter(), []
    for m in half.messages:
        lies = rng.random() < LIAR_SHARE
        stream = LIAR if lies else m.stream
        seqs[stream] += 1
        said = rng.choice([x for x in labels if x != m.truth]) if lies else m.truth
        messages.append(m._replace(stream=stream, seq=seqs[stream], feedback=said))
    return half._replace(name="liar", messages=messages,
                         note=f"the stream of half; {seqs[LIAR]} of {len(messages)} messages come from {LIAR}, whose "
                              "feedback is wrong every time")


MAKERS = {"half": make_half, "class": make_class, "words": make_words, "noise": make_noise, "liar": make_liar}


def make(name, folder, seed):
    return MAKERS[name](*read(folder), seed)


def thin(messages, every):
    """The same, with feedback on one message in `every` only."""
    return [m if i % every == every - 1 else m._replace(feedback=None) for i, m in enumerate(messages)]


# --- files ------------------------------------------------------------------------------------------
def write_rows(path, rows):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as f:
        f.writelines(f"{label}\t{text}\n" for label, text in rows)
    return path


def write(scenario, out):
    """The scenario's files under out; returns name -> path."""
    base = os.path.join(out, scenario.name)
    paths = {"base": os.path.join(base, "base"), "all": os.path.join(base, "all")}
    write_rows(paths["base"] + "/train.tsv", scenario.base)
    write_rows(paths["all"] + "/train.tsv", scenario.base + [(m.truth, m.text) for m in scenario.messages])
    with open(os.path.join(base, "stream.tsv"), "w", encoding="utf-8", newline="\n") as f:
        f.writelines(f"{m.stream}\t{m.seq}\t{m.truth}\t{m.feedback or ''}\t{m.text}\n" for m in scenario.messages)
    for name, rows in scenario.tests.items():
        paths[name] = write_rows(os.path.join(base, name + ".tsv"), rows)
    return paths


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    for name in MAKERS:
        scenario = make(name, a.folder, a.seed)
        write(scenario, a.out)
        tests = ", ".join(f"{len(rows)} {which}" for which, rows in scenario.tests.items())
        print(f"{name}: {len(scenario.base)} rows before, {len(scenario.messages)} messages, tests {tests}; "
              f"{scenario.note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
