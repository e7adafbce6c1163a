#!/usr/bin/python3
"""How fast and how large: diffused beside a DistilBERT-shaped encoder, the paper's module and fastText.

    speed.py --data ag_news:FOLDER [--build build] [--rounds 2] [--out docs/results/speed]

All sides take turns, round by round, and of each the best counts: in one thread by the processor time it
took, on all cores by the clock. PyTorch runs one text at a time (the
encoder at 45 tokens also eight), each point in a process of its own (speed_point.py); diffused through
`diffuse bench`. fastText is trained here on the same rows, full and quantised, by the setting that was
found best for it (docs/results/peers), and timed as `fasttext predict` on ten copies of the test rows less
one copy, so that loading does not count. Memory is the most that the whole process ever had resident; of
diffused the daemon's with its default configuration, after it answered texts of 4,096 tokens. Writes
result.json, points.csv and speed.svg.
"""
import argparse
import csv
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time

import fasttext_peer
import rows

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/bench"))
import bench_daemon  # noqa: E402
import chart  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
LENGTHS = (45, 256, 1024, 4096)
COPIES = 10
COLOURS = {"distilbert": "#cf222e", "paper": "#c9730e", "ours": "#1f6fb2", "ours_paper": "#8250a8"}
HINTS = ["--num-iters", "4", "--alpha", "0.5", "--boundary", "ring"]


def output(command, **keys):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **keys)
    if done.returncode:
        sys.exit(f"speed: {' '.join(map(str, command))} failed: {done.stderr.strip()}")
    return done.stdout


# --- PyTorch ----------------------------------------------------------------------------------------
def torch_point(what, tokens, threads, seconds, kernels, *options):
    env = dict(os.environ, OPENBLAS_NUM_THREADS=str(threads), OMP_NUM_THREADS=str(threads),
               OPENBLAS_CORETYPE=kernels)
    command = [sys.executable, os.path.join(HERE, "speed_point.py"), what, tokens, threads, seconds, *options]
    return json.loads(output(command, env=env))


def keep_best(points, key, new):
    old = points.setdefault(key, new)
    old["seconds"] = min(old["seconds"], new["seconds"])
    old["peak_bytes"] = min(old["peak_bytes"], new["peak_bytes"])


def torch_round(points, a, weights, kernels, cores):
    for threads in sorted({1, cores}):
        for tokens in LENGTHS:
            keep_best(points, ("distilbert", tokens, threads),
                      torch_point("distilbert", tokens, threads, a.seconds, kernels))
            keep_best(points, ("paper", tokens, threads),
                      torch_point("paper", tokens, threads, a.seconds, kernels, "--weights", weights))
        eight = torch_point("distilbert", LENGTHS[0], threads, a.seconds, kernels, "--batch", 8)
        point = points["distilbert", LENGTHS[0], threads]
        point["seconds"] = min(point["seconds"], eight["seconds"])
        print(".", end="", flush=True)


# --- ours -------------------------------------------------------------------------------------------
def diffuse_bench(a, model, *options):
    return json.loads(output([os.path.join(a.build, "diffuse"), "bench", "--json", "--model", model, "--seconds",
                              a.seconds / 3, *options, *a.bench.split()]))


def faster(old, new):
    """The best of two runs, figure by figure."""
    if old is None:
        return new
    for was, way in zip(old["ways"], new["ways"]):
        for key in ("texts_s_one", "texts_s_batch", "texts_s_threads", "tokens_s"):
            was[key] = max(was[key], way[key])
        for length, other in zip(was["lengths"], way["lengths"]):
            length["microseconds"] = min(length["microseconds"], other["microseconds"])
            length["texts_s_threads"] = max(length["texts_s_threads"], other["texts_s_threads"])
    return old


def best_ways(found):
    """The fastest way of each precision, at a length of 45."""
    ways = {}
    for way in found["ways"]:
        old = ways.get(way["precision"])
        if not old or way["lengths"][0]["microseconds"] < old["lengths"][0]["microseconds"]:
            ways[way["precision"]] = way
    return ways


