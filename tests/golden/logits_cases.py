"""What logits.json is about, for its maker and for the test that holds the C code against it: the models, their
weights, made by a rule that needs nothing but whole numbers, and their checkpoints (model/ckpt/FORMAT.md).
"""
import hashlib
import itertools
import json
import math
import struct

LABELS, VOCAB, WIDTH = 5, 40, 20
OPEN, CLOSE = (36, 37), (38, 39)  # tokens that open and close a group
SEQUENCES = ([7], [1, 36, 2], [3, 36, 4, 37, 5, 38, 6, 39, 8], [36, 36, 9, 38, 37, 10, 11],
             [(5 * k * k + 3 * k + 1) % VOCAB for k in range(33)])
ALPHAS = (0.375, 0.8125, 0.125, 0.6875)  # never a half: what is swapped would not be seen
TYPES = ("F32", "F16", "BF16")


def cases():
    """Every norm, pool, sharing and boundary together; what else there is takes turns."""
    axes = itertools.product(("post", "pre", "residual"), ("mean", "max", "mean_max", "roots"), (False, True),
                             ("ring", "zero"))
    for k, (norm, pool, per_step, boundary) in enumerate(axes):
        brackets = pool == "roots" or k % 3 == 0
        yield {"vocab": VOCAB, "width": WIDTH, "mlp_width": 28, "head_width": 12, "labels": LABELS,
               "alpha": ALPHAS[k % len(ALPHAS)], "norm": norm, "pool": pool, "per_step": per_step,
               "boundary": boundary, "offsets": ((1, 1), (1, 2, 4), (3, 1))[k % 3], "ngram_order": 3 * (k % 2),
               "ngram_rows": 31 * (k % 2), "brackets": brackets, "act": ("gelu", "sine")[k // 2 % 2],
               "type": TYPES[k % len(TYPES)]}


def shapes(c):
    d, m = c["width"], c["mlp_width"]
    all_of = {"embedding.weight": (c["vocab"], d)}
    if c["ngram_rows"]:
        all_of["ngram_embedding.weight"] = (c["ngram_rows"], d)
    parts = [(f"step.{t}." if c["per_step"] else "", "neighbor_proj", "layer_norm", "update_mlp")
             for t in range(len(c["offsets"]) if c["per_step"] else 1)]
    parts += [("", "bracket_proj", "bracket_norm", "bracket_mlp")] if c["brackets"] else []
    for prefix, proj, norm, mlp in parts:
        all_of.update({f"{prefix}{proj}.{r}.weight": (d, d) for r in range(3)})
        all_of.update({f"{prefix}{norm}.weight": (d,), f"{prefix}{norm}.bias": (d,),
                       f"{prefix}{mlp}.0.weight": (m, d), f"{prefix}{mlp}.0.bias": (m,),
                       f"{prefix}{mlp}.3.weight": (d, m), f"{prefix}{mlp}.3.bias": (d,)})
    if c["norm"] == "pre":
        all_of.update({"final_norm.weight": (d,), "final_norm.bias": (d,)})
    all_of.update({"classifier.0.weight": (c["head_width"], d * (2 if c["pool"] == "mean_max" else 1)),
                   "classifier.0.bias": (c["head_width"],),
                   "classifier.3.weight": (c["labels"], c["head_width"]), "classifier.3.bias": (c["labels"],)})
    return all_of


def entries(name, shape):
    """Whole numbers of 7 bits and a sign times a power of two: all three types hold them exactly."""
    scale = 2.0 ** -(6 + (round(math.log2(shape[1]) / 2) if len(shape) == 2 else 0))
    state = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    for _ in range(math.prod(shape)):
        state = (state * 1664525 + 1013904223) % 2**32
        yield ((state >> 24) - 128) * scale


def weights(c):
    """Name: (shape, numbers row by row)."""
    return {name: (shape, list(entries(name, shape))) for name, shape in shapes(c).items()}


def metadata(c):
    sizes = ("vocab", "width", "mlp_width", "head_width", "ngram_order", "ngram_rows", "alpha", "boundary", "norm",
             "pool")
    brackets = {"brackets_open": ",".join(map(str, OPEN)), "brackets_close": ",".join(map(str, CLOSE)),
                "brackets_activation": c["act"]} if c["brackets"] else {}
    return {"format": "diffused", "format_version": "1", **{key: str(c[key]) for key in sizes}, **brackets,
            "steps": str(len(c["offsets"])), "offsets": ",".join(map(str, c["offsets"])),
            "weights": "per_step" if c["per_step"] else "shared", "noise_std": "0",
            "labels": json.dumps([f"class {k}" for k in range(c["labels"])]), "tokenizer": "none",
            "temperature": "1", "max_length": "0", "parent": "", "provenance": "{}"}


def stored(numbers, kind):
    if kind == "F32":
        return struct.pack(f"<{len(numbers)}f", *numbers)
    if kind == "F16":
        return struct.pack(f"<{len(numbers)}e", *numbers)
    return b"".join(struct.pack("<f", x)[2:] for x in numbers)  # exact: see entries


def content_id(about, blobs):
    def text(s):
        return struct.pack("<Q", len(s.encode())) + s.encode()

    digest = hashlib.sha256(struct.pack("<Q", len(about)))
    for key in sorted(about, key=str.encode):
        digest.update(text(key) + text(about[key]))
    for name in sorted(blobs, key=str.encode):
        kind, shape, raw = blobs[name]
        digest.update(text(name) + text(kind) + struct.pack("<Q", len(shape)))
        digest.update(b"".join(struct.pack("<Q", n) for n in shape) + struct.pack("<Q", len(raw)) + raw)
    return digest.hexdigest()


def save(path, c):
    """The checkpoint of a case."""
    blobs = {name: (c["type"], shape, stored(numbers, c["type"])) for name, (shape, numbers) in weights(c).items()}
    about, at = metadata(c), 0
    header = {"__metadata__": dict(about, id=content_id(about, blobs))}
    for name, (kind, shape, raw) in blobs.items():
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + b"".join(raw for _, _, raw in blobs.values()))
