"""CPU per request: HTTP/1.1 with keep-alive, 1 KiB bodies, one core for the proxy."""
from .. import figures

TITLE = "h1: CPU per request, HTTP/1.1 keep-alive, 1 KiB body"


def seconds(bench):
    """About how long this takes."""
    return 10 + bench.settings.rounds * len(bench.found) * (bench.settings.seconds + bench.warm_up() + 0.3)


def run(bench, samples):
    running = bench.start({key: peer(bench) for key, peer in bench.found.items()})
    bench.rounds({key: peer.title for key, peer in running.items()},
                 lambda key: bench.cpu_sample(running[key], bench.warm_up()), samples)
    bench.stop(running)


def report(bench, samples):
    base, floor = samples.get("haproxy"), samples.get("haproxy-tcp")
    rows, summary = [], {}
    for key, taken in samples.items():
        got = {name: figures.of(taken, name) for name in ("us", "user_us", "rps", "proxy_busy")}
        got["to_haproxy"] = figures.ratio(taken, base, "us")
        got["to_haproxy_tcp"] = figures.ratio(taken, floor, "us")
        summary[key] = got
        rows.append([bench.found[key].title, figures.show(got["us"]), figures.show(got["user_us"]),
                     figures.show(got["rps"], 0), figures.show(got["proxy_busy"], 0, 100),
                     figures.show(got["to_haproxy"], 2), figures.show(got["to_haproxy_tcp"], 2)])
    bench.judge_load(samples, {key: bench.found[key].title for key in samples})
    head = ["", "us/request", "in user space", "requests/s", "core %", "to HAProxy", "to its TCP mode"]
    return figures.table(head, rows), summary
