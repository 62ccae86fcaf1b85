"""CPU per TLS 1.3 handshake, full and resumed by a ticket, P-256: connections that carry nothing else."""
from .. import figures
from ..certificate import Certificate
from ..load import handshakes

TITLE = "hands: CPU per TLS 1.3 handshake, P-256, X25519; connections that end behind it"
_PEERS = ("cloverleaf", "haproxy", "nginx")


def seconds(bench):
    """About how long this takes."""
    return 10 + 2 * bench.settings.rounds * len(bench.has(*_PEERS)) * (bench.settings.seconds + 1.3)


def run(bench, samples):
    certificate = Certificate(bench.folder)
    running = bench.start({peer.key: peer(bench, "-hands").secured(certificate) for peer in bench.has(*_PEERS)})

    def measure(key):
        peer = running[key]

        def cpu(kind):
            return bench.cpu_of(peer, 1, lambda seconds: handshakes(bench, peer.tls_port, seconds, kind))
        full, resumed = cpu("full"), cpu("resumed")
        return dict(full, resumed_us=resumed["us"], resumed_rps=resumed["rps"])
    bench.rounds({key: peer.title for key, peer in running.items()}, measure, samples)
    bench.stop(running)


def report(bench, samples):
    base, rows, summary = samples.get("haproxy"), [], {}
    for key, taken in samples.items():
        got = {name: figures.of(taken, name) for name in ("us", "rps", "resumed_us", "resumed_rps")}
        got["to_haproxy"] = figures.ratio(taken, base, "us")
        got["resumed_to_haproxy"] = figures.ratio(taken, base, "resumed_us")
        summary[key] = got
        rows.append([bench.found[key].title, figures.show(got["us"]), figures.show(got["rps"], 0),
                     figures.show(got["to_haproxy"], 2), figures.show(got["resumed_us"]),
                     figures.show(got["resumed_rps"], 0), figures.show(got["resumed_to_haproxy"], 2)])
    head = ["", "us/full", "full/s", "to HAProxy", "us/resumed", "resumed/s", "to HAProxy"]
    return figures.table(head, rows), summary
