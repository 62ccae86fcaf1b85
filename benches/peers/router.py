"""The product and the original: routers with the same flag, the same configuration and the same messages."""
import base64
import json
import os
import subprocess
import time

from .machine import Trouble, free_port, wait_for
from .nats import WINDOW, NatsClient, NatsServer, registrations
from .proxies import Peer
from .wire import get

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
START_DELAY = 1
# Seconds between two looks at the metrics while registrations are under way: reading them costs the router CPU too.
_LOOK = 0.02
_CONFIG = """\
port: {port}
index: 0
go_max_procs: 1
status:
  host: 127.0.0.1
  port: {status}
  user: bench
  pass: bench
  routes: {{ port: {routes} }}
nats:
  hosts:
  - {{ hostname: 127.0.0.1, port: {nats} }}
logging:
  level: info
  metron_address: 127.0.0.1:9
enable_envelope_v1_metrics: false
send_http_start_stop_server_event: false
send_http_start_stop_client_event: false
access_log:
  file: {folder}/access.log
prometheus:
  enabled: true
  port: {metrics}
# Whole seconds, because this is also the interval that emitters are told.
start_response_delay_interval: {delay}s
# No registration is repeated only to stay alive during a run.
droplet_stale_threshold: 86400s
prune_stale_droplets_interval: 30s
frontend_idle_timeout: 900s
endpoint_timeout: 60s
disable_keep_alives: false
max_idle_conns: 100
max_idle_conns_per_host: 100
{tls}
route_services_internal_server_port: {internal}
load_balancer_healthy_threshold: 0s
{more}
"""


class Router(Peer):
    """A router with its own NATS server; `routes` routes lead to the backend, the bench's host among them."""

    # Lines of configuration beyond those that all share.
    more = ""

    def __init__(self, bench, suffix="", routes=1):
        super().__init__(bench, suffix)
        self.routes = routes
        self.status, self.routes_port, self.metrics, self.internal = (free_port() for _ in range(4))
        self.nats = None

    def start(self):
        self.begin()
        self.listening()
        self.publish(registrations(self.routes, lambda _: ("127.0.0.1", self.bench.backend.port),
                                   self.bench.settings.full_tags))
        wait_for(f"a first answer through {self.title}",
                 lambda: get(self.port, "/", self.bench.host)[0] == 200, 15, 0.02)

    def open_bus(self):
        """Start the NATS server, if it is not there yet."""
        self.nats = self.nats or NatsServer(self.bench)

    def begin(self):
        """Start NATS and the program, and wait for neither routes nor listener."""
        os.makedirs(self.folder)
        self.open_bus()
        self.launch()

    def launch(self):
        path = self.write("gorouter.yml", _CONFIG.format(
            port=self.port, status=self.status, routes=self.routes_port, nats=self.nats.port, folder=self.folder,
            metrics=self.metrics, internal=self.internal, delay=START_DELAY, tls=self._tls(), more=self.more))
        self.run("-c", path)

    def _tls(self):
        if not self.certificate:
            return "enable_ssl: false"
        # JSON is YAML, whatever is in the texts.
        pair = {"cert_chain": self.certificate.text(self.certificate.certificate),
                "private_key": self.certificate.text(self.certificate.key)}
        return (f"enable_ssl: true\nssl_port: {self.tls_port}\ntls_pem: {json.dumps([pair])}\n"
                "client_cert_validation: none\nmin_tls_version: TLSv1.3\nmax_tls_version: TLSv1.3\n"
                f"cipher_suites: ECDHE-ECDSA-AES128-GCM-SHA256\nenable_http2: {'true' if self.http2 else 'false'}")

    def listening(self):
        """Wait for the listener, which opens once the router has subscribed and waited its start delay."""
        def opened():
            self.process.check()
            return get(self.port, "/", self.bench.host)[0] != 0
        wait_for(f"{self.title} to listen", opened, START_DELAY + 20, 0.01)

    def handled(self):
        """How many registrations the router says that it has handled."""
        status, body = get(self.metrics, "/metrics")
        if status != 200:
            raise Trouble(f"{self.title}: no metrics: status {status}")
        return int(sum(float(line.split()[-1]) for line in body.decode().splitlines()
                       if line.startswith(("registry_message{", "registry_message "))))

    def count_routes(self):
        """How many routes `/routes` lists."""
        token = base64.b64encode(b"bench:bench").decode()
        status, body = get(self.routes_port, "/routes", extra=f"Authorization: Basic {token}\r\n")
        if status != 200:
            raise Trouble(f"{self.title}: /routes answered {status}")
        return body.count(b":[")

    def publish(self, chunks, passes=1):
        """Publish `chunks` so many times over and wait until all is handled: (messages handled, sent, seconds).

        No more than the window is under way at once. Messages count as lost when the counter has stood still for 5 s.
        """
        client = NatsClient(self.nats.port)
        try:
            base = moved = self.handled()
            sent, began = 0, time.monotonic()
            changed = began

            def lag():
                nonlocal moved, changed
                now = self.handled()
                if now != moved:
                    moved, changed = now, time.monotonic()
                elif time.monotonic() - changed > 5:
                    return 0
                return sent - (moved - base)
            for _ in range(passes):
                for count, data in chunks:
                    while sent - (moved - base) + count > WINDOW and lag() + count > WINDOW:
                        time.sleep(_LOOK)
                    client.send(data)
                    sent += count
            while lag() > 0:
                time.sleep(_LOOK)
            return moved - base, sent, changed - began
        finally:
            client.close()

    def stop(self):
        super().stop()
        if self.nats:
            self.nats.stop()
            self.nats = None


