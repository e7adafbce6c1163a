#!/usr/bin/python3
"""docs/results.md, made from docs/results.

    table.py [--check] [ROOT]

Reads docs/results/*/summary*.json (and seed-N/summary.json) beside their config.json, docs/results/peers/*.json,
docs/results/ablations.json, docs/results/published.json, docs/results/train-speed/result.json and docs/results/speed/result.json.
--check: writes nothing, and fails when the page is out of date.
"""
import argparse
import collections
import glob
import json
import os
import re
import statistics
import sys

HEAD = "<!-- made by `make results-table`; edit docs/results instead -->"
TITLES = {  # in the order of the table
    "ag-news": "AG News",
    "imdb": "IMDB",
    "clinc150": "CLINC150",
    "hwu64": "HWU64",
    "intent-snips": "SNIPS intents",
    "huric-robot-commands": "HuRIC robot commands",
    "drone-log-severity": "drone log severity",
    "drone-log-severity, unseen": "drone log severity, unseen texts",
    "robot-text": "made-up robot logs, unseen templates",
    "listops": "ListOps",
    "lra-text": "LRA text (bytes)",
}
KINDS = {"ag_news": "ag-news", "imdb": "imdb", "lra_listops": "listops", "lra_text": "lra-text"}

# steps: T, and ablation: what T was found to be worth, of ours; accuracies and macro_f1s: one a seed, as shares; rows: "train / test"; the rest ready to print
Line = collections.namedtuple("Line", "set model rows steps weights ablation accuracies macro_f1s size training")


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


# --- ours -------------------------------------------------------------------------------------------
def known_set(*names):
    """The first data set that one of the names begins with."""
    for name in names:
        for known in TITLES:
            if name == known or name.startswith(known + "-"):
                return known
    return None


def set_of(folder, parameters):
    """Which data set a record belongs to, from what the trainer was told."""
    kind, _, path = parameters["data"].partition(":")
    base = os.path.basename(path.rstrip("/")).replace("_", "-")
    name = KINDS.get(kind) or known_set(folder, base) or base
    unseen = os.path.basename(parameters.get("test") or "").startswith("test_unseen")
    return name + ", unseen" if unseen else name


def variant_of(folder, set_name):
    """What the folder's name says beyond the data set."""
    return folder.removeprefix(set_name.split(",")[0]).strip("-").replace("-", " ")


def summaries(folder):
    paths = glob.glob(os.path.join(folder, "summary*.json"))
    return sorted(paths + glob.glob(os.path.join(folder, "seed-*", "summary.json")))


def config_of(path, folder):
    """The config.json of the run that wrote the summary at path."""
    near = os.path.join(os.path.dirname(path), os.path.basename(path).replace("summary", "config"))
    return load(near if os.path.exists(near) else os.path.join(folder, "config.json"))


def size_of(root, name, summary):
    if "model_bytes" in summary:
        return summary["model_bytes"]
    shipped = os.path.join(root, "model/pretrained", name + ".safetensors")
    return os.path.getsize(shipped) if os.path.exists(shipped) else None


def ablation_of(root, name):
    """What the record's number of steps was measured to be worth: a line of docs/results/ablations.json, whose figures
    stand in docs/results/ablation."""
    results = os.path.join(root, "docs/results")
    said = load(os.path.join(results, "ablations.json")).get(name)
    if said is None:
        return "not measured"
    with open(os.path.join(results, "ablation/README.md"), encoding="utf-8") as f:
        page = f.read()
    with open(os.path.join(results, "ablation/ag-news.csv"), encoding="utf-8") as f:
        page += f.read()
    for figure in re.findall(r"[0-9]+\.[0-9]+(?= %)", said):
        if figure not in page and f"0.{figure.replace('.', '')}" not in page:
            sys.exit(f"docs/results/ablations.json: {name}: {figure} stands nowhere in docs/results/ablation")
    return said


def our_line(root, folder):
    runs = [(load(path), config_of(path, folder)) for path in summaries(folder)]
    runs = [(s, c) for s, c in runs if s.get("best") and s["best"].get("test")]
    if not runs:
        return None
    name = os.path.basename(folder)
    config, (first, _) = runs[0][1], runs[0]
    parameters, model = config["parameters"], config["model"]
    set_name = set_of(name, parameters)
    variant = variant_of(name, set_name)
    seconds = statistics.mean(s["training_seconds"] for s, _ in runs)
    tests = [s["best"]["test"] for s, _ in runs]
    return Line(
        set_name,
        "**[diffused" + (f", {variant}" if variant else "") + f"](results/{name})**",
        f"{model['train_rows']:,} / {tests[0]['rows']:,}",
        f"{parameters['steps']}",
        f"{model['weights']:,}",
        ablation_of(root, name),
        [t["accuracy"] for t in tests],
        [t["macro_f1"] for t in tests if "macro_f1" in t],
        size_of(root, name, first),
        f"{show_seconds(seconds)}, {threads(parameters)}",
    )


