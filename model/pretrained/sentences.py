#!/usr/bin/python3
"""Sentences for base-en.sh: sentences.py TEXTS AG_NEWS IMDB N > sentences.txt

Of each source, pieces of one to three sentences of 2 to 40 words, shuffled; then N of all of them, shuffled. TEXTS,
AG_NEWS and IMDB as in base-en.sh. The same files give the same lines.
"""
import csv
import gzip
import os
import random
import re
import subprocess
import sys
import tarfile

SOURCES = (("dialogue", 170000), ("questions", 60000), ("reviews", 70000), ("news", 40000), ("encyclopedic", 50000),
           ("technical", 60000), ("books", 30000), ("textbooks", 20000))
AG_NEWS, IMDB, REVIEWS = 40000, 60000, 12000  # pieces of each; reviews that those of IMDB are from
rng = random.Random(11)


def pieces(lines, most):
    """Up to `most` pieces of the lines: three in four are one sentence, the rest two or three."""
    found = []
    for line in lines:
        sentences = [s for s in re.split(r"(?<=[.!?])\s+", line.strip()) if s]
        at = 0
        while at < len(sentences):
            n = 1 if rng.random() < 0.75 else 2 + (rng.random() < 0.3)
            piece = " ".join(sentences[at:at + n])
            at += n
            if 2 <= piece.count(" ") + 1 <= 40:
                found.append(piece)
    rng.shuffle(found)
    return found[:most]


def genre(folder, name):
    path = os.path.join(folder, name + ".txt.zst")
    done = subprocess.run(["zstdcat", path], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace").split("\n")


def ag_news(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return [" ".join((row[1] + " " + row[2]).split()) for row in csv.reader(file)]


def imdb(path):
    reviews = []
    with tarfile.open(path) as archive:
        for member in archive:
            if "/train/unsup/" in member.name and member.isfile() and len(reviews) < REVIEWS:
                text = archive.extractfile(member).read().decode("utf-8", "replace")
                reviews.append(" ".join(re.sub(r"<br\s*/?>", " ", text).split()))
    return reviews


def main():
    if len(sys.argv) != 5:
        sys.exit("usage: sentences.py TEXTS AG_NEWS IMDB N > sentences.txt")
    folder, news, reviews, n = sys.argv[1:]
    found = []
    for name, most in SOURCES:
        found += pieces(genre(folder, name), most)
    found += pieces(ag_news(news), AG_NEWS)
    found += pieces(imdb(reviews), IMDB)
    rng.shuffle(found)
    for piece in found[:int(n)]:
        print(" ".join(piece.split()))


if __name__ == "__main__":
    main()
