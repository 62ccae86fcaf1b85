"""A NATS server for the routers, a client of few words, and registrations rendered ahead of time."""
import contextlib
import json
import os
import random
import shutil
import socket
import threading
import time

from .machine import Trouble, free_port, wait_for
from .processes import Process

# Routers following the reference drop messages when more than 131,072 are waiting; we stay below that.
WINDOW = 100_000
_CHUNK = 1000


def host_name(index):
    """The host of route `index`."""
    return f"app-{index:06d}.apps.example.com"


def registrations(count, address, full_tags):
    """`count` router.register messages as one emitter sends them, in chunks of (messages, NATS protocol bytes).

    `address(index)` gives the endpoint's host and port. `full_tags` adds the labels of an app started by the Cloud
    Controller, most of a kilobyte of JSON; without, only the component is named.
    """
    dice = random.Random(7)

    def guid():
        bits = f"{dice.getrandbits(128):032x}"
        return f"{bits[:8]}-{bits[8:12]}-{bits[12:16]}-{bits[16:20]}-{bits[20:]}"
    chunks, lines = [], []
    updated = time.time_ns()
    for index in range(count):
        host, port = address(index)
        app, instance = guid(), guid()
        tags = {"component": "route-emitter"}
        if full_tags:
            tags.update(app_id=app, app_name=f"app-{index}", instance_id="0", organization_id=guid(),
                        organization_name=f"org-{index % 100}", process_id=app, process_instance_id=instance,
                        process_type="web", source_id=app, space_id=guid(), space_name=f"space-{index % 1000}")
        body = json.dumps({"host": host, "port": port, "uris": [host_name(index)], "app": app,
                           "private_instance_id": instance, "private_instance_index": "0",
                           "server_cert_domain_san": instance, "endpoint_updated_at_ns": updated,
                           "availability_zone": f"z{index % 3 + 1}", "tags": tags}, separators=(",", ":"))
        lines.append(f"PUB router.register {len(body)}\r\n{body}\r\n")
        if len(lines) == _CHUNK or index == count - 1:
            chunks.append((len(lines), "".join(lines).encode()))
            lines = []
    return chunks


class NatsServer:
    """A nats-server on the backend's core, with room for bursts that a slow subscriber takes time to read."""

    @staticmethod
    def find():
        return shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")

    def __init__(self, bench):
        binary = self.find()
        if not binary:
            raise Trouble("nats-server is not installed")
        self.port = free_port()
        config = os.path.join(bench.folder, f"nats-{self.port}.conf")
        with open(config, "w") as out:
            out.write(f"host: 127.0.0.1\nport: {self.port}\nmax_pending: 1073741824\nwrite_deadline: \"60s\"\n")
        self.process = Process(f"nats-{self.port}", [binary, "-c", config], bench.cores.backend, bench.folder)

        def answers():
            self.process.check()
            try:
                NatsClient(self.port).close()
                return True
            except OSError:
                return False
        wait_for("the NATS server", answers, 10)

    def stop(self):
        self.process.stop()


class NatsClient:
    """One connection. Short-lived: it answers the server's pings only while it waits for something."""

    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), 2)
        self.sock.settimeout(60)
        self.file = self.sock.makefile("rb")
        self.sock.sendall(b'CONNECT {"verbose":false,"pedantic":false,"lang":"bench","version":"1"}\r\n')
        self.flush()

    def flush(self):
        """Wait until the server has read everything sent so far."""
        self.sock.sendall(b"PING\r\n")
        self._until(b"PONG")

    def subscribe(self, subject):
        self.sock.sendall(f"SUB {subject} 1\r\n".encode())
        self.flush()

    def next_message(self):
        """Wait for a message and return its payload."""
        return self._until(b"MSG")

    def send(self, data):
        self.sock.sendall(data)

    def _until(self, wanted):
        while True:
            line = self.file.readline()
            if not line:
                raise Trouble("the NATS server closed the connection")
            if line.startswith(b"PING"):
                self.sock.sendall(b"PONG\r\n")
            elif line.startswith(b"-ERR"):
                raise Trouble(f"NATS: {line.decode().strip()}")
            payload = self.file.read(int(line.split()[-1]) + 2)[:-2] if line.startswith(b"MSG") else b""
            if line.startswith(wanted):
                return payload

    def close(self):
        # Wakes a thread that waits in a read as well.
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.file.close()
        self.sock.close()


class Emitter:
    """Publishes `chunks` when a router announces itself, as a route emitter does."""

    def __init__(self, port, chunks):
        self.client, self.published, self.trouble = NatsClient(port), None, None
        self.client.subscribe("router.start")
        self.thread = threading.Thread(target=self._serve, args=(chunks,), daemon=True)
        self.thread.start()

    def _serve(self, chunks):
        try:
            self.client.next_message()
            for _, data in chunks:
                self.client.send(data)
            self.client.flush()
            self.published = time.monotonic()
        except (OSError, ValueError, Trouble) as why:
            self.trouble = str(why)

    def close(self):
        self.client.close()
        self.thread.join(5)
