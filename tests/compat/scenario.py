"""Plays one scenario against a router and gathers its outcome."""
import json
import re
import signal
import time

from outcome import Normaliser, compact, first_line, matches, shape
from peers import Backend, Client, header, message, to_bytes
from world import Nats, Router, Trouble, wait_for

RECORD_SETTLE = 0.4   # how long a recording waits for late bytes and log lines
COMPARE_LIMIT = 1.5   # how long a comparison waits for the expected ones
LOG_LAG = 0.2         # how long a line may take from the end of its exchange to the file


def play(scenario, router, record=False, limit=20):
    """The outcome of a scenario: client exchanges, connection fates, backend captures, access log lines."""
    return Play(scenario, router, record, limit).run()


def play_start(scenario, binary, folder, certs, limit=12):
    """The outcome of a start that must fail: exit code and the message of the last log line."""
    router = Router(binary, scenario.get("config"), folder, certs)
    if "raw_config" in scenario:
        router.config = scenario["raw_config"]
    nats = None if scenario.get("without_nats") else Nats(folder, router.port["nats"])
    try:
        router.launch()
        try:
            code = router.process.wait(limit)
        except Exception:
            return {"exit": "still running"}
        return {"exit": code}
    finally:
        router.stop()
        if nats:
            nats.stop()


def as_recorded(endpoints):
    """A route's entry in the table without what later releases add: they name the router-wide algorithm for each endpoint
    whose registration names none."""
    for endpoint in endpoints or []:
        if endpoint.get("load_balancing_algorithm") == "round-robin":
            del endpoint["load_balancing_algorithm"]
    return endpoints