def daemon_peak(a, model, folder):
    """The whole daemon, once it has answered texts of every length."""
    with bench_daemon.Daemon(a.build, os.path.join(folder, "daemon"), model=model) as daemon:
        daemon.client.subscribe("speed")
        for seq in range(1, 301):
            daemon.client.push("speed", seq, text="oil " * LENGTHS[seq % len(LENGTHS)])
            daemon.client.label()
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))


def same_logits(a, safetensors, point):
    """Both sides compute the same model."""
    sys.path.insert(0, HERE)
    ids = " ".join(str(7919 * (i + 1) % 30522) for i in range(LENGTHS[0]))
    said = output([os.path.join(a.build, "diffuse"), "logits", "--tokens", "--model", safetensors, *HINTS],
                  input=ids + "\n")
    off = max(abs(float(x) - y) for x, y in zip(said.split(), point["logits"]))
    if off > 1e-4:
        sys.exit(f"speed: the paper's module and diffuse differ by {off}")
    return off


# --- fastText ---------------------------------------------------------------------------------------
class FastText:
    def __init__(self, data, folder):
        self.folder, self.rows = fasttext_peer.Folder(folder, data), data.tests["test"]
        with open(os.path.join(ROOT, "docs/results/peers/fasttext-ag-news.json"), encoding="utf-8") as file:
            setting = json.load(file)["setting"]
        self.folder.write("train", data.train)
        self.folder.write("test", self.rows)
        self.folder.write("copies", self.rows * COPIES)
        self.folder.train(setting, 1)
        self.found = {"full": {"model": "model.bin"}, "quantised": {"model": "model.ftz"}}
        self.folder.quantise(setting)
        for name, found in self.found.items():
            found["bytes"] = os.path.getsize(self.folder.file(found["model"]))
            found["accuracy"] = self.folder.score("test", self.rows, found["model"])["accuracy"]
            found["texts_s"] = found["texts_s_threads"] = 0

    def seconds(self, model, name, copies):
        """Processor seconds of one process, or by the clock of several at once; and what one had resident at most."""
        begin, peak, used = time.perf_counter(), 0, resource.getrusage(resource.RUSAGE_CHILDREN)
        running = [subprocess.Popen(["fasttext", "predict", self.folder.file(model), self.folder.file(name)],
                                    stdout=subprocess.DEVNULL) for _ in range(copies)]
        while running[0].poll() is None:
            try:
                with open(f"/proc/{running[0].pid}/status", encoding="ascii") as file:
                    text = file.read()
            except OSError:
                break
            if "\nVmHWM:" in text and text.startswith("Name:\tfasttext"):
                peak = max(peak, int(text.split("\nVmHWM:")[1].split()[0]) * 1024)
            time.sleep(0.003)
        for process in running:
            process.wait()
        if copies > 1:
            return time.perf_counter() - begin, peak
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        return now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, peak

    def round(self, cores):
        for found in self.found.values():
            for key, copies in (("texts_s", 1), ("texts_s_threads", cores)):
                once, _ = min(self.seconds(found["model"], "test", copies) for _ in range(2))
                many, peak = min(self.seconds(found["model"], "copies", copies) for _ in range(2))
                texts = copies * (COPIES - 1) * len(self.rows)
                found[key] = max(found[key], texts / max(1e-6, many - once))
                found["peak_bytes"] = peak if key == "texts_s" else found["peak_bytes"]
            print(".", end="", flush=True)


