#!/usr/bin/python3
"""docs/recipes: what stands there is run, against a daemon with the model that the package brings, and with the real tools
where they are installed. docs/recipes/README.md says what the words behind ``` mean. The journal's recipe: 405."""
import contextlib
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
from ports import free_ports

RECIPES = os.path.join(r.ROOT, "docs", "recipes")
TEXTS = ("left wheel motor 92 C, derating", "lidar: no scan for 3 s")
LABELS = ("motor.overheat", "sensor.fault")


def blocks(recipe):
    """[(language, {attribute: value}, text)] of a recipe, in order."""
    with open(os.path.join(RECIPES, recipe + ".md"), encoding="utf-8") as file:
        fences = re.findall(r"^```([a-z]+)([^\n]*)\n(.*?)^```$", file.read(), re.M | re.S)
    return [(language, dict(word.split("=", 1) for word in words.split()), text)
            for language, words, text in fences]


def masked(text):
    """Without the last places of figures, which differ between machines."""
    return re.sub(r"0\.\d+", "0.#", text)


class Kitchen:
    """A folder to run a recipe in, and what runs beside it."""

    def __init__(self, rig, prefix):
        self.dir = tempfile.mkdtemp(prefix="recipe-", dir=rig.dir)
        self.running, self.missing = [], set()
        self.env = dict(os.environ, HOME=self.dir, DIFFUSE_ENDPOINT=rig.path("run"),
                        PATH=f"{prefix}/bin:{r.BUILD}:{os.environ['PATH']}", LD_LIBRARY_PATH=prefix + "/lib",
                        PKG_CONFIG_PATH=prefix + "/lib/pkgconfig")
        self.prefix = prefix

    def begin(self, command, **options):
        process = subprocess.Popen(command, cwd=self.dir, env=self.env, start_new_session=True, **options)
        self.running.append(process)
        return process

    def shell(self, text):
        return ["bash", "-eu", "-o", "pipefail", "-c",
                text.replace("/usr/share/diffused", self.prefix + "/share/diffused")]

    def run(self, text):
        done = subprocess.run(self.shell(text), cwd=self.dir, env=self.env, capture_output=True,
                              text=True, timeout=r.DEADLINE, stdin=subprocess.DEVNULL)
        r.equal(done.returncode, 0, f"status of:\n{text}{done.stdout}{done.stderr}")
        return done.stdout

    def can(self, attributes):
        lacks = [tool for tool in attributes.get("needs", "").split(",") if tool and not shutil.which(tool)]
        self.missing.update(lacks)
        return not lacks

    def first_lines(self, text, count, again):
        """The first lines that a block prints, while again() is called until they are there."""
        lines, got = queue.Queue(), []
        process = self.begin(self.shell(text), stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        threading.Thread(target=lambda: [lines.put(line) for line in process.stdout], daemon=True).start()
        end = time.monotonic() + r.DEADLINE
        while len(got) < count:
            r.check(time.monotonic() < end and process.poll() is None, f"{got} and no more from:\n{text}")
            again()
            with contextlib.suppress(queue.Empty):
                while len(got) < count:
                    got.append(lines.get(timeout=0.3).rstrip("\n"))
        return got

    def end(self):
        """roscore, asked to end, ends what it started in sessions of their own."""
        for how, wait in ((signal.SIGTERM, 20), (signal.SIGKILL, None)):
            for process in self.running:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, how)
            for process in self.running:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(wait)


def cook(kitchen, recipe, again=lambda: None):
    """Run the blocks of a recipe. Returns what those with a count printed, and the last with run=later."""
    printed, said, later = [], "", []
    for language, attributes, text in blocks(recipe):
        if "file" in attributes:
            with open(os.path.join(kitchen.dir, attributes["file"]), "w", encoding="utf-8") as file:
                file.write(text)
        elif language == "text":
            if said is not None:
                r.equal(masked(said), masked(text), f"{recipe}: printed")
        elif language == "sh":
            said = None
            if not kitchen.can(attributes):
                continue
            if attributes.get("run") == "background":
                kitchen.begin(kitchen.shell(text), stdin=subprocess.DEVNULL)
            elif attributes.get("run") == "later":
                later.append(text)
            elif "count" in attributes:
                printed += kitchen.first_lines(text, int(attributes["count"]), again)
            else:
                said = kitchen.run(text)
    return printed, later


def send(kitchen, stream):
    kitchen.run(f"printf '%s\\n' '{TEXTS[0]}' '{TEXTS[1]}' | diffusectl send --push --quiet --stream {stream}")


def languages(kitchen):
    cook(kitchen, "cxx")
    lines, _ = cook(kitchen, "python", lambda: send(kitchen, "robot7/py"))
    for line in lines:
        r.check(line.startswith("robot7/py ") and line.split()[2] in LABELS, line)


def mqtt(kitchen):
    if not kitchen.can({"needs": "mosquitto,mosquitto_pub"}):
        return
    port = free_ports(1)
    kitchen.env["MQTT_PORT"] = str(port)
    with open(os.path.join(kitchen.dir, "broker.conf"), "w", encoding="ascii") as file:
        file.write(f"listener {port} 127.0.0.1\nallow_anonymous true\n")
    kitchen.begin(["mosquitto", "-c", "broker.conf"], stderr=subprocess.DEVNULL)

    def publish():
        for text in TEXTS:
            subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "fleet/robot7/log", "-m", text],
                           stderr=subprocess.DEVNULL, check=False)  # the broker may not be there yet

    until_broker(port)
    lines, _ = cook(kitchen, "mqtt", publish)
    r.check(re.fullmatch(r"robot7/mqtt \d+ motor\.overheat 0\.\d+", lines[0]), lines)


