#!/usr/bin/python3
"""Tables and pictures of what tune_curve.py and tune_latency.py measured.

    tune_results.py DIR

DIR/SET/RUN.json of each data set become DIR/SET/RUN.csv (accuracy in windows of the stream), RUN-served.csv (each
model that answered) and RUN.svg; all of them, and DIR/latency.json, become DIR/README.md.
"""
import argparse
import csv
import glob
import json
import os
import sys

import chart

WINDOW = 250  # messages
TARGET = 0.8  # of the gap
ORDER = ("half", "half-tenth", "class", "class-tenth", "words", "words-tenth", "noise", "liar")
FROZEN, TUNED, UPPER, PEER = "#7a818a", "#1f6fb2", "#2f8f4e", "#c9730e"
TITLES = {
    "half": "half of the rows before, half as the stream",
    "class": "labels appear that were rare",
    "words": "words get new names, and typos",
    "noise": "30 % of all feedback is random",
    "liar": "one stream of five is always wrong",
}
TEST_TITLES = {"original": "original test rows", "shifted": "shifted test rows", "known": "test rows of the other labels"}
SHIFTED_TITLES = {"class": "test rows of the labels that were rare", "words": "test rows with new names and typos"}


def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def accuracy(right):
    return right.count("1") / len(right)


# --- figures of a run -------------------------------------------------------------------------------
def main_test(run):
    """The rows that the gap is measured on: all labels, in the words that the stream has."""
    return "shifted" if run["scenario"] == "words" else "original"


def adversarial(run):
    return run["scenario"] in ("noise", "liar")


def last(run):
    return run["tuned"]["served"][-1]["tests"]


def recovered(run, of="retrained"):
    """The share of the way from frozen to retrained that tuning went; None where there is no way."""
    test = main_test(run)
    frozen, upper = run["frozen"]["tests"][test], run[of]["tests"][test]
    return (last(run)[test] - frozen) / (upper - frozen) if upper > frozen else None


def worst_fall(run, test="original"):
    """Points that the worst of the models that answered lost against the frozen one."""
    return 100 * max(run["frozen"]["tests"][test] - s["tests"][test] for s in run["tuned"]["served"])


def windows(run):
    """(messages so far, frozen, tuned, peer) of each window, in percent."""
    sides = [run[side]["right"] for side in ("frozen", "tuned", "peer")]
    n = len(sides[0])
    for at in range(0, n, WINDOW):
        end = min(at + WINDOW, n)
        yield (end, *(100 * accuracy(side[at:end]) for side in sides))


def kinds(run):
    out = {}
    for event in run["tuned"]["events"]:
        out[event["kind"]] = out.get(event["kind"], 0) + 1
    return out


