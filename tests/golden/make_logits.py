#!/usr/bin/python3
"""The recipe of logits.json: what PyTorch, in double precision, makes of the models of logits_cases.py.

    make_logits.py FILE

Written with PyTorch's own layers, and nothing of the C code; takes python3-torch. tests/train/031-logits.py compares
without it. To be made anew only when a case is added: the numbers of those that are there do not change.
"""
import json
import sys

import logits_cases
import torch
from torch.nn import functional as F

APART = 0.02  # at least, between a model and the same with alpha and 1 - alpha swapped


def ngram_row(ids, rows):
    h = 0xCBF29CE484222325 ^ len(ids)
    for token in ids:
        h = ((h ^ token) * 0x9E3779B97F4A7C15) % 2**64
        h ^= h >> 29
    return h % rows


def shifted(x, by, boundary):
    """Row i is x[i + by], around the end or nothing beyond it."""
    rolled = torch.roll(x, -by, 0)
    if boundary == "zero":
        at = torch.arange(len(x)) + by
        rolled[(at < 0) | (at >= len(x))] = 0
    return rolled


def norm(w, name, x):
    return F.layer_norm(x, x.shape[-1:], w[name + ".weight"], w[name + ".bias"], eps=1e-5)


def mlp(w, name, x, act=F.gelu):
    inner = act(F.linear(x, w[name + ".0.weight"], w[name + ".0.bias"]))
    return F.linear(inner, w[name + ".3.weight"], w[name + ".3.bias"])


def step(c, w, prefix, offset, h):
    seen = h if c["norm"] == "post" else norm(w, prefix + "layer_norm", h)
    views = (shifted(seen, -offset, c["boundary"]), shifted(seen, offset, c["boundary"]), seen)
    s = sum(F.linear(view, w[f"{prefix}neighbor_proj.{r}.weight"]) for r, view in enumerate(views))
    u = mlp(w, prefix + "update_mlp", s)
    if c["norm"] != "post":
        return h + u
    return norm(w, prefix + "layer_norm", c["alpha"] * h + (1 - c["alpha"]) * u)


def tree(ids):
    """The opener around each token or None, and the closers that end a group."""
    parent, closers, around = [], set(), None
    for i, token in enumerate(ids):
        parent.append(around)
        if token in logits_cases.OPEN:
            around = i
        elif token in logits_cases.CLOSE and around is not None:
            closers.add(i)
            around = parent[around]
    return parent, closers


def sweep(c, w, ids, h):
    """Each opener takes what its group holds, the innermost first; a group's members lie behind its opener."""
    parent, closers = tree(ids)
    h = list(h)

    def seen(i):
        return h[i] if c["norm"] == "post" else norm(w, "bracket_norm", h[i])

    for g in (i for i in reversed(range(len(ids))) if ids[i] in logits_cases.OPEN):
        members = [seen(m) for m in range(len(ids)) if parent[m] == g and m not in closers]
        nothing = torch.zeros_like(h[g])
        parts = (seen(g), nothing if parent[g] is None else seen(parent[g]), 0.3 * sum(members, nothing))
        s = sum(F.linear(part, w[f"bracket_proj.{r}.weight"]) for r, part in enumerate(parts))
        u = mlp(w, "bracket_mlp", s, F.gelu if c["act"] == "gelu" else lambda x: torch.sin(3 * x))
        h[g] = h[g] + u if c["norm"] != "post" else norm(w, "bracket_norm", c["alpha"] * h[g] + (1 - c["alpha"]) * u)
    return torch.stack(h)


def pooled(c, ids, h):
    if c["pool"] == "roots":
        return h[[i for i, p in enumerate(tree(ids)[0]) if p is None]].mean(0)
    return torch.cat([{"mean": h.mean(0), "max": h.amax(0)}[how] for how in c["pool"].split("_")])


def logits(c, w, ids):
    h = F.embedding(torch.tensor(ids), w["embedding.weight"]).clone()
    for k in range(2, c["ngram_order"] + 1):
        for i in range(k - 1, len(ids)):
            h[i] += w["ngram_embedding.weight"][ngram_row(ids[i - k + 1:i + 1], c["ngram_rows"])]
    for t, offset in enumerate(c["offsets"]):
        h = step(c, w, f"step.{t}." if c["per_step"] else "", offset, h)
    if c["brackets"]:
        h = sweep(c, w, ids, h)
    if c["norm"] == "pre":
        h = norm(w, "final_norm", h)
    return mlp(w, "classifier", pooled(c, ids, h))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_logits.py FILE")
    made = []
    for c in logits_cases.cases():
        w = {name: torch.tensor(numbers, dtype=torch.float64).reshape(shape)
             for name, (shape, numbers) in logits_cases.weights(c).items()}
        out = torch.stack([logits(c, w, ids) for ids in logits_cases.SEQUENCES])
        swapped = torch.stack([logits(dict(c, alpha=1 - c["alpha"]), w, ids) for ids in logits_cases.SEQUENCES])
        if c["norm"] == "post" and (out - swapped).abs().max() < APART:
            sys.exit(f"the logits hardly depend on alpha: {c}")
        if out.std(0).min() < APART:
            sys.exit(f"the logits hardly depend on the tokens: {c}")
        made.append([[round(x, 6) for x in row] for row in out.tolist()])
    with open(sys.argv[1], "w", encoding="ascii") as f:
        f.write("[\n" + ",\n".join(json.dumps(rows, separators=(",", ":")) for rows in made) + "\n]\n")


main()
