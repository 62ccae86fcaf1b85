"""The command line of `benches/run`: what to measure, in what order, printed and kept."""
import argparse
import json
import signal
import sys
import time

from .bench import PEERS, Bench
from .load import find
from .machine import Trouble, describe, raise_file_limit
from .scenarios import ALL

_ABOUT = """\
Measure Cloverleaf beside HAProxy, nginx, Envoy, the original GoRouter and a direct connection.

scenarios:
  h1      CPU per request and requests/s: HTTP/1.1 keep-alive, 1 KiB body, 64 connections, one core a proxy
  hosts   the same over 10,000 random hosts of 100,000 routes, as a ratio to one host of one route
  lat     p50/p99/p99.9 in an open loop at up to half of HAProxy's peak rate (needs oha)
  idle    memory of 5,000 idle client connections, each of which made one request
  routes  memory of 100,000 routes, time to register them, repeated registrations a second, a start with 10,000
  tls     CPU per request over TLS 1.3 with keep-alive, and per connection with one request (a full handshake)
  hands   CPU per full and per resumed TLS 1.3 handshake (needs: cargo build --release -p cloverleaf-tests --example handshakes)
  large   CPU per MiB of 1 MiB bodies, in the clear and over TLS 1.3
  idletls memory of idle TLS connections, each of which made one request
  changes latency over 200,000 routes, quiet and with 1,000 changes a second; --rounds 4 --seconds 10 for p99.9
          (needs: cargo build --release -p cloverleaf-tests --example pace)
  h2      CPU per request, HTTP/2 over TLS 1.3: 8 connections with 16 streams each, 1 KiB body (needs h2load)
  uploads CPU per request with a body of 16 KiB from the client, in the clear, over TLS 1.3 and HTTP/2 (needs h2load)
"""
_MORE = """\
Peers are looked for on PATH and in /usr/sbin; CLOVERLEAF_BIN, HAPROXY_BIN, NGINX_BIN, ENVOY_BIN and GOROUTER_BIN name
them elsewhere. Cloverleaf is taken from target/release (CLOVERLEAF_BIN), and once more from target/profiled, where ./release
leaves it (CLOVERLEAF_PROFILED_BIN). A missing peer is named and skipped. nginx (also the backend),
wrk and nats-server must be there: apt-get install haproxy nginx-light wrk nats-server; cargo install --locked oha.

examples:
  benches/run                         h1, three rounds of five seconds
  benches/run h1 hosts idle routes lat --rounds 5 --json figures.json
  benches/run h1 --peers cloverleaf,haproxy --seconds 10
  CLOVERLEAF_BIN=../before/cloverleaf-router benches/run h1

Read CPU per request first: requests/s drift with the machine, CPU per request hardly does. A figure is the median of
the rounds with (smallest-largest); ratios are taken within each round. benches/README.md tells more.
"""


class TimeIsUp(Exception):
    """The limit of the whole run was reached."""


def _arguments(argv):
    parser = argparse.ArgumentParser(prog="benches/run", description=_ABOUT, epilog=_MORE,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("scenarios", nargs="*", metavar="SCENARIO", help=f"{', '.join(ALL)}; h1 when none is named")
    add("--rounds", type=int, default=3, metavar="N", help="rounds, in each of which every peer has a turn (3)")
    add("--seconds", type=int, default=5, metavar="S", help="length of one measurement (5)")
    add("--peers", metavar="LIST", help=f"only these, comma-separated: {', '.join(p.key for p in PEERS)}")
    add("--connections", type=int, default=64, metavar="N", help="client connections under load (64)")
    add("--routes", type=int, default=100_000, metavar="N", help="size of the table in hosts and routes (100000)")
    add("--hosts", type=int, default=10_000, metavar="N", help="hosts that requests go to in hosts (10000)")
    add("--idle", type=int, default=5_000, metavar="N", help="idle connections in idle (5000)")
    add("--rate", type=int, default=0, metavar="N", help="requests/s in lat, instead of half of HAProxy's peak")
    add("--peer-logs", action="store_true", help="access logs for the peers too; without, only routers write one")
    add("--full-tags", action="store_true", help="registrations with all labels that an app has, not only component")
    add("--json", metavar="FILE", help="also write every sample and summary there")
    add("--limit", type=int, default=0, metavar="S", help="stop after so many seconds and print what there is")
    add("--keep", action="store_true", help="keep configurations and logs, and say where")
    settings = parser.parse_args(argv)
    settings.scenarios = list(dict.fromkeys(settings.scenarios)) or ["h1"]
    settings.peers = settings.peers.split(",") if settings.peers else []
    for kind, named, known in (("scenario", settings.scenarios, list(ALL)),
                               ("peer", settings.peers, [p.key for p in PEERS])):
        for name in named:
            if name not in known:
                parser.error(f"no {kind} {name}: there are {', '.join(known)}")
    for name in ("rounds", "seconds", "connections", "routes", "hosts", "idle"):
        if getattr(settings, name) < 1:
            parser.error(f"--{name} must be at least 1")
    return settings


def _heed_signals(limit):
    """Let Ctrl-C, a polite kill and the time limit all end the run by an exception, so that it cleans up."""
    def interrupted(*_):
        raise KeyboardInterrupt

    def expired(*_):
        raise TimeIsUp
    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)
    signal.signal(signal.SIGALRM, expired)
    signal.alarm(limit)


