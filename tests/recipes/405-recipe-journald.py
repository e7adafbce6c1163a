#!/usr/bin/python3
"""docs/recipes/journald.md under a real journal: the blocks run as they stand, and what the machine logs gets its label.
As root, with systemd-nspawn; the other recipes: 400."""
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
HERE = "/usr/lib/under-test"
DEADLINE = 600


def outside():
    if not os.path.exists(os.path.join(BUILD, "man", ".made")):
        print(f"{BUILD}/man is not made")
        return 1
    layer = tempfile.mkdtemp(prefix="dfd-")
    try:
        subprocess.run(["make", "-s", "--no-print-directory", f"B={BUILD}", "install", "PREFIX=/usr", f"DESTDIR={layer}"],
                       cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        os.makedirs(layer + HERE)
        shutil.copy(__file__, f"{layer}{HERE}/inside.py")
        shutil.copy(f"{ROOT}/docs/recipes/journald.md", layer + HERE)
        return subprocess.run([f"{ROOT}/tests/lib/with_systemd.sh", layer, "/usr/bin/python3", "-u", f"{HERE}/inside.py",
                               "inside"]).returncode
    finally:
        shutil.rmtree(layer, ignore_errors=True)


def inside():
    subprocess.run(["systemd-sysusers"], check=True)
    subprocess.run(["systemd-tmpfiles", "--create", "--prefix=/var/lib"], check=True)
    subprocess.run(["systemctl", "start", "diffused"], check=True)
    with open(f"{HERE}/journald.md", encoding="utf-8") as file:
        blocks = re.findall(r"^```sh[^\n]*\n(.*?)^```$", file.read(), re.M | re.S)
    lines = queue.Queue()
    for block in blocks:
        process = subprocess.Popen(["bash", "-eu", "-o", "pipefail", "-c", block], stdout=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL)
        threading.Thread(target=lambda p=process: [lines.put(line) for line in p.stdout], daemon=True).start()
    seen, end = [], time.monotonic() + DEADLINE
    while time.monotonic() < end:
        subprocess.run(["systemd-cat", "-t", "base_driver", "echo", "left wheel motor 92 C, derating"], check=True)
        try:
            seen.append(lines.get(timeout=0.3))
        except queue.Empty:
            continue
        stream, _, label, _ = seen[-1].split("\t")
        if stream == os.uname().nodename + "/journal" and label == "motor.overheat":
            return 0
    print("the label did not come; what came:", seen)
    return 1


if __name__ == "__main__":
    sys.exit(inside() if sys.argv[1:] == ["inside"] else outside())
