#!/usr/bin/python3
"""The recipe of ckpt-v1.safetensors: a checkpoint of format version 1, written without the C code.

    make_ckpt_v1.py [--int8] FILE

With --int8, that of ckpt-v1-int8.safetensors: matrices are I8, ngram_embedding.weight has 4 bits. Entry i of the tensor NAME is ((37 * i + 11 * len(NAME)) % 64 - 32) / 64, which all three types hold exactly; of
a matrix in I8 it is (37 * i + 11 * len(NAME)) % 64 - 32, in 4 bits (37 * i + 11 * len(NAME)) % 15 - 7, times the
scale (r + 1) / 64 of its row r.
tests/unit/ckpt/test_ckpt_golden.c knows the same rule. The committed file must load for ever: never replace it.
"""
import hashlib
import json
import struct
import sys

VOCAB = "[UNK]\nthe\nrobot\nmoves\n##s\n"
METADATA = {
    "format": "diffused",
    "format_version": "1",
    "vocab": "5",
    "width": "4",
    "mlp_width": "6",
    "head_width": "3",
    "steps": "2",
    "ngram_order": "2",
    "ngram_rows": "7",
    "offsets": "1,2",
    "alpha": "0.625",
    "noise_std": "0.0500000007",
    "weights": "per_step",
    "boundary": "zero",
    "norm": "pre",
    "pool": "mean_max",
    "labels": '["calm","alárm"]',
    "tokenizer": "wordpiece",
    "temperature": "1.25",
    "max_length": "128",
    "parent": "ab" * 32,
    "provenance": '{"recipe":"tests/golden/make_ckpt_v1.py"}',
    "a key of a later release": "is kept in the id, and otherwise ignored",
}
STEP = {
    "neighbor_proj.0.weight": (4, 4),
    "neighbor_proj.1.weight": (4, 4),
    "neighbor_proj.2.weight": (4, 4),
    "layer_norm.weight": (4,),
    "layer_norm.bias": (4,),
    "update_mlp.0.weight": (6, 4),
    "update_mlp.0.bias": (6,),
    "update_mlp.3.weight": (4, 6),
    "update_mlp.3.bias": (4,),
}
SHAPES = {
    "embedding.weight": (5, 4),
    "ngram_embedding.weight": (7, 4),
    **{f"step.{t}.{name}": shape for t in range(2) for name, shape in STEP.items()},
    "final_norm.weight": (4,),
    "final_norm.bias": (4,),
    "classifier.0.weight": (3, 8),
    "classifier.0.bias": (3,),
    "classifier.3.weight": (2, 3),
    "classifier.3.bias": (2,),
}


def number(value, dtype):
    if dtype == "BF16":
        return struct.pack("<f", value)[2:]
    return struct.pack("<f" if dtype == "F32" else "<e", value)


def rows_of_bytes(name, shape):
    four = name == "ngram_embedding.weight"
    values = [37 * i + 11 * len(name) for i in range(shape[0] * shape[1])]
    values = [v % 15 - 7 if four else v % 64 - 32 for v in values]
    scales = b"".join(struct.pack("<f", (r + 1) / 64) for r in range(shape[0]))
    if four:
        half = shape[1] // 2
        raw = bytes(values[r * shape[1] + j] + 8 | values[r * shape[1] + half + j] + 8 << 4
                    for r in range(shape[0]) for j in range(half))
        scales = b"".join(struct.pack("<e", (r + 1) / 64) for r in range(shape[0]))
        return {name: ("U8", (shape[0], half), raw), name + ".scale": ("F16", shape[:1], scales)}
    return {name: ("I8", shape, struct.pack(f"{len(values)}b", *values)),
            name + ".scale": ("F32", shape[:1], scales)}


def tensors(int8):
    blobs = {}
    for k, (name, shape) in enumerate(SHAPES.items()):
        if int8 and len(shape) == 2:
            blobs.update(rows_of_bytes(name, shape))
            continue
        dtype = ("F32", "F16", "BF16")[k % 3]
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        values = (((37 * i + 11 * len(name)) % 64 - 32) / 64 for i in range(count))
        blobs[name] = (dtype, shape, b"".join(number(v, dtype) for v in values))
    return blobs


def content_id(blobs, vocab):
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
    digest = hashlib.sha256(struct.pack("<Q", len(METADATA)))
    for key in sorted(METADATA, key=str.encode):
        digest.update(text(key) + text(METADATA[key]))
    ordered = sorted(blobs.items(), key=lambda item: item[0].encode())
    for name, (dtype, shape, raw) in ordered + [("tokenizer.vocab", vocab)]:
        digest.update(text(name) + text(dtype) + struct.pack("<Q", len(shape)))
        digest.update(b"".join(struct.pack("<Q", n) for n in shape))
        digest.update(struct.pack("<Q", len(raw)) + raw)
    return digest.hexdigest()


def main():
    blobs = tensors(sys.argv[1] == "--int8")
    vocab = ("U8", (len(VOCAB),), VOCAB.encode())
    header, at = {"__metadata__": dict(METADATA, id=content_id(blobs, vocab))}, 0
    blobs["tokenizer.vocab"] = vocab
    for name, (dtype, shape, raw) in blobs.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    with open(sys.argv[-1], "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(raw for _, _, raw in blobs.values()))


if __name__ == "__main__":
    main()
