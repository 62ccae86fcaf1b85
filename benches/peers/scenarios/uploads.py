"""CPU per request with a body from the client to the backend, in the clear, over TLS 1.3 and over HTTP/2."""
import os

from .. import figures
from ..certificate import Certificate
from ..load import closed_loop, http2_loop
from ..router import OURS

TITLE = "uploads: CPU per request with a body of 16 KiB, 32 connections, in the clear, over TLS 1.3 and over HTTP/2 (8 x 4)"
_PEERS = (*OURS, "haproxy", "nginx")
_CONNECTIONS = 32
_BODY = 16 * 1024


def seconds(bench):
    """About how long this takes."""
    return 10 + 3 * bench.settings.rounds * len(bench.has(*_PEERS)) * (bench.settings.seconds + bench.warm_up() + 0.3)


def run(bench, samples):
    certificate = Certificate(bench.folder)
    body = os.path.join(bench.folder, "body")
    with open(body, "wb") as file:
        file.write(b"x" * _BODY)
    peers = {peer.key: peer(bench, "-uploads").secured(certificate, http2=True) for peer in bench.has(*_PEERS)}
    running = bench.start(peers)

    def measure(key):
        peer = running[key]

        def cpu(load):
            return bench.cpu_of(peer, bench.warm_up(), load)

        def http1(port, scheme):
            return lambda seconds: closed_loop(bench, port, seconds, scheme=scheme, connections=_CONNECTIONS, upload=True)
        plain = cpu(http1(peer.port, "http"))
        secured = cpu(http1(peer.tls_port, "https"))
        streams = cpu(lambda seconds: http2_loop(bench, peer.tls_port, seconds, 8, 4, body))
        return dict(plain, tls_us=secured["us"], h2_us=streams["us"])
    bench.rounds({key: peer.title for key, peer in running.items()}, measure, samples)
    bench.stop(running)


def report(bench, samples):
    base, rows, summary = samples.get("haproxy"), [], {}
    for key, taken in samples.items():
        row, got = [bench.found[key].title], {}
        for name in ("us", "tls_us", "h2_us"):
            got[name], got[f"{name}_to_haproxy"] = figures.of(taken, name), figures.ratio(taken, base, name)
            row += [figures.show(got[name]), figures.show(got[f"{name}_to_haproxy"], 2)]
        summary[key] = got
        rows.append(row)
    bench.judge_load(samples, {key: bench.found[key].title for key in samples})
    head = ["", "us/request", "to HAProxy", "over TLS", "to HAProxy", "over HTTP/2", "to HAProxy"]
    return figures.table(head, rows), summary