class Play:
    def __init__(self, scenario, router, record, limit):
        self.scenario, self.router, self.record = scenario, router, record
        self.deadline = time.monotonic() + limit
        self.clients, self.used, self.records = {}, [], []
        self.backends, self.registered = {}, []
        self.log_start, self.log_seen = 0, False

    def run(self):
        specs = self.scenario.get("backends") or {"b1": {}}
        for name, spec in specs.items():
            if isinstance(spec, str):
                spec = {"script": [spec]}
            elif isinstance(spec, list):
                spec = {"script": spec}
            self.backends[name] = Backend(name, spec or {}, self.router.certs)
        try:
            self.log_start = self.router.log_size()
            self.routes(self.scenario.get("routes", [{"uri": "app.test"}]))
            for step in self.scenario.get("client") or []:
                if time.monotonic() > self.deadline:
                    raise Trouble("the scenario took too long")
                for _ in range(step.get("repeat", 1)):
                    self.step(step)
            return self.gather()
        finally:
            self.clean()

    # --- routes

    def entry(self, route):
        route = dict(route)
        name = route.pop("backend", "b1")
        accepted, uri = route.pop("accepted", True), route.pop("uri", None)
        backend = self.backends.get(name)
        out = {"host": "127.0.0.1", "app": f"app-{name}", "private_instance_id": f"id-{name}",
               "private_instance_index": "0", "uris": [uri] if uri else []}
        if backend:
            out["port"] = backend.port
            tls = backend.spec.get("tls")
            if tls is not None and "tls_port" not in route:
                del out["port"]
                out.update(tls_port=backend.port, server_cert_domain_san="backend.test")
        for key, value in route.items():
            if value is None:
                out.pop(key, None)
            else:
                out[key] = self.fill(value)
        return out, accepted

    def routes(self, routes, subject="router.register"):
        wanted = []
        for route in routes:
            if isinstance(route, str):
                route = {"uri": route}
            entry, accepted = self.entry(route)
            self.router.nats.publish(subject, entry)
            if subject == "router.register":
                self.registered.append(entry)
            port = entry.get("tls_port") or entry.get("port")
            if accepted:
                for uri in entry["uris"]:
                    key = uri.split("?")[0].lower()
                    key = key[:-1] if key.endswith("/") else key
                    wanted.append((key, f"127.0.0.1:{port}"))
        present = subject == "router.register"

        def condition(table):
            return all(any(e["address"] == address for e in table.get(key, [])) == present for key, address in wanted)
        self.router.settle(condition, f"{subject} of {wanted}")

    def fill(self, value):
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if not isinstance(value, str) or "${" not in value:
            return value

        whole = re.fullmatch(r"\$\{port:(\w+)\}", value)
        if whole and whole[1] in self.backends:
            return self.backends[whole[1]].port

        def replace(found):
            kind, *rest = found[1].split(":", 2)
            if kind == "port":
                return str(self.router.port[rest[0]] if rest[0] in self.router.port else self.backends[rest[0]].port)
            if kind == "repeat":
                return rest[0] * int(rest[1])
            if kind == "captured":
                return header(self.backends[rest[0]].captured[-1]["head"], rest[1])
            if kind == "der":
                return self.router.certs.der_base64(rest[0])
            return found[0]
        return re.sub(r"\$\{([^}]*)\}", replace, value)

    # --- steps

    def connection(self, step):
        name = step.get("conn", "c1")
        if name not in self.clients:
            port = self.router.port[step.get("to", "http")]
            spec = {"tls": step.get("tls"), "preface": step.get("preface")}
            self.clients[name] = Client(port, spec, self.router.certs)
            self.used.append(self.clients[name])
            if self.clients[name].tls and step.get("show_tls"):
                self.records.append({"conn": self.label(name), "tls": self.clients[name].tls})
        return self.clients[name]

    def label(self, name):
        return None if name == "c1" else name

    def step(self, step):
        if "req" in step or "raw" in step or "read" in step or step.get("open"):
            return self.exchange(step)
        kind = next(key for key in step if key not in ("repeat", "conn"))
        value = step[kind]
        if kind in ("register", "unregister"):
            self.routes(value if isinstance(value, list) else [value], "router." + kind)
        elif kind == "publish":
            self.router.nats.publish(value["subject"], self.fill(value["payload"]), value.get("reply", ""))
            self.router.settle(lambda table: True, "the NATS message")
        elif kind == "pause":
            time.sleep(min(value, 4))
        elif kind == "close":
            self.clients.pop(value).close()
        elif kind == "reset":
            self.clients.pop(value).reset()
        elif kind == "half_close":
            self.clients[value].half_close()
        elif kind == "event":
            for backend in self.backends.values():
                backend.events.add(value)
        elif kind == "wait_backend":
            for name, count in value.items():
                wait_for(f"{count} requests at {name}",
                         lambda: sum(b"\r\n\r\n" in c["head"] for c in self.backends[name].captured) >= count, 5)
        elif kind == "wait_log":
            wait_for("the access log", lambda: len(self.router.log_lines(self.log_start)) >= value, 5)
        elif kind == "wait_gone":
            wait_for(f"{value} to leave the table", lambda: value not in self.router.routes(), 6)
        elif kind == "wait_address_gone":
            address = f"127.0.0.1:{self.backends[value['backend']].port}"
            wait_for(f"{address} to leave {value['uri']}", lambda: all(
                e["address"] != address for e in self.router.routes().get(value["uri"], [])), 6)
        elif kind == "wait_health":
            wait_for(f"health {value}", lambda: self.router.get("status", "/health")[0] == value, 5)
        elif kind == "wait_refused":
            wait_for("the listener to close", lambda: Client(self.router.port[value], {}, self.router.certs).gone, 5)
        elif kind == "signal":
            self.router.process.send_signal(getattr(signal, "SIG" + value))
        elif kind == "wait_exit":
            try:
                code = self.router.process.wait(value)
            except Exception:
                code = "still running"
            self.records.append({"value": {"exit": code}})
        elif kind == "stop_nats":
            self.router.nats.stop()
        elif kind == "start_nats":
            self.router.nats.start()
        elif kind == "nats_seen":
            wait_for(f"{value['count']} {value['subject']}",
                     lambda: len(self.router.nats.messages(value["subject"])) >= value["count"], 8)
            self.records.append({"value": [self.payload(m) for m in self.router.nats.messages(value["subject"])]})
        elif kind == "routes_json":
            table = self.router.routes()
            self.records.append({"value": {key: as_recorded(table.get(key)) for key in value}})
        elif kind == "component_log":
            self.component_log(value)
        else:
            raise Trouble(f"unknown step {kind}")

    def payload(self, body):
        out = json.loads(body)
        out["id"] = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}$", "<uuid>", out.get("id", ""))
        out["hosts"] = ["<ip>" for _ in out.get("hosts", [])]
        return out

    def component_log(self, message_text):
        """Record whether the component log has a line with this message, and the keys of it."""
        def find():
            with open(self.router.stdout_path, errors="replace") as file:
                for line in file:
                    try:
                        entry = json.loads(line)
                    except ValueError:
                        continue
                    if entry.get("message") == message_text:
                        return entry
        try:
            entry = wait_for(message_text, find, 2)
        except Trouble:
            entry = None
        self.records.append({"value": {"log": message_text, "level": entry["log_level"]} if entry else
                             {"log": message_text, "level": "absent"}})

    def exchange(self, step):
        client = self.connection(step)
        name = self.label(step.get("conn", "c1"))
        if "req" in step:
            client.send(message(self.fill(step["req"])))
        if "raw" in step:
            client.send(to_bytes(self.fill(step["raw"])))
        if "read" in step:
            self.records.append(dict(client.upto(to_bytes(step["upto"]), step["read"] == "mark"), conn=name))
        elif "bytes" in step:
            self.records.append(dict(client.bytes(step["bytes"]), conn=name))
        elif step.get("until_close"):
            self.records.append(dict(client.until_close(), conn=name))
        else:
            for _ in range(step.get("responses", 0 if step.get("open") else 1)):
                record = dict(client.response(step.get("method")), conn=name)
                if "pick" in step or "as" in step:
                    self.digest(record, step)
                self.records.append(record)
        if step.get("done"):
            client.close()
            self.clients.pop(step.get("conn", "c1"), None)

    def digest(self, record, step):
        body = record.pop("body", b"").decode()
        if step.get("as") == "names":
            record["value"] = sorted(re.findall(r"(?m)^# TYPE (\S+ \S+)$", body))
            record["value"] = [n for n in record["value"] if not n.startswith(("go_", "process_"))]
        elif step.get("as") == "shape":
            record["value"] = shape(json.loads(body))
        else:
            table = json.loads(body)
            record["value"] = {key: as_recorded(table.get(key)) for key in step["pick"]}

    # --- outcome

    def gather(self):
        scenario, want = self.scenario, self.scenario.get("expect") or {}
        fates, expected = {}, want.get("fate") or {}
        for name, client in self.clients.items():
            if self.record:
                fates[name] = client.fate(RECORD_SETTLE)
            else:
                fates[name] = client.fate(0.05 if expected.get(name, "open") == "open" else 2)
        if self.record:
            time.sleep(RECORD_SETTLE)
            return self.build(fates)
        if not want.get("log"):
            time.sleep(0.03)
        end = time.monotonic() + COMPARE_LIMIT
        while True:
            got = self.build(fates)
            passed, by = matches(scenario, got)
            self.log_seen = by == "expect" and bool(want.get("log"))
            if passed or time.monotonic() > end:
                return got
            time.sleep(0.02)

    def build(self, fates):
        scenario = self.scenario
        addresses = [c.address for c in self.used if c.wire]
        given = json.dumps([scenario.get(k) for k in ("client", "backends", "routes", "config")], ensure_ascii=False)
        normal = Normaliser(self.router, self.backends, addresses, given, scenario)
        client = []
        for record in list(self.records):
            out = normal.exchange(record)
            if "value" in out:
                out["value"] = json.loads(normal.text(json.dumps(out["value"])))
            client.append(out)
        backend = {}
        for name, peer in self.backends.items():
            seen = []
            for item in list(peer.captured):
                entry = normal.exchange(item)
                conn = {} if scenario.get("merge") or item["conn"] == 1 else {"connection": item["conn"]}
                entry.pop("conn", None)
                seen.append({**conn, **entry})
            if seen:
                backend[name] = seen
        log = [normal.log(line) for line in self.router.log_lines(self.log_start)]
        skip = scenario.get("skip") or []
        if scenario.get("merge"):
            together = sorted((item for seen in backend.values() for item in seen), key=json.dumps)
            backend = {"any": together} if together else {}
            log.sort()
        if scenario.get("tally"):
            counts = {}
            for item in client:
                line = first_line(item.get("head")) or item.get("end") or "value"
                counts[line] = counts.get(line, 0) + 1
            client = counts
            backend = {name: len(seen) for name, seen in backend.items()}
            if scenario.get("merge"):
                backend = {"any": sum(backend.values())}
            log = len(log)
        out = {"client": client, "fate": fates, "backend": backend, "log": log}
        return compact({key: value for key, value in out.items() if key not in skip})

    def quiet(self):
        """Wait until the access log does not grow: lines that nobody waited for must not show up in the next scenario."""
        size, since = self.router.log_size(), time.monotonic()
        while time.monotonic() < since + LOG_LAG:
            time.sleep(0.01)
            if self.router.log_size() != size:
                size, since = self.router.log_size(), time.monotonic()

    def clean(self):
        for client in self.clients.values():
            client.close()
        for backend in self.backends.values():
            backend.stop()
        if not self.log_seen:
            self.quiet()
        if self.router.process.poll() is None and not self.scenario.get("own_process"):
            for entry in self.registered:
                self.router.nats.publish("router.unregister", entry)
            try:
                self.router.settle(lambda table: True, "clean-up")
            except (Trouble, OSError):
                pass
