"""What an idle client costs: memory before and after many connections have each made one request."""
from .. import figures, wire
from ..load import closed_loop
from ..machine import Trouble

TITLE = "idle: memory of {idle:,} idle client connections (the process's own; the kernel's sockets are not in it)"


def seconds(bench):
    return 10 + bench.settings.rounds * len(bench.found) * 8


def run(bench, samples):
    def one(key):
        # A process of its own each time: memory once grown would hide the next round's.
        running = bench.start({key: bench.found[key](bench, "-idle")})
        try:
            if not running:
                raise Trouble("not started")
            return measure(bench, running[key], lambda: wire.connect(running[key].port, 5))
        finally:
            bench.stop(running)
    bench.rounds({key: peer.title for key, peer in bench.found.items() if key != "direct"}, one, samples)


def measure(bench, peer, connect):
    """The memory of a started peer before and after so many connections, each made by `connect()`."""
    closed_loop(bench, peer.port, 1)
    resident, proportional = peer.process.settled_memory()
    clients = []
    try:
        for _ in range(bench.settings.idle):
            sock = connect()
            clients.append(sock)
            status, _ = wire.exchange(sock, "/", bench.host)
            if status != 200:
                raise Trouble(f"status {status} on connection {len(clients)}")
        resident_full, proportional_full = peer.process.settled_memory()
    finally:
        for sock in clients:
            sock.close()
    return {"before_rss": resident, "before_pss": proportional, "after_rss": resident_full,
            "after_pss": proportional_full, "bytes": (proportional_full - proportional) / bench.settings.idle}


def report(bench, samples):
    rows, summary = [], {}
    base = samples.get("haproxy")
    for key, taken in samples.items():
        names = ("before_rss", "after_rss", "before_pss", "after_pss", "bytes")
        got = {name: figures.of(taken, name) for name in names}
        got["to_haproxy"] = figures.ratio(taken, base, "bytes")
        summary[key] = got
        mib = 1 / (1 << 20)
        rows.append([bench.found[key].title, *(figures.show(got[name], 1, mib) for name in names[:4]),
                     figures.show(got["bytes"], 2, 1 / 1024), figures.show(got["to_haproxy"], 2)])
    head = ["", "RSS before, MiB", "RSS after", "PSS before", "PSS after", "KiB/connection", "to HAProxy"]
    return figures.table(head, rows), summary
