"""Checkpoints that are not what they seem: each kind of damage, and what has to be said about it."""
import hashlib
import json
import struct


def split(data):
    """The header of a checkpoint as an object, and its tensors' bytes."""
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + length]), data[8 + length:]


def join(header, tensors):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + tensors


def place(header, name):
    """Where a tensor begins, among the tensors' bytes."""
    return header[name]["data_offsets"][0]


def content_id(header, tensors):
    """The id that FORMAT.md defines."""
    digest = hashlib.sha256()

    def number(n):
        digest.update(struct.pack("<Q", n))

    def text(t):
        t = t.encode()
        number(len(t))
        digest.update(t)

    pairs = {k: v for k, v in header["__metadata__"].items() if k != "id"}
    number(len(pairs))
    for key in sorted(pairs, key=str.encode):
        text(key)
        text(pairs[key])
    last = [n for n in ("rehearsal.rows", "tokenizer.vocab") if n in header]
    for name in sorted(set(header) - {"__metadata__", *last}, key=str.encode) + last:
        begin, end = header[name]["data_offsets"]
        text(name)
        text(header[name]["dtype"])
        number(len(header[name]["shape"]))
        for n in header[name]["shape"]:
            number(n)
        number(end - begin)
        digest.update(tensors[begin:end])
    return digest.hexdigest()


def truncated(data):
    return data[:-100]


def flipped(data):
    """The least bit of one number."""
    header, tensors = split(data)
    at = len(data) - len(tensors) + place(header, "classifier.0.weight")
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def wrong_shapes(data):
    """Tensors of one model, and the configuration of a wider one."""
    header, tensors = split(data)
    for key in ("width", "mlp_width", "head_width"):
        header["__metadata__"][key] = str(2 * int(header["__metadata__"][key]))
    return join(header, tensors)


def header_lies(data):
    """One tensor is said to lie where another does."""
    header, tensors = split(data)
    name, other = "neighbor_proj.0.weight", "neighbor_proj.1.weight"
    header[name]["data_offsets"] = header[other]["data_offsets"]
    return join(header, tensors)


def not_one(data):
    return b"#!/bin/sh\necho this is no checkpoint\n" + data[:1000]


def empty(_data):
    return b""


def not_finite(data):
    header, tensors = split(data)
    at = len(data) - len(tensors) + place(header, "classifier.0.weight")
    return data[:at] + struct.pack("<f", float("nan")) + data[at + 4:]


def changed(data):
    """Weights that somebody changed, with the id that fits them: only the self-test can tell."""
    header, tensors = split(data)
    at = place(header, "classifier.3.bias")
    value = struct.unpack("<f", tensors[at:at + 4])[0]
    tensors = tensors[:at] + struct.pack("<f", value + 1) + tensors[at + 4:]
    header["__metadata__"]["id"] = content_id(header, tensors)
    return join(header, tensors)


# What it is called, how it is made, words of the reason.
KINDS = (
    ("truncated", truncated, "data_offsets[1] is"),
    ("bit flipped", flipped, "the content gives id"),
    ("wrong shapes", wrong_shapes, ": shape "),
    ("header lies", header_lies, "(hole)"),
    ("not a checkpoint", not_one, "not a checkpoint"),
    ("empty", empty, "too few"),
    ("not finite", not_finite, "entry 0 is not finite"),
    ("changed weights", changed, "self-test: logit"),
)
