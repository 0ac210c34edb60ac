"""A server that does to each path what its name says."""

from __future__ import annotations

import base64
import functools
import hashlib
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/html\r\n"


def page(html: str, head: bytes = b"") -> bytes:
    body = f"<!doctype html><title>hostile</title>{html}".encode()
    return OK + head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


@functools.cache
def packed(megabytes: int) -> bytes:
    packer = zlib.compressobj(1, wbits=31)
    return b"".join(packer.compress(b"0" * 1_000_000) for _ in range(megabytes)) + packer.flush()


class Connection:
    """One request, and how to answer it."""

    def __init__(self, connection: socket.socket, end: threading.Event, request: bytes) -> None:
        self.connection = connection
        self.end = end
        self.request = request
        self.query = request.partition(b" HTTP/")[0].partition(b"?")[2].decode()

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def hang(self) -> None:
        self.end.wait(30)

    def drip(self, prefix: bytes) -> None:
        self.send(prefix)
        while not self.end.wait(0.05):
            self.send(b"x")

    def slow_redirect(self) -> None:
        self.end.wait(0.3)
        self.send(b"HTTP/1.1 302 Found\r\nLocation: /slow-redirects\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def reset(self) -> None:
        self.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def slam(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def flood(self) -> None:
        self.send(OK + b"\r\n")
        while not self.end.is_set():
            self.send(b"0" * 65536)

    def bomb(self, megabytes: int = 30) -> None:
        body = packed(megabytes)
        self.send(OK + f"Content-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def silent_websocket(self) -> None:
        key = next(line[19:] for line in self.request.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
        upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        self.send(upgrade + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self.hang()


ANSWERS: dict[bytes, Callable[[Connection], None]] = {
    b"/fine": lambda it: it.send(page("<h1>fine</h1>")),
    b"/hang": Connection.hang,
    b"/body-drips": lambda it: it.drip(OK + b"Content-Length: 100000\r\n\r\n"),
    b"/headers-drip": lambda it: it.drip(b"HTTP/1.1 200 OK\r\nX-Long: "),
    b"/redirects": lambda it: it.send(
        b"HTTP/1.1 302 Found\r\nLocation: /redirects\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ),
    b"/slow-redirects": Connection.slow_redirect,
    b"/huge": Connection.flood,
    b"/bomb": Connection.bomb,
    b"/great-bomb": lambda it: it.bomb(400),
    b"/truncated": lambda it: it.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    b"/garbled": lambda it: it.send(OK + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nhalf"),
    b"/deep": lambda it: it.send(OK + b"Content-Length: 200000\r\n\r\n" + b"[" * 100_000 + b"]" * 100_000),
    b"/reset": Connection.reset,
    b"/slam": Connection.slam,
    b"/throttled": lambda it: it.send(
        b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 60\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ),
    b"/websocket": lambda it: it.send(
        page(
            "<p id=state>waiting</p><script>let s = new WebSocket(`ws://${location.host}/socket`);"
            "s.onmessage = m => state.textContent = m.data</script>"
        )
    ),
    b"/socket": Connection.silent_websocket,
    b"/image-hangs": lambda it: it.send(page("<h1>shown</h1><img src=/hang>")),
    b"/third-party": lambda it: it.send(page(f"<h1>fine</h1><script src='{it.query}'></script>")),
    b"/endless-script": lambda it: it.send(
        page("<script>setTimeout(() => { while (1) {} }, 50)</script>"),
    ),
    b"/dialog": lambda it: it.send(
        page("<button onclick=\"confirm('sure?'); document.title='asked'; this.textContent='asked'\">Ask</button>")
    ),
    b"/download": lambda it: it.send(page("<a href=/file download>Get</a><h1>still here</h1>")),
    b"/file": lambda it: it.send(OK + b"Content-Disposition: attachment; filename=../../x.bin\r\n\r\nbytes"),
    b"/error-page": lambda it: it.send(page("<h1>Something went wrong</h1>")),
    b"/login-wall": lambda it: it.send(page("<h1>Verify you are human</h1>").replace(b"200 OK", b"403 Forbidden")),
    b"/commands": lambda it: it.send(page("<pre>\n::error::gotcha\n::add-mask::a\n##[group]x\n</pre>")),
    b"/hostile-text": lambda it: it.send(page("<h1>&lt;script&gt;alert(1)&lt;/script&gt; ../../etc \x1b[31m</h1>")),
}


@contextmanager
def hostile(host: str = "127.0.0.1") -> Iterator[str]:
    """Its address."""
    listener = socket.create_server((host, 0), backlog=128)
    end = threading.Event()

    def accept() -> None:
        while not end.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    def serve(connection: socket.socket) -> None:
        with connection:
            try:
                request = connection.recv(65536)
                path = request.split(b" ")[1].partition(b"?")[0] if b" " in request else b""
                missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                ANSWERS.get(path, lambda it: it.send(missing))(Connection(connection, end, request))
            except OSError:
                pass

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        end.set()
        listener.close()
