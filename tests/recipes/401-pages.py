#!/usr/bin/python3
"""README.md and docs/*.md: every block of commands is run, and what it prints is held against what the page shows.

    401-pages.py [PAGE...]

A page's ```sh blocks run in order, in one shell, in a folder of the page's own that looks like the root of the tree (build,
model and so on are links). A block fails when one of its commands fails. Words behind ```sh:

    skip="REASON"    is not run, and is named at the end
    status=N         the status of the block's last command
    file=NAME        (of any language but sh) the block is written to that file

A block ```output is all that the block of commands before it prints; a line "..." stands for any lines. Words behind it:

    vary=number      numbers may be others
    vary=places      numbers with a point may differ by 0.02
    vary=id          ids of models, keys and streams may be others

Where a page says /tmp/d, /tmp/r, /etc/diffused, 10.0.0.1 or the ports 5550 and 9464, the shell gets places that are free.
After a block that starts a daemon in the background (runtime_dir=FOLDER ... &) the next waits until it answers.
"""
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
from ports import free_ports

FENCE = re.compile(r"^```([a-z]*)([^\n]*)\n(.*?)^```$", re.M | re.S)
NUMBER = re.compile(r"(?<![0-9a-zA-Z_.])-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")
IDS = re.compile(r"\b[0-9a-f]{12,64}\b|\[[0-9a-f]+\]|(?<=client/)[0-9a-f]+")
VARY = {"number", "places", "id"}
PLACES = 0.02


class Wrong(AssertionError):
    """What a page says is not so."""


class Block:
    def __init__(self, page, line, language, words, text):
        self.page, self.line, self.language, self.text = page, line, language, text
        try:
            self.words = dict(word.split("=", 1) for word in shlex.split(words))
        except ValueError as e:
            raise Wrong(f"{self.where()}: words behind the fence: {e}") from e
        known = {"sh": {"skip", "status"}, "output": {"vary"}}.get(language, {"file"})
        if set(self.words) - known or not set(self.vary()) <= VARY:
            raise Wrong(f"{self.where()}: unknown words behind the fence: {words.strip()}")
        if language not in ("sh", "output") and "file" not in self.words:
            raise Wrong(f"{self.where()}: a block is sh, output, or has a file=NAME")
        if "skip" in self.words and len(self.words["skip"].split()) < 2:
            raise Wrong(f"{self.where()}: skip needs a reason")

    def where(self):
        return f"{self.page}:{self.line}"

    def vary(self):
        return self.words.get("vary", "").split(",") if "vary" in self.words else []


def blocks(page):
    """The blocks of a page, in order."""
    with open(page, encoding="utf-8") as f:
        text = f.read()
    name = os.path.relpath(page, r.ROOT)
    found = [Block(name, text.count("\n", 0, m.start()) + 1, *m.groups()) for m in FENCE.finditer(text)]
    rest = FENCE.sub("", text)
    if "```" in rest:
        raise Wrong(f"{name}: a fence that is not closed")
    loose = re.search(r"^ {4}(\$|#) .*", rest, re.M)
    if loose:
        raise Wrong(f"{name}: commands outside of a fence, which nobody runs: {loose[0].strip()}")
    return found


def same_line(shown, printed, vary):
    if "id" in vary:
        shown, printed = IDS.sub("<id>", shown), IDS.sub("<id>", printed)
    if not {"number", "places"} & set(vary):
        return shown.rstrip() == printed.rstrip()
    for a, b in ((NUMBER.split(shown), NUMBER.split(printed)),):
        if [" ".join(x.split()) for x in a] != [" ".join(x.split()) for x in b]:
            return False
    if "number" in vary:
        return True
    for a, b in zip(NUMBER.findall(shown), NUMBER.findall(printed)):
        if a != b and not ("." in a and "." in b and abs(float(a.replace(",", "")) - float(b.replace(",", ""))) <= PLACES):
            return False
    return True


def same(shown, printed, vary):
    """Whether printed lines are those that a page shows, where "..." stands for any."""
    if not shown:
        return not printed
    if shown[0].strip() == "...":
        return any(same(shown[1:], printed[n:], vary) for n in range(len(printed) + 1))
    return bool(printed) and same_line(shown[0], printed[0], vary) and same(shown[1:], printed[1:], vary)


