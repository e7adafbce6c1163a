#!/usr/bin/python3
"""Each socket is its group's: who is in none can do nothing, who reads labels cannot send, who sends samples cannot
give feedback, and whoever may use a socket may ask for the status and change nothing. As root, since it takes
processes of other users."""
import errno
import grp
import os
import pwd
import select
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

SOCKETS = ("ingest", "push", "labels", "control")


def probe_reach(endpoint):
    """What comes of a connection to each socket: ZeroMQ greets, or errno, or it is closed without a word."""
    for name in SOCKETS:
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.settimeout(r.DEADLINE)
        code = s.connect_ex(os.path.join(endpoint, name))
        try:
            said = b"" if code else s.recv(1)
        except ConnectionError:
            said = b""
        print(name, "greeted" if said else errno.errorcode[code] if code else "closed")


def probe_push(endpoint, name, stream, *bodies):
    """Push messages again and again; the end of standard input ends it."""
    s = zmq.Context().socket(zmq.PUB if name == "ingest" else zmq.PUSH)
    s.setsockopt(zmq.LINGER, 0)
    s.setsockopt(zmq.SNDHWM, 10)
    s.connect(f"ipc://{endpoint}/{name}")
    while not select.select([sys.stdin], [], [], 0.05)[0]:
        for body in bodies:
            try:
                s.send_multipart([stream.encode(), bytes.fromhex(body)], zmq.DONTWAIT)
            except zmq.Again:
                pass


def probe_watch(endpoint):
    """Say when a subscription is asked for, and then the streams of labels."""
    s = zmq.Context().socket(zmq.SUB)
    s.setsockopt(zmq.SUBSCRIBE, b"")
    s.connect(f"ipc://{endpoint}/labels")
    while True:
        print(s.recv_multipart()[0].decode(), flush=True)