class Cloverleaf(Router):
    key, title, variable = "cloverleaf", "Cloverleaf", "CLOVERLEAF_BIN"

    @classmethod
    def find(cls):
        named = os.environ.get(cls.variable)
        path = named or os.path.join(_ROOT, "target", "release", "cloverleaf-router")
        return os.path.abspath(path) if os.path.isfile(path) and os.access(path, os.X_OK) else None

    @classmethod
    def absent(cls):
        if os.environ.get(cls.variable):
            return super().absent()
        return f"not built: cargo build --release -p cloverleaf-router, or let {cls.variable} name it"

    @classmethod
    def version(cls, binary):
        built = time.strftime("built %Y-%m-%d %H:%M", time.localtime(os.path.getmtime(binary)))
        if os.environ.get(cls.variable):
            return f"{binary}, {built}"
        done = subprocess.run(["git", "-C", _ROOT, "describe", "--always", "--dirty"],
                              capture_output=True, text=True, check=False)
        return f"{built}, checkout at {done.stdout.strip() or 'no commit'}"


class CloverleafRing(Cloverleaf):
    """The product with connections that have no TLS on io_uring, where the kernel has it."""

    key, title, more = "cloverleaf-ring", "Cloverleaf, io_uring", "io_uring: true"


class Profiled(Cloverleaf):
    """The product as `./release` builds it, with a profile of its own work."""

    key, title, variable = "profiled", "Cloverleaf, ./release", "CLOVERLEAF_PROFILED_BIN"

    @classmethod
    def find(cls):
        path = os.environ.get(cls.variable) or os.path.join(_ROOT, "target", "profiled", "cloverleaf-router")
        return os.path.abspath(path) if os.path.isfile(path) and os.access(path, os.X_OK) else None

    @classmethod
    def absent(cls):
        return f"not built: ./release, or let {cls.variable} name it"


class ProfiledRing(Profiled):
    """The same on io_uring."""

    key, title, more = "profiled-ring", "Cloverleaf, ./release, io_uring", "io_uring: true"


# The product in all its builds and settings.
OURS = tuple(kind.key for kind in (Cloverleaf, CloverleafRing, Profiled, ProfiledRing))


class GoRouter(Router):
    key, title, program, variable = "gorouter", "GoRouter", "gorouter", "GOROUTER_BIN"
