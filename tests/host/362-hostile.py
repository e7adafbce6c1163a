#!/usr/bin/python3
"""Whatever a connection sends, and whenever it leaves, the daemon lives, stays inside its plan, and serves honest clients
all the while: at each socket, over ipc, TCP and CURVE. HOSTILE_EACH connections at each (12; make hostile: 1000). An
Identity that is ZeroMQ's to give is refused, and a message above the limit is cut off before it was sent."""
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq
import zmq.auth
from bare_peer import GREETING, KINDS, PORTS, Curve, Null, command, frame, identity, ready
from ports import free_ports

EACH = int(os.environ.get("HOSTILE_EACH", "12"))
OUT = os.environ.get("HOSTILE_OUT", "")
WAYS = os.environ.get("HOSTILE_WAYS", "ipc tcp curve").split()
SEED = int(os.environ.get("HOSTILE_SEED", "1"))
DOORS = tuple(KINDS)
QUARTERS = 4  # of the connections, in each of which honest clients have to be served
FLOOD = 640  # pieces of those who send as much as the other side takes
TOGETHER = 16  # of them in one call
MAX_MESSAGE = 65536  # bytes, as configured


class Site:
    """A daemon with a way in: ipc, tcp (plain) or curve."""

    def __init__(self, rig, way):
        self.rig, self.way, self.base, self.keys = rig, way, free_ports(4), {}
        settings = {} if way == "ipc" else {"tcp": f"127.0.0.1:{self.base}"}
        if way == "curve":
            for name, roles in (("server", None), ("all", "publish,feedback,subscribe,control"), ("foe", "publish,subscribe")):
                done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), "keygen", "--out", rig.path(name),
                                       *(["--roles", roles] if roles else [])], capture_output=True, text=True, check=True)
                with open(rig.path("clients"), "a", encoding="ascii") as file:
                    file.write(done.stdout if roles else "")
                self.keys[name] = [zmq.utils.z85.decode(k) for k in zmq.auth.load_certificate(rig.path(name + ".key_secret"))]
            os.chmod(rig.path("clients"), 0o644)
            settings |= {"curve_secret_key": rig.path("server.key_secret"), "curve_clients": rig.path("clients")}
        rig.start(max_message=MAX_MESSAGE, **settings)

    def open(self, door):
        if self.way == "ipc":
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.settimeout(r.DEADLINE)
            s.connect(self.rig.path("run/" + door))
        else:
            s = socket.create_connection(("127.0.0.1", self.base + PORTS[door]), r.DEADLINE)
        if self.way == "curve":
            return Curve(s, door, self.keys["server"][0], *self.keys["foe"])
        return Null(s, door)

    def honest(self, kind, door, hwm=0):
        s = self.rig.context.socket(kind)
        s.linger, s.rcvhwm = 0, hwm
        s.setsockopt(zmq.HEARTBEAT_IVL, 200)
        s.setsockopt(zmq.HEARTBEAT_TIMEOUT, 60000)
        if self.way == "curve":
            s.curve_serverkey = zmq.utils.z85.encode(self.keys["server"][0])
            s.curve_publickey, s.curve_secretkey = map(zmq.utils.z85.encode, self.keys["all"])
        s.connect(self.rig.endpoint(door) if self.way == "ipc" else f"tcp://127.0.0.1:{self.base + PORTS[door]}")
        return s


class Witness:
    """An honest publisher, subscriber and asker, who are served all the while: one sample and one request at a time."""

    def __init__(self, site):
        self.site, self.answered, self.failure, self.stop = site, 0, None, False
        self.slowest, self.slowest_reply, self.begun = 0.0, 0.0, threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        r.check(self.begun.wait(r.DEADLINE), f"served before all begins: {self.failure}")

    def run(self):
        try:
            labels = self.site.honest(zmq.SUB, "labels")
            labels.setsockopt(zmq.SUBSCRIBE, b"honest")
            push, control = self.site.honest(zmq.PUSH, "push"), self.site.honest(zmq.DEALER, "control")
            pb = self.site.rig.pb
            while not labels.poll(50):  # until its subscription is in force
                push.send_multipart([b"honest", self.site.rig.sample(1, "x")])
            while labels.poll(1000):
                labels.recv_multipart()
            seq = 2
            while not self.stop:
                began = time.monotonic()
                push.send_multipart([b"honest", self.site.rig.sample(seq, "x")])
                r.check(labels.poll(r.DEADLINE * 1000), "an honest client is not served")
                r.equal(pb.Label.FromString(labels.recv_multipart()[1]).seq, seq, "its answer")
                self.slowest = max(self.slowest, time.monotonic() - began)
                began = time.monotonic()
                control.send(pb.Request(id=seq, status=pb.StatusRequest()).SerializeToString())
                r.check(control.poll(r.DEADLINE * 1000), "an honest request is not answered")
                r.equal(pb.Reply.FromString(control.recv()).id, seq, "its reply")
                self.slowest_reply = max(self.slowest_reply, time.monotonic() - began)
                self.answered += 1
                self.begun.set()
                seq += 1
                time.sleep(0.001)
        except Exception as e:  # told by the main thread
            self.failure = e

    def done(self):
        self.stop = True
        self.thread.join()
        if self.failure:
            raise self.failure
        return self.answered