def until_broker(port):
    end = time.monotonic() + r.DEADLINE
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listens at port {port}")


def ros(kitchen):
    if not kitchen.can({"needs": "roscore,rostopic"}):
        cook(kitchen, "ros")
        return
    port = free_ports(1)
    kitchen.env["ROS_MASTER_URI"] = f"http://localhost:{port}"
    kitchen.env["ROS_HOSTNAME"] = "localhost"
    kitchen.begin(["roscore", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until_broker(port)
    for text in TEXTS:
        kitchen.begin(["rostopic", "pub", "-r", "5", "/rosout", "rosgraph_msgs/Log",
                       f"{{level: 4, name: /base_driver, msg: '{text}'}}"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
    lines, _ = cook(kitchen, "ros")
    for line in lines:
        stream, _, label, _ = line.split("\t")
        r.check(stream == "robot7/rosout" and label in LABELS, lines)


def influx(kitchen):
    """A server of its own, if there is one; returns whether."""
    if not kitchen.can({"needs": "influxd,curl"}):
        return False
    port = free_ports(2)
    rpc = port + 1
    kitchen.env["INFLUX_PORT"] = str(port)
    with open(os.path.join(kitchen.dir, "influx.conf"), "w", encoding="ascii") as file:
        file.write(f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n[meta]\ndir = "{kitchen.dir}/meta"\n'
                   f'[data]\ndir = "{kitchen.dir}/data"\nwal-dir = "{kitchen.dir}/wal"\n'
                   f'[http]\nbind-address = "127.0.0.1:{port}"\n')
    kitchen.begin(["influxd", "-config", "influx.conf"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until_broker(port)
    return True


def timeseries(kitchen):
    if not kitchen.can({"needs": "jq"}):
        return
    served = influx(kitchen)
    _, later = cook(kitchen, "timeseries")
    rows, end = {}, time.monotonic() + r.DEADLINE
    while min(len(rows.get(name, "")) for name in ("labels.csv", "labels.lp")) < 2:
        r.check(time.monotonic() < end, f"nothing was written: {rows}")
        send(kitchen, "'robot7/a b,c=d'")
        for name in ("labels.csv", "labels.lp"):
            if not os.path.exists(os.path.join(kitchen.dir, name)):
                continue  # the recipe's pipe has not begun yet
            with open(os.path.join(kitchen.dir, name), encoding="utf-8") as file:
                rows[name] = [line for line in file.read().split("\n")[:-1] if line]
    for line in rows["labels.csv"]:
        r.check(re.fullmatch(r'\d+(\.\d+)?,"robot7/a b,c=d",\d+,"(motor\.overheat|sensor\.fault)",0\.\d+', line), line)
    for line in rows["labels.lp"]:
        r.check(re.fullmatch(r"labels,stream=robot7/a\\ b\\,c\\=d,label=[a-z.]+ confidence=0\.\d+,seq=\d+i \d{19}", line), line)
    if served:
        for text in later:
            said = kitchen.run(text)
        r.check(all(f'"label":"{label}"' in said for label in LABELS), said)


def main():
    model = os.path.join(r.ROOT, "model", "pretrained", "robot-text.safetensors")
    with r.Rig() as rig:
        prefix = rig.path("prefix")
        for folder, files in (("include", ("client/diffuse.h", "proto/diffuse_err.h")),
                              ("share/diffused", ("proto/diffused.proto",)), ("lib/pkgconfig", ())):
            os.makedirs(f"{prefix}/{folder}")
            for file in files:
                shutil.copy(os.path.join(r.ROOT, file), f"{prefix}/{folder}")
        os.makedirs(f"{prefix}/bin")
        with open(f"{prefix}/bin/diffusectl", "w", encoding="ascii") as file:  # as patient as this test
            file.write(f'#!/bin/sh\nexec "{r.BUILD}/diffusectl" {" ".join(r.PATIENT)} "$@"\n')
        os.chmod(f"{prefix}/bin/diffusectl", 0o755)
        os.symlink(sys.executable, f"{prefix}/bin/python3")  # the one that has zmq
        for name in ("libdiffuse.so", "libdiffuse.so.0"):
            shutil.copy(f"{r.BUILD}/libdiffuse.so.0", f"{prefix}/lib/{name}")
        with open(os.path.join(r.ROOT, "client", "diffuse.pc.in"), encoding="ascii") as file:
            text = file.read()
        with open(f"{prefix}/lib/pkgconfig/diffuse.pc", "w", encoding="ascii") as file:
            file.write(text.replace("@PREFIX@", prefix).replace("@LIBDIR@", prefix + "/lib").replace("@VERSION@", "0"))
        rig.start(model=model, subscribers=16, publishers=32, memory_budget="192M")
        missing = set()
        for recipe in (languages, mqtt, ros, timeseries):
            kitchen = Kitchen(rig, prefix)
            try:
                recipe(kitchen)
            finally:
                kitchen.end()
            missing |= kitchen.missing
        r.equal(rig.stop(), 0, "status of the daemon")
    for tool in sorted(missing):
        print(f"left out: what takes {tool}: it is missing; make check-recipes installs it")


if __name__ == "__main__":
    sys.exit(main())
