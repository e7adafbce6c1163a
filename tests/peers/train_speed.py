#!/usr/bin/python3
"""Training speed of `diffuse train` beside the same model in PyTorch and beside OpenBLAS's sgemm alone.

    train_speed.py [--build DIR] [--data ag_news:FOLDER] [--rows N] [--rounds N] [--threads N]
                   [--out FOLDER] [--no-torch]

All sides train on the same rows: AG News, or made-up rows of like lengths and word frequencies without
--data, split into words so that every side sees the same tokens. PyTorch pads to the longest row of a
batch (its ring goes over the padding) and takes AdamW's steps over whole tensors, as its users do. The sides take turns for --rounds rounds
of two epochs; of each the fastest epoch counts, so a busy machine spoils less. Reading the rows and
building the vocabulary is not timed on any side. Writes FOLDER/result.json; --no-torch: leaves PyTorch out and
writes nothing.
"""
import argparse
import collections
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time

import rows
from fasttext_peer import clean

BATCH, MAX_LENGTH, VOCAB, EPOCHS, SEED = 64, 256, 16384, 2, 1
MODELS = {
    "paper": {"what": "the paper's form, d 256, T 4", "width": 256, "steps": 4, "boundary": "ring", "norm": "post",
              "pool": "mean", "embed_dropout": 0.0},
    "recipe": {"what": "the AG News recipe without n-grams, d 64, T 1", "width": 64, "steps": 1, "boundary": "zero",
               "norm": "residual", "pool": "mean_max", "embed_dropout": 0.7},
}


# --- rows -------------------------------------------------------------------------------------------
def made_up(n):
    """Rows whose lengths and word frequencies are like AG News's."""
    r = random.Random(SEED)
    words = [f"w{int(20000 ** r.random())}" for _ in range(200000)]
    return [(str(i % 4), " ".join(r.choices(words, k=max(8, min(200, round(r.gauss(45, 13)))))))
            for i in range(n)]


def tokenised(spec, n):
    picked = made_up(n) if not spec else rows.read_set(spec).train[:n]
    return [(label, clean(text).split()[:MAX_LENGTH]) for label, text in picked]


def write_tsv(path, data):
    with open(path, "w", encoding="utf-8") as f:
        for label, words in data:
            f.write(f"{label}\t{' '.join(words)}\n")


# --- PyTorch ----------------------------------------------------------------------------------------
def torch_model(torch, m, labels):
    nn, width = torch.nn, m["width"]

    def mlp(a, b, c):
        return nn.Sequential(nn.Linear(a, b), nn.GELU(), nn.Dropout(0.1), nn.Linear(b, c))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCAB, width)
            self.channels = nn.Dropout(m["embed_dropout"])
            self.neighbor_proj = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(3))
            self.layer_norm = nn.LayerNorm(width)
            self.update_mlp = mlp(width, 2 * width, width)
            self.classifier = mlp(width * (2 if m["pool"] == "mean_max" else 1), width, labels)

        def neighbour(self, h, shift):
            if m["boundary"] == "ring":
                return torch.roll(h, shift, 1)
            edge = torch.zeros_like(h[:, :1])
            return torch.cat([edge, h[:, :-1]] if shift > 0 else [h[:, 1:], edge], 1)

        def update(self, x):
            views = (self.neighbour(x, 1), self.neighbour(x, -1), x)
            return self.update_mlp(sum(proj(v) for proj, v in zip(self.neighbor_proj, views)))

        def forward(self, ids, mask):
            h = self.embedding(ids)
            h = (h + 0.05 * torch.randn_like(h)) * self.channels(torch.ones_like(h[:, :1]))
            for _ in range(m["steps"]):
                if m["norm"] == "post":
                    h = self.layer_norm(0.5 * h + 0.5 * self.update(h))
                else:
                    h = (h + self.update(self.layer_norm(h) * mask)) * mask
            p = (h * mask).sum(1) / mask.sum(1)
            if m["pool"] == "mean_max":
                p = torch.cat([p, h.masked_fill(mask == 0, -1e30).amax(1)], 1)
            return self.classifier(p)

    return Model()