def pings(rng):
    return command(b"PING", os.urandom(2)[:2] + os.urandom(rng.choice((0, 0, 4, 16))))


def pieces(rng, site, door, peer):
    """Frames without end, by one of the ways to do harm."""
    body = site.rig.sample(rng.randrange(1, 1 << 62), "x" * rng.randrange(1, 300))
    topic = bytes(rng.randrange(97, 123) for _ in range(rng.choice((3, 8, 15, 30))))
    message = peer.seal(topic, more=True) + peer.seal(body)
    how = rng.choice(("ping", "ping", "ping", "short ping", "long ping", "pong", "error", "subscribe", "cancel", "topics",
                      "more", "command more", "half", "messages", "noise", "ready"))
    while True:
        if how == "ping":
            yield (peer.seal(topic, more=True) + peer.seal(pings(rng), is_command=True) + peer.seal(body) if door != "labels"
                   else peer.seal(b"\1" + topic) + peer.seal(pings(rng), is_command=True))
            if door in ("ingest", "push"):
                message = b"".join(peer.seal(topic, more=True) + peer.seal(body) for _ in range(5))
                yield message
        elif how == "short ping":
            yield peer.seal(b"\4PING" + os.urandom(rng.randrange(2)), is_command=True)
        elif how == "long ping":
            yield peer.seal(b"\4PING" + os.urandom(rng.randrange(19, 300)), is_command=True)
        elif how == "pong":
            yield peer.seal(command(b"PONG", os.urandom(rng.randrange(17))), is_command=True)
        elif how == "error":
            yield peer.seal(command(b"ERROR", b"\x03400"), is_command=True)
        elif how in ("subscribe", "cancel"):
            yield peer.seal(command(how.upper().encode(), os.urandom(rng.randrange(20))), is_command=True)
        elif how == "topics":
            yield peer.seal(rng.choice((b"\1", b"\0")) + os.urandom(22).rjust(rng.choice((22, 254, 255, 256, 264, 300, 700)), b"t"))
        elif how == "more":
            yield peer.seal(os.urandom(rng.randrange(40)), more=True)
        elif how == "command more":
            yield peer.seal(command(rng.choice((b"SUBSCRIBE", b"PING")), b"\0\1aa"), more=True, is_command=True)
        elif how == "half":
            yield peer.seal(body)[:-1]
            yield b""
        elif how == "ready":
            yield peer.seal(ready(KINDS[door]), is_command=True)
        elif how == "noise":
            yield os.urandom(rng.randrange(1, 400))
        else:
            yield message


def leave(rng, peer):
    if rng.random() < 0.5 and peer.sock.family != socket.AF_UNIX:  # without a word
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.sock.close()


def attack(rng, site, door):
    """One connection: True, when it got as far as it wanted to."""
    try:
        peer = site.open(door)
    except OSError:
        return False
    try:
        if rng.random() < 0.15:  # leaves in its handshake, at any byte
            begin = (peer.greeting if site.way == "curve" else GREETING) + frame(ready(KINDS[door]), command=True)
            peer.sock.sendall(begin[:rng.randrange(len(begin) + 1)])
            leave(rng, peer)
            return True
        peer.shake()
        peer.sock.setblocking(False)
        most = rng.choice((1, 10, 200, FLOOD))
        source = pieces(rng, site, door, peer)
        step = TOGETHER if most == FLOOD else 1
        while most > 0:
            most -= step
            piece = b"".join(next(source) for _ in range(step))
            while piece:
                try:
                    piece = piece[peer.sock.send(piece):]
                except BlockingIOError:
                    if not select.select([], [peer.sock], [], 0.05)[1]:
                        most = 0  # a full queue, at any byte
                        break
        leave(rng, peer)
        return True
    except (OSError, AssertionError):
        peer.sock.close()
        return False


