"""The peers: how each is found, configured for the same work, and started.

Every HTTP proxy adds X-Forwarded-For, X-Forwarded-Proto, X-Request-Start and X-Vcap-Request-Id (or what comes nearest
to it there), keeps client and backend connections open, and runs one worker on the proxy's core.
"""
import os
import shutil
import subprocess

from .machine import free_port, wait_for
from .nats import host_name
from .processes import Process
from .wire import get


class Peer:
    """What all share. A peer is started once for a scenario and waits idle while it is not its turn."""

    key = title = program = variable = None
    # Whether it works on requests, so that it can be held to the header work.
    speaks_http = True

    def __init__(self, bench, suffix=""):
        self.bench, self.port, self.process = bench, free_port(), None
        # With a certificate it also listens on `tls_port`, for TLS 1.3.
        self.certificate, self.tls_port, self.http2 = None, None, False
        self.folder = os.path.join(bench.folder, f"{self.key}{suffix}-{self.port}")

    @classmethod
    def find(cls):
        """The path of its program: named by its variable, else installed; None if neither."""
        named = os.environ.get(cls.variable)
        if named:
            return os.path.abspath(named) if os.access(named, os.X_OK) and os.path.isfile(named) else None
        return shutil.which(cls.program) or shutil.which(cls.program, path="/usr/sbin:/usr/local/sbin:/usr/local/bin")

    @classmethod
    def absent(cls):
        """Why it is skipped."""
        named = os.environ.get(cls.variable)
        return f"{cls.variable}={named} is no program" if named else f"no {cls.program} here; {cls.variable} names one"

    @classmethod
    def version(cls, binary):
        return binary

    def secured(self, certificate, http2=False):
        """The same, to be started with a TLS listener, which offers HTTP/2 if asked."""
        self.certificate, self.tls_port, self.http2 = certificate, free_port(), http2
        return self

    def start(self):
        os.makedirs(self.folder)
        self.launch()

        def answers():
            self.process.check()
            return get(self.port, "/", self.bench.host)[0] == 200
        wait_for(f"a first answer through {self.title}", answers, 15, 0.02)

    def launch(self):
        """Write the configuration and set `process`."""
        raise NotImplementedError

    def run(self, *argv):
        self.process = Process(self.key, [self.find(), *argv], self.bench.cores.proxy, self.folder)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def rest(self):
        """Called after each measurement: cut logs, so that a long run does not fill the disk."""
        if self.bench.settings.keep:
            return
        for name in os.listdir(self.folder):
            if name.endswith((".log", ".out")):
                os.truncate(os.path.join(self.folder, name), 0)

    def stop(self):
        if self.process:
            self.process.stop()
        if not self.bench.settings.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def printed(*argv):
    """The first line that a program prints, wherever it prints it."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    return next((line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()), argv[0])


class Direct(Peer):
    """No proxy at all: what the load generator and the backend can do by themselves."""

    key, title, speaks_http = "direct", "direct", False

    @classmethod
    def find(cls):
        return "-"

    @classmethod
    def version(cls, binary):
        return "no proxy"

    def start(self):
        self.port = self.bench.backend.port

    def rest(self):
        pass


class HaProxy(Peer):
    key, title, program, variable = "haproxy", "HAProxy", "haproxy", "HAPROXY_BIN"
    mode = "http"
    _config = """\
global
    nbthread 1
    maxconn {maxconn}
{log_target}
defaults
    mode {mode}
    timeout connect 5s
    timeout client 900s
    timeout server 900s
    timeout http-keep-alive 900s
{options}
frontend front
    bind 127.0.0.1:{port} backlog 8192
{tls}
{rules}
    default_backend app
backend app
{reuse}
    server app 127.0.0.1:{backend}
"""
    _rules = """\
    option forwardfor
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Request-Start %[date(0,ms)]
    http-request set-header X-Vcap-Request-Id %[uuid()]
