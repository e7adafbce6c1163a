#!/usr/bin/python3
"""CURVE over TCP: each role may do its part and nothing else, through pyzmq and through diffusectl; an unknown key can do
nothing, and is counted and logged; the list of keys is read again; bounds hold for what is sealed."""
import os
import subprocess
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq
import zmq.auth
from ports import free_ports

DOORS = ("ingest", "push", "labels", "control")
ROLES = {"writer": "publish", "teacher": "feedback", "reader": "subscribe", "boss": "control",
         "all": "publish,feedback,subscribe,control"}


def until(what, good):
    end = time.monotonic() + r.DEADLINE
    while not good():
        r.check(time.monotonic() < end, what)
        time.sleep(0.02)


class Net:
    """The daemon's four sockets over TCP, with keys."""

    def __init__(self, rig):
        self.rig, self.base, self.keys = rig, free_ports(4), {}
        for name in ("server", *ROLES, "stranger"):
            roles = ["--roles", ROLES[name]] if name in ROLES else []
            done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), "keygen", "--out", rig.path(name), *roles],
                                  capture_output=True, text=True, check=True)
            r.equal(len(done.stdout.split()), 3 if roles else 0, "keygen prints the line")
            if roles:
                with open(rig.path("clients"), "a", encoding="ascii") as file:
                    file.write(done.stdout)
            self.keys[name] = zmq.auth.load_certificate(rig.path(name + ".key_secret"))
        os.chmod(rig.path("clients"), 0o644)

    def settings(self):
        return {"tcp": f"127.0.0.1:{self.base}", "curve_secret_key": self.rig.path("server.key_secret"),
                "curve_clients": self.rig.path("clients")}

    def connect(self, kind, door, name=None, server="server"):
        s = self.rig.context.socket(kind)
        s.setsockopt(zmq.LINGER, 0)
        s.setsockopt(zmq.IMMEDIATE, kind != zmq.SUB)
        if name:
            s.curve_publickey, s.curve_secretkey = self.keys[name]
            s.curve_serverkey = self.keys[server][0]
        s.connect(f"tcp://127.0.0.1:{self.base + DOORS.index(door)}")
        return s

    def ctl(self, name, *arguments, status=0, stdin="", server="server", timeout=r.PATIENT[1]):
        done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), "--endpoint", f"tcp://127.0.0.1:{self.base}",
                               "--server-key", self.rig.path(server + ".key"), "--key",
                               self.rig.path(name + ".key_secret"), "--timeout", timeout, *arguments],
                              capture_output=True, text=True, timeout=r.DEADLINE, input=stdin)
        r.equal(done.returncode, status, f"diffusectl {arguments} as {name}: {done.stderr}")
        return done.stdout, done.stderr


def refuses(s):
    """Nothing can be sent. Who is let in late is no failure here: the counters tell."""
    return not s.poll(300, zmq.POLLOUT)


def ask(net, name, **verb):
    s = net.connect(zmq.DEALER, "control", name)
    s.send(net.rig.pb.Request(id=7, **verb).SerializeToString())
    reply = net.rig.pb.Reply.FromString(net.rig.receive(s)[-1])
    s.close()
    return reply


