"""Envoy as a peer."""
from .proxies import Peer, printed

_CONFIG = """\
static_resources:
  listeners:
  - name: front
    address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
    tcp_backlog_size: 8192
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          codec_type: HTTP1
          # With the client's address as the peer's, X-Forwarded-For and X-Forwarded-Proto are added.
          use_remote_address: true
          generate_request_id: true
          common_http_protocol_options: {{ idle_timeout: 900s }}
{log}
          route_config:
            name: all
            virtual_hosts:
            - name: all
              domains: ["*"]
              request_headers_to_add:
              - header: {{ key: X-Request-Start, value: "%START_TIME(%s%3f)%" }}
              - header: {{ key: X-Vcap-Request-Id, value: "%REQ(X-REQUEST-ID)%" }}
              routes:
              - match: {{ prefix: "/" }}
                route: {{ cluster: app, timeout: 0s }}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: app
    type: STATIC
    connect_timeout: 5s
    circuit_breakers:
      thresholds:
      - {{ max_connections: 100000, max_pending_requests: 100000, max_requests: 100000 }}
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {backend} }} }} }}
"""

_LOG = """\
          access_log:
          - name: envoy.access_loggers.file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: {folder}/access.log"""


class Envoy(Peer):
    key, title, program, variable = "envoy", "Envoy", "envoy", "ENVOY_BIN"

    @classmethod
    def version(cls, binary):
        line = printed(binary, "--version")
        # "… version: COMMIT/1.2.3/Clean/RELEASE/…"
        parts = line.split("/")
        return next((f"Envoy {part}" for part in parts if part[:1].isdigit() and part.count(".") == 2), line)

    def launch(self):
        path = self.write("envoy.yaml", _CONFIG.format(
            port=self.port, backend=self.bench.backend.port,
            log=_LOG.format(folder=self.folder) if self.bench.settings.peer_logs else ""))
        self.run("-c", path, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