# --- files of a run ---------------------------------------------------------------------------------
def write_csv(path, head, rows):
    with open(path, "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(head)
        out.writerows(rows)


def write_tables(run, stem):
    write_csv(stem + ".csv", ("messages", "frozen", "tuned", "peer"),
              [(end, *(f"{x:.2f}" for x in rest)) for end, *rest in windows(run)])
    tests = list(run["frozen"]["tests"])
    write_csv(stem + "-served.csv", ("after_message", "seconds", "model", *tests),
              [(s["after"], s["seconds"], s["model"], *(f"{100 * s['tests'][t]:.2f}" for t in tests))
               for s in run["tuned"]["served"]])


def test_panel(run, test, end, title):
    served = run["tuned"]["served"]

    def level(name, colour, side, dash):
        y = 100 * run[side]["tests"][test]
        return chart.Line(f"{name} {y:.1f}", colour, [(0, y), (end, y)], dash)

    lines = [
        level("frozen", FROZEN, "frozen", "6 4"),
        chart.Line(f"tuned {100 * served[-1]['tests'][test]:.1f}", TUNED,
                   [(min(s["after"], end), 100 * s["tests"][test]) for s in served], step=True),
        level("retrained from scratch", UPPER, "retrained", "6 4"),
    ]
    if "retrained_on_feedback" in run:
        lines.append(level("retrained on feedback", UPPER, "retrained_on_feedback", "2 3"))
    lines.append(chart.Line(f"peer {100 * run['peer']['measured'][-1]['tests'][test]:.1f}", PEER,
                            [(m["after"], 100 * m["tests"][test]) for m in run["peer"]["measured"]]))
    marks = [s["after"] for s in served[1:] if s["after"] <= end]
    return chart.Panel(title, "accuracy, %", lines, marks)


def draw(run):
    end = run["rows"]["messages"]
    made = list(windows(run))
    names = (("frozen", FROZEN), ("tuned", TUNED), ("peer", PEER))
    lines = [chart.Line(f"{name} {100 * accuracy(run[name]['right']):.1f} in all", colour,
                        [(w[0] - WINDOW / 2, w[1 + i]) for w in made]) for i, (name, colour) in enumerate(names)]
    panels = [chart.Panel(f"Answers to the stream, before learning from them, in windows of {WINDOW}", "accuracy, %", lines)]
    for test in run["frozen"]["tests"]:
        title = SHIFTED_TITLES.get(run["scenario"], TEST_TITLES[test]) if test == "shifted" else TEST_TITLES[test]
        panels.append(test_panel(run, test, end, f"{title[0].upper()}{title[1:]} ({run['rows'][test]:,})"))
    told = told_on(run).replace("every", "every message")
    return chart.draw(f"{run['data']}: {TITLES[run['scenario']]}; feedback on {told}", "messages", end, panels)


# --- the page ---------------------------------------------------------------------------------------
def percent(value, digits=2):
    return "–" if value is None else f"{100 * value:.{digits}f}"


def told_on(run):
    return "every" if run["feedback_every"] == 1 else f"1 in {run['feedback_every']}"


def yes(condition):
    return "yes" if condition else "**no**"


def learning_table(runs):
    out = ["| data | stream | feedback on | measured on | frozen | tuned | retrained | gap recovered (of ≥ 80 %) "
           "| worst fall, original rows (of ≤ 1) | promotions | peer before → after |",
           "|---|---|---|---|---|---|---|---|---|---|---|"]
    for run in runs:
        test, name = main_test(run), f"{run['data']}/{run['run']}"
        peer = [m["tests"][test] for m in run["peer"]["measured"]]
        way = recovered(run)
        upper, share = percent(run["retrained"]["tests"][test]), f"{100 * way:.0f} %" if way is not None else "–"
        if "retrained_on_feedback" in run:
            same = recovered(run, "retrained_on_feedback")
            upper += f" ({percent(run['retrained_on_feedback']['tests'][test])} on the feedback alone)"
            share += f" ({100 * same:.0f} %)" if same is not None else ""
            way = same
        if way is not None and way < TARGET:
            share = f"**{share}**"
        out.append(
            f"| {run['data']} | [{TITLES[run['scenario']]}]({name}.svg) "
            f"| {told_on(run)} | {run['rows'][test]:,} {test} | {percent(run['frozen']['tests'][test])} | {percent(last(run)[test])} "
            f"| {upper} | {share} | {max(0.0, worst_fall(run)):.2f} | {run['tuned']['status'].get('promotions', 0)} "
            f"| {percent(peer[0])} → {percent(peer[-1])} |")
    return out


def stream_table(runs):
    out = ["| data | stream | feedback on | frozen | tuned | peer |", "|---|---|---|---|---|---|"]
    for run in runs:
        sides = [percent(accuracy(run[side]["right"])) for side in ("frozen", "tuned", "peer")]
        out.append(f"| {run['data']} | {TITLES[run['scenario']]} | {told_on(run)} | {' | '.join(sides)} |")
    return out


def adversarial_table(runs):
    out = ["| data | feedback | frozen | worst model that answered | the last | held (within 1 point) | stream: tuned − frozen "
           "| promotions | peer before → after |", "|---|---|---|---|---|---|---|---|---|"]
    for run in runs:
        peer = [m["tests"]["original"] for m in run["peer"]["measured"]]
        worst = min(s["tests"]["original"] for s in run["tuned"]["served"])
        stream = 100 * (accuracy(run["tuned"]["right"]) - accuracy(run["frozen"]["right"]))
        out.append(f"| {run['data']} | [{TITLES[run['scenario']]}]({run['data']}/{run['run']}.svg) "
                   f"| {percent(run['frozen']['tests']['original'])} | {percent(worst)} | {percent(last(run)['original'])} "
                   f"| {yes(worst_fall(run) <= 1)} | {stream:+.2f} points | {run['tuned']['status'].get('promotions', 0)} "
                   f"| {percent(peer[0])} → {percent(peer[-1])} |")
    return out


def trust_table(runs):
    out = ["| run | stream | feedback | agreed | contested | trust | distrusted |", "|---|---|---|---|---|---|---|"]
    for run in runs:
        for name, s in sorted(run["tuned"]["status"]["streams"].items()):
            out.append(f"| {run['data']} {run['run']} | {name} | {s['feedback']:,} | {s['agreed']:,} "
                       f"| {s['contested']:,} | {s['trust']:.2f} | {'yes' if s['distrusted'] else 'no'} |")
    return out


def known_table(runs):
    """Class shift: what the labels that were always frequent lost, which a retrained model loses too."""
    out = ["| data | feedback on | labels | frozen | tuned | retrained | worst fall |", "|---|---|---|---|---|---|---|"]
    for run in runs:
        for test, title in (("shifted", "that were rare"), ("known", "the others")):
            out.append(f"| {run['data']} | {told_on(run)} | {title} ({run['rows'][test]:,} rows) | {percent(run['frozen']['tests'][test])} "
                       f"| {percent(last(run)[test])} | {percent(run['retrained']['tests'][test])} "
                       f"| {max(0.0, worst_fall(run, test)):.2f} |")
    return out


def tuner_table(runs):
    out = ["| run | messages a second | seconds | steps | last judgement | events |", "|---|---|---|---|---|---|"]
    for run in runs:
        t = run["tuned"]
        events = ", ".join(f"{n} {kind}" for kind, n in sorted(kinds(run).items()))
        out.append(f"| {run['data']} {run['run']} | {run['rate']:g} | {t['seconds']:.0f} | {t['status'].get('steps', 0):,} "
                   f"| {t['status'].get('verdict', '–')} | {events} |")
    return out


def latency_lines(made):
    out = ["", "## Latency of labels while the tuner works", "", made["about"], "",
           "| | p50, ms | p99, ms | worst, ms |", "|---|---|---|---|"]
    for side, title in (("off", "tuning off"), ("on", "tuning on, training")):
        m = made[side]
        out.append(f"| {title} | {m['p50_ms']:.3f} | {m['p99_ms']:.3f} | {m['max_ms']:.2f} |")
    return out + ["", f"p99 differs by {made['p99_rise_percent']:+.1f} % with tuning (target: at most +25 %). {made['how']}"]


def page(runs, latency):
    learning, hostile = [r for r in runs if not adversarial(r)], [r for r in runs if adversarial(r)]
    seeds = sorted({r["seed"] for r in runs})
    out = ["# Online tuning, from end to end", "",
           "Made by `make tune-bench DATA=FOLDER` (seed " + ", ".join(map(str, seeds)) + "): checkpoints of `diffuse train` with "
           "its defaults, a running daemon, every message and every feedback over its sockets. "
           "What each run is: [tests/bench/streams.py](../../../tests/bench/streams.py). Accuracies are shares of test rows "
           "in percent; *tuned* is what answers when the tuner has come to rest after the last message; the *gap* is retrained "
           "minus frozen. The peer is our restatement of the published method of Vowpal Wabbit, not the program: "
           "[tests/bench/online_peer.py](../../../tests/bench/online_peer.py). `SET/RUN.json` holds everything, "
           "`.csv` windows of the stream, `-served.csv` each model that answered.", ""]
    settings = [f"`{key}={value}`" for key, value in runs[0]["settings"].items() if key != "rehearsal"] if runs else []
    out += [f"Settings: {', '.join(settings)}, and `--rehearsal {runs[0]['settings']['rehearsal']}` of `diffuse train`; "
            "all else as it comes.", ""] if settings else []
    if learning:
        out += ["## Learning", "", *learning_table(learning), "",
                "In bold: less than that (where feedback is thin, less than that of what can be had from the feedback alone).", "",
                "Answers to the messages of the stream, before learning from them (prequential), all of it:", "",
                *stream_table(learning), ""]
    classes = [r for r in learning if r["scenario"] == "class"]
    if classes:
        out += ["Where labels appear, what each kind of label gained or lost:", "", *known_table(classes), ""]
    if hostile:
        out += ["## Wrong feedback", "", *adversarial_table(hostile), "", *trust_table(hostile), ""]
    out += ["## The tuner", "", *tuner_table(runs)]
    for run in runs[:1]:
        out += ["", f"Machine: {run['machine']['cpu']}, {run['machine']['cores']} cores, shared with other work "
                    f"(load average {run['load_average'][0]} at the end of the first run)."]
    return out + (latency_lines(latency) if latency else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder")
    a = parser.parse_args()
    runs = [load(path) for path in glob.glob(os.path.join(a.folder, "*", "*.json"))]
    runs.sort(key=lambda r: (r["data"], ORDER.index(r["run"])))
    for run in runs:
        stem = os.path.join(a.folder, run["data"], run["run"])
        write_tables(run, stem)
        with open(stem + ".svg", "w", encoding="utf-8") as f:
            f.write(draw(run))
    latency = os.path.join(a.folder, "latency.json")
    with open(os.path.join(a.folder, "README.md"), "w", encoding="utf-8") as f:
        f.write("\n".join(page(runs, load(latency) if os.path.exists(latency) else None)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
