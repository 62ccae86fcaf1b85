"""CPU per request over TLS 1.3 with keep-alive, and per full handshake: P-256, one core for the proxy."""
from .. import figures
from ..certificate import Certificate
from ..router import OURS

TITLE = "tls: CPU per request over TLS 1.3, keep-alive, 1 KiB body; and per connection with one request"
_PEERS = (*OURS, "haproxy", "nginx")


def seconds(bench):
    """About how long this takes."""
    return 10 + 2 * bench.settings.rounds * len(bench.has(*_PEERS)) * (bench.settings.seconds + bench.warm_up() + 0.3)


def run(bench, samples):
    certificate = Certificate(bench.folder)
    running = bench.start({peer.key: peer(bench, "-tls").secured(certificate) for peer in bench.has(*_PEERS)})

    def measure(key):
        kept = bench.cpu_sample(running[key], bench.warm_up())
        fresh = bench.cpu_sample(running[key], 1, close=True)
        return dict(kept, handshake_us=fresh["us"], handshakes=fresh["rps"])
    bench.rounds({key: peer.title for key, peer in running.items()}, measure, samples)
    bench.stop(running)


def report(bench, samples):
    base = samples.get("haproxy")
    rows, summary = [], {}
    for key, taken in samples.items():
        got = {name: figures.of(taken, name) for name in ("us", "user_us", "rps", "handshake_us", "handshakes")}
        got["to_haproxy"] = figures.ratio(taken, base, "us")
        got["handshake_to_haproxy"] = figures.ratio(taken, base, "handshake_us")
        summary[key] = got
        rows.append([bench.found[key].title, figures.show(got["us"]), figures.show(got["user_us"]),
                     figures.show(got["rps"], 0), figures.show(got["to_haproxy"], 2),
                     figures.show(got["handshake_us"]), figures.show(got["handshakes"], 0),
                     figures.show(got["handshake_to_haproxy"], 2)])
    bench.judge_load(samples, {key: bench.found[key].title for key in samples})
    head = ["", "us/request", "in user space", "requests/s", "to HAProxy", "us/connection", "connections/s", "to HAProxy"]
    return figures.table(head, rows), summary
