#!/usr/bin/python3
"""Where a client finds its daemon, and what it may do there: IPv6, closed sockets, paths of checkpoints, a full queue."""
import glob
import os
import shutil
import subprocess
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
from ports import free_ports
from wire import Wire

CTL = os.path.join(r.BUILD, "diffusectl")


def ctl(*arguments, status=0, program=CTL, **options):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=r.DEADLINE, **options)
    r.equal(done.returncode, status, f"diffusectl {arguments}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def brackets(rig):
    """tcp://[::1]:PORT, and what has no brackets."""
    there, here = free_ports(4), free_ports(4)
    rig.start(tcp=f"127.0.0.1:{there}")
    for i in range(4):
        Wire(here + i, there + i, host="::1")
    r.check("\t" in ctl("-e", f"tcp://[::1]:{here}", "classify", "some words"), "an answer over IPv6")
    r.check("sent 3, answered 3" in ctl("-e", f"tcp://[::1]:{here}", "send", input="a\nb\nc\n"), "published over IPv6")
    r.check("in brackets" in ctl("-e", f"tcp://::1:{here}", "status", status=1), "colons that nothing tells apart")


def closed(rig):
    """Permissions that keep a user out are said at once, with the group that lets him in."""
    program, who = CTL, {}
    if os.geteuid() == 0:
        program = shutil.copy(CTL, rig.path("diffusectl"))
        os.chmod(rig.dir, 0o711)
        environment = dict(os.environ)
        for name in ("TSAN_OPTIONS", "LSAN_OPTIONS"):  # that user may not come to the files that they name
            environment[name] = environment.get(name, "").replace(os.path.join(r.ROOT, "tests/lib"), rig.dir)
        for file in glob.glob(os.path.join(r.ROOT, "tests/lib/*.supp")):
            shutil.copy(file, rig.dir)
        who = {"user": 65534, "group": 65534, "extra_groups": [], "env": environment}
    shut = (("push", "classify", "x"), ("labels", "watch"), ("control", "status"), ("ingest", "send"))
    os.chmod(rig.path("run"), 0o755)
    for name, *verb in shut:
        path = rig.path("run/" + name)
        mode = os.stat(path).st_mode & 0o777
        for other in os.listdir(rig.path("run")):
            os.chmod(rig.path("run/" + other), 0o777)
        os.chmod(path, 0o060)
        begun = time.monotonic()
        said = ctl("-e", rig.path("run"), "--timeout", str(int(1000 * r.DEADLINE)), *verb, status=1, program=program,
                   input="x\n", **who)
        r.check(time.monotonic() - begun < r.DEADLINE / 2, "it does not wait")
        r.check(f"/{name}: you may not use it" in said and "group" in said, said)
        r.check("Start diffused" not in said, said)
        os.chmod(path, mode)
    os.chmod(rig.path("run"), 0o700 if who else 0)
    said = ctl("-e", rig.path("run"), "status", status=1, program=program, **who)
    r.check("/run: you may not use it, and no group may" in said, said)
    os.chmod(rig.path("run"), 0o755)


def paths(rig):
    """A relative path is the caller's over ipc; over the network a path outside the folder says nothing of itself."""
    os.mkdir(rig.path("models"))
    rig.make_model(rig.path("models/other.safetensors"), "byte", 32, 5)
    r.check("model " in ctl("-e", rig.path("run"), "reload", "other.safetensors", cwd=rig.path("models")), "relative")
    r.check("model " in ctl("-e", rig.path("run"), "reload", "models/../model.safetensors", cwd=rig.dir), "and .. in it")
    rig.stop()
    port = free_ports(4)
    far = ("-e", f"tcp://127.0.0.1:{port}")
    near = ("-e", rig.path("run"))
    rig.start(tcp=f"127.0.0.1:{port}")
    said = {ctl(*far, "reload", path, status=1).strip() for path in
            ("/etc/passwd", "/etc", "/no/such", "/proc/1/environ", rig.dir + "/../etc/passwd", rig.dir + "/x/../../y",
             rig.dir + "/..", rig.dir + "x/model.safetensors")}
    r.equal(len(said), 1, f"one answer for whatever is there: {said}")
    r.check("reload_folder" in said.pop(), "and it names the key")
    for where in (near, far):
        r.check("model " in ctl(*where, "reload", rig.model), "the model's own folder")
        ctl(*where, "reload")
    r.check("model " in ctl(*near, "reload", rig.path("models/other.safetensors")), "any on this machine")
    rig.stop()
    rig.start(tcp=f"127.0.0.1:{port}", reload_folder=rig.path("models"))
    for where in (near, far):
        r.check("reload_folder" in ctl(*where, "reload", rig.model, status=1), "not in the folder")
        r.check("model " in ctl(*where, "reload", rig.path("models/other.safetensors")), "in the folder")
    rig.stop()


def room(rig):
    """diffuse_publish waits for room as long as it was told, where a loop would have found a full queue."""
    rig.start(workers=1, queue=16)
    done = subprocess.run([os.path.join(r.BUILD, "tests/probe_publish"), rig.path("run"), "10000"], capture_output=True,
                          text=True, timeout=r.DEADLINE)
    r.equal((done.returncode, done.stdout), (0, "10000 published\n"), f"publishing in a loop: {done.stderr}")
    rig.stop()


with r.Rig() as the_rig:
    brackets(the_rig)
    closed(the_rig)
    paths(the_rig)
    room(the_rig)
