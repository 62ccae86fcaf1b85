"""What a large table costs: the same load over many hosts, against the same load on one host of a small table.

Both are taken in the same rounds with the same load script. HAProxy and nginx look each host up in a map of the same
size; all their hosts share one pool of backend connections, a router keeps a pool for each route.
"""
from .. import figures
from ..proxies import HaProxy, Nginx
from ..router import Router

TITLE = "hosts: CPU per request over {hosts:,} random hosts of {routes:,} routes"


def seconds(bench):
    return 30 + bench.settings.rounds * 2 * len(_peers(bench)) * (bench.settings.seconds + bench.warm_up() + 0.3)


def _peers(bench):
    return [p for p in bench.found.values() if issubclass(p, (Router, HaProxy, Nginx)) and p.speaks_http]


def _titles(bench, names):
    return {name: f"{bench.found[name.split()[0]].title} ({name.split(None, 1)[1]})" for name in names}


def run(bench, samples):
    total = bench.settings.routes
    peers = {}
    for peer in _peers(bench):
        size = "routes" if issubclass(peer, Router) else "hosts"
        peers[f"{peer.key} one host"] = peer(bench, "-one")
        peers[f"{peer.key} many hosts"] = peer(bench, "-many", **{size: total})
    running = bench.start(peers)

    def measure(name):
        peer, many = running[name], name.endswith(" many hosts")
        # A pass over all hosts opens the connections that a router keeps for each.
        warm = bench.warm_up() + (2 if many else 0)
        sample = bench.cpu_sample(peer, warm, (min(bench.settings.hosts, total), total) if many else (1, 1))
        return dict(sample, descriptors=peer.process.descriptors())
    bench.rounds(_titles(bench, running), measure, samples)
    bench.stop(running)


def report(bench, samples):
    rows, summary = [], {}
    for peer in _peers(bench):
        one, many = samples.get(f"{peer.key} one host", []), samples.get(f"{peer.key} many hosts", [])
        got = {"one_us": figures.of(one, "us"), "many_us": figures.of(many, "us"),
               "ratio": figures.ratio(many, one, "us"), "one_rps": figures.of(one, "rps"),
               "many_rps": figures.of(many, "rps"), "descriptors": figures.of(many, "descriptors")}
        if not any(got.values()):
            continue
        summary[peer.key] = got
        rows.append([peer.title, figures.show(got["one_us"]), figures.show(got["many_us"]),
                     figures.show(got["ratio"], 2), figures.show(got["one_rps"], 0), figures.show(got["many_rps"], 0),
                     figures.show(got["descriptors"], 0)])
    bench.judge_load(samples, _titles(bench, samples))
    head = ["", "us, one host", "us, many", "many to one", "requests/s, one", "requests/s, many", "open files, many"]
    return figures.table(head, rows), summary
