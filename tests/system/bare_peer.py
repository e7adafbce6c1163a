"""A peer that speaks ZMTP 3 over a bare socket, and so may stop at any byte."""
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
