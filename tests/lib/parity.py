#!/usr/bin/python3
"""The model in C against an independent one in PyTorch, written from the formulas.

    parity.py DIFFUSE

Every variant of the model gets random weights, is written as a checkpoint by the few lines below (which
know nothing of the C code), run by `DIFFUSE logits --tokens` on ragged sequences, and compared with
PyTorch in double precision. The paper's own module is saved as a bare state dict and must give the same
logits through the command line's hints. Exit status: 0 agreed, 1 not, 9 PyTorch is not installed.
"""
import hashlib
import itertools
import json
import struct
import subprocess
import sys
import tempfile

try:
    import torch
    from torch import nn
except ImportError:
    print("skip: python3-torch is not installed")
    sys.exit(9)

LIMIT = 1e-4
SEED = 20240917
LENGTHS = (1, 2, 3, 4, 5, 7, 17, 41)
MASK = (1 << 64) - 1


# --- checkpoints ------------------------------------------------------------------------------------
def to_bytes(tensor, dtype):
    if dtype == "F32":
        return tensor.to(torch.float32).numpy().astype("<f4").tobytes()
    if dtype == "F16":
        return tensor.to(torch.float16).numpy().astype("<f2").tobytes()
    return tensor.to(torch.bfloat16).view(torch.int16).numpy().astype("<i2").tobytes()


def content_id(metadata, blobs):
    """FORMAT.md, "The id"."""
    text = lambda s: struct.pack("<Q", len(s.encode())) + s.encode()
    digest = hashlib.sha256(struct.pack("<Q", len(metadata)))
    for key in sorted(metadata, key=str.encode):
        digest.update(text(key) + text(metadata[key]))
    for name in sorted(blobs, key=str.encode):
        dtype, shape, raw = blobs[name]
        digest.update(text(name) + text(dtype) + struct.pack("<Q", len(shape)))
        digest.update(b"".join(struct.pack("<Q", n) for n in shape))
        digest.update(struct.pack("<Q", len(raw)) + raw)
    return digest.hexdigest()


def save(path, tensors, metadata, dtype="F32"):
    blobs = {n: (dtype, list(t.shape), to_bytes(t, dtype)) for n, t in tensors.items()}
    header, at = {}, 0
    if metadata is not None:
        header["__metadata__"] = dict(metadata, id=content_id(metadata, blobs))
    for name, (kind, shape, raw) in blobs.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.write(b"".join(raw for _, _, raw in blobs.values()))


# --- the formulas -----------------------------------------------------------------------------------
def ngram_row(ids, rows):
    h = 0xCBF29CE484222325 ^ len(ids)
    for token in ids:
        h = ((h ^ token) * 0x9E3779B97F4A7C15) & MASK
        h ^= h >> 29
    return h % rows


def neighbour(h, offset, boundary):
    """Row i of the result is h[i + offset]: modulo the length, or zero beyond the ends."""
    n = h.shape[0]
    out = torch.zeros_like(h)
    for i in range(n):
        j = i + offset
        if boundary == "ring":
            out[i] = h[j % n]
        elif 0 <= j < n:
            out[i] = h[j]
    return out


def layer_norm(x, gain, bias):
    centred = x - x.mean(-1, keepdim=True)
    return centred / torch.sqrt((centred**2).mean(-1, keepdim=True) + 1e-5) * gain + bias


def gelu(x):
    return 0.5 * x * (1 + torch.erf(x / 2**0.5))


