"""A client of diffused in a few lines of Python: pyzmq, and the classes that protoc makes.

    import diffuse_client
    pb = diffuse_client.messages("build/python")
    with diffuse_client.Client("/run/diffused", pb) as client:
        client.subscribe("robot7/")
        client.push("robot7/rosout", seq=1, text="battery at 4 %")
        stream, label = client.label()

It shows what a client in any language has to do, and takes nothing from libdiffuse. Needs Debian's
python3-zmq, python3-protobuf and protobuf-compiler.
"""
import importlib
import os
import subprocess
import sys
import time
import uuid

import zmq

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def messages(folder):
    """The classes of proto/diffused.proto; made in folder, which is created."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["protoc", f"--proto_path={ROOT}/proto", f"--python_out={folder}",
                    f"{ROOT}/proto/diffused.proto"], check=True)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return importlib.import_module("diffused_pb2")


class Timeout(Exception):
    """Nothing came in time."""


class Client:
    """The four sockets of a daemon; each is opened when it is first used."""

    TYPES = {"ingest": zmq.XPUB, "push": zmq.PUSH, "labels": zmq.SUB, "control": zmq.DEALER}

    def __init__(self, directory, pb, timeout=10.0):
        self.directory, self.pb, self.timeout = directory, pb, timeout
        self.context = zmq.Context()
        self.sockets = {}
        self.kept = []  # labels that came during a handshake
        self.request_id = 0
        self.listens = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.context.destroy(linger=1000)

    def socket(self, name):
        if name not in self.sockets:
            s = self.context.socket(self.TYPES[name])
            s.setsockopt(zmq.IMMEDIATE, 1)
            s.setsockopt(zmq.RCVHWM, 0)
            s.setsockopt(zmq.SNDTIMEO, int(self.timeout * 1000))
            s.connect(f"ipc://{self.directory}/{name}")
            self.sockets[name] = s
        return self.sockets[name]

    def receive(self, name, timeout=None):
        """All frames of one message."""
        s = self.socket(name)
        if not s.poll(int((self.timeout if timeout is None else timeout) * 1000)):
            raise Timeout(f"nothing on {name}")
        return s.recv_multipart()

    # --- sending ------------------------------------------------------------------------------------

    def ingest_message(self, seq, text=None, tokens=None, **fields):
        message = self.pb.Ingest()
        message.sample.seq = seq
        if tokens is not None:
            message.sample.tokens.id.extend(tokens)
            message.sample.tokens.SetInParent()
        else:
            message.sample.text = text.encode() if isinstance(text, str) else text
        for name, value in fields.items():
            setattr(message.sample, name, value)
        return message.SerializeToString()

    def send(self, name, stream, frame):
        """Any bytes, so that tests can send what no client should."""
        stream = stream.encode() if isinstance(stream, str) else stream
        self.socket(name).send_multipart([stream, frame])

    def push(self, stream, seq, text=None, tokens=None, **fields):
        """Send without loss."""
        self.send("push", stream, self.ingest_message(seq, text, tokens, **fields))

    def publish(self, stream, seq, text=None, tokens=None, **fields):
        """Send without back-pressure, once the daemon is known to listen."""
        while not self.listens:  # an XPUB is told who subscribes
            self.listens = self.receive("ingest")[0][:1] == b"\x01"
        self.send("ingest", stream, self.ingest_message(seq, text, tokens, **fields))

    # --- receiving ----------------------------------------------------------------------------------

    def subscribe(self, prefix=""):
        """Labels of the streams that begin so; returns when the subscription is in force."""
        s = self.socket("labels")
        s.setsockopt(zmq.SUBSCRIBE, prefix.encode())
        topic = b"$sys/sync/" + uuid.uuid4().hex.encode()
        s.setsockopt(zmq.SUBSCRIBE, topic)
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            self.request(sync=self.pb.SyncRequest(topic=topic))
            while s.poll(50):
                frames = s.recv_multipart()
                if frames[0] == topic:
                    s.setsockopt(zmq.UNSUBSCRIBE, topic)
                    return
                self.kept.append(frames)
        raise Timeout("no event of the handshake")

    def label(self, timeout=None):
        """The next (stream, Label)."""
        while True:
            stream, body = self.kept.pop(0) if self.kept else self.receive("labels", timeout)
            if not stream.startswith(b"$"):
                return stream.decode(), self.pb.Label.FromString(body)

    def labels(self, n, timeout=None):
        return [self.label(timeout) for _ in range(n)]

    # --- control ------------------------------------------------------------------------------------

    def request(self, **verb):
        """One Request; returns its Reply."""
        self.request_id += 1
        self.socket("control").send(
            self.pb.Request(id=self.request_id, **verb).SerializeToString())
        while True:
            reply = self.pb.Reply.FromString(self.receive("control")[-1])
            if reply.id == self.request_id:
                return reply

    def status(self):
        return self.request(status=self.pb.StatusRequest()).status
