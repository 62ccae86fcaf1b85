"""The load generators: wrk for the closed loop, oha for the open one, each on the load cores."""
import json
import os
import re
import resource
import shutil
import subprocess

from .machine import Trouble
from .processes import run_first

_HERE = os.path.dirname(os.path.abspath(__file__))
_TARGET = os.environ.get("CARGO_TARGET_DIR") or os.path.join(os.path.dirname(os.path.dirname(_HERE)), "target")


def find(program):
    """The program's path; cargo's folder counts, because oha is installed by cargo."""
    cargo = os.path.join(os.environ.get("CARGO_HOME", os.path.expanduser("~/.cargo")), "bin")
    return shutil.which(program) or shutil.which(program, path=cargo)


def _run(argv, cores, seconds, first=False):
    """The program's standard output; it gets 20 s beyond the time it was asked to run."""
    def prepare():
        os.sched_setaffinity(0, set(cores))
        if first:
            run_first()
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             preexec_fn=prepare, text=True)
    try:
        out, err = child.communicate(timeout=seconds + 20)
    except subprocess.TimeoutExpired:
        raise Trouble(f"{os.path.basename(argv[0])} did not end in time") from None
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    if child.returncode:
        raise Trouble(f"{os.path.basename(argv[0])} ended with {child.returncode}: {err.strip()[-300:]}")
    return out


def _children_cpu():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def closed_loop(bench, port, seconds, hosts=None, scheme="http", close=False, path="/", connections=None, upload=False):
    """wrk for `seconds`: {"requests", "failed", "seconds"}; failed counts answers other than 2xx and 3xx, and errors.

    `hosts` = (how many, of how many routes) sends each request to one of so many hosts at random. With `close` each
    request has a connection of its own; with `upload`, a body of 16 KiB.
    """
    wrk = find("wrk")
    if not wrk:
        raise Trouble("wrk is not installed")
    argv = [wrk, "-t1", f"-c{connections or bench.settings.connections}", f"-d{max(1, round(seconds))}s", "--timeout", "10s",
            "-s", os.path.join(_HERE, "hosts.lua" if hosts else "upload.lua" if upload else "report.lua"),
            "-H", f"Host: {bench.host}", *(["-H", "Connection: close"] if close else []),
            f"{scheme}://127.0.0.1:{port}{path}"]
    if hosts:
        argv += ["--", *map(str, hosts)]
    out = _run(argv, bench.cores.load, seconds)
    line = next((line.split()[1:] for line in out.splitlines() if line.startswith("FIGURES ")), None)
    if line is None:
        raise Trouble(f"wrk printed no figures: {out.strip()[-200:]}")
    requests, failed, micros = map(int, line)
    return {"requests": requests, "failed": failed, "seconds": micros / 1e6}


def http2_loop(bench, port, seconds, connections, streams, body=None):
    """h2load for `seconds`, over TLS: the same as closed_loop. `body` names a file that each request brings."""
    h2load = find("h2load")
    if not h2load:
        raise Trouble("h2load is not installed: apt-get install nghttp2-client")
    out = _run([h2load, "-t1", f"-c{connections}", f"-m{streams}", f"-D{max(1, round(seconds))}",
                *(["-d", body] if body else []), "-H", f":authority: {bench.host}", f"https://127.0.0.1:{port}/"],
               bench.cores.load, seconds)
    counts = re.search(r"requests: .* (\d+) done, (\d+) succeeded, (\d+) failed", out)
    took = re.search(r"finished in ([0-9.]+)(m?s)", out)
    if not counts or not took:
        raise Trouble(f"h2load printed no figures: {out.strip()[-200:]}")
    done, succeeded, failed = map(int, counts.groups())
    other = sum(map(int, re.findall(r"(\d+) [45]xx", out)))
    lasted = float(took.group(1)) * (0.001 if took.group(2) == "ms" else 1)
    return {"requests": succeeded, "failed": failed + other + done - succeeded, "seconds": lasted}


def _example(name):
    """A load generator of ours."""
    program = os.path.join(_TARGET, "release", "examples", name)
    if not os.access(program, os.X_OK):
        raise Trouble(f"not built: cargo build --release -p cloverleaf-tests --example {name}")
    return program


def pace(bench, port, rate, seconds, seed):
    """An open loop without ticks, over HTTP/1.1: {"requests", "microseconds": {latency: how often}}."""
    out = _run([_example("pace"), str(port), bench.host, str(int(rate)), str(int(seconds * 1000)), str(seed)],
               bench.cores.load, seconds, first=True)
    return json.loads(out)


def handshakes(bench, port, seconds, kind):
    """TLS connections that shake hands and end, `kind` "full" or "resumed": the same, a request being a handshake."""
    out = _run([_example("handshakes"), str(port), str(max(1, round(seconds))), kind], bench.cores.load, seconds)
    return json.loads(out)


def open_loop(bench, port, rate, seconds):
    """oha for `seconds` at `rate` requests a second, each latency counted from when the request was let go.

    {"p50", "p99", "p99.9" in microseconds, "rate" reached, "requests", "failed", "oha_cpu" in seconds}
    """
    oha = find("oha")
    if not oha:
        raise Trouble("oha is not installed: cargo install --locked oha")
    before = _children_cpu()
    out = _run([oha, "--no-tui", "--output-format", "json", "-z", f"{max(1, round(seconds))}s", "-q", str(int(rate)),
                "-c", str(bench.settings.connections), "--latency-correction", "-H", f"Host: {bench.host}",
                f"http://127.0.0.1:{port}/"], bench.cores.load, seconds)
    try:
        report = json.loads(out)
        tail = report["latencyPercentiles"]
        codes = report["statusCodeDistribution"]
        answered = sum(codes.values())
        sample = {name: tail[name] * 1e6 for name in ("p50", "p99", "p99.9")}
        return dict(sample, rate=report["summary"]["requestsPerSec"], requests=answered,
                    failed=answered - codes.get("200", 0), oha_cpu=_children_cpu() - before)
    except (ValueError, KeyError, TypeError) as why:
        raise Trouble(f"oha's report was not understood: {why!r}") from None