def forward(c, w, ids):
    h = torch.stack([w["embedding.weight"][x] for x in ids])
    for k in range(2, c["ngram_order"] + 1):
        for i in range(k - 1, len(ids)):
            h[i] = h[i] + w["ngram_embedding.weight"][ngram_row(ids[i - k + 1 : i + 1], c["ngram_rows"])]
    for t, offset in enumerate(c["offsets"]):
        p = f"step.{t}." if c["per_step"] else ""
        norm = lambda x: layer_norm(x, w[p + "layer_norm.weight"], w[p + "layer_norm.bias"])
        x = h if c["norm"] == "post" else norm(h)
        s = (
            neighbour(x, -offset, c["boundary"]) @ w[p + "neighbor_proj.0.weight"].T
            + neighbour(x, offset, c["boundary"]) @ w[p + "neighbor_proj.1.weight"].T
            + x @ w[p + "neighbor_proj.2.weight"].T
        )
        u = gelu(s @ w[p + "update_mlp.0.weight"].T + w[p + "update_mlp.0.bias"])
        u = u @ w[p + "update_mlp.3.weight"].T + w[p + "update_mlp.3.bias"]
        h = h + u if c["norm"] != "post" else norm(c["alpha"] * h + (1 - c["alpha"]) * u)
    if c["norm"] == "pre":
        h = layer_norm(h, w["final_norm.weight"], w["final_norm.bias"])
    pooled = {"mean": [h.mean(0)], "max": [h.max(0).values], "mean_max": [h.mean(0), h.max(0).values]}
    p = torch.cat(pooled[c["pool"]])
    p = gelu(w["classifier.0.weight"] @ p + w["classifier.0.bias"])
    return w["classifier.3.weight"] @ p + w["classifier.3.bias"]


def random_weights(c, generator):
    d, m, shapes = c["width"], c["mlp_width"], {}
    shapes["embedding.weight"] = (c["vocab"], d)
    if c["ngram_rows"]:
        shapes["ngram_embedding.weight"] = (c["ngram_rows"], d)
    for t in range(len(c["offsets"]) if c["per_step"] else min(1, len(c["offsets"]))):
        p = f"step.{t}." if c["per_step"] else ""
        for r in range(3):
            shapes[f"{p}neighbor_proj.{r}.weight"] = (d, d)
        shapes.update({p + "layer_norm.weight": (d,), p + "layer_norm.bias": (d,)})
        shapes.update({p + "update_mlp.0.weight": (m, d), p + "update_mlp.0.bias": (m,)})
        shapes.update({p + "update_mlp.3.weight": (d, m), p + "update_mlp.3.bias": (d,)})
    if c["norm"] == "pre":
        shapes.update({"final_norm.weight": (d,), "final_norm.bias": (d,)})
    shapes["classifier.0.weight"] = (c["head_width"], d * (2 if c["pool"] == "mean_max" else 1))
    shapes["classifier.0.bias"] = (c["head_width"],)
    shapes["classifier.3.weight"] = (c["labels"], c["head_width"])
    shapes["classifier.3.bias"] = (c["labels"],)
    scale = lambda s: s[-1] ** -0.5 if len(s) == 2 else 0.5
    return {n: torch.randn(*s, generator=generator) * scale(s) for n, s in shapes.items()}


def metadata_of(c):
    sizes = ("vocab", "width", "mlp_width", "head_width", "ngram_order", "ngram_rows", "alpha")
    names = ("boundary", "norm", "pool")
    return {
        "format": "diffused",
        "format_version": "1",
        **{key: str(c[key]) for key in sizes + names},
        "steps": str(len(c["offsets"])),
        "offsets": ",".join(map(str, c["offsets"])),
        "weights": "per_step" if c["per_step"] else "shared",
        "noise_std": "0.05",
        "labels": json.dumps([f"class {i}" for i in range(c["labels"])]),
        "tokenizer": "none",
        "temperature": "1",
        "max_length": "0",
        "parent": "",
        "provenance": "{}",
    }


# --- the paper's module -----------------------------------------------------------------------------
class Paper(nn.Module):
    def __init__(self, vocab, width, labels, steps, alpha):
        super().__init__()
        mlp = lambda a, b, c: nn.Sequential(nn.Linear(a, b), nn.GELU(), nn.Dropout(0.1), nn.Linear(b, c))
        self.steps, self.alpha = steps, alpha
        self.embedding = nn.Embedding(vocab, width)
        self.neighbor_proj = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(3))
        self.layer_norm = nn.LayerNorm(width)
        self.update_mlp = mlp(width, 2 * width, width)
        self.classifier = mlp(width, width, labels)

    def forward(self, ids):
        h = self.embedding(torch.tensor(ids))
        for _ in range(self.steps):
            views = (torch.roll(h, 1, 0), torch.roll(h, -1, 0), h)
            s = sum(proj(view) for proj, view in zip(self.neighbor_proj, views))
            h = self.layer_norm(self.alpha * h + (1 - self.alpha) * self.update_mlp(s))
        return self.classifier(h.mean(0))


