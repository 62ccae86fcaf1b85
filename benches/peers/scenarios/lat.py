"""Latency at a fixed rate (an open loop), at half of HAProxy's peak or what the load side can send unhurried."""
from .. import figures
from ..load import closed_loop, find, open_loop
from ..machine import Trouble

TITLE = "lat: open-loop latency at {rate:,} requests/s"


def seconds(bench):
    return 15 + bench.settings.rounds * len(bench.found) * (bench.settings.seconds + 1.5)


def run(bench, samples):
    if not find("oha"):
        raise Trouble("oha is not installed: cargo install --locked oha")
    running = bench.start({key: peer(bench) for key, peer in bench.found.items()})
    if not running:
        return
    rate = bench.settings.rate = bench.settings.rate or _bearable(bench, _half_of_peak(bench, running))

    def measure(key):
        peer = running[key]
        open_loop(bench, peer.port, rate, 1)
        sample = open_loop(bench, peer.port, rate, bench.settings.seconds)
        peer.rest()
        bench.answered(sample, peer)
        return sample
    bench.rounds({key: peer.title for key, peer in running.items()}, measure, samples)
    bench.stop(running)


def _half_of_peak(bench, running):
    """Half of the requests a second that HAProxy answers in a short closed loop."""
    yardstick = running.get("haproxy") or next(iter(running.values()))
    if yardstick.key != "haproxy":
        bench.note(f"HAProxy is missing: {yardstick.title}'s peak stands for it")
    closed_loop(bench, yardstick.port, 1)
    peak = closed_loop(bench, yardstick.port, 2)
    return int(peak["requests"] / peak["seconds"] / 2)


def _bearable(bench, wanted):
    """`wanted`, halved until the load side spends at most half of its cores: beyond, its own queues are measured."""
    rate = wanted
    while rate > 500:
        backend = sum(bench.backend.process.cpu())
        sample = open_loop(bench, bench.backend.port, rate, 1)
        spent = sample["oha_cpu"]
        if bench.cores.backend in bench.cores.load:
            spent += sum(bench.backend.process.cpu()) - backend
        if spent <= 0.5 * len(bench.cores.load):
            break
        rate //= 2
    if rate < wanted:
        bench.note(f"half of HAProxy's peak, {wanted:,} requests/s, would fill the load side's core; --rate insists")
    return rate


def report(bench, samples):
    rows, summary = [], {}
    base = samples.get("haproxy")
    for key, taken in samples.items():
        got = {name: figures.of(taken, name) for name in ("p50", "p99", "p99.9", "rate")}
        got["p99_to_haproxy"] = figures.ratio(taken, base, "p99")
        summary[key] = got
        title = bench.found[key].title
        if got["rate"] and got["rate"]["median"] < 0.97 * bench.settings.rate:
            bench.note(f"{title} was sent {got['rate']['median']:,.0f} requests/s instead of {bench.settings.rate:,}: "
                       "it or the load side was saturated, its latency is a queue's")
        rows.append([title, *(figures.show(got[name], 0) for name in ("p50", "p99", "p99.9")),
                     figures.show(got["p99_to_haproxy"], 2)])
    return figures.table(["", "p50 us", "p99 us", "p99.9 us", "p99 to HAProxy"], rows), summary