def as_user(rig, groups, what, *words):
    """Start a probe as nobody, in these groups only."""
    ids = [grp.getgrnam(name).gr_gid for name in groups]
    return subprocess.Popen(["/usr/bin/python3", rig.path("probe.py"), what, rig.path("run"), *words], user="nobody",
                            group=ids[0] if ids else pwd.getpwnam("nobody").pw_gid, extra_groups=ids,
                            env={"PYTHONPATH": rig.path("lib")},
                            cwd="/", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def reach(rig, *groups):
    out, _ = as_user(rig, groups, "reach").communicate(timeout=r.DEADLINE)
    rows = dict(line.split() for line in out.splitlines())
    return {name for name in SOCKETS if rows[name] == "greeted"}, rows


def until(rig, what, condition):
    for _ in range(int(r.DEADLINE * 20)):
        if condition(rig.counters()):
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come; {rig.counters()}")


def files_keep_out(rig):
    modes = {name: os.stat(rig.path("run/" + name)) for name in SOCKETS}
    r.equal({name: (stat.S_IMODE(s.st_mode), grp.getgrgid(s.st_gid).gr_name) for name, s in modes.items()},
            {"ingest": (0o660, "games"), "push": (0o660, "games"), "labels": (0o660, "news"),
             "control": (0o666, "root")}, "modes and groups")
    r.equal(stat.S_IMODE(os.stat(rig.path("run")).st_mode) & 0o777, 0o711, "the folder lets through, and lists nothing")
    r.equal(reach(rig), (set(), {"ingest": "EACCES", "push": "EACCES", "labels": "EACCES", "control": "closed"}),
            "who is in no group reaches nothing")
    r.equal(reach(rig, "news")[0], {"labels", "control"}, "who may read labels")
    r.equal(reach(rig, "games")[0], {"ingest", "push", "control"}, "who may send")
    r.equal(reach(rig, "mail")[0], {"control"}, "who may control")
    r.equal(reach(rig, "uucp")[0], set(), "whose feedback counts may not send for that alone")


def ctl(rig, groups, *words, text=None):
    """diffusectl as nobody in these groups; returns its status and what it said."""
    ids = [grp.getgrnam(name).gr_gid for name in groups]
    done = subprocess.run([rig.path("diffusectl"), *r.PATIENT, "--endpoint", rig.path("run"), *words], user="nobody", group=ids[0],
                          extra_groups=ids, cwd="/", env={}, input=text or "", capture_output=True, text=True,
                          timeout=r.DEADLINE)
    return done.returncode, done.stdout + done.stderr


def own_tools_work(rig):
    """With the rights that each needs, and with no others."""
    status, said = ctl(rig, ["games", "news"], "send", "--push", "--wait", "--stream", "own", text="motor hot\n")
    r.check(status == 0 and "label" in said, f"a publisher that reads labels: {said}")
    for groups in (["games"], ["news"], ["mail"]):
        r.equal(ctl(rig, groups, "status")[0], 0, f"status, asked by {groups}")
    before = rig.status().model_id
    for groups in (["games"], ["news"], ["games", "news", "uucp"]):
        for words in (["reload", rig.path("model.safetensors")], ["rollback"], ["tune", "on"]):
            status, said = ctl(rig, groups, *words)
            r.check(status == 1 and "control_group" in said, f"{words} of {groups}: {status} {said}")
    r.equal(ctl(rig, ["mail"], "tune", "on")[0], 0, "who may control")
    r.equal(ctl(rig, ["mail"], "tune", "off")[0], 0, "who may control")
    r.equal(rig.status().model_id, before, "model")
    r.check("uid 65534" in rig.read_log() and "control_group" in rig.read_log(), "logged")


def reader_reads(rig):
    watch = as_user(rig, ["news"], "watch")
    push = rig.connect(zmq.PUSH, "push", linger=-1)
    ours = rig.subscribe(b"s")
    heard = []
    thread = threading.Thread(target=lambda: heard.append(next(line for line in watch.stdout if line.strip() == "s")))
    thread.start()
    seq = 0
    while thread.is_alive():
        seq += 1
        push.send_multipart([b"s", rig.sample(seq, "motor hot")])
        rig.label(ours)
        thread.join(0.05)
    r.equal(heard, ["s\n"], "a label, to who may read them")
    watch.kill()
    watch.wait()
    push.close()
    ours.close()


def feedback_is_told_apart(rig):
    sample = rig.sample(1, "motor hot").hex()
    feedback = rig.pb.Ingest(feedback=rig.pb.Feedback(seq=1, label_name=b"label1")).SerializeToString().hex()
    for name in ("push", "ingest"):
        before = rig.counters()
        sender = as_user(rig, ["games"], "push", name, "a", sample, feedback)
        until(rig, f"feedback denied on {name}", lambda now: now["feedback_denied"] > before["feedback_denied"])
        sender.communicate()
        after = rig.counters()
        r.check(after["accepted_" + name] > before["accepted_" + name], "its samples are accepted")
        both = as_user(rig, ["games", "uucp"], "push", name, "a", sample, feedback)
        until(rig, f"feedback on {name}", lambda now: now["feedback_ignored"] > before["feedback_ignored"])
        both.communicate()
        r.equal(before["feedback_ignored"], after["feedback_ignored"], "what was denied was not looked at")
    r.check("feedback of uid 65534" in rig.read_log() and "not in group uucp" in rig.read_log(), "logged")


def door_keeps_out_and_says_so(rig):
    """With files that let everybody through, the daemon itself looks who comes."""
    before = rig.counters()
    sample = rig.sample(1, "motor hot").hex()
    for name in ("push", "ingest"):
        sender = as_user(rig, [], "push", name, "b", sample)
        denied = rig.counters()["connections_denied"]
        until(rig, f"denied on {name}", lambda now: now["connections_denied"] > denied)
        sender.communicate()
    for probe in ("watch", "reach"):
        visitor = as_user(rig, ["uucp"], probe)
        denied = rig.counters()["connections_denied"]
        until(rig, "denied", lambda now: now["connections_denied"] > denied)
        visitor.kill()
        visitor.communicate()
    after = rig.counters()
    r.equal([after[k] - before[k] for k in ("accepted_push", "accepted_ingest")], [0, 0], "accepted from who may not")
    log = rig.read_log()
    for name, group in (("push", "games"), ("ingest", "games"), ("labels", "news"), ("control", "mail")):
        r.check(f"{name}: " in log and f"not in group {group} ({name}_group)" in log, f"logged of {name}: {log}")
    reader_reads(rig)


def main():
    if os.geteuid() != 0:
        r.skip("processes of other users take root")
    try:
        for name in ("games", "news", "mail", "uucp"):
            grp.getgrnam(name)
        pwd.getpwnam("nobody")
    except KeyError as missing:
        r.skip(f"this system lacks a group or user: {missing}")
    keys = {"socket_group": "games", "labels_group": "news", "control_group": "mail", "feedback_group": "uucp"}
    with r.Rig() as rig:
        os.chmod(rig.dir, 0o711)
        keys.update(state_dir=rig.path("state"), memory_budget="1G")  # a sanitizer takes its own
        with open(__file__, encoding="utf-8") as here, open(rig.path("probe.py"), "w", encoding="utf-8") as there:
            there.write(here.read())
        os.chmod(rig.path("probe.py"), 0o644)
        os.mkdir(rig.path("lib"))  # where the tree lies, others may not read
        os.chmod(rig.path("lib"), 0o755)
        os.chmod(shutil.copy(r.__file__, rig.path("lib")), 0o644)
        shutil.copy(os.path.join(r.BUILD, "diffusectl"), rig.dir)
        rig.start(**keys)
        files_keep_out(rig)
        own_tools_work(rig)
        reader_reads(rig)
        feedback_is_told_apart(rig)
        r.equal(rig.stop(), 0, "exit status")
        rig.start(socket_mode="0666", **keys)
        door_keeps_out_and_says_so(rig)
        r.equal(rig.stop(), 0, "exit status")
        status, _, err = rig.run(push_group="no-such-group")
        r.check(status == 1 and "push_group: there is no group 'no-such-group'" in err, err)
        status, _, err = rig.run(push="ipc://@diffused-test")
        r.check(status == 1 and "has no permissions" in err, err)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        {"reach": probe_reach, "push": probe_push, "watch": probe_watch}[sys.argv[1]](*sys.argv[2:])
    else:
        main()
