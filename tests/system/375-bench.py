#!/usr/bin/python3
"""diffuse bench: every figure is there and fits the others, the picture is whole, mistakes are named."""
import json
import os
import subprocess
import sys
import tempfile
import xml.dom.minidom

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
TEXTS = ["the motor is hot", "the wheel slips", "the battery is low and the motor is hot"]


def run(*args):
    done = subprocess.run([os.path.join(BUILD, "diffuse"), "bench", *args], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def check(condition, what):
    if not condition:
        sys.exit(f"failed: {what}")


def make(path, kind):
    subprocess.run([os.path.join(BUILD, "tests/make_model"), path, kind], check=True)


with tempfile.TemporaryDirectory() as folder:
    model, data, svg = (os.path.join(folder, name) for name in ("m.safetensors", "rows.tsv", "a.svg"))
    make(model, "wordpiece")
    with open(data, "w", encoding="utf-8") as file:
        file.writelines(f"label\t{text}\n" for text in TEXTS)

    status, out, err = run("-m", model, "-d", f"tsv:{data}", "--seconds", "0.002", "--threads", "2", "--svg", svg,
                           "--json")
    check(status == 0, err)
    found = json.loads(out)
    check(found["texts"] == len(TEXTS) and found["threads"] == 2, "texts and threads")
    check(abs(found["tokens_a_text"] - (4 + 3 + 8) / 3) < 4, "tokens of a text")
    check(found["tokenizer_bytes_s"] > 0 and found["memory_bytes_s"] > 0, "limits")
    check([(w["precision"], w["kernel"]) for w in found["ways"]][0] == ("f32", "openblas"), "OpenBLAS beside the engine")
    check({w["precision"] for w in found["ways"]} >= {"f32", "bf16", "i8"}, "every precision")
    for way in found["ways"]:
        check(all(way[key] > 0 for key in ("texts_s_one", "texts_s_batch", "texts_s_threads", "tokens_s")), way)
        for length, limit in zip(way["lengths"], found["sgemm"]):
            check(length["tokens"] == limit["tokens"] > 0, "lengths")
            check(abs(length["tokens_s"] * length["microseconds"] / 1e6 / length["tokens"] - 1) < 1e-3, length)
            share = limit["microseconds"] / length["microseconds"]
            check(abs(length["share_of_sgemm"] / share - 1) < 1e-3, length)
    drawn = xml.dom.minidom.parse(svg)
    check(len(drawn.getElementsByTagName("rect")) >= 4 * len(found["ways"]), "bars")

    status, out, err = run("-m", model, "--seconds", "0.001", "--every", "--json")
    every = [(w["precision"], w["kernel"]) for w in json.loads(out)["ways"]]
    check(("f32", "portable") in every and ("i8", "portable") in every and len(set(every)) == len(every), every)
    status, out, err = run("-m", model, "--seconds", "0.001", "--json", "--kernel", "portable", "--precision", "i8")
    check([w["kernel"] for w in json.loads(out)["ways"]] == ["openblas", "portable"], "the one that is asked for")

    status, out, err = run("-m", model, "--seconds", "0.002")
    check(status == 0 and "tokenizer" in out and "sgemm alone" in out, "a table, of texts made up")

    for args, part in ((["-m", model, "-d", "tsv:" + os.path.join(folder, "none")], "none"),
                       (["-m", os.path.join(folder, "none")], "none"),
                       (["-m", model, "--svg", os.path.join(folder, "no/a.svg"), "--seconds", "0.002"], "no/a.svg"),
                       (["-m", model, "--seconds", "0"], "--seconds"),
                       (["-m", model, "--kernel", "abacus"], "abacus"),
                       (["-m", model, "--threads", "0"], "threads")):
        status, out, err = run(*args)
        check(status != 0 and part in err and len(err.strip().split("\n")) <= 2, f"{args}: {err}")
print("diffuse bench measures")
