#!/usr/bin/python3
"""diffuse quantize: every type is a whole checkpoint that passes its self-test, smaller in the file and in the
daemon's plan, and says what diffuse eval says of it; the daemon gives the labels of the int8 file."""
import json
import os
import stat
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

MODEL = os.path.join(r.ROOT, "model/pretrained/robot-text.safetensors")
DIFFUSE = os.path.join(r.BUILD, "diffuse")
ROWS = 1500


def diffuse(*args, status=0):
    done = subprocess.run([DIFFUSE, *args], capture_output=True, text=True, check=False)
    r.equal(done.returncode, status, f"diffuse {args[0]}: {done.stderr}")
    return done.stdout if status == 0 else done.stderr


def quantize(rig, kind, data):
    out = rig.path(f"{kind}.safetensors")
    report = json.loads(diffuse("quantize", "--model", MODEL, "--out", out, "--type", kind, "--data", data, "--json"))
    r.equal(report["file_bytes"], [os.path.getsize(MODEL), os.path.getsize(out)], "bytes of the files")
    r.equal(report["rows"], ROWS, "rows")
    for path, accuracy in zip((MODEL, out), report["accuracy"]):
        line = diffuse("eval", "--model", path, "--data", data).splitlines()[-1].split()
        r.equal(f"{accuracy:.4f}", line[1], f"accuracy of {path} by diffuse eval")
    inspected = diffuse("inspect", "--model", out)
    r.check("the content agrees" in inspected and "passed" in inspected, "inspect finds nothing wrong")
    r.check('"quantized": {"from"' in inspected, "it says what it was made from")
    return out, report


def model_row(rig, path):
    status, out, err = rig.run("--plan", model=path)
    r.equal(status, 0, err)
    number, unit = [line for line in out.splitlines() if line.startswith("model ")][0].split()[1:3]
    return float(number) * {"KiB": 1024, "MiB": 1 << 20}[unit]


def parts(rig):
    """Of a wide part of 40 features inspect counts the weights, and names both parts."""
    plain, wide = rig.path("plain"), rig.path("wide")
    rig.make_model(plain, "wordpiece", 2, 3, "ring=0")
    rig.make_model(wide, "wordpiece", 2, 3, "ring=0", "wide=40")
    small, large = (json.loads(diffuse("inspect", "--model", path, "--json")) for path in (plain, wide))
    r.equal(large["parameters"] - small["parameters"], 40 * 3 + 3, "weights and bias of three labels")
    r.equal(small["parts"], {"deep": {"scale": 1.0}}, "one part")
    r.equal(large["parts"], {"wide": {"features": 40, "weights": 120}, "deep": {"scale": 1.0}}, "two parts")
    r.check("wide + 1 x deep" in diffuse("inspect", "--model", wide), "for a person as well")


def replaced(rig, kept):
    """Only a file is replaced; a link goes on pointing to it."""
    with open(kept, "rb") as f:
        bytes_of = f.read()
    os.mkfifo(rig.path("fifo"))
    os.symlink("fifo", rig.path("to_fifo"))
    for out in (rig.path("fifo"), rig.path("to_fifo"), rig.path("data")):
        err = diffuse("quantize", "--model", MODEL, "--out", out, "--type", "i8", status=1)
        r.check(out in err and "no regular file" in err and err.count("\n") == 1, err)
    r.check(stat.S_ISFIFO(os.lstat(rig.path("fifo")).st_mode) and os.path.islink(rig.path("to_fifo")), "all are there")
    os.mkdir(rig.path("there"))
    os.symlink("../there/model", rig.path("data/link"))
    os.symlink(rig.path("data/link"), rig.path("first"))
    for _ in range(2):  # to nothing yet, and then to a file
        diffuse("quantize", "--model", MODEL, "--out", rig.path("first"), "--type", "i8")
        r.check(os.path.islink(rig.path("first")) and os.path.islink(rig.path("data/link")), "the links are links")
        with open(rig.path("there/model"), "rb") as f:
            r.check(f.read() == bytes_of, "the file is where they point")
    os.symlink("loop", rig.path("loop"))
    err = diffuse("quantize", "--model", MODEL, "--out", rig.path("loop"), "--type", "i8", status=1)
    r.check("symbolic links" in err, err)


with r.Rig() as the_rig:
    if not os.path.exists(MODEL):
        raise AssertionError(f"{MODEL} is missing")
    os.makedirs(the_rig.path("data"))
    corpus = the_rig.path("data/test.tsv")
    diffuse("corpus", "--seed", "3", "--count", str(ROWS), "--split", "test", "--out", corpus)
    rows = [line.rstrip("\n").split("\t", 1)[1] for line in open(corpus, encoding="utf-8", newline="\n")]
    made = {kind: quantize(the_rig, kind, "tsv:" + the_rig.path("data")) for kind in ("f32", "f16", "bf16", "i8", "i4")}
    for kind, (path, report) in made.items():
        print(kind, json.dumps(report))
        r.check(abs(report["accuracy"][1] - report["accuracy"][0]) <= (0.004 if kind == "i4" else 0.002), f"{kind} is as good")
        r.check(report["agreement"] >= 0.99, f"{kind} says the same")
    sizes = [made[kind][1]["file_bytes"][1] for kind in ("f32", "f16", "i8")]
    r.check(sizes[0] > 1.9 * sizes[1] and sizes[1] > 1.8 * sizes[2], f"files of {sizes} bytes")
    in_plan = [model_row(the_rig, made[kind][0]) for kind in ("f32", "f16", "i8")]
    r.check(in_plan[0] > 1.6 * in_plan[1] and in_plan[1] > 1.4 * in_plan[2], f"models of {in_plan} in the plan")

    said = the_rig.path("said")
    diffuse("eval", "--model", made["i8"][0], "--data", "tsv:" + the_rig.path("data"), "--predictions", said)
    the_rig.start(model=made["i8"][0])
    labels, push = the_rig.subscribe(), the_rig.connect(zmq.PUSH, "push", linger=-1)
    for seq, text in enumerate(rows, 1):
        push.send_multipart([b"s", the_rig.sample(seq, text)])
    given = [the_rig.label(labels)[1].label_name.decode() for _ in rows]
    with open(said, encoding="utf-8") as f:
        expected = [line.split("\t")[1] for line in f.read().splitlines()]
    differ = sum(a != b for a, b in zip(given, expected))
    print(f"{differ} of {ROWS} labels differ from diffuse eval")
    r.check(differ <= ROWS // 1000, "labels as diffuse eval gives them")
    for s in (push, labels):
        s.close()
    r.equal(the_rig.stop(), 0, "exit status")

    parts(the_rig)
    replaced(the_rig, made["i8"][0])
    err = diffuse("quantize", "--model", MODEL, "--out", "x", "--type", "i2", status=2)
    r.check("expected f32, f16, bf16, i8 or i4" in err, err)
    err = diffuse("quantize", "--model", MODEL, "--out", "/no/such/place", "--type", "i8", status=1)
    r.check("/no/such/place" in err, err)
