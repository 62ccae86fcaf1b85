"""What an idle client over TLS costs: memory before and after many connections have each made one request."""
import ssl

from .. import wire
from ..certificate import Certificate
from ..machine import Trouble
from . import idle

TITLE = "idletls: memory of {idle:,} idle client connections over TLS 1.3 (the process's own)"
_PEERS = ("cloverleaf", "haproxy", "nginx")


def seconds(bench):
    return 10 + bench.settings.rounds * len(bench.has(*_PEERS)) * (12 + bench.settings.idle / 700)


def run(bench, samples):
    certificate = Certificate(bench.folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    def measure(key):
        # A process of its own each time: memory once grown would hide the next round's.
        peer = bench.found[key](bench, "-idletls").secured(certificate)
        running = bench.start({key: peer})
        try:
            if not running:
                raise Trouble("not started")
            return idle.measure(bench, peer, lambda: context.wrap_socket(wire.connect(peer.tls_port, 5)))
        finally:
            bench.stop(running)
    titles = {peer.key: peer.title for peer in bench.has(*_PEERS)}
    bench.rounds(titles, measure, samples)


report = idle.report