class Shell:
    """One page's shell, in a folder that looks like the root of the tree."""

    def __init__(self, base):
        self.dir = tempfile.mkdtemp(prefix="p", dir=base)
        for name in os.listdir(r.ROOT):
            if not name.startswith(".") and name != "build":
                os.symlink(os.path.join(r.ROOT, name), os.path.join(self.dir, name))
        os.symlink(os.path.abspath(r.BUILD), os.path.join(self.dir, "build"))
        self.places = {"/tmp/d": self.dir + "/d", "/tmp/r": self.dir + "/r", "/etc/diffused": self.dir + "/etc", "10.0.0.1": "127.0.0.1",
                       "5550": str(free_ports(4)), "9464": str(free_ports(1))}
        os.mkdir(self.dir + "/etc")
        env = {k: v for k, v in os.environ.items() if not k.startswith("DIFFUSE")}
        env.update(HOME=self.dir, TMPDIR=self.dir, STATE_DIRECTORY=self.dir + "/state", LC_ALL="C.UTF-8")
        os.mkdir(self.dir + "/state")
        self.process = subprocess.Popen(["bash", "--norc"], cwd=self.dir, env=env, start_new_session=True, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.process.stdin.write("set -o pipefail -E\n")

    def with_places(self, text):
        for name, place in self.places.items():
            text = re.sub(r"(?<![\w.])" + re.escape(name) + r"(?![\w.]*\d)(?!\w)", place, text)
        return text

    def without_places(self, text):
        for name, place in sorted(self.places.items(), key=lambda p: -len(p[1])):
            if name != "10.0.0.1":  # 127.0.0.1 is also what others print
                text = re.sub(re.escape(place) + r"(?!\w)", name, text)
        return text.replace(self.dir, "$PWD")

    def run(self, text):
        """Status of the block, of the first command that failed, and what it printed."""
        with open(self.dir + "/.block", "w", encoding="utf-8") as f:
            f.write(self.with_places(text))
        self.process.stdin.write("failed=0; trap 'status=$?; [ $failed != 0 ] || failed=$status' ERR\n"
                                 ". ./.block >.out 2>&1 </dev/null; echo $? $failed; trap - ERR\n")
        self.process.stdin.flush()
        late = threading.Timer(r.DEADLINE, os.killpg, (self.process.pid, signal.SIGKILL))
        late.start()
        line = self.process.stdout.readline()
        while line and not re.fullmatch(r"\d+ \d+\n", line):
            line = self.process.stdout.readline()
        late.cancel()
        if not line:
            raise Wrong(f"no end after {r.DEADLINE:.0f} s, or the shell ended:\n{text}{self.printed()}")
        daemon = re.search(r"--foreground.*runtime_dir=(\S+).*&\s*$", text, re.S)
        if daemon:
            subprocess.run([f"{r.BUILD}/diffusectl", "--endpoint", self.with_places(daemon[1]), "--timeout", "60000", "status"],
                           stdout=subprocess.DEVNULL, check=False)
        last, failed = map(int, line.split())
        return last, failed

    def printed(self):
        with open(self.dir + "/.out", encoding="utf-8", errors="replace") as f:
            return self.without_places(f.read())

    def end(self):
        for how in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, how)
                self.process.wait(20)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        shutil.rmtree(self.dir, ignore_errors=True)


def compare(block, shell, background):
    """What a process in the background prints, may still be on its way."""
    end = time.monotonic() + (r.DEADLINE if background else 0)
    while True:
        printed = shell.printed()
        if same(block.text.splitlines(), printed.splitlines(), block.vary()):
            return
        if time.monotonic() >= end:
            raise Wrong(f"{block.where()}: the page shows\n{block.text}but this was printed:\n{printed}")
        time.sleep(0.1)


def run_page(page, base, skipped):
    """How many blocks ran and how many outputs were compared."""
    ran = compared = 0
    shell, before = Shell(base), None
    try:
        for block in blocks(page):
            if "file" in block.words:
                path = os.path.join(shell.dir, shell.with_places(block.words["file"]))
                with open(path, "w", encoding="utf-8") as f:
                    f.write(shell.with_places(block.text))
            elif "skip" in block.words:
                skipped.append(f"{block.where()}: {block.words['skip']}")
                before = None
            elif block.language == "output":
                if before is None:
                    raise Wrong(f"{block.where()}: no block of commands ran before it")
                compare(block, shell, before.text.rstrip().endswith("&"))
                compared += 1
            else:
                last, failed = shell.run(block.text)
                wanted = int(block.words.get("status", 0))
                if last != wanted or (failed and not wanted):
                    raise Wrong(f"{block.where()}: status {last or failed}, expected {wanted}:\n{block.text}{shell.printed()}")
                ran, before = ran + 1, block
    finally:
        shell.end()
    return ran, compared


FAULTS = {
    "a command that fails": "```sh\nfalse\ntrue\n```\n",
    "a status that is another": "```sh status=2\nfalse\n```\n",
    "another word": "```sh\necho a 0.5\n```\n```output vary=number\nb 0.5\n```\n",
    "another number": "```sh\necho a 0.5\n```\n```output vary=places\na 0.7\n```\n",
    "a line too many": "```sh\nprintf 'a\\nb\\n'\n```\n```output\na\n```\n",
    "a word that nobody knows": "```sh vary=number\ntrue\n```\n",
    "skip without a reason": "```sh skip=\"\"\ntrue\n```\n",
    "commands outside": "text\n\n    $ true\n",
    "output of nothing": "```output\na\n```\n",
}
FINE = "```sh\necho x=1 >f; cat f; echo 0123456789abcdef; false || true\nv=3\n```\n```output vary=id\n...\nfedcba9876543210\n```\n" \
       "```conf file=g\nk = 1\n```\n```sh status=1\ncat g; echo $v.50; false\n```\n```output vary=places\nk = 1\n3.51\n```\n"


def check_runner(base):
    """The runner itself sees what is wrong."""
    page = os.path.join(base, "page.md")
    for what, text in [*FAULTS.items(), (None, FINE)]:
        with open(page, "w", encoding="utf-8") as f:
            f.write(text)
        try:
            run_page(page, base, [])
            found = None
        except Wrong as e:
            found = e
        r.check((found is not None) == (what is not None), f"{what or 'a page that is right'}: {found}")


def main():
    pages = sys.argv[1:] or [r.ROOT + "/README.md", *sorted(glob.glob(r.ROOT + "/docs/*.md"))]
    base, skipped, bad, ran, compared = tempfile.mkdtemp(prefix="d", dir="/tmp"), [], 0, 0, 0
    try:
        check_runner(base)
        for page in pages:
            try:
                counts = run_page(page, base, skipped)
                ran, compared = ran + counts[0], compared + counts[1]
            except Wrong as e:
                print(e)
                bad += 1
    finally:
        shutil.rmtree(base, ignore_errors=True)
    print(f"{len(pages)} pages: {ran} blocks ran, {compared} outputs were compared, {len(skipped)} blocks skipped"
          + "".join(f"\n  skipped {line}" for line in skipped))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