# --- what comes out ---------------------------------------------------------------------------------
def ratios(r):
    """[claim, ours over theirs, wanted]"""
    out = []
    for precision, way in r["ours"].items():
        for k, tokens in ((0, 45), (3, 4096)):
            theirs = r["distilbert"][f"{tokens}"]["1"]["seconds"]
            wanted = {"f32": {45: 300, 4096: 500}}.get(precision, {}).get(tokens, 1000 if precision == "i8" else None)
            out.append([f"texts a second at {tokens} tokens, {precision}, over the DistilBERT-shaped encoder",
                        theirs * 1e6 / way["lengths"][k]["microseconds"], wanted])
    out.append(["memory of the DistilBERT-shaped encoder at 4096 tokens over the whole daemon's",
                r["distilbert"]["4096"]["1"]["peak_bytes"] / r["daemon_peak_bytes"], 45])
    for k, tokens in enumerate(LENGTHS):
        for precision, way in r["ours_paper"].items():
            out.append([f"tokens a second at {tokens} tokens, {precision}, over the paper's module in PyTorch",
                        r["paper"][f"{tokens}"]["1"]["seconds"] * 1e6 / way["lengths"][k]["microseconds"],
                        5 if precision == "f32" else None])
    for precision, way in r["ours"].items():
        out.append([f"AG News texts a second, {precision}, over fastText (full)",
                    way["texts_s_batch"] / r["fasttext"]["full"]["texts_s"], 1 / 3])
    out.append(["memory of fastText (full) over the whole daemon's",
                r["fasttext"]["full"]["peak_bytes"] / r["daemon_peak_bytes"], 10])
    out.append(["memory of fastText (quantised) over the whole daemon's",
                r["fasttext"]["quantised"]["peak_bytes"] / r["daemon_peak_bytes"], 1])
    return [[claim, round(ratio, 3), wanted] for claim, ratio, wanted in out]


def points_table(r):
    """(model, tokens, threads, texts a second, peak bytes)"""
    for what in ("distilbert", "paper"):
        for tokens, by_threads in r[what].items():
            for threads, point in by_threads.items():
                yield what, tokens, threads, 1 / point["seconds"], point["peak_bytes"]
    for what in ("ours", "ours_paper"):
        for precision, way in r[what].items():
            for length in way["lengths"]:
                name = ("diffused AG News" if what == "ours" else "diffused, the paper's form") + ", " + precision
                yield name, length["tokens"], 1, 1e6 / length["microseconds"], ""
                if r["cores"] > 1:
                    yield name, length["tokens"], r["cores"], length["texts_s_threads"], ""


def picture(r):
    names = {"distilbert": "DistilBERT's shape", "paper": "paper's module, PyTorch",
             "ours": "diffused, AG News", "ours_paper": "diffused, paper's form"}
    lines = []
    for what in ("distilbert", "paper"):
        lines.append(chart.Line(names[what], COLOURS[what],
                                [(math.log2(int(n)), -math.log10(p["1"]["seconds"])) for n, p in r[what].items()]))
    for what in ("ours_paper", "ours"):
        for precision, way in r[what].items():
            dash = {"f32": "", "bf16": "6 3"}.get(precision, "2 3")
            lines.append(chart.Line(f"{names[what]}, {precision}", COLOURS[what],
                                    [(math.log2(w["tokens"]), 6 - math.log10(w["microseconds"]))
                                     for w in way["lengths"]], dash))
    return chart.draw("Texts a second by their length, one thread", "tokens of a text, powers of two (5.5: 45, 12: 4096)",
                      12.5, [chart.Panel("Texts a second, one at a time", "powers of ten", lines)])


def show(r):
    print(f"\n{'':78}   ratio  wanted")
    for claim, ratio, wanted in r["ratios"]:
        print(f"{claim:78} {ratio:8.2f}  {'' if wanted is None else f'{wanted:.2f}':>6}"
              f"{'' if wanted is None or ratio >= wanted else '  falls short'}")
    for name, f in r["fasttext"].items():
        print(f"fastText {name}: {f['texts_s']:,.0f} texts/s, {f['texts_s_threads']:,.0f} on {r['cores']} cores, accuracy "
              f"{100 * f['accuracy']:.2f} %, file {f['bytes'] / 1e6:.1f} MB, resident {f['peak_bytes'] / 1e6:.1f} MB")
    for precision, way in r["ours"].items():
        print(f"diffused {precision} ({way['kernel']}): {way['texts_s_batch']:,.0f} texts/s, "
              f"{way['texts_s_threads']:,.0f} on {r['cores']} cores, accuracy {100 * r['accuracy'][precision]:.2f} %")
    print(f"diffused: file {r['model_bytes'] / 1e6:.1f} MB, daemon resident {r['daemon_peak_bytes'] / 1e6:.1f} MB")


