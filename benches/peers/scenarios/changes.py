"""Latency while the routing table changes: an open loop over a large quiet table, and over one that changes all the time."""
import json
import random
import threading
import time
from collections import Counter
from statistics import median

from .. import figures
from ..load import pace
from ..nats import NatsClient

TITLE = ("changes: open-loop latency at {rate:,} requests/s over 200,000 routes, quiet, with 1,000 changes a second, "
         "and quiet again")
_ROUTES, _RATE, _PEERS = 200_000, 1_000, ("cloverleaf", "gorouter")
# The third is what the first is: how far the two are apart says what a difference to the second is worth.
_KINDS = ("quiet", "changing", "control")
_PHASE = 1.0
_ENOUGH = 300_000
_PERCENTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999))
_RESAMPLES = 2000
# What Cloverleaf's threads that serve requests are called.
_WORKER = "worker"


def seconds(bench):
    phases = bench.settings.rounds * _phases(bench) * len(_KINDS)
    return 60 + len(bench.has(*_PEERS)) * phases * (_PHASE + 0.1)


def _phases(bench):
    """Phases of each kind in a round."""
    return max(1, round(bench.settings.seconds / _PHASE))


def run(bench, samples):
    running = bench.start({peer.key: peer(bench, "-changes", _ROUTES) for peer in bench.has(*_PEERS)})
    rate = bench.settings.rate = bench.settings.rate or 8_000
    dice = random.Random(1)

    def measure(key):
        peer = running[key]
        taken = {kind: [] for kind in _KINDS}
        bench.backend.process.run_first()
        peer.process.outweigh()
        pace(bench, peer.port, rate, _PHASE, 0)
        with Changes(peer.nats.port, bench.backend.port) as changes:
            for _ in range(_phases(bench)):
                for kind in dice.sample(_KINDS, len(_KINDS)):
                    changes.heard = kind == "changing"
                    waited = peer.process.waited(_WORKER)
                    phase = pace(bench, peer.port, rate, _PHASE, dice.getrandbits(32))
                    taken[kind].append(dict(phase, waited=peer.process.waited(_WORKER) - waited))
            peer.rest()
        return dict(taken, changes=changes.rate())
    bench.rounds({key: peer.title for key, peer in running.items()}, measure, samples)
    bench.stop(running)


class Changes:
    """Publishes so many changes a second, each other one a new route, the next its end, until it is left.

    While they are not `heard` they go where nobody has subscribed: who publishes has the same work all the time.
    """

    def __init__(self, nats, port):
        self.client, self.over, self.sent, self.heard = NatsClient(nats), threading.Event(), 0, False
        self.batches = {heard: [self._batch(number, port, prefix) for number in range(100)]
                        for heard, prefix in ((True, "router"), (False, "nobody"))}
        self.thread = threading.Thread(target=self._publish, daemon=True)

    @staticmethod
    def _batch(number, port, prefix):
        lines = []
        for index in range(10):
            uri = f"new-{number // 2:03d}-{index}.apps.example.com"
            body = json.dumps({"host": "127.0.0.1", "port": port, "uris": [uri], "app": f"new-{index}",
                               "private_instance_id": f"{uri}-0", "private_instance_index": "0",
                               "tags": {"component": "route-emitter"}}, separators=(",", ":"))
            kind = "unregister" if number % 2 else "register"
            lines.append(f"PUB {prefix}.{kind} {len(body)}\r\n{body}\r\n")
        return "".join(lines).encode()

    def _publish(self):
        due = time.monotonic()
        while not self.over.is_set():
            self.client.send(self.batches[self.heard][self.sent // 10 % 100])
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


def percentile(phases, share):
    """The latency below which `share` of all requests of these phases stay, in microseconds."""
    counts = Counter()
    for phase in phases:
        counts.update(phase)
    left = sum(counts.values()) * share
    for latency in sorted(counts):
        left -= counts[latency]
        if left < 0:
            return latency
    return max(counts, default=0)


def compare(these, base):
    """The ratio of two medians, and where it lies in nine of ten cases when the values are drawn anew (bootstrap)."""
    dice = random.Random(1)
    ratios = sorted(median(dice.choices(these, k=len(these))) / max(1, median(dice.choices(base, k=len(base))))
                    for _ in range(_RESAMPLES))
    return {"median": median(these) / max(1, median(base)), "min": ratios[_RESAMPLES // 20],
            "max": ratios[-_RESAMPLES // 20]}


def report(bench, samples):
    rows, summary = [], {}
    for key, taken in samples.items():
        rounds = [sample for sample in taken if sample]
        phases = {kind: [{int(latency): count for latency, count in phase["microseconds"].items()}
                         for sample in rounds for phase in sample[kind]] for kind in _KINDS}
        requests = {kind: sum(sum(phase.values()) for phase in phases[kind]) for kind in _KINDS}
        if not all(requests.values()):
            continue
        if min(requests.values()) < _ENOUGH:
            bench.note(f"{min(requests.values()):,} requests of each kind are few for a p99.9: more --rounds")
        summary[key] = {"changes": figures.of(taken, "changes")}
        each = {name: {kind: [percentile([phase], share) for phase in phases[kind]] for kind in _KINDS}
                for name, share in _PERCENTILES}
        for kind in _KINDS:
            pooled = {name: percentile(phases[kind], share) for name, share in _PERCENTILES}
            tail = figures.spread(each["p99.9"][kind])
            got = summary[key][kind] = {"requests": requests[kind], "phases": tail, **pooled}
            row = [f"{bench.found[key].title}, {kind}", f"{requests[kind]:,}",
                   *(f"{pooled[name]:,}" for name, _ in _PERCENTILES), figures.show(tail, 0)]
            for name in ("p99", "p99.9"):
                # What changes is compared with all that is quiet, the control with the rest of it.
                base = each[name]["quiet"] + (each[name]["control"] if kind == "changing" else [])
                got[f"{name}_to_quiet"] = None if kind == "quiet" else compare(each[name][kind], base)
                row.append(figures.show(got[f"{name}_to_quiet"], 2))
            waited = figures.spread([phase["waited"] * 1000 / _PHASE for sample in rounds for phase in sample[kind]])
            got["waited"] = waited
            row.append(f"{waited['median']:.1f}" if key == "cloverleaf" else "-")
            rows.append(row)
    head = ["", "requests", "p50 us", "p99", "p99.9", "a phase's p99.9", "p99 to quiet", "p99.9 to quiet",
            "waits ms/s"]
    return figures.table(head, rows), summary