def threads(parameters):
    n = parameters.get("threads") or 0
    return f"{n} thread{'s' if n > 1 else ''}" if n else "all cores"


# --- peers ------------------------------------------------------------------------------------------
def peer_lines(made):
    for about, of in ((made["peer"], made), (made["peer"] + ", quantised", made.get("quantised"))):
        for name in made["result"] if of else ():
            tests = [run["test"][name] for run in of["runs"]]
            yield Line(
                made["set"] + ("" if name == "test" else ", " + name.replace("test_", "")),
                about + (" (first rows only)" if made.get("first_rows_only") else ""),
                f"{made['rows']['train']:,} / {made['rows'][name]:,}",
                "–",
                f"{made['parameters']:,}" if "parameters" in made else "not recorded",
                "–",
                [t["accuracy"] for t in tests],
                [t["macro_f1"] for t in tests],
                of["bytes"],
                f"{show_seconds(of['cpu_seconds'])}, 1 thread",
            )


# --- the section ------------------------------------------------------------------------------------
def show_size(size):
    if size is None:
        return "–"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def show_seconds(seconds):
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.2g} s"


def show_mean(values):
    """Percent, the mean of the seeds and their standard deviation."""
    if not values:
        return "–"
    mean = f"{100 * statistics.mean(values):.2f}"
    return mean + (f" ± {100 * statistics.stdev(values):.2f}" if len(values) > 1 else "")


def order_of(line):
    names = list(TITLES)
    return names.index(line.set) if line.set in names else len(names), line.set, "**" not in line.model, line.model


def measured(lines):
    out = ["| data | rows trained / tested | model | T | parameters | accuracy, % | seeds | macro-F1, % | file | training | what T is worth, measured |",
           "|---|---|---|---|---|---|---|---|---|---|---|"]
    last = None
    for line in sorted(lines, key=order_of):
        title = TITLES.get(line.set, line.set) if line.set != last else ""
        last = line.set
        out.append(f"| {title} | {line.rows} | {line.model} | {line.steps} | {line.weights} | {show_mean(line.accuracies)} | {len(line.accuracies)} "
                   f"| {show_mean(line.macro_f1s)} | {show_size(line.size)} | {line.training} | {line.ablation} |")
    return out


def published(figures, sets):
    rows = [f for f in figures if f["set"] in sets]
    if not rows:
        return []
    out = ["", "## Published by others, for orientation", "", "| data | model | accuracy, % | source |", "|---|---|---|---|"]
    last = None
    for f in sorted(rows, key=lambda f: list(TITLES).index(f["set"])):
        out.append(f"| {TITLES[f['set']] if f['set'] != last else ''} | {f['model']} | {f['accuracy']} | {f['source']} |")
        last = f["set"]
    return out


def speed(made):
    out = ["", "## Training speed", "", "Both sides on the same rows and two threads of one machine"
           f" ({made['machine']['cpu']}, {made['machine']['cores']} cores), tokens a second:", "",
           "| model | `diffuse train` | PyTorch | ratio | share of sgemm's own rate |", "|---|---|---|---|---|"]
    for m in made["models"]:
        out.append(f"| {m['what']} | {m['diffuse_tokens_per_s']:,} | {m['torch_tokens_per_s']:,} "
                   f"| {m['ratio']:.2f} | {100 * m['sgemm_share']:.0f} % |")
    return out + ["", "The last column is the time that OpenBLAS alone needs for a step's matrix products, over the"
                  " time of the step."]