def assail(rng, site, each, shaken):
    """Connections at each socket, from as many sides as there are sockets at once, while the daemon lives."""

    def one(door, seed):
        mine = random.Random(seed)
        for _ in range(each):
            shaken[door] += attack(mine, site, door)
            if site.rig.process.poll() is not None:
                return

    threads = [threading.Thread(target=one, args=(door, rng.random()), daemon=True) for door in DOORS]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    r.check(site.rig.process.poll() is None, f"{site.way}: the daemon ended with {site.rig.process.poll()}")


def ends(peer):
    """Does the other side end it?"""
    peer.sock.settimeout(r.DEADLINE)
    try:
        while peer.sock.recv(4096):
            pass
    except ConnectionError:
        pass
    return True


def names(site):
    """An Identity of the kind that ZeroMQ gives, or longer than it can be, is refused; others are not."""
    for value in (b"\0", b"\0\1\2\3\4", b"x" * 256):
        before, peer = site.rig.counters()["connections_ended"], site.open("control")
        try:
            peer.shake(identity(value))
        except (ConnectionError, AssertionError):
            pass
        r.check(ends(peer), "ended")
        r.check(site.rig.counters()["connections_ended"] > before, f"{site.way}: Identity {value} is refused")
        peer.sock.close()
    for value in (b"", b"robot", b"x" * 255):
        peer = site.open("control")
        peer.shake(identity(value))
        peer.sock.close()
    r.check("its Identity begins with a zero byte" in site.rig.read_log(), "and the log says why")


def giants(site):
    """Frames each above what one may have, and smaller ones that come to more: ended before they are sent."""
    limit = 2 * MAX_MESSAGE
    for size in (limit + 1000, limit // 2):
        peer, sent = site.open("push"), 0
        peer.shake()
        peer.sock.settimeout(r.DEADLINE)
        try:
            while sent < 100 * limit:
                sent += peer.sock.send(peer.seal(bytes(size), more=True))
        except OSError as e:
            r.check(not isinstance(e, TimeoutError), f"{site.way}: ended at once")
        r.check(sent < 100 * limit, f"{site.way}: frames of {size}: ended after {sent} bytes")
        peer.sock.close()


sys.setswitchinterval(0.0005)  # the witness is one thread of many
results = []
for number, way in enumerate(WAYS):
    with r.Rig(model=("byte", 16, 2, 200)) as rig:
        site = Site(rig, way)
        witness = Witness(site)
        names(site)
        giants(site)
        rng, shaken, began = random.Random(SEED * 1000 + number), dict.fromkeys(DOORS, 0), time.monotonic()
        answered = [witness.answered]
        for _ in range(QUARTERS):
            assail(rng, site, EACH // QUARTERS, shaken)
            answered.append(witness.answered)
        answered[-1] = witness.done()
        answered = [after - before for before, after in zip(answered, answered[1:])]
        counters, plan, peak = rig.counters(), rig.status().memory_plan, rig.resident()[1]
        r.check(min(answered) > 0 or (EACH < 100 and sum(answered) > 0), f"{way}: honest clients were served all the while: {answered}")
        r.check(counters["connections_ended"] > 0, f"{way}: what is forbidden ends a connection")
        r.check(sum(shaken.values()) > EACH, f"{way}: most were let in: {shaken}")
        r.check(rig.sanitized() or peak <= plan, f"{way}: peak {peak} inside the plan {plan}")
        row = {"way": way, "connections": {door: EACH for door in DOORS}, "let_in": shaken, "seconds": round(time.monotonic() - began, 1),
               "honest_answered": answered, "slowest_answer_ms": round(1000 * witness.slowest, 1),
               "slowest_reply_ms": round(1000 * witness.slowest_reply, 1), "resident_peak": peak,
               "plan": plan, "sanitized": rig.sanitized(),
               "counters": {k: counters[k] for k in ("connections_refused", "connections_ended", "connections_unfinished")}}
        print(json.dumps(row))
        sys.stdout.flush()
        results.append(row)
        r.equal(rig.stop(), 0, f"{way}: exit status")

if OUT:
    os.makedirs(os.path.dirname(OUT), exist_ok=True)
    with open(OUT, "w", encoding="utf-8") as file:
        json.dump({"command": f"HOSTILE_EACH={EACH} HOSTILE_WAYS='{' '.join(WAYS)}' HOSTILE_SEED={SEED} B={os.environ.get('B', 'build')} "
                              "tests/host/362-hostile.py", "rows": results}, file, indent=1)
        file.write("\n")
