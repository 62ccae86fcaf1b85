"""What routes cost a router: memory, registering, hearing the same again, and a start with many of them."""
import time

from .. import figures, wire
from ..machine import Trouble, wait_for
from ..nats import Emitter, host_name, registrations
from ..router import START_DELAY, Router

TITLE = "routes: {routes:,} routes over NATS"
# How often the same registrations are repeated, and how many routes a start is timed with.
PASSES = 10
STARTING = 10_000


def _routers(bench):
    # How connections are read has no part in it.
    return {key: peer for key, peer in bench.found.items() if issubclass(peer, Router) and not peer.more}


def seconds(bench):
    return 10 + bench.settings.rounds * len(_routers(bench)) * 45


def run(bench, samples):
    routers = _routers(bench)
    if not routers:
        raise Trouble("neither Cloverleaf nor GoRouter is here")
    bench.start({})

    def somewhere(index):
        # An address for each route, as each app instance has; nothing is ever sent there.
        return f"10.{index >> 14 & 255}.{index >> 6 & 255}.{index & 63}", 61000
    chunks = registrations(bench.settings.routes, somewhere, bench.settings.full_tags)
    bench.settings.message_bytes = sum(len(data) for _, data in chunks) // bench.settings.routes
    starting = registrations(STARTING, lambda _: ("127.0.0.1", bench.backend.port), bench.settings.full_tags)

    def measure(key):
        sample = _table(bench, routers[key](bench, "-table"), chunks)
        try:
            sample.update(_start(routers[key](bench, "-start"), starting))
        except Trouble as why:
            bench.note(f"{routers[key].title}, start with routes: {why}")
        return sample
    bench.rounds({key: peer.title for key, peer in routers.items()}, measure, samples)


def _table(bench, router, chunks):
    """Memory and time for the routes, and for hearing of them again."""
    count = bench.settings.routes
    try:
        router.begin()
        router.listening()
        empty = router.process.settled_memory()
        registering = _publish(bench, router, chunks, 1)
        full = router.process.settled_memory()
        repeating = _publish(bench, router, chunks, PASSES)
        listed = router.count_routes()
        if listed != count:
            bench.note(f"{router.title} lists {listed} of {count} routes")
        return {"empty_pss": empty[1], "full_pss": full[1], "route_bytes": (full[1] - empty[1]) / count,
                "full_rss": full[0],
                "register_seconds": registering["seconds"], "register_us": registering["us"],
                "repeat_per_second": repeating["rate"], "repeat_us": repeating["us"], "repeat_busy": repeating["busy"]}
    finally:
        router.stop()


def _publish(bench, router, chunks, passes):
    before = sum(router.process.cpu())
    handled, sent, wall = router.publish(chunks, passes)
    cpu = sum(router.process.cpu()) - before
    router.rest()
    if handled * 2 < sent:
        raise Trouble(f"{handled} of {sent} registrations were handled")
    if handled < sent:
        bench.note(f"{router.title} lost {sent - handled:,} of {sent:,} registrations")
    return {"seconds": wall, "rate": handled / wall, "us": cpu / handled * 1e6, "busy": cpu / wall}


def _start(router, chunks):
    """How long after the listener opened the last of the routes answered, when they came in answer to router.start."""
    host, emitter = host_name(STARTING - 1), None
    try:
        router.open_bus()
        emitter = Emitter(router.nats.port, chunks)
        began = time.monotonic()
        router.begin()
        wait_for(f"{router.title} to listen", lambda: _open(router), START_DELAY + 20, 0.0005)
        opened, refused = time.monotonic(), 0
        while True:
            status, _ = wire.get(router.port, "/", host)
            if status == 200:
                break
            refused += 1
            time.sleep(0.001)
            if time.monotonic() - opened > 20:
                raise Trouble(f"no 200 within 20 s after the start; last status {status}; emitter: "
                              f"{emitter.trouble or ('published' if emitter.published else 'never asked')}")
        return {"open_seconds": opened - began, "first_answer_ms": (time.monotonic() - opened) * 1e3,
                "refused": refused}
    finally:
        if emitter:
            emitter.close()
        router.stop()


def _open(router):
    router.process.check()
    try:
        wire.connect(router.port).close()
        return True
    except OSError:
        return False


def report(bench, samples):
    rows, summary = [], {}
    mib = 1 / (1 << 20)
    for key, taken in samples.items():
        names = ("empty_pss", "full_pss", "full_rss", "route_bytes", "register_seconds", "register_us",
                 "repeat_per_second", "repeat_us", "repeat_busy", "open_seconds", "first_answer_ms", "refused")
        got = {name: figures.of(taken, name) for name in names}
        summary[key] = got
        title, count = bench.found[key].title, bench.settings.routes
        if got["repeat_busy"] and got["repeat_busy"]["median"] < 0.9:
            bench.note(f"{title} used {got['repeat_busy']['median']:.0%} of its core on repeated registrations: "
                       "NATS, the publisher or other work was the limit, so read CPU per message")
        for what, figure in (
                ("PSS without routes, MiB", figures.show(got["empty_pss"], 1, mib)),
                (f"PSS with {count:,}, MiB", figures.show(got["full_pss"], 1, mib)),
                (f"RSS with {count:,}, MiB", figures.show(got["full_rss"], 1, mib)),
                ("bytes a route", figures.show(got["route_bytes"], 0)),
                ("registering them, s", figures.show(got["register_seconds"], 2)),
                ("CPU a new route, us", figures.show(got["register_us"], 2)),
                ("repeated, messages/s", figures.show(got["repeat_per_second"], 0)),
                ("repeated, CPU us each", figures.show(got["repeat_us"], 2)),
                ("repeated, share of core %", figures.show(got["repeat_busy"], 0, 100)),
                (f"start to listening with {STARTING:,}, s", figures.show(got["open_seconds"], 2)),
                ("listening to first 200, ms", figures.show(got["first_answer_ms"], 1)),
                ("other answers before it", figures.show(got["refused"], 0))):
            rows.append([title, what, figure])
            title = ""
    size = getattr(bench.settings, "message_bytes", 0)
    return figures.table(["", "", f"{size} bytes a message" if size else ""], rows), summary