def roles(rig, net):
    pb, labels = rig.pb, net.connect(zmq.SUB, "labels", "reader")
    labels.setsockopt(zmq.SUBSCRIBE, b"")
    local = rig.subscribe(b"")  # files stay as they are, beside
    writer = net.connect(zmq.PUSH, "push", "writer")
    r.check(writer.poll(r.DEADLINE * 1000, zmq.POLLOUT), "a key with publish is let in")
    seq, heard = 0, None
    while not heard:  # its subscription is under way
        seq += 1
        writer.send_multipart([b"net/a", rig.sample(seq, "over the network")])
        r.equal(rig.label(local)[1].seq, seq, "who publishes is answered")
        while not heard and labels.poll(50):
            topic = labels.recv_multipart()[0]
            heard = None if topic.startswith(b"$sys/") else topic
    r.equal(heard, b"net/a", "who subscribes hears it")
    for big in range(400):  # what is sealed is opened, and counts no longer
        writer.send_multipart([b"net/big", rig.sample(big + 1, "x" * 16000)])
        r.equal(rig.label(local)[1].seq, big + 1, "large messages go on and on")
    r.equal(rig.counters()["connections_ended"], 0, "connections that were ended")
    while labels.poll(50):
        labels.recv_multipart()
    publisher = net.connect(zmq.PUB, "ingest", "writer")
    heard = None
    while not heard:
        publisher.send_multipart([b"net/pub", rig.sample(1, "published")])
        while not heard and local.poll(50):
            topic = local.recv_multipart()[0]
            heard = None if topic.startswith(b"$sys/") else topic
    r.equal(heard, b"net/pub", "ingest as well")

    # Who may give feedback may publish nothing; the samples are dropped without a word on labels.
    before = rig.counters()
    teacher = net.connect(zmq.PUSH, "push", "teacher")
    feedback = pb.Ingest(feedback=pb.Feedback(seq=seq, label_id=1)).SerializeToString()
    r.check(teacher.poll(r.DEADLINE * 1000, zmq.POLLOUT), "a key with feedback is let in")
    teacher.send_multipart([b"net/a", feedback])
    teacher.send_multipart([b"net/a", rig.sample(999, "no")])
    teacher.send_multipart([b"net/a", b"\xff\xff no message"])
    writer.send_multipart([b"net/a", feedback])
    until("each was looked at", lambda: rig.counters()["roles_denied"] == before["roles_denied"] + 3)
    after = rig.counters()
    fates = [n for n in after if n.startswith("feedback_")]
    r.equal({n: after[n] - before[n] for n in fates if after[n] != before[n]}, {"feedback_ignored": 1, "feedback_denied": 1},
            "feedback is counted, and denied without the role")
    for name in ("accepted_push", "labelled", "refused", "unaddressed"):
        r.equal(after[name], before[name], name)

    # The other doors stay shut.
    for name, door, kind in (("reader", "push", zmq.PUSH), ("boss", "push", zmq.PUSH), ("stranger", "push", zmq.PUSH),
                             ("reader", "ingest", zmq.PUSH), ("stranger", "control", zmq.DEALER),
                             (None, "push", zmq.PUSH), (None, "control", zmq.DEALER)):
        refused = rig.counters()["keys_refused"]
        s = net.connect(kind if door != "ingest" else zmq.XPUB, door, name)
        if door == "ingest":
            r.check(not s.poll(300), f"{name} hears that {door} listens")
        else:
            r.check(refuses(s), f"{name} is let in at {door}")
        s.close()
        if name:
            until("that is counted", lambda: rig.counters()["keys_refused"] > refused)
    for name in ("writer", "boss", "stranger", None):
        s = net.connect(zmq.SUB, "labels", name)
        s.setsockopt(zmq.SUBSCRIBE, b"")
        writer.send_multipart([b"net/a", rig.sample(seq + 1, "heard by some")])
        rig.label(local)
        r.check(not s.poll(200), f"{name} hears labels")
        s.close()

    # Control: reports for each key that is known, changes for one.
    for name in ROLES:
        r.check(ask(net, name, status=pb.StatusRequest()).status.labels, f"{name} asks for the status")
        tune = pb.TuneRequest(action=pb.TuneRequest.STATUS)
        r.equal(ask(net, name, tune=tune).error, 0, f"{name} asks how tuning goes")
    for verb in ({"reload": pb.ReloadRequest()}, {"rollback": pb.RollbackRequest()},
                 {"tune": pb.TuneRequest(action=pb.TuneRequest.SAVE)}):
        for name in ("writer", "teacher", "reader"):
            reply = ask(net, name, **verb)
            r.equal(reply.error, 21, f"{name} asks for {verb}")
            r.check(b"control" in reply.error_text, "the role is named")
        r.check(ask(net, "boss", **verb).error != 21, f"boss asks for {verb}")
    for s in (labels, local, writer, publisher, teacher):
        s.close()