def torch_batches(torch, data):
    """One epoch's batches, each padded to its longest row: (ids, mask, truth)."""
    order = torch.randperm(len(data)).tolist()
    for at in range(0, len(order), BATCH):
        picked = [data[i] for i in order[at : at + BATCH]]
        longest = max(len(ids) for _, ids in picked)
        ids = torch.zeros(len(picked), longest, dtype=torch.long)
        mask = torch.zeros(len(picked), longest, 1)
        for i, (_, row) in enumerate(picked):
            ids[i, : len(row)] = row
            mask[i, : len(row)] = 1
        yield ids, mask, torch.tensor([label for label, _ in picked])


def torch_worker(name, path, threads):
    """Runs in a process of its own, so that OpenBLAS and OpenMP see their settings; prints epochs' seconds."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(SEED)
    with open(path, encoding="utf-8") as f:
        data = [line.rstrip("\n").split("\t") for line in f]
    counted = collections.Counter(word for _, text in data for word in text.split(" "))
    ids = {word: i + 1 for i, (word, _) in enumerate(counted.most_common(VOCAB - 1))}
    labels = {label: i for i, label in enumerate(sorted({label for label, _ in data}))}
    data = [(labels[label], torch.tensor([ids.get(w, 0) for w in text.split(" ")])) for label, text in data]
    model = torch_model(torch, MODELS[name], len(labels)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for epoch in range(EPOCHS):
        begin = time.perf_counter()
        for batch in torch_batches(torch, data):
            loss = torch.nn.functional.cross_entropy(model(*batch[:2]), batch[2])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        print(f"epoch {epoch} seconds {time.perf_counter() - begin:.4f} torch {torch.__version__}", flush=True)


def run_torch(name, path, threads, kernels):
    env = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads), OPENBLAS_CORETYPE=kernels)
    command = [sys.executable, os.path.abspath(__file__), "--torch-worker", name, path, "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(f"train_speed: PyTorch's side failed: {done.stderr.strip()}")
    lines = [line.split() for line in done.stdout.splitlines()]
    return [float(words[3]) for words in lines], lines[0][5]


# --- ours, and sgemm alone --------------------------------------------------------------------------
def diffuse_command(build, m, tsv, out, threads):
    options = {
        "data": f"tsv:{tsv}", "out": out, "threads": threads, "tokenizer": "symbol", "vocab-size": VOCAB,
        "min-count": 1, "max-length": MAX_LENGTH, "batch": BATCH, "epochs": EPOCHS, "seed": SEED,
        "width": m["width"], "steps": m["steps"], "boundary": m["boundary"], "norm": m["norm"], "pool": m["pool"],
        "ngram-order": 0, "ngram-rows": 0, "embed-dropout": m["embed_dropout"], "word-dropout": 0, "noise": 0.05,
        "dropout": 0.1, "lr": 0.001, "table-lr": 0.001,
    }
    return [f"{build}/diffuse", "train"] + [x for k, v in options.items() for x in ("--" + k, str(v))]


def run_diffuse(build, m, tsv, out, threads, tokens):
    command = diffuse_command(build, m, tsv, out, threads)
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"train_speed: {' '.join(command)} failed: {done.stderr.strip()}")
    with open(os.path.join(out, "epoch_results.csv"), encoding="utf-8") as f:
        return [tokens / float(row["tokens_per_second"]) for row in csv.DictReader(f)]  # epoch_time is rounded


def run_sgemm(build, m, labels, tokens, threads, seconds=2):
    """Seconds of one training step's products alone, GFLOP/s, name of the kernels."""
    width = m["width"]
    pooled = width * (2 if m["pool"] == "mean_max" else 1)
    shape = (width, 2 * width, width, pooled, labels, m["steps"], tokens, BATCH, threads, seconds)
    done = subprocess.run([f"{build}/tests/sgemm_limit", *map(str, shape)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"train_speed: sgemm_limit failed: {done.stderr.strip()}")
    took, rate, kernels = done.stdout.split()
    return float(took), float(rate), kernels


def compare(name, a, data, folder):
    m, tsv = MODELS[name], os.path.join(folder, "train.tsv")
    tokens, steps = sum(len(words) for _, words in data), -(-len(data) // BATCH)
    ours, theirs, alone = [], [], []
    for _ in range(a.rounds):
        alone.append(run_sgemm(a.build, m, len({label for label, _ in data}), round(tokens / steps), a.threads))
        ours += run_diffuse(a.build, m, tsv, os.path.join(folder, "out"), a.threads, tokens)
        if a.torch:
            seconds, version = run_torch(name, tsv, a.threads, alone[0][2])
            theirs += seconds
    share = round(min(alone)[0] * steps / min(ours), 3)
    if not a.torch:
        print(f"{m['what']}: diffuse {round(tokens / min(ours))} tokens/s; {100 * share:.0f} % of sgemm's own rate"
              f" ({min(alone)[1]:.0f} GFLOP/s)", flush=True)
        return None
    sgemm = min(alone)
    out = {
        "model": name, "what": m["what"], "tokens": tokens, "steps": steps,
        "diffuse_tokens_per_s": round(tokens / min(ours)), "torch_tokens_per_s": round(tokens / min(theirs)),
        "ratio": round(min(theirs) / min(ours), 3), "sgemm_share": share,
        "sgemm_step_seconds": sgemm[0], "sgemm_gflops": sgemm[1],
        "diffuse_epoch_seconds": ours, "torch_epoch_seconds": theirs,
    }
    print(f"{m['what']}: diffuse {out['diffuse_tokens_per_s']} tokens/s, PyTorch {out['torch_tokens_per_s']},"
          f" ratio {out['ratio']:.2f}; {100 * out['sgemm_share']:.0f} % of sgemm's own rate"
          f" ({sgemm[1]:.0f} GFLOP/s)", flush=True)
    return out, version, sgemm[2]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", default="build", metavar="DIR")
    parser.add_argument("--data", metavar="ag_news:FOLDER")
    parser.add_argument("--rows", type=int, default=3200, metavar="N")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--threads", type=int, default=2, metavar="N")
    parser.add_argument("--out", default="docs/results/train-speed", metavar="FOLDER")
    parser.add_argument("--no-torch", dest="torch", action="store_false")
    parser.add_argument("--torch-worker", nargs=2, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.torch_worker:
        return torch_worker(*a.torch_worker, a.threads)
    load = round(os.getloadavg()[0], 1)
    if load > os.cpu_count() / 2:
        print(f"train_speed: the machine is busy (load {load}): the figures will be off", file=sys.stderr)
    data = tokenised(a.data, a.rows)
    with tempfile.TemporaryDirectory() as folder:
        write_tsv(os.path.join(folder, "train.tsv"), data)
        done = [compare(name, a, data, folder) for name in MODELS]
    if not a.torch:
        return 0
    made = {
        "load_average_before": load, "rows": len(data), "of": "AG News" if a.data else "made-up rows like AG News", "threads": a.threads,
        "rounds": a.rounds, "epochs_a_round": EPOCHS, "batch": BATCH, "vocabulary": VOCAB,
        "counted": "the fastest epoch of each side", "models": [m for m, _, _ in done],
        "command": f"tests/peers/train_speed.py --rows {a.rows} --rounds {a.rounds} --threads {a.threads}"
                   + (" --data ag_news:FOLDER" if a.data else ""),
        "machine": rows.machine(),
        "versions": {"torch": done[0][1], "openblas": rows.package_version("libopenblas0-pthread"),
                     "kernels": done[0][2]},
    }
    os.makedirs(a.out, exist_ok=True)
    with open(os.path.join(a.out, "result.json"), "w", encoding="utf-8") as f:
        json.dump(made, f, indent=1)
        f.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
