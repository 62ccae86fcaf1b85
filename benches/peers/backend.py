"""The application behind every proxy: nginx on one core of its own, answering 1 KiB from memory.

nginx was chosen by measurement: a bare server in Rust with a blocking thread for each connection spends a sixth more
CPU on a request, and what the backend spends is missing to the load generator where both share a core.
"""
import os

from .machine import Trouble, free_port, wait_for
from .processes import Process
from .proxies import Nginx
from .wire import get

# Bytes behind /large.
LARGE = 1 << 20

# What the proxies add to a request, as the backend got it: `/headers` answers with this line.
SEEN = ("for", "$http_x_forwarded_for"), ("proto", "$http_x_forwarded_proto"), \
    ("start", "$http_x_request_start"), ("id", "$http_x_vcap_request_id")

_CONFIG = """\
daemon off;
{user}worker_processes 1;
pid {folder}/backend.pid;
error_log {folder}/backend.err error;
events {{ worker_connections 65536; multi_accept on; }}
http {{
    access_log off;
    server_tokens off;
    # Connections are the proxies' to close: nothing here may cost one of them a reconnect.
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    {temporary}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        default_type text/plain;
        location / {{ return 200 "{body}"; }}
        # From the page cache straight to the socket, so that the backend is not the limit.
        location = /large {{ root {folder}; sendfile on; open_file_cache max=1; }}
        location = /headers {{ return 200 "{seen}"; }}
    }}
}}
"""


class Backend:
    """The started backend and its port."""

    def __init__(self, bench):
        binary = Nginx.find()
        if not binary:
            raise Trouble("nginx is the backend of every scenario and is not installed (NGINX_BIN names it elsewhere)")
        self.port = free_port()
        path = os.path.join(bench.folder, "backend.conf")
        with open(os.path.join(bench.folder, "large"), "wb") as large:
            large.write(b"x" * LARGE)
        with open(path, "w") as out:
            out.write(_CONFIG.format(folder=bench.folder, port=self.port, body="x" * 1024,
                                     seen=" ".join(f"{name}={value}" for name, value in SEEN),
                                     user=Nginx.user_line(), temporary=Nginx.temporary_lines(bench.folder)))
        self.process = Process("backend", [binary, "-p", bench.folder, "-c", path], bench.cores.backend, bench.folder)

        def answers():
            self.process.check()
            return get(self.port, "/")[0] == 200
        wait_for("the backend", answers, 10)


def missing_headers(port, host):
    """Which of the four headers a request through `port` did not carry when it reached the backend."""
    status, body = get(port, "/headers", host)
    if status != 200:
        return [f"status {status}"]
    got = dict(word.partition("=")[::2] for word in body.decode().split(" "))
    return [name for name, _ in SEEN if not got.get(name)]