def clients(rig, net):
    """libdiffuse, by way of diffusectl."""
    out, _ = net.ctl("all", "classify", "a text")
    r.check("label" in out, f"classified: {out}")
    _, said = net.ctl("all", "send", "--push", stdin="one\ntwo\n")
    r.equal(said, "sent 2, answered 2\n", "sent")
    _, said = net.ctl("all", "send", stdin="one\ntwo\n")
    r.equal(said, "sent 2, answered 2\n", "published")
    net.ctl("boss", "reload")
    _, said = net.ctl("reader", "reload", status=1)
    r.check("role control" in said, f"denied: {said}")
    for name, server, words in (("reader", "server", "not publish"), ("writer", "server", "labels"),
                                ("stranger", "server", "does not let in"), ("all", "stranger", "server key")):
        begun = time.monotonic()
        _, said = net.ctl(name, "classify", "x", status=1, server=server, timeout="700")
        r.check(words in said or "nobody answers" in said, f"{name}: {said}")
        r.check(time.monotonic() - begun < r.DEADLINE / 2, "it does not hang")
    os.chmod(rig.path("all.key_secret"), 0o644)
    _, said = net.ctl("all", "status", status=1)
    r.check("0644" in said and "chmod 0600" in said, f"a secret that others may read: {said}")
    os.chmod(rig.path("all.key_secret"), 0o600)
    done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), "keygen", "--out", rig.path("all")],
                          capture_output=True, text=True)
    r.equal(done.returncode, 1, "keygen overwrites nothing")
    r.equal(zmq.auth.load_certificate(rig.path("all.key_secret")), net.keys["all"], "and the key is the old one")
    with open(rig.path("server.key"), encoding="ascii") as file:
        r.check("secret-key" not in file.read(), "the public file holds no secret")
    r.equal(os.stat(rig.path("server.key_secret")).st_mode & 0o777, 0o600, "mode of the secret file")


def read_again(rig, net):
    """A key that is taken off the list may do nothing from then on, where it is connected already too."""
    labels, writer = net.connect(zmq.SUB, "labels", "reader"), net.connect(zmq.PUSH, "push", "writer")
    labels.setsockopt(zmq.SUBSCRIBE, b"")
    local = rig.subscribe(b"")
    while not labels.poll(50):
        writer.send_multipart([b"again", rig.sample(1, "x")])
        rig.label(local)
    with open(rig.path("clients"), encoding="ascii") as file:
        lines = file.readlines()
    with open(rig.path("clients"), "w", encoding="ascii") as file:
        file.write("broken\n")
    reply = rig.request(reload=rig.pb.ReloadRequest())
    r.check(reply.error and b"clients:1:" in reply.error_text, f"a broken list is refused: {reply.error_text}")
    writer.send_multipart([b"again", rig.sample(2, "x")])
    rig.label(local)
    with open(rig.path("clients"), "w", encoding="ascii") as file:
        stranger = net.keys["stranger"][0].decode()
        file.writelines([line for line in lines if line.split()[0] not in ("reader", "writer")])
        file.write(f"new {stranger} publish\n")
    r.equal(rig.request(reload=rig.pb.ReloadRequest()).error, 0, "the list is read")
    while labels.poll(0):
        labels.recv_multipart()
    denied = rig.counters()["roles_denied"]
    writer.send_multipart([b"again", rig.sample(3, "no")])
    until("the connection's key counts no longer", lambda: rig.counters()["roles_denied"] > denied)
    newcomer = net.connect(zmq.PUSH, "push", "stranger")
    r.check(newcomer.poll(r.DEADLINE * 1000, zmq.POLLOUT), "a key that came is let in")
    newcomer.send_multipart([b"new", rig.sample(1, "x")])
    r.equal(rig.label(local)[0], b"new", "and may do its part")
    while labels.poll(300):  # what was under way before may still come
        r.check(labels.recv_multipart()[0] != b"new", "who may subscribe no longer hears what came after")
    for s in (labels, writer, local, newcomer):
        s.close()
    with open(rig.path("clients"), "w", encoding="ascii") as file:
        file.writelines(lines)
    while not rig.words.empty():  # of the reloads before
        rig.words.get()
    rig.process.send_signal(r.signal.SIGHUP)
    for word in ("RELOADING=1", "READY=1"):
        rig.wait_notify(word)
    back = net.connect(zmq.PUSH, "push", "writer")
    r.check(back.poll(r.DEADLINE * 1000, zmq.POLLOUT), "SIGHUP reads it too: a key that is back is let in")
    back.close()


def descriptors(rig):
    return len(os.listdir(f"/proc/{rig.process.pid}/fd"))