def _ignore_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def _print_head(bench, machine):
    print(f"{machine['processor']}, {machine['processors_allowed']} cores, {machine['kernel']}, "
          f"load average {machine['load_average']:.2f}, {machine['time']}")
    print(f"proxy on core {bench.cores.proxy}, backend on {bench.cores.backend}, "
          f"load on {','.join(map(str, bench.cores.load))}; command: {' '.join(sys.argv)}")
    for peer in bench.found.values():
        print(f"  {peer.title}: {peer.version(peer.find())}")
    for peer in PEERS:
        if peer.key in bench.skipped:
            print(f"  {peer.title}: skipped, {bench.skipped[peer.key]}")


def _has_figures(summary):
    return any(figure for figures in summary.values() for figure in figures.values())


def _play(bench, name, kept):
    """Run one scenario, print its figures, also those of a run cut short, and keep them in `kept`."""
    scenario, samples, cut = ALL[name], {}, None
    bench.notes.clear()
    try:
        scenario.run(bench, samples)
    except Trouble as why:
        bench.note(f"{name} given up: {why}")
    except (TimeIsUp, KeyboardInterrupt) as why:
        cut = why
        signal.alarm(0)
        bench.note("cut short")
    lines, summary = scenario.report(bench, samples)
    print(f"\n{scenario.TITLE.format(**vars(bench.settings))}; rounds: {bench.settings.rounds}")
    print("\n".join(lines if _has_figures(summary) else ["  no figures"]))
    for note in bench.notes:
        print(f"  note: {note}")
    sys.stdout.flush()
    kept[name] = {"summary": summary, "samples": samples, "notes": list(bench.notes)}
    if cut:
        raise cut


def main(argv):
    """0 when every scenario gave figures, 1 when one gave none, 3 when the limit cut the run short, 130 on Ctrl-C."""
    settings = _arguments(argv)
    if not find("wrk"):
        print("benches/run: wrk is not installed: apt-get install wrk", file=sys.stderr)
        return 1
    files = raise_file_limit()
    code, kept, bench, machine = 0, {}, None, {}
    try:
        bench = Bench(settings)
        if files < 2 * settings.idle + 2000:
            settings.idle = max(1, (files - 2000) // 2)
            print(f"only {files} open files are allowed: idle uses {settings.idle} connections")
        planned = sum(ALL[name].seconds(bench) for name in settings.scenarios)
        # Nothing hangs for ever: three times the plan is far more than any sane run takes.
        _heed_signals(settings.limit or int(3 * planned + 60))
        machine = describe(bench.cores)
        _print_head(bench, machine)
        print(f"about {planned / 60:.0f} min" if planned > 90 else f"about {planned:.0f} s", flush=True)
        for name in settings.scenarios:
            _play(bench, name, kept)
        if not all(_has_figures(part["summary"]) for part in kept.values()):
            code = 1
    except TimeIsUp:
        print("\nbenches/run: the time limit was reached", file=sys.stderr)
        code = 3
    except KeyboardInterrupt:
        print("\nbenches/run: stopped", file=sys.stderr)
        code = 130
    finally:
        _ignore_signals()
        if bench:
            bench.close()
    if settings.json:
        with open(settings.json, "w") as out:
            json.dump({"machine": machine, "settings": vars(settings), "when": time.time(), "exit": code,
                       "peers": {p.key: p.version(p.find()) for p in bench.found.values()},
                       "skipped": bench.skipped, "scenarios": kept}, out, indent=1)
            out.write("\n")
    return code
