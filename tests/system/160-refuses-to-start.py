#!/usr/bin/python3
"""What keeps the daemon from starting: exit 1 and one line; usage errors: exit 2."""
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r


def refused(rig, words, *options, **keys):
    status, out, err = rig.run(*options, **keys)
    r.equal(status, 1, f"status with {options} {keys}")
    r.equal(len(err.strip().split("\n")), 1, f"one line, not: {err}")
    for word in words:
        r.check(word in err, f"{word!r} is not in: {err}")


with r.Rig() as rig:
    refused(rig, ["nothing.safetensors"], model=rig.path("nothing.safetensors"))
    with open(rig.model, "rb") as file:
        whole = file.read()
    damaged = rig.path("damaged.safetensors")
    for what, content in (("empty", b""), ("short", whole[:-1]), ("cut", whole[:200]),
                          ("flipped", whole[:-9] + bytes([whole[-9] ^ 1]) + whole[-8:]),
                          ("noise", os.urandom(5000))):
        with open(damaged, "wb") as file:
            file.write(content)
        refused(rig, ["damaged.safetensors"], model=damaged)
    refused(rig, ["memory_budgte", "memory_budget"], memory_budgte="1G")
    refused(rig, ["workers", "65"], workers=65)
    refused(rig, ["memory_budget"], memory_budget="2M")

    # A running daemon keeps its paths.
    rig.start()
    refused(rig, ["another process listens there"])
    r.equal(len(rig.status().labels), 5, "the first daemon still serves")
    r.equal(rig.stop(), 0, "exit status")

    # A socket file that nobody listens on is replaced, and other files are left alone.
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(rig.path("run/push"))
    stale.close()
    rig.start()
    r.check("replaced a socket file" in rig.read_log(), "the replacement is spoken about")
    rig.process.kill()
    rig.process.wait()
    rig.start()
    r.equal(rig.stop(), 0, "exit status after the daemon before was killed")
    with open(rig.path("run/push"), "w", encoding="ascii") as file:
        file.write("precious")
    refused(rig, ["exists and is no socket"])
    with open(rig.path("run/push"), encoding="ascii") as file:
        r.equal(file.read(), "precious", "the file")

    # No address space for the products of tuning, which OpenBLAS would ask for again and again.
    inner, rig.command = rig.command, lambda *options, **keys: ["prlimit", "--as=150000000", *inner(*options, **keys)]
    if "san" not in os.path.basename(r.BUILD):
        refused(rig, ["address space", "ulimit -v"], tune="yes", state_dir=rig.path("state"))
    rig.command = inner

    # The configuration file.
    config = rig.path("diffused.conf")
    with open(config, "w", encoding="ascii") as file:
        file.write("queue = 50\nbatchmax = 3\n")
    refused(rig, [config + ":2:", "batchmax", "batch_max"], "--config", config)
    with open(config, "w", encoding="ascii") as file:
        file.write(f"queue = 50\nmodel = {rig.model}\nruntime_dir = {rig.path('run')}\n")
    status, out, err = rig.run("--config", config, "--check")
    r.equal((status, out, err), (0, "configuration ok\n", ""), "--check")
    for change, word in (({"model": rig.path("none")}, "none"), ({"socket_group": "no-such-group"}, "no-such-group"),
                         ({"feedback_group": "no-such-group"}, "feedback_group"), ({"memory_budget": "2M"}, "the plan"),
                         ({"kernel": "neon" if os.uname().machine == "x86_64" else "avx2"}, "kernel")):
        status, out, err = rig.run("--config", config, "--check", **change)
        r.check(status == 1 and out == "" and word in err, f"--check of {change}: {err}")
    status, out, err = rig.run("--config", config, "--check", model=rig.path("none"), push_group="no-such-group")
    r.check(status == 1 and "none" in err and "push_group" in err and err.count("\n") == 2, f"all at once: {err}")
    status, out, err = rig.run("--config", config, "--print-config", batch_max=7)
    r.check(f"queue = 50    ; {config}:1\n" in out, "a value of the file")
    r.check("batch_max = 7    ; --set\n" in out, "a value of the command line")
    r.check("streams = 1024    ; default\n" in out, "a default")
    status, out, err = rig.run("--nonsense")
    r.equal(status, 2, "usage error")
