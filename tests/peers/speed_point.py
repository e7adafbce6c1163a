#!/usr/bin/python3
"""One PyTorch model, one text length, in a process of its own: seconds a text and the most memory it took.

    speed_point.py distilbert|paper TOKENS THREADS SECONDS [--batch N] [--weights FILE.pt]
    speed_point.py make FILE.safetensors FILE.pt

`distilbert` has its shape (6 layers, 768 wide, 12 heads, 30,522 pieces) and random weights; `paper` is the
paper's module of tests/lib/parity.py at its own width, with the weights that `make` drew and wrote for
both sides. Ids are the same on both sides. Prints one JSON object; the best text counts.
"""
import argparse
import json
import os
import sys
import time

import torch
from torch import nn

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../system"))
import parity  # noqa: E402

VOCAB, LABELS, PAPER_WIDTH, PAPER_STEPS = 30522, 4, 256, 4


class DistilBert(nn.Module):
    def __init__(self, longest):
        super().__init__()
        self.words, self.places = nn.Embedding(VOCAB, 768), nn.Embedding(longest, 768)
        self.norm = nn.LayerNorm(768)
        layer = nn.TransformerEncoderLayer(768, 12, 3072, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 6)
        self.head = nn.Sequential(nn.Linear(768, 768), nn.ReLU(), nn.Linear(768, LABELS))

    def forward(self, ids):
        h = self.norm(self.words(ids) + self.places(torch.arange(ids.shape[1])))
        return self.head(self.encoder(h)[:, 0])


def paper():
    return parity.Paper(VOCAB, PAPER_WIDTH, LABELS, PAPER_STEPS, 0.5)


def ids_of(tokens):
    return [7919 * (i + 1) % VOCAB for i in range(tokens)]


def peak():
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def point(a):
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    if a.what == "paper":
        model, ids = paper(), torch.tensor(ids_of(a.tokens)).numpy()
        model.load_state_dict(torch.load(a.weights))
    else:
        model, ids = DistilBert(max(512, a.tokens)), torch.tensor([ids_of(a.tokens)] * a.batch)
    model.eval()
    with torch.inference_mode():
        logits = model(ids)
        # One thread by its processor time, so that others on the machine do not count.
        clock = time.process_time if a.threads == 1 else time.perf_counter
        best, begun = float("inf"), clock()
        while True:
            start = clock()
            model(ids)
            end = clock()
            best = min(best, end - start)
            if end - begun > a.seconds:
                break
    print(json.dumps({"seconds": best / a.batch, "peak_bytes": peak(), "logits": logits.flatten().tolist()[:LABELS],
                      "torch": torch.__version__}))


def make(safetensors, state):
    torch.manual_seed(1)
    model = paper()
    torch.save(model.state_dict(), state)
    parity.save(safetensors, model.state_dict(), None)


def main():
    if sys.argv[1:2] == ["make"]:
        make(*sys.argv[2:4])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("distilbert", "paper"))
    parser.add_argument("tokens", type=int)
    parser.add_argument("threads", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--weights")
    point(parser.parse_args())


if __name__ == "__main__":
    main()