def peers_speed(made):
    """Texts a second and memory beside peers, and the ratios."""
    out = ["", "## Speed and memory", "", f"All sides by turns on one machine ({made['machine']['cpu']}, {made['cores']} cores), one"
           " thread, one text at a time ([points](results/speed), `make bench-peers DATA=FOLDER`):", "",
           "| model | texts a second at 45 tokens | at 256 | at 1,024 | at 4,096 | resident at 4,096 |",
           "|---|---|---|---|---|---|"]
    for precision, way in made["ours"].items():
        rates = " | ".join(f"{1e6 / length['microseconds']:,.0f}" for length in way["lengths"])
        out.append(f"| **diffused**, AG News, {precision} | {rates} | {made['daemon_peak_bytes'] / 1e6:.0f} MB, the whole daemon |")
    for precision, way in made["ours_paper"].items():
        rates = " | ".join(f"{1e6 / length['microseconds']:,.4g}" for length in way["lengths"])
        out.append(f"| **diffused**, the paper's form, {precision} | {rates} | |")
    for what, name in (("paper", "the paper's module in PyTorch"), ("distilbert", "DistilBERT's shape in PyTorch")):
        rates = " | ".join(f"{1 / point['1']['seconds']:,.4g}" for point in made[what].values())
        out.append(f"| {name} | {rates} | {made[what]['4096']['1']['peak_bytes'] / 1e6:,.0f} MB |")
    out += ["", f"AG News texts of {made['tokens_a_text']:.0f} tokens, in batches, tokenized too:", "",
            "| model | texts a second | on all cores | accuracy, % | file | resident |", "|---|---|---|---|---|---|"]
    for precision, way in made["ours"].items():
        out.append(f"| **diffused**, {precision} | {way['texts_s_batch']:,.0f} | {way['texts_s_threads']:,.0f} "
                   f"| {100 * made['accuracy'][precision]:.2f} | {made['model_bytes'] / 1e6:.1f} MB "
                   f"| {made['daemon_peak_bytes'] / 1e6:.0f} MB, the whole daemon |")
    for name, found in made["fasttext"].items():
        out.append(f"| fastText, {name} | {found['texts_s']:,.0f} | {found['texts_s_threads']:,.0f} | {100 * found['accuracy']:.2f} "
                   f"| {found['bytes'] / 1e6:.1f} MB | {found['peak_bytes'] / 1e6:.0f} MB |")
    out += ["", "| ratio | measured |", "|---|---|"]
    return out + [f"| {claim} | {f'{ratio:,.0f}' if ratio >= 100 else f'{ratio:.3g}'} |" for claim, ratio, _ in made["ratios"]]


def section(root):
    results = os.path.join(root, "docs/results")
    lines = [our_line(root, f) for f in sorted(glob.glob(results + "/*")) if os.path.isdir(f) and summaries(f)]
    lines = [line for line in lines if line]
    for path in sorted(glob.glob(results + "/peers/*.json")):
        lines += peer_lines(load(path))
    others = load(results + "/published.json")
    sets = {line.set for line in lines}
    out = ["Every model of a data set below was trained and tested on the same rows. Peers were tuned on validation"
           " rows ([grids and commands](results/peers), `make peers DATA=FOLDER`), never on test rows."
           " Accuracy is the mean of the seeds ± their standard deviation; seconds of the peers are CPU seconds.", "",
           "T is the number of diffusion steps. A model with T 0 has none: it looks up embeddings of word pieces and hashed"
           " n-grams, pools them, and classifies; on ListOps with brackets, groups take what they hold, and no neighbours are"
           " mixed. What T is worth is told where it was measured ([ablations](results/ablation)).", ""]
    out += measured(lines) + published(others["figures"], sets)
    path = results + "/train-speed/result.json"
    if os.path.exists(path):
        out += speed(load(path))
    path = results + "/speed/result.json"
    if os.path.exists(path):
        out += peers_speed(load(path))
    notes = [f"- {note['text']}" for note in others["notes"] if note["set"] in sets]
    return out + (["", "## Notes", ""] + notes if notes else []) + other_records(results)


def other_records(results):
    """Links to the records that have a page of their own."""
    found = sorted(glob.glob(results + "/*/README.md"))
    titles = [(os.path.basename(os.path.dirname(path)), first_line(path)) for path in found]
    return ["", "## Further records", "", *(f"- [{title}](results/{name})" for name, title in titles)]


def first_line(path):
    with open(path, encoding="utf-8") as f:
        return f.readline().strip("# \n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("root", nargs="?", default=os.path.join(os.path.dirname(__file__), "../.."))
    a = parser.parse_args()
    path = os.path.join(a.root, "docs/results.md")
    old = ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            old = f.read()
    new = "\n".join([HEAD, "", "# Results", "", *section(a.root), ""])
    if a.check and new != old:
        sys.exit("docs/results.md does not say what docs/results holds; run 'make results-table'")
    if not a.check and new != old:
        with open(path, "w", encoding="utf-8") as f:
            f.write(new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