def write(a, r):
    os.makedirs(a.out, exist_ok=True)
    with open(os.path.join(a.out, "result.json"), "w", encoding="utf-8") as file:
        json.dump(r, file, indent=1)
        file.write("\n")
    with open(os.path.join(a.out, "points.csv"), "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("model", "tokens", "threads", "texts_s", "peak_bytes"))
        writer.writerows((*row[:3], f"{row[3]:.4g}", row[4]) for row in points_table(r))
    with open(os.path.join(a.out, "speed.svg"), "w", encoding="utf-8") as file:
        file.write(picture(r))


def measure(a, folder):
    cores, model = os.cpu_count(), a.model
    weights, safetensors = os.path.join(folder, "paper.pt"), os.path.join(folder, "paper.safetensors")
    output([sys.executable, os.path.join(HERE, "speed_point.py"), "make", safetensors, weights])
    print("fastText is trained", end="", flush=True)
    os.makedirs(os.path.join(folder, "fasttext"))
    peer = FastText(rows.read_set(a.data), os.path.join(folder, "fasttext"))
    ours = ours_paper = None
    points = {}
    vocabulary = os.path.join(folder, "vocab.txt")
    with open(vocabulary, "w", encoding="ascii") as file:
        file.writelines(["[UNK]\n"] + [f"w{i}\n" for i in range(1, 30522)])
    paper_options = [*HINTS, "--vocab", vocabulary]
    print(", sides by turns", end="", flush=True)
    for _ in range(a.rounds):
        ours = faster(ours, diffuse_bench(a, model, "--data", a.data))
        ours_paper = faster(ours_paper, diffuse_bench(a, safetensors, *paper_options))
        peer.round(cores)
        torch_round(points, a, weights, ours["openblas"], cores)
    ours = faster(ours, diffuse_bench(a, model, "--data", a.data))
    off = same_logits(a, safetensors, points["paper", LENGTHS[0], 1])
    best = best_ways(ours)
    accuracy = {precision: json.loads(output([os.path.join(a.build, "diffuse"), "eval", "--json", "--model", model, "--data",
                                              a.data, "--precision", precision]))["accuracy"] for precision in best}
    by = {what: {str(n): {str(t): {k: p[k] for k in ("seconds", "peak_bytes")}
                          for (w, m, t), p in points.items() if (w, m) == (what, n)} for n in LENGTHS}
          for what in ("distilbert", "paper")}
    r = {"command": "make bench-peers DATA=FOLDER", "machine": rows.machine(), "cores": cores,
         "load_average_before": a.load, "rounds": a.rounds, "paper_logits_differ": off,
         "versions": {"torch": points["paper", LENGTHS[0], 1]["torch"], "openblas_kernels": ours["openblas"],
                      "fasttext": rows.package_version("fasttext")},
         **by, "ours": best, "ours_paper": best_ways(ours_paper), "all_ways": ours["ways"],
         "tokenizer_bytes_s": ours["tokenizer_bytes_s"], "tokens_a_text": ours["tokens_a_text"],
         "accuracy": accuracy, "model_bytes": os.path.getsize(model),
         "daemon_peak_bytes": daemon_peak(a, model, folder), "fasttext": peer.found}
    r["ratios"] = ratios(r)
    return r


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", default=os.path.join(ROOT, "model/pretrained/ag-news.safetensors"))
    parser.add_argument("--out", default=os.path.join(ROOT, "docs/results/speed"))
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1, help="a point of PyTorch, at least one text")
    parser.add_argument("--bench", default="", help="further options of diffuse bench")
    a = parser.parse_args()
    a.load = round(os.getloadavg()[0], 1)
    if a.load > os.cpu_count() / 2:
        print(f"speed: the machine is busy (load {a.load}): the figures will be off", file=sys.stderr)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        r = measure(a, folder)
    r["wall_seconds"] = round(time.monotonic() - begin)
    show(r)
    write(a, r)


if __name__ == "__main__":
    main()
