#!/usr/bin/python3
"""The units under a real systemd: start, clients by group, reload that succeeds and that fails, restarts by watchdog and
after a crash, several instances, what the sandbox leaves open, and what the journal holds. As root, with systemd-nspawn."""
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("B", "build"))
STATE = "/var/lib/diffused"
MODEL = f"{STATE}/model.safetensors"
DROP_IN = "/etc/systemd/system/diffused.service.d"
DEADLINE = 600
PATIENT = ("--timeout", "600000")


# --- outside: what make install gives, as a layer over this machine -----------------------------------

def outside():
    for program in ("diffused", "diffusectl", "tests/make_model", "tests/intruder_shim.so"):
        if not os.path.exists(os.path.join(BUILD, program)):
            print(f"{BUILD}/{program} is not built")
            return 1
    layer = tempfile.mkdtemp(prefix="dfd-")
    try:
        subprocess.run(["make", "-s", "--no-print-directory", f"B={BUILD}", "install", "PREFIX=/usr", f"DESTDIR={layer}"],
                       cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        inside_dir = f"{layer}/usr/lib/under-test"
        os.makedirs(inside_dir)
        shutil.copy(__file__, f"{inside_dir}/inside.py")
        shutil.copy(f"{BUILD}/tests/intruder_shim.so", inside_dir)
        for name, seed in (("one", 1), ("two", 2)):
            subprocess.run([f"{BUILD}/tests/make_model", f"{inside_dir}/{name}.safetensors", "byte", f"seed={seed}"],
                           check=True)
        return subprocess.run([f"{ROOT}/tests/lib/with_systemd.sh", layer, "/usr/bin/python3", "-u",
                               "/usr/lib/under-test/inside.py", "inside"]).returncode
    finally:
        shutil.rmtree(layer, ignore_errors=True)


# --- inside ---------------------------------------------------------------------------------------------

def run(*command, ok=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, **options)
    if ok is not None and (done.returncode == 0) != ok:
        raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def check(condition, what):
    if not condition:
        raise AssertionError(what)


def equal(got, expected, what):
    check(got == expected, f"{what}: got {got!r}, expected {expected!r}")


def until(what, condition):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come")


def show(unit, *names):
    rows = dict(line.split("=", 1) for line in run("systemctl", "show", unit, "-p", ",".join(names)).splitlines())
    return rows[names[0]] if len(names) == 1 else rows


def journal(unit, **fields):
    matches = [f"{k}={v}" for k, v in fields.items()]
    out = run("journalctl", "-o", "json", "--no-pager", "-u", unit, *matches, ok=None)
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


def said(unit, words):
    return [row for row in journal(unit) if words in str(row.get("MESSAGE"))]


def classify(user, endpoint="/run/diffused", ok=True):
    return run("runuser", "-u", user, "--", "diffusectl", "--timeout", "600000" if ok else "1000", "--endpoint", endpoint,
               "classify", "left wheel motor 92 C", ok=ok)


def status(endpoint="/run/diffused"):
    return json.loads(run("diffusectl", *PATIENT, "--endpoint", endpoint, "status", "--json"))


def limit(unit, name):
    """Of the running process: raising one takes a right that not every machine has to give."""
    with open(f"/proc/{show(unit, 'MainPID')}/limits", encoding="ascii") as file:
        return next(line[len(name):].split()[0] for line in file if line.startswith(name))


def put_model(name):
    """As `cp` and `mv` of whoever has a new one do."""
    shutil.copy(f"/usr/lib/under-test/{name}.safetensors", f"{STATE}/new")
    os.rename(f"{STATE}/new", MODEL)


def start_with_its_plan():
    with open("/etc/diffused/diffused.conf", "w", encoding="ascii") as file:
        file.write(f"model = {MODEL}\n")
    for folder in glob.glob(STATE + "*"):  # of this machine's own, which shines through
        shutil.rmtree(folder)
    run("systemd-sysusers")
    run("systemd-tmpfiles", "--create", "--prefix=/var/lib")
    equal(run("systemctl", "is-enabled", "diffused", ok=None).strip(), "disabled", "by the preset")
    run("systemctl", "start", "diffused", ok=False)  # there is no model yet
    check(said("diffused", "model.safetensors"), "why it did not start")
    run("systemctl", "stop", "diffused")
    run("systemctl", "reset-failed", "diffused", ok=None)
    put_model("one")
    run("systemctl", "start", "diffused")
    rows = show("diffused", "ActiveState", "SubState", "StatusText", "Type", "User", "MemoryMax", "WatchdogUSec")
    equal([rows[k] for k in ("ActiveState", "SubState", "Type", "User")], ["active", "running", "notify", "diffused"], "state")
    equal(rows["WatchdogUSec"], "30s", "watchdog")
    check(rows["StatusText"].startswith("model ") and "plan " in rows["StatusText"], f"status: {rows['StatusText']}")
    equal(int(rows["MemoryMax"]), 96 << 20, "fence")


def clients_by_group():
    run("useradd", "--groups", "diffused", "member")
    check("label" in classify("member"), "a member of the group is answered at once")
    classify("nobody", ok=False)
    check(not os.path.exists("/run/diffused/nobody"), "and nobody else")
    run("runuser", "-u", "nobody", "--", "ls", "/run/diffused", ok=False)


def sandbox():
    pid = show("diffused", "MainPID")
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        rows = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    equal((rows["Seccomp"], rows["NoNewPrivs"], int(rows["CapBnd"], 16)), ("2", "1", 0), "filter and privileges")
    check(int(rows["Seccomp_filters"]) > 1, "the unit's filters and the process's own")
    run("diffusectl", *PATIENT, "--endpoint", "/run/diffused", "tune", "on")
    rows = "".join(f"s\t{n}\tlabel{n % 2}\t{('motor hot', 'battery low')[n % 2]} {n}\n" for n in range(600))
    run("diffusectl", *PATIENT, "--endpoint", "/run/diffused", "feedback", input=rows)
    until("the journal of feedback", lambda: [f for _, _, files in os.walk(STATE) for f in files if f == "feedback.journal"])

    def threads():
        found = {}
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/stat", encoding="ascii") as file:
                name, _, rest = file.read().partition(") ")
            found[name.partition("(")[2]] = int(rest.split()[16]), int(rest.split()[38])
        return found  # nice and scheduling policy, by name

    granted = limit("diffused", "Max nice priority") == "10"
    nice = {"background": 10 if granted else 19, "worker": os.nice(0)}  # as all that the manager starts here
    equal({name: threads()[name][0] for name in nice}, nice, "who stands back")
    if granted:
        until("tuning as SCHED_IDLE", lambda: threads()["background"][1] == 5)
    run("diffusectl", *PATIENT, "--endpoint", "/run/diffused", "tune", "off")


def reload_good_and_bad():
    before = status()["model_id"]
    put_model("two")
    run("systemctl", "reload", "diffused")  # whoever was first, the watch or this
    after = status()["model_id"]
    check(after != before, "the new model answers when reload comes back")
    check(said("diffused", "serves for"), "the reload is in the journal")
    with open(MODEL, "r+b") as file:
        file.seek(-9, os.SEEK_END)
        byte = file.read(1)
        file.seek(-9, os.SEEK_END)
        file.write(bytes([byte[0] ^ 1]))
    run("systemctl", "reload", "diffused", ok=False)
    rows = show("diffused", "ActiveState", "SubState", "NRestarts")
    equal(rows, {"ActiveState": "active", "SubState": "running", "NRestarts": "0"}, "after a refused reload")
    equal(status()["model_id"], after, "the old model serves on")
    check(said("diffused", "refused"), "why is in the journal")
    check("label" in classify("member"), "and answers")
    put_model("two")
    run("systemctl", "kill", "-s", "HUP", "diffused")
    until("SIGHUP", lambda: said("diffused", "looked at for SIGHUP"))


def restarts():
    os.makedirs(DROP_IN, exist_ok=True)
    with open(f"{DROP_IN}/test.conf", "w", encoding="ascii") as file:
        file.write("[Unit]\nStartLimitIntervalSec=0\n[Service]\nWatchdogSec=4s\nRestartSec=100ms\n"
                   f"Environment=LD_PRELOAD=/usr/lib/under-test/intruder_shim.so INTRUDER_DIR={STATE}/intruder\n")
    os.makedirs(f"{STATE}/intruder", mode=0o755)
    run("chmod", "755", STATE)
    run("systemctl", "daemon-reload")
    run("systemctl", "restart", "diffused")
    pid = show("diffused", "MainPID")
    time.sleep(5)  # paced: longer than the watchdog, idle and then busy
    for _ in range(20):
        classify("member")
    equal(show("diffused", "MainPID", "NRestarts"), {"MainPID": pid, "NRestarts": "0"}, "a path that moves is left alone")
    with open(f"{STATE}/intruder/stick", "w", encoding="ascii"):
        pass  # from now on the worker does not come out of a batch
    stuck = subprocess.Popen(["diffusectl", "--endpoint", "/run/diffused", "--timeout", "600000", "classify", "motor"],
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until("the restart by the watchdog", lambda: show("diffused", "NRestarts") != "0")
    os.remove(f"{STATE}/intruder/stick")
    stuck.kill()
    stuck.wait()
    check(said("diffused", "the path stands still"), "the daemon said why")
    check(said("diffused", "Watchdog timeout"), "the manager did")
    until("service again", lambda: show("diffused", "SubState") == "running" and show("diffused", "MainPID") != pid)
    check("label" in classify("member"), "it serves again")
    count = int(show("diffused", "NRestarts"))
    run("systemctl", "kill", "--kill-whom=main", "-s", "SEGV", "diffused")
    until("the restart after a crash", lambda: int(show("diffused", "NRestarts")) > count)
    check("label" in classify("member"), "it serves again, over sockets that were left over")
    shutil.rmtree(DROP_IN)
    run("systemctl", "daemon-reload")


def instances():
    may_lock = limit("diffused", "Max locked memory") == "unlimited"
    for name, model, more in (("a", "one", "lock_memory = yes\n" if may_lock else ""), ("b", "two", "memory_budget = 256M\n")):
        with open(f"/etc/diffused/{name}.conf", "w", encoding="ascii") as file:
            file.write(f"model = /usr/lib/under-test/{model}.safetensors\n{more}")
    run("systemctl", "start", "diffused@a", "diffused@b")
    models = [status(f"/run/diffused-{name}")["model_id"] for name in "ab"]
    check(models[0] != models[1], "each has its own model")
    check("label" in classify("member", "/run/diffused-a"), "an instance answers")
    with open(f"/proc/{show('diffused@a', 'MainPID')}/status", encoding="ascii") as file:
        equal("VmLck:\t       0 kB" not in file.read(), may_lock, "memory is locked")
    run("systemctl", "reload", "diffused@a")
    if os.path.exists(f"/sys/fs/cgroup{show('diffused@b', 'ControlGroup')}/memory.max"):
        check(said("diffused@b", "MemoryMax="), "a fence below the budget is told")
    else:
        print("left out: a fence below the budget: this machine gives its groups no memory controller")
    check(not said("diffused@a", "MemoryMax="), "a fence that is wide enough is not")
    os.makedirs("/etc/systemd/system/diffused@b.service.d")
    with open("/etc/systemd/system/diffused@b.service.d/memory.conf", "w", encoding="ascii") as file:
        file.write(run("diffused", "--config", "/etc/diffused/b.conf", "--memory-max"))
    run("systemctl", "daemon-reload")
    equal(int(show("diffused@b", "MemoryMax")), (256 + 32) << 20, "the fence that the daemon asks for")
    with open("/etc/diffused/m.conf", "w", encoding="ascii") as file:
        file.write("model = /usr/lib/under-test/one.safetensors\nmetrics = 127.0.0.1:0\n")
    run("systemctl", "start", "diffused@m", ok=False)
    check(said("diffused@m", "drop-in tcp.conf"), "what metrics take under the unit is named")
    run("systemctl", "stop", "diffused@m")
    run("systemctl", "reset-failed", "diffused@m", ok=None)
    run("systemctl", "stop", "diffused@a")
    check("label" in classify("member", "/run/diffused-b"), "the other goes on")
    check("label" in classify("member"), "and the one without a name")
    run("systemctl", "stop", "diffused@b")


def stop_and_journal():
    before = status()["counters"]["labelled"]
    with open("/tmp/lines", "w", encoding="ascii") as file:
        file.write("motor hot\n" * 3000)
    with open("/tmp/lines", encoding="ascii") as file:
        sender = subprocess.Popen(["diffusectl", *PATIENT, "--endpoint", "/run/diffused", "send", "--push", "--wait", "--stream", "s"],
                                  stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    check(sender.stdout.readline(), "a label")  # from here on it may come to an end at any time
    run("systemctl", "stop", "diffused")
    _, told = sender.communicate(timeout=DEADLINE)
    heard = int(re.search(r"answered (\d+)", told).group(1))
    labelled = int(re.search(r"(\d+) labels", said("diffused", "stopped: ")[-1]["MESSAGE"]).group(1))
    equal(heard, labelled - before, f"labels heard of what was accepted before the stop ({told.strip()})")
    rows = show("diffused", "ActiveState", "Result", "ExecMainStatus")
    equal(rows, {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}, "after stop")
    check(not os.path.exists("/run/diffused"), "nothing is left in /run")
    ready = [row for row in journal("diffused", MESSAGE_ID="6a631e6d032e4713b5a6ef108aff3869")]
    check(ready and len(ready[-1]["DIFFUSED_MODEL"]) == 64, "ready has its id and the model's")
    equal(ready[-1]["PRIORITY"], "5", "priority")
    check(said("diffused", "stopped: "), "stopped")
    denials = [row for row in journal("diffused") if "Permission" in str(row.get("MESSAGE"))]
    equal(denials, [], "nothing was refused to it")


def inside():
    for step in (start_with_its_plan, clients_by_group, sandbox, reload_good_and_bad, restarts, instances, stop_and_journal):
        began = time.monotonic()
        try:
            step()
        except AssertionError:
            print(run("journalctl", "--no-pager", "-n", "60", ok=None))
            raise
        print(f"{step.__name__}: {time.monotonic() - began:.1f} s")
    return 0


sys.exit(inside() if sys.argv[1:] == ["inside"] else outside())
