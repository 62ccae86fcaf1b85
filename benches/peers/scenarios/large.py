"""CPU per MiB of large bodies from the backend to the client, in the clear and over TLS 1.3."""
from .. import figures
from ..backend import LARGE
from ..certificate import Certificate
from ..load import closed_loop
from ..router import OURS

TITLE = "large: CPU per MiB of 1 MiB bodies, 16 connections, in the clear and over TLS 1.3"
_PEERS = (*OURS, "haproxy", "nginx")
_CONNECTIONS = 16


def seconds(bench):
    """About how long this takes."""
    return 10 + 2 * bench.settings.rounds * len(bench.has(*_PEERS)) * (bench.settings.seconds + bench.warm_up() + 0.3)


def run(bench, samples):
    certificate = Certificate(bench.folder)
    running = bench.start({peer.key: peer(bench, "-large").secured(certificate) for peer in bench.has(*_PEERS)})

    def measure(key):
        peer = running[key]

        def cpu(port, scheme):
            return bench.cpu_of(peer, bench.warm_up(),
                                lambda seconds: closed_loop(bench, port, seconds, scheme=scheme, path="/large",
                                                            connections=_CONNECTIONS))
        plain, secured = cpu(peer.port, "http"), cpu(peer.tls_port, "https")
        mib = LARGE / (1 << 20)
        return dict(plain, us=plain["us"] / mib, tls_us=secured["us"] / mib, tls_rps=secured["rps"])
    bench.rounds({key: peer.title for key, peer in running.items()}, measure, samples)
    bench.stop(running)


def report(bench, samples):
    base, rows, summary = samples.get("haproxy"), [], {}
    for key, taken in samples.items():
        got = {name: figures.of(taken, name) for name in ("us", "rps", "tls_us", "tls_rps")}
        got["to_haproxy"] = figures.ratio(taken, base, "us")
        got["tls_to_haproxy"] = figures.ratio(taken, base, "tls_us")
        summary[key] = got
        rows.append([bench.found[key].title, figures.show(got["us"]), figures.show(got["rps"], 0),
                     figures.show(got["to_haproxy"], 2), figures.show(got["tls_us"]),
                     figures.show(got["tls_rps"], 0), figures.show(got["tls_to_haproxy"], 2)])
    head = ["", "us/MiB", "MiB/s", "to HAProxy", "us/MiB over TLS", "MiB/s", "to HAProxy"]
    return figures.table(head, rows), summary
