"""The machine under the bench: its cores, its free ports, and what the kernel says of a core's time."""
import os
import platform
import random
import resource
import socket
import time
from dataclasses import dataclass


class Trouble(Exception):
    """Something cannot be measured; the text says what and, where it can, what to do about it."""


@dataclass(frozen=True)
class Cores:
    """Who runs where: the proxy alone on one core, everything that serves the measurement on others."""

    proxy: int
    backend: int
    load: tuple

    @staticmethod
    def divide():
        allowed = sorted(os.sched_getaffinity(0))
        proxy, rest = allowed[0], allowed[1:] or allowed
        return Cores(proxy, rest[0], tuple(rest[1:] or rest))

    @property
    def alone(self):
        """False on a machine with one core, where nothing can be kept apart."""
        return self.proxy not in (self.backend, *self.load)


def busy_seconds(core):
    """Seconds that `core` has spent on anything since the machine started, interrupts and stolen time included."""
    with open("/proc/stat") as file:
        for line in file:
            name, *ticks = line.split()
            if name == f"cpu{core}":
                # user nice system idle iowait irq softirq steal; guest time is already in user.
                return sum(int(ticks[i]) for i in (0, 1, 2, 5, 6, 7)) / os.sysconf("SC_CLK_TCK")
    return 0.0


_given_ports = set()


def free_port():
    """A port below the range that the kernel picks client ports from, handed out once a run."""
    while True:
        port = random.randrange(12000, 31000)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_ports.add(port)
        return port


def wait_for(what, condition, limit, step=0.005):
    """Poll `condition` until it is true and return its value; Trouble after `limit` seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Trouble(f"waited {limit:g} s in vain for {what}")
        time.sleep(step)


def raise_file_limit():
    """Allow as many open files as the system lets us, for us and for all that we start; the new limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = 1 << 20
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def describe(cores):
    """The facts of this machine that a figure must be read with."""
    model = platform.processor() or platform.machine()
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {
        "processor": model,
        "processors_allowed": len({cores.proxy, cores.backend, *cores.load}),
        "kernel": f"{platform.system()} {platform.release()}",
        "load_average": os.getloadavg()[0],
        "proxy_core": cores.proxy,
        "backend_core": cores.backend,
        "load_cores": list(cores.load),
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
