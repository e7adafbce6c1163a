"""TCP ports for a test: free now, and no other test's as long as this one runs."""
import os
import socket

FIRST, LAST, ROW = 15000, 32000, 8  # below those that the kernel gives to connections of its own accord
HELD = []  # an abstract socket for each row that this process was given; the kernel lets go of them at its end


def claim(first):
    """False: another test has this row."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(f"\0diffused-test-ports-{first}")
    except OSError:
        lock.close()
        return False
    HELD.append(lock)
    return True


def is_free(port, family, host):
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_ports(count, host="127.0.0.1"):
    """The first of count ports in a row, at most ROW; OSError: host is no address of this machine."""
    assert 0 < count <= ROW
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
    rows = (LAST - FIRST) // ROW
    for n in range(rows):
        first = FIRST + (os.getpid() + n) % rows * ROW
        if claim(first) and all(is_free(first + i, family, host) for i in range(count)):
            return first
    raise AssertionError("no free ports")
