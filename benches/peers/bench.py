"""One run: its folder, cores, backend, peers, and the rounds in which they take turns."""
import os
import shutil
import tempfile
import time

from . import processes
from .backend import Backend, missing_headers
from .envoy import Envoy
from .load import closed_loop
from .machine import Cores, Trouble, busy_seconds
from .nats import host_name
from .proxies import Direct, HaProxy, HaProxyTcp, Nginx
from .router import Cloverleaf, CloverleafRing, GoRouter, Profiled, ProfiledRing

# The product comes first, so that a run cut short has at least its figure.
PEERS = (Cloverleaf, CloverleafRing, Profiled, ProfiledRing, HaProxy, HaProxyTcp, Nginx, Envoy, GoRouter, Direct)


class Bench:
    """Everything a scenario needs. `notes` collects what the reader of the figures must know."""

    def __init__(self, settings):
        self.settings, self.cores, self.notes = settings, Cores.divide(), []
        self.folder = tempfile.mkdtemp(prefix="router-bench-")
        self.host = host_name(0)
        # The driver itself must not run where the proxy is measured.
        os.sched_setaffinity(0, set(self.cores.load))
        wanted = [p for p in PEERS if not settings.peers or p.key in settings.peers]
        self.found = {p.key: p for p in wanted if p.find()}
        self.skipped = {p.key: p.absent() for p in wanted if not p.find()}
        self.backend = None
        if not self.cores.alone:
            self.note("this machine has one core: proxy, backend and load take it from each other")

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def has(self, *keys):
        """Those of `keys` that were found and asked for, in the order of PEERS."""
        return [p for key, p in self.found.items() if key in keys]

    def start(self, peers):
        """Start the backend if need be, then `peers` ({name: Peer}); the ones that run. The rest is noted."""
        self.backend = self.backend or Backend(self)
        running = {}
        for name, peer in peers.items():
            try:
                peer.start()
                if peer.speaks_http:
                    missing = missing_headers(peer.port, self.host)
                    if missing:
                        self.note(f"{peer.title} spares itself work: requests arrive without {', '.join(missing)}")
                running[name] = peer
            except (Trouble, OSError) as why:
                self.note(f"{peer.title} left out: {why}")
                peer.stop()
        return running

    def rounds(self, titles, measure, samples):
        """Interleave: each round measures every peer of `titles` ({name: title}) once, beginning with another one.

        `measure(name)` returns a sample or raises Trouble; samples[name] gets one entry a round, None for no figure.
        """
        names = list(titles)
        samples.update({name: [] for name in names})
        for number in range(self.settings.rounds):
            turn = number % len(names) if names else 0
            for name in names[turn:] + names[:turn]:
                try:
                    sample = measure(name)
                except (Trouble, OSError) as why:
                    self.note(f"{titles[name]}, round {number + 1}: {why}")
                    sample = None
                samples[name].append(sample)

    def cpu_sample(self, peer, warm, hosts=None, close=False):
        """CPU per request in a closed loop: microseconds in all and in user space, requests a second, busy shares."""
        port, scheme = (peer.tls_port, "https") if peer.certificate else (peer.port, "http")
        return self.cpu_of(peer, warm, lambda seconds: closed_loop(self, port, seconds, hosts, scheme, close))

    def cpu_of(self, peer, warm, generate):
        """The same for any load: `generate(seconds)` makes it and gives {"requests", "failed", "seconds"}."""
        generate(warm)
        before, core, wall = self._cpu(peer), busy_seconds(self.cores.proxy), time.monotonic()
        load = generate(self.settings.seconds)
        after, core, wall = self._cpu(peer), busy_seconds(self.cores.proxy) - core, time.monotonic() - wall
        peer.rest()
        requests = self.answered(load, peer)
        sample = {"rps": requests / load["seconds"], "requests": requests}
        if peer.process:
            user, system = after[0] - before[0], after[1] - before[1]
            sample.update(us=(user + system) / requests * 1e6, user_us=user / requests * 1e6,
                          proxy_busy=(user + system) / load["seconds"], core_busy=min(1.0, core / wall))
        return sample

    @staticmethod
    def _cpu(peer):
        return peer.process.cpu() if peer.process else (0, 0)

    def answered(self, load, peer):
        """Requests answered in `load`; a few failures are noted, more than one in a hundred are Trouble."""
        requests, failed = load["requests"], load["failed"]
        if not requests or failed * 100 > requests:
            raise Trouble(f"{failed} of {requests} requests failed")
        if failed:
            self.note(f"{peer.title}: {failed} of {requests} requests failed in one round")
        return requests

    def warm_up(self):
        """Seconds of load before each measurement."""
        return 2 if self.settings.seconds >= 4 else 1

    def judge_load(self, samples, titles):
        """Note whose proxy core was not full, and who had the rest of it."""
        for name, taken in samples.items():
            rows = [sample for sample in taken if sample and "proxy_busy" in sample]
            if not rows:
                continue
            own = sum(r["proxy_busy"] for r in rows) / len(rows)
            core = sum(r["core_busy"] for r in rows) / len(rows)
            if own >= 0.895:
                continue
            why = ("other work took the rest of its core" if core >= 0.95
                   else "the load side was the limit: read CPU per request, not requests per second")
            self.note(f"{titles[name]} used {own:.0%} of its core ({core:.0%} busy in all): {why}")

    def stop(self, peers):
        for peer in peers.values():
            peer.stop()

    def close(self):
        processes.stop_all()
        if self.settings.keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
