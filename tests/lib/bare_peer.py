"""A peer that speaks ZMTP 3 over a bare socket, and so may stop at any byte."""
import ctypes
import os
import socket
import struct
import time

import rig as r

GREETING = b"\xff" + b"\0" * 8 + b"\x7f\x03\x01" + b"NULL".ljust(20, b"\0") + b"\0" * 32


def raw(rig, name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(rig.path("run/" + name))  # waits while the backlog is full
    s.settimeout(r.DEADLINE)
    return s


def frame(body, more=False, command=False):
    flags = more | 2 | command << 2
    return struct.pack(">BQ", flags, len(body)) + body


def greet(rig, name, kind):
    """Handshake of a ZMTP 3 peer without encryption; tries again while it is refused."""
    ready = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    end = time.monotonic() + r.DEADLINE
    while time.monotonic() < end:
        s, got = raw(rig, name), b""
        try:
            s.sendall(GREETING + frame(ready, command=True))
            while b"READY" not in got:
                piece = s.recv(4096)
                if not piece:
                    raise ConnectionResetError
                got += piece
            return s
        except (BrokenPipeError, ConnectionResetError):
            s.close()
            time.sleep(0.01)
    raise AssertionError(f"{name}: never let in")


# --- over any way -------------------------------------------------------------------------------

KINDS = {"ingest": b"PUB", "push": b"PUSH", "labels": b"SUB", "control": b"DEALER"}
PORTS = {"ingest": 0, "push": 1, "labels": 2, "control": 3}


def ready(kind):
    return b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind


def identity(value):
    return b"\x08Identity" + struct.pack(">I", len(value)) + value


def command(name, body=b""):
    return bytes([len(name)]) + name + body


class Null:
    """A connection without encryption; seal and greeting as bytes, so that they may be cut anywhere."""

    def __init__(self, sock, door):
        self.sock, self.door = sock, door

    def shake(self, properties=b""):
        self.sock.sendall(GREETING + frame(ready(KINDS[self.door]) + properties, command=True))
        got = b""
        while b"READY" not in got:
            piece = self.sock.recv(4096)
            if not piece:
                raise ConnectionResetError
            got += piece

    def seal(self, body, more=False, is_command=False):
        return frame(body, more, is_command)


class Curve(Null):
    """The same with CURVE (rfc.zeromq.org/spec/26), by libsodium itself; keys are of 32 bytes."""

    sodium = ctypes.PyDLL("libsodium.so.23")  # keeps the lock of the interpreter: calls are short, and many
    greeting = GREETING[:12] + b"CURVE".ljust(20, b"\0") + GREETING[32:]

    def __init__(self, sock, door, server, public, secret):
        super().__init__(sock, door)
        self.server, self.public, self.secret, self.nonce = server, public, secret, 0
        self.short_public, self.short_secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
        self.sodium.crypto_box_keypair(self.short_public, self.short_secret)

    def short_nonce(self):
        self.nonce += 1
        return struct.pack(">Q", self.nonce)

    def box(self, text, nonce, theirs, ours):
        out = ctypes.create_string_buffer(len(text) + 16)
        r.equal(self.sodium.crypto_box_easy(out, text, ctypes.c_ulonglong(len(text)), nonce, theirs, ours), 0, "box")
        return out.raw

    def open(self, box, nonce, theirs, ours):
        out = ctypes.create_string_buffer(max(len(box) - 16, 1))
        r.equal(self.sodium.crypto_box_open_easy(out, box, ctypes.c_ulonglong(len(box)), nonce, theirs, ours), 0, "open")
        return out.raw

    def exactly(self, n):
        got = b""
        while len(got) < n:
            piece = self.sock.recv(n - len(got))
            if not piece:
                raise ConnectionResetError
            got += piece
        return got

    def read_frame(self):
        flags, length = self.exactly(2)
        if flags & 2:
            length = struct.unpack(">Q", bytes([length]) + self.exactly(7))[0]
        return self.exactly(length)

    def shake(self, properties=b""):
        short = self.short_nonce()
        hello = self.box(bytes(64), b"CurveZMQHELLO---" + short, self.server, self.short_secret)
        self.sock.sendall(self.greeting + frame(command(b"HELLO", b"\1\0" + bytes(72) + self.short_public.raw
                                                        + short + hello), command=True))
        self.exactly(64)
        welcome = self.read_frame()
        opened = self.open(welcome[24:], b"WELCOME-" + welcome[8:24], self.server, self.short_secret)
        self.session, cookie = opened[:32], opened[32:]
        vouch_nonce = os.urandom(16)
        vouch = self.box(self.short_public.raw + self.server, b"VOUCH---" + vouch_nonce, self.session, self.secret)
        short = self.short_nonce()
        metadata = ready(KINDS[self.door])[6:] + properties
        initiate = self.box(self.public + vouch_nonce + vouch + metadata, b"CurveZMQINITIATE" + short, self.session,
                            self.short_secret)
        self.sock.sendall(frame(command(b"INITIATE", cookie + short + initiate), command=True))
        r.check(self.read_frame().startswith(b"\x05READY"), "welcomed")

    def seal(self, body, more=False, is_command=False):
        short = self.short_nonce()
        box = self.box(bytes([more | is_command << 1]) + body, b"CurveZMQMESSAGEC" + short, self.session,
                       self.short_secret)
        return frame(b"\x07MESSAGE" + short + box)
