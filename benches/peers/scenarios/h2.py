"""CPU per request over HTTP/2 and TLS 1.3: few connections, many streams; the backend speaks HTTP/1.1."""
from .. import figures
from ..certificate import Certificate
from ..load import http2_loop
from ..router import OURS

TITLE = "h2: CPU per request over HTTP/2 and TLS 1.3, 8 connections with 16 streams each, 1 KiB body"
_PEERS = (*OURS, "haproxy", "nginx")
_CONNECTIONS, _STREAMS = 8, 16


def seconds(bench):
    """About how long this takes."""
    return 10 + bench.settings.rounds * len(bench.has(*_PEERS)) * (bench.settings.seconds + bench.warm_up() + 0.3)


def run(bench, samples):
    certificate = Certificate(bench.folder)
    peers = {peer.key: peer(bench, "-h2").secured(certificate, http2=True) for peer in bench.has(*_PEERS)}
    running = bench.start(peers)

    def measure(key):
        peer = running[key]
        return bench.cpu_of(peer, bench.warm_up(),
                            lambda seconds: http2_loop(bench, peer.tls_port, seconds, _CONNECTIONS, _STREAMS))
    bench.rounds({key: peer.title for key, peer in running.items()}, measure, samples)
    bench.stop(running)


def report(bench, samples):
    base, rows, summary = samples.get("haproxy"), [], {}
    for key, taken in samples.items():
        got = {name: figures.of(taken, name) for name in ("us", "user_us", "rps")}
        got["to_haproxy"] = figures.ratio(taken, base, "us")
        summary[key] = got
        rows.append([bench.found[key].title, figures.show(got["us"]), figures.show(got["user_us"]),
                     figures.show(got["rps"], 0), figures.show(got["to_haproxy"], 2)])
    bench.judge_load(samples, {key: bench.found[key].title for key in samples})
    return figures.table(["", "us/request", "in user space", "requests/s", "to HAProxy"], rows), summary
