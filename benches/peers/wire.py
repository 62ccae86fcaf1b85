"""Single HTTP/1.1 exchanges over plain sockets, for probes and idle connections (never for load)."""
import socket


def connect(port, limit=2.0):
    sock = socket.create_connection(("127.0.0.1", port), limit)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def exchange(sock, path, host, extra=""):
    """One GET on an open connection: (status, body). The answer must carry a Content-Length or end by close."""
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{extra}\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        more = sock.recv(65536)
        if not more:
            raise ConnectionError("closed before the answer")
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    length = None
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    while length is None or len(body) < length:
        more = sock.recv(65536)
        if not more:
            break
        body += more
    return int(lines[0].split()[1]), body


def get(port, path, host="127.0.0.1", extra=""):
    """One GET on a connection of its own: (status, body); status 0 when nobody answers."""
    try:
        with connect(port) as sock:
            return exchange(sock, path, host, "Connection: close\r\n" + extra)
    except (OSError, ValueError, IndexError):
        return 0, b""
