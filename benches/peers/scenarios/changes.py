"""Latency while the routing table changes: an open loop over a large quiet table, and over one that changes all the time."""
import json
import threading
import time

from .. import figures
from ..load import find, open_loop
from ..machine import Trouble
from ..nats import NatsClient

TITLE = "changes: open-loop latency at {rate:,} requests/s over 200,000 routes, quiet and with 1,000 changes a second"
_ROUTES, _RATE, _PEERS = 200_000, 1_000, ("cloverleaf", "gorouter")


def seconds(bench):
    return 60 + bench.settings.rounds * len(bench.has(*_PEERS)) * 2 * (bench.settings.seconds + 1.5)


def run(bench, samples):
    if not find("oha"):
        raise Trouble("oha is not installed: cargo install --locked oha")
    running = bench.start({peer.key: peer(bench, "-changes", _ROUTES) for peer in bench.has(*_PEERS)})
    rate = bench.settings.rate = bench.settings.rate or 5_000

    def latency(peer):
        open_loop(bench, peer.port, rate, 1)
        sample = open_loop(bench, peer.port, rate, bench.settings.seconds)
        peer.rest()
        bench.answered(sample, peer)
        return sample

    def measure(key):
        peer = running[key]
        quiet = latency(peer)
        with Changes(peer.nats.port, bench.backend.port) as changes:
            changing = latency(peer)
        changing = {f"changing_{name}": changing[name] for name in ("p50", "p99", "p99.9")}
        return dict(quiet, **changing, changes=changes.rate(), ratio=changing["changing_p99.9"] / quiet["p99.9"])
    bench.rounds({key: peer.title for key, peer in running.items()}, measure, samples)
    bench.stop(running)


class Changes:
    """Publishes so many changes a second, each other one a new route, the next its end, until it is left."""

    def __init__(self, nats, port):
        self.client, self.over, self.sent = NatsClient(nats), threading.Event(), 0
        self.batches = [self._batch(number, port) for number in range(100)]
        self.thread = threading.Thread(target=self._publish, daemon=True)

    @staticmethod
    def _batch(number, port):
        lines = []
        for index in range(10):
            uri = f"new-{number // 2:03d}-{index}.apps.example.com"
            body = json.dumps({"host": "127.0.0.1", "port": port, "uris": [uri], "app": f"new-{index}",
                               "private_instance_id": f"{uri}-0", "private_instance_index": "0",
                               "tags": {"component": "route-emitter"}}, separators=(",", ":"))
            kind = "unregister" if number % 2 else "register"
            lines.append(f"PUB router.{kind} {len(body)}\r\n{body}\r\n")
        return "".join(lines).encode()

    def _publish(self):
        due = time.monotonic()
        while not self.over.is_set():
            self.client.send(self.batches[self.sent // 10 % len(self.batches)])
            self.sent += 10
            due += 10 / _RATE
            time.sleep(max(0.0, due - time.monotonic()))

    def __enter__(self):
        self.began = time.monotonic()
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.lasted = time.monotonic() - self.began
        self.client.close()

    def rate(self):
        return self.sent / self.lasted


def report(bench, samples):
    rows, summary = [], {}
    names = ("p50", "p99", "p99.9", "changing_p50", "changing_p99", "changing_p99.9")
    for key, taken in samples.items():
        got = {name: figures.of(taken, name) for name in (*names, "ratio", "changes")}
        summary[key] = got
        rows.append([bench.found[key].title, *(figures.show(got[name], 0) for name in names),
                     figures.show(got["ratio"], 2), figures.show(got["changes"], 0)])
    head = ["", "p50 us", "p99", "p99.9", "p50 changing", "p99", "p99.9", "p99.9 to quiet", "changes/s"]
    return figures.table(head, rows), summary
