"""A host that sends back what it is sent: as a body packed in any way, as headers, as a cookie."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer

from synthprobe import loopback

PAGE = b"<!doctype html><title>echo</title><p data-testid=here>nothing"


def brotli(content: bytes) -> bytes:
    """A brotli stream of up to 64 KB, stored as it is; every decoder takes it."""
    size = len(content) - 1
    header = (0 << 0) | (0 << 1) | (0 << 2) | (size << 4) | (1 << 20)  # window bits, not last, length, uncompressed
    return header.to_bytes(3, "little") + content + b"\x03"


PACKED = {"gzip": gzip.compress, "br": brotli, "": bytes}


class Echo(loopback.Handler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        packing = self.path.removeprefix("/").partition("?")[0]
        kind = self.headers.get("Content-Type", "text/plain") if body else "text/html"
        body = PACKED.get(packing, bytes)(body or PAGE)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if packing in {"gzip", "br"}:
            self.send_header("Content-Encoding", packing)
        if held := self.headers.get("X-Held"):
            self.send_header("X-Back", held)
            self.send_header("Set-Cookie", f"kept={held}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer


@contextmanager
def echo() -> Iterator[str]:
    """The address of such a host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    threading.Thread(target=lambda: server.serve_forever(0.01), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
