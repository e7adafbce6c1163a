#!/usr/bin/python3
"""Metrics by request and by HTTP: what a parser makes of them, what they count, health and readiness."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import rig as r
import zmq

try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
    from prometheus_client.parser import text_string_to_metric_families as parse_older
except ImportError:
    r.skip("prometheus_client is missing; install python3-prometheus-client")

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def until(what, true):
    end = time.monotonic() + r.DEADLINE
    while time.monotonic() < end:
        value = true()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


def samples(text, parse=parse_openmetrics):
    """Sample name and labels to value; the parser raises what it cannot read."""
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in parse(text) for s in family.samples}


def get(port, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=r.DEADLINE)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), body


def port_of(rig):
    return int(until("the address is logged",
                     lambda: re.findall(r"metrics at http://127.0.0.1:(\d+)/metrics", rig.read_log()))[-1])


def metrics_by_tool(rig):
    done = subprocess.run([os.path.join(r.BUILD, "diffusectl"), *r.PATIENT, "--endpoint", rig.path("run"), "metrics"],
                          capture_output=True, text=True, timeout=r.DEADLINE)
    r.equal((done.returncode, done.stderr), (0, ""), "diffusectl metrics")
    return done.stdout


def stalled_clients(port):
    """Twice as many as are let in, each in the middle of its request."""
    clients = []
    for _ in range(16):
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
        clients.append(s)
    return clients


with r.Rig() as rig:
    rig.start(metrics="127.0.0.1:0")
    port = port_of(rig)
    until("it is ready", lambda: get(port, "/readyz")[0] == 200)
    r.equal(get(port, "/healthz"), (200, "text/plain; charset=utf-8", "alive\n"), "/healthz")
    labels, push = rig.subscribe(b"s"), rig.connect(zmq.PUSH, "push", linger=-1)
    for seq in range(20):
        push.send_multipart([b"s", rig.sample(seq, "" if seq % 5 == 0 else "motor hot")])
    for seq in range(20):
        rig.label(labels)

    text = metrics_by_tool(rig)
    found, status = samples(text), rig.status()
    r.equal(found["diffused_labelled_total", ()], 16, "labelled")
    r.equal(found["diffused_errors_total", (("error", "EMPTY"),)], 4, "errors by name")
    r.equal(found["diffused_ready", ()], 1, "ready")
    model = dict(next(key[1] for key in found if key[0] == "diffused_model_info"))
    r.equal((model["id"], model["parent"]), (status.model_id.decode(), ""), "the model")
    r.check(model["kernel"] and model["precision"] in ("f32", "i8"), f"how it is computed: {model}")
    r.equal(found["diffused_memory_plan_bytes", ()], status.memory_plan, "plan")
    rows = {dict(key[1])["row"]: value for key, value in found.items() if key[0] == "diffused_memory_row_bytes"}
    r.equal(rows, {row.name.decode(): row.bytes for row in status.plan}, "rows of the plan")
    r.check("metrics" in rows, "HTTP is planned for")
    for counter in status.counters:
        name = counter.name.decode()
        if not name.startswith("error_"):
            r.check((f"diffused_{name}_total", ()) in found, f"{name} is a metric")
    for name in ("latency", "queue_wait", "compute"):
        buckets = [(float(dict(key[1])["le"]), value) for key, value in found.items()
                   if key[0] == f"diffused_{name}_seconds_bucket"]
        r.equal([value for _, value in buckets], sorted(value for _, value in buckets), "buckets grow")
        r.equal(buckets[-1], (float("inf"), 16), f"samples in {name}")
        r.equal(found[f"diffused_{name}_seconds_count", ()], 16, f"count of {name}")
        r.check(0 < found[f"diffused_{name}_seconds_sum", ()] < 16 * r.DEADLINE, f"sum of {name}")
    r.check(abs(found["diffused_start_timestamp_seconds", ()] - time.time()) < 2 * r.DEADLINE, "start")

    # the same by HTTP, in both formats
    until("HTTP has heard of it", lambda: "diffused_labelled_total 16\n" in get(port, "/metrics")[2])
    code, kind, body = get(port, "/metrics", Accept=OPENMETRICS + ",text/plain;q=0.5")
    r.equal((code, kind), (200, OPENMETRICS), "OpenMetrics by HTTP")
    r.equal(samples(body).keys(), found.keys(), "the same families and labels")
    code, kind, body = get(port, "/metrics", Accept="text/plain;version=0.0.4")
    r.equal((code, kind), (200, "text/plain; version=0.0.4; charset=utf-8"), "the older format")
    older = samples(body, parse_older)
    r.equal(older["diffused_labelled_total", ()], 16, "labelled, in the older format")
    r.equal(set(older), set(found), "the same samples in both")
    r.equal(get(port, "/")[0], 404, "another path")
    r.equal(get(port, "/metrics", "POST")[0], 405, "another method")
    code, kind, body = get(port, "/metrics", "HEAD")
    r.equal((code, body), (200, ""), "HEAD")

    # the dashboard asks for metrics that there are
    with open(os.path.join(r.ROOT, "docs/grafana/diffused.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    known = {name for name, _ in found}
    used = set()
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            used |= set(re.findall(r"diffused_\w+", target["expr"]))
    r.check(len(used) > 15 and used <= known, f"the dashboard uses unknown metrics: {sorted(used - known)}")

    # clients that never finish cost nobody anything but HTTP's own clients
    clients = stalled_clients(port)
    push.send_multipart([b"s", rig.sample(99, "motor hot")])
    r.equal(rig.label(labels)[1].seq, 99, "samples are answered all the while")
    r.equal(samples(metrics_by_tool(rig))["diffused_labelled_total", ()], 17, "and requests")
    for s in clients:
        s.close()
    until("HTTP is served again", lambda: get(port, "/healthz")[0] == 200)
    if not rig.sanitized():
        r.check(rig.resident()[1] < rig.status().memory_plan, "resident memory is within the plan")

    r.equal(rig.stop(), 0, "exit status")
    try:
        get(port, "/healthz")
        raise AssertionError("HTTP outlived the daemon")
    except ConnectionRefusedError:
        pass

with r.Rig() as rig:  # while it stops, it lives and is not ready
    rig.start(metrics="127.0.0.1:0", label_hwm=1, label_wait="1min", queue=4096)
    port = port_of(rig)
    labels, push = rig.subscribe(b"s", hwm=1), rig.connect(zmq.PUSH, "push", linger=-1, SNDHWM=0)
    until("it is ready", lambda: get(port, "/readyz")[0] == 200)
    for seq in range(6000):  # more than the sockets between hold
        push.send_multipart([b"s" * 200, rig.sample(seq, "x")])
    until("the subscriber holds it back", lambda: rig.status().queued > 0)
    rig.process.send_signal(signal.SIGTERM)
    until("it is not ready", lambda: get(port, "/readyz")[::2] == (503, "stopping\n"))
    r.equal(get(port, "/healthz")[0], 200, "it lives")
    labels.close()
    r.equal(rig.process.wait(r.DEADLINE), 0, "exit status")

with r.Rig() as rig:  # what is refused, and that there is none unless it is asked for
    code, _, err = rig.run(metrics="0.0.0.0:9464")
    r.check(code == 1 and "set metrics_beyond_loopback = yes" in err, err)
    code, _, err = rig.run(metrics="everywhere")
    r.check(code == 1 and "expected ADDRESS:PORT" in err, err)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        code, _, err = rig.run(metrics=address)
        r.check(code == 1 and f"metrics: {address}: cannot be served: Address already in use" in err, err)
    with open(rig.path("libmicrohttpd.so.12"), "w", encoding="ascii"):
        pass  # no library
    done = subprocess.run(rig.command(metrics=address), capture_output=True, text=True, timeout=r.DEADLINE,
                          env=dict(os.environ, LD_LIBRARY_PATH=rig.dir))
    r.check(done.returncode == 1 and "libmicrohttpd12" in done.stderr and "tcp.conf" in done.stderr,
            f"both that it takes are named: {done.stderr}")
    rig.start()
    with open(f"/proc/{rig.process.pid}/maps", encoding="ascii") as file:
        r.check("microhttpd" not in file.read(), "the library is not loaded unless it is needed")
    r.equal(samples(metrics_by_tool(rig))["diffused_labelled_total", ()], 0, "by request there always are")
    r.equal(rig.stop(), 0, "exit status")