# --- the comparison ---------------------------------------------------------------------------------
def run(diffuse, path, sequences, options=()):
    lines = "".join(" ".join(map(str, ids)) + "\n" for ids in sequences)
    command = [diffuse, "logits", "--model", path, "--tokens", *options]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=600)
    if done.returncode:
        sys.exit(f"parity: {' '.join(command)} failed: {done.stderr.strip()}")
    return [torch.tensor([float(x) for x in line.split()], dtype=torch.float64)
            for line in done.stdout.splitlines()]


def difference(got, want):
    if len(got) != len(want) or any(g.shape != w.shape for g, w in zip(got, want)):
        return float("inf")
    worst = max(float((g - w).abs().max()) for g, w in zip(got, want))
    return worst if worst == worst else float("inf")


def variants():
    axes = dict(
        norm=("post", "pre", "residual"),
        pool=("mean", "max", "mean_max"),
        per_step=(False, True),
        offsets=((1, 1, 1), (1, 2, 4)),
        boundary=("ring", "zero"),
        ngram_order=(0, 3),
    )
    base = dict(vocab=50, width=24, mlp_width=40, head_width=20, labels=5, alpha=0.375)
    for values in itertools.product(*axes.values()):
        c = dict(base, **dict(zip(axes, values)))
        c["ngram_rows"] = 97 if c["ngram_order"] else 0
        yield c, "F32"
    paper = dict(base, norm="post", pool="mean", per_step=False, boundary="ring", ngram_order=0,
                 ngram_rows=0, alpha=0.5, mlp_width=48, head_width=24)
    yield dict(paper, offsets=()), "F32"
    for dtype in ("F32", "F16", "BF16"):
        yield dict(paper, offsets=(1, 1, 1, 1)), dtype


def stored(tensor, dtype):
    kind = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[dtype]
    return tensor.to(kind).to(torch.float64)


def check_variants(diffuse, folder, generator):
    worst, count = 0.0, 0
    for c, dtype in variants():
        weights = random_weights(c, generator)
        path = f"{folder}/variant.safetensors"
        save(path, weights, metadata_of(c), dtype)
        exact = {name: stored(t, dtype) for name, t in weights.items()}
        sequences = [torch.randint(c["vocab"], (n,), generator=generator).tolist() for n in LENGTHS]
        d = difference(run(diffuse, path, sequences), [forward(c, exact, ids) for ids in sequences])
        if d > LIMIT:
            sys.exit(f"parity: FAILED, off by {d:.3g} (limit {LIMIT}) for {dtype} {c}")
        worst, count = max(worst, d), count + 1
    print(f"parity: {count} variants x {len(LENGTHS)} lengths, largest difference {worst:.2g}"
          f" (limit {LIMIT:g}, seed {SEED})")


def check_paper(diffuse, folder, generator):
    model = Paper(vocab=60, width=32, labels=4, steps=5, alpha=0.25)
    path = f"{folder}/paper.safetensors"
    save(path, model.state_dict(), None)
    model = model.double().eval()
    sequences = [torch.randint(60, (n,), generator=generator).tolist() for n in LENGTHS]
    with torch.no_grad():
        want = [model(ids) for ids in sequences]
    hints = ["--num-iters", "5", "--alpha", "0.25", "--boundary", "ring"]
    d = difference(run(diffuse, path, sequences, hints), want)
    if d > LIMIT:
        sys.exit(f"parity: FAILED, the paper's state dict is off by {d:.3g} (limit {LIMIT})")
    print(f"parity: the paper's state dict as it is, largest difference {d:.2g}")
    hints[3] = "0.3"
    if difference(run(diffuse, path, sequences, hints), want) <= LIMIT:
        sys.exit("parity: FAILED, a wrong alpha went unnoticed: this test sees nothing")


def main():
    if len(sys.argv) != 2:
        print("usage: parity.py DIFFUSE", file=sys.stderr)
        return 2
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    with tempfile.TemporaryDirectory() as folder:
        check_variants(sys.argv[1], folder, generator)
        check_paper(sys.argv[1], folder, generator)
    return 0


if __name__ == "__main__":
    sys.exit(main())