def floods(rig, net):
    """What nobody may take: connections with bad keys, topics, and frames of one message, without end."""
    refused, ended = rig.counters()["keys_refused"], rig.counters()["connections_ended"]

    def knock(n):
        for i in range(n):
            s = net.connect(zmq.PUSH, "push", "stranger")
            until("it is turned away", lambda: rig.counters()["keys_refused"] > refused + done[0] + i)
            s.close()
        done[0] += n

    done = [0]
    knock(20)
    before, open_before = rig.resident()[0], descriptors(rig)
    knock(200)
    until("descriptors come back", lambda: descriptors(rig) <= open_before + 2)
    grown = rig.resident()[0] - before
    print(f"200 connections with a bad key: {grown >> 10} KiB more, {descriptors(rig) - open_before} descriptors more")
    r.check(rig.sanitized() or grown < 1 << 20, "memory is flat")
    for _ in range(5):
        s = net.connect(zmq.SUB, "labels", "reader")
        for _ in range(2000):
            s.setsockopt(zmq.SUBSCRIBE, os.urandom(200))
        ended += 1
        until("a subscriber of topics without end is ended", lambda: rig.counters()["connections_ended"] >= ended)
        s.close()
    s = net.connect(zmq.PUSH, "push", "writer")
    r.check(s.poll(r.DEADLINE * 1000, zmq.POLLOUT), "let in")
    ended = rig.counters()["connections_ended"]
    s.send_multipart([b"\0" * 30000] * 80)
    until("so is a message of frames without end", lambda: rig.counters()["connections_ended"] > ended)
    s.close()
    plan, peak = rig.status().memory_plan, rig.resident()[1]
    print(f"peak {peak >> 10} KiB, plan {plan >> 10} KiB")
    r.check(rig.sanitized() or peak <= plan, "the peak is inside the plan")


def refusals(rig, net):
    """What --check and the start say."""
    good = net.settings()
    for change, words in (({"curve_secret_key": ""}, "curve_secret_key is not"), ({"curve_clients": ""}, "nobody could"),
                          ({"curve_clients": "", "curve_secret_key": "", "tcp": "*:5550"}, "plain_tcp = anywhere"),
                          ({"curve_clients": "", "curve_secret_key": "", "push": "tcp://0.0.0.0:5551"}, "plain TCP"),
                          ({"ingest_connect": "tcp://10.0.0.7:5550"}, "ingest_connect"), ({"tcp": "5550"}, "ADDRESS:PORT"),
                          ({"curve_secret_key": rig.path("none")}, "none: cannot be read"),
                          ({"curve_secret_key": rig.path("server.key")}, "chmod 0600"),
                          ({"curve_clients": rig.path("server.key")}, "NAME PUBLICKEY")):
        status, out, err = rig.run("--check", **{**good, **change})
        r.equal((status, out), (1, ""), f"--check of {change}")
        r.check(words in err and err.count("\n") == 1, f"{change}: {err}")
    os.chmod(rig.path("server.key_secret"), 0o644)
    status, _, err = rig.run(**good)
    r.check(status == 1 and "0644" in err, f"a secret that others may read: {err}")
    os.chmod(rig.path("server.key_secret"), 0o600)
    for fine in ({}, {"curve_clients": "", "curve_secret_key": ""},
                 {"curve_clients": "", "curve_secret_key": "", "tcp": "*:5550", "plain_tcp": "anywhere-unprotected"}):
        r.equal(rig.run("--check", **{**good, **fine})[:2], (0, "configuration ok\n"), f"--check of {fine}")


with r.Rig() as the_rig:
    the_net = Net(the_rig)
    refusals(the_rig, the_net)
    the_rig.start(subscribers=6, **the_net.settings())
    roles(the_rig, the_net)
    clients(the_rig, the_net)
    read_again(the_rig, the_net)
    floods(the_rig, the_net)
    r.equal(the_rig.stop(), 0, "exit status")
    log = the_rig.read_log()
    for words in ("at 127.0.0.1 turned away: it is not in", "reader (key ", "it has not the role publish or feedback",
                  "from teacher, refused: a sample takes the role publish",
                  "from writer, refused: feedback takes the role feedback", "a request of reader refused"):
        r.check(words in log, f"the log says: {words}")
    the_secret = the_net.keys["server"][1].decode()
    r.check(the_secret not in log, "no secret is in it")