"""

    @classmethod
    def version(cls, binary):
        return printed(binary, "-v").split(" - ")[0]

    def __init__(self, bench, suffix="", hosts=0):
        """With `hosts`, each request's host is looked up in a map of so many."""
        super().__init__(bench, suffix)
        self.hosts = hosts

    def launch(self):
        http, logs = self.mode == "http", self.bench.settings.peer_logs
        rules = self._rules if http else ""
        if self.hosts:
            known = self.write("hosts.map", "".join(f"{host_name(i)} app\n" for i in range(self.hosts)))
            rules += f"    use_backend %[req.hdr(host),lower,map_str({known})]\n"
        path = self.write("haproxy.cfg", self._config.format(
            port=self.port, backend=self.bench.backend.port, mode=self.mode, rules=rules,
            tls=(f"    bind 127.0.0.1:{self.tls_port} backlog 8192 ssl crt {self.certificate.both} ssl-min-ver TLSv1.3"
                 + (" alpn h2" if self.http2 else "")
                 if self.certificate else ""),
            maxconn=self.bench.settings.idle + 2000,
            log_target="    log stdout format raw local0 info" if logs else "",
            options="    log global\n" + f"    option {self.mode}log\n" if logs else "",
            reuse="    http-reuse always" if http else ""))
        self.run("-db", "-f", path)


class HaProxyTcp(HaProxy):
    """HAProxy as a relay of bytes: the floor that a proxy at this layer cannot get below by much."""

    key, title, mode, speaks_http = "haproxy-tcp", "HAProxy, TCP mode", "tcp", False


class Nginx(Peer):
    key, title, program, variable = "nginx", "nginx", "nginx", "NGINX_BIN"
    _config = """\
daemon off;
{user}worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err error;
events {{ worker_connections {connections}; }}
http {{
    access_log {log};
    keepalive_timeout 900s;
    keepalive_requests 1000000000;
    {temporary}
    upstream app {{
        server 127.0.0.1:{backend};
        keepalive 128;
        keepalive_requests 1000000000;
        keepalive_timeout 900s;
    }}
    {hosts}
    server {{
        listen 127.0.0.1:{port} backlog=8192;
        {tls}
        location / {{
            proxy_pass http://{target};
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Request-Start $msec;
            proxy_set_header X-Vcap-Request-Id $request_id;
        }}
    }}
}}
"""

    @classmethod
    def version(cls, binary):
        return printed(binary, "-v").replace("nginx version: ", "")

    @staticmethod
    def user_line():
        """Started by root, nginx would give its worker to a user who cannot reach the bench's folder."""
        return "user root;\n" if os.geteuid() == 0 else ""

    @staticmethod
    def temporary_lines(folder):
        return "".join(f"{kind}_temp_path {folder}/{kind}; "
                       for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))

    def __init__(self, bench, suffix="", hosts=0):
        """With `hosts`, each request's host is looked up in a map of so many."""
        super().__init__(bench, suffix)
        self.hosts = hosts

    def launch(self):
        known = ""
        if self.hosts:
            names = self.write("hosts.map", "".join(f"{host_name(i)} app;\n" for i in range(self.hosts)))
            size = 1 << self.hosts.bit_length()
            known = (f"map_hash_max_size {size}; map_hash_bucket_size 128; "
                     f"map $http_host $named {{ default app; include {names}; }}")
        log = f"{self.folder}/access.log combined buffer=64k flush=1s" if self.bench.settings.peer_logs else "off"
        path = self.write("nginx.conf", self._config.format(
            user=self.user_line(), folder=self.folder, temporary=self.temporary_lines(self.folder), log=log,
            port=self.port, backend=self.bench.backend.port, connections=2 * self.bench.settings.idle + 2000,
            tls=(f"listen 127.0.0.1:{self.tls_port} ssl {'http2 ' if self.http2 else ''}backlog=8192; ssl_certificate {self.certificate.certificate}; "
                 f"ssl_certificate_key {self.certificate.key}; ssl_protocols TLSv1.3; "
                 "ssl_session_cache shared:bench:8m;" if self.certificate else ""),
            hosts=known, target="$named" if self.hosts else "app"))
        self.run("-p", self.folder, "-c", path)
