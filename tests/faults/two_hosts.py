"""Two real hosts: one that may be reached, and one at which nothing may arrive."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

from synthprobe import loopback


class Allowed:
    """Serves a page, a redirect to anywhere, and a service worker; remembers each request."""

    def __init__(self) -> None:
        seen = self.seen = []

        class Handler(loopback.Handler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                parts = urlsplit(self.path)
                seen.append(
                    (self.command, parts.path, {name.title(): value for name, value in self.headers.items()}, body)
                )
                query = parse_qs(parts.query)
                kind, page = "text/html", b"<!doctype html><title>allowed</title><p>here"
                if parts.path == "/to":
                    self.send_response(int(query.get("status", ["302"])[0]))
                    self.send_header("Location", query["url"][0].encode().decode("latin-1"))
                    page = b""
                elif parts.path == "/sw.js":
                    self.send_response(200)
                    code = f"e => e.waitUntil(fetch('{query['url'][0]}', {{mode: 'no-cors'}}).catch(() => 0))"
                    kind, page = "text/javascript", f"self.oninstall = {code}".encode()
                elif "code" in query:
                    self.send_response(200)
                    kind, page = "text/javascript", query["code"][0].encode()
                else:
                    self.send_response(200)
                if parts.query == "reports":
                    policy = "img-src 'none'; report-uri /change/report"
                    self.send_header("Content-Security-Policy-Report-Only", policy)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(page)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def to(self, url: str, status: int = 302) -> str:
        return f"{self.url}/to?status={status}&url={quote(url, safe='')}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Forbidden:
    """Listens on every address of this machine, for TCP and UDP; each arrival is remembered."""

    def __init__(self) -> None:
        self.arrived: list[bytes] = []
        self._changed = threading.Condition()
        self._tcp = socket.create_server(("", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("", self.port))
        self.url = f"http://127.0.0.2:{self.port}"
        for serve in (self._accept, self._receive):
            threading.Thread(target=serve, daemon=True).start()

    def wait(self, timeout_s: float = 10.0) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: bool(self.arrived), timeout_s)

    def close(self) -> None:
        self._tcp.close()
        self._udp.close()

    def _note(self, what: bytes) -> None:
        with self._changed:
            self.arrived.append(what)
            self._changed.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            self._note(b"a connection")
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                self._note(connection.recv(65536))
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nContent-Length: 0\r\n"
                    b"Connection: close\r\n\r\n"
                )
            except OSError:
                pass

    def _receive(self) -> None:
        while True:
            try:
                self._note(self._udp.recvfrom(65536)[0])
            except OSError:
                return


@contextmanager
def two_hosts() -> Iterator[tuple[Allowed, Forbidden]]:
    allowed, forbidden = Allowed(), Forbidden()
    try:
        yield allowed, forbidden
    finally:
        allowed.close()
        forbidden.close()
