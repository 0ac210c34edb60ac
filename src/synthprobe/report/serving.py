"""Serves a site to be read: from a folder or a store, to the names it is known by, and nothing else of this machine."""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Sequence
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from synthprobe import loopback
from synthprobe.errors import ReportError
from synthprobe.report.store import Held, Store, is_text

OWN_NAMES = ("127.0.0.1", "localhost", "[::1]")
_FOREIGN = re.compile(r"/(evidence|attachments)/")
_NO_SCRIPTS = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
_PART = re.compile(r"bytes=(\d*)-(\d*)")


def serve(store: Store, port: int = 0, *, host: str = "127.0.0.1", names: Sequence[str] = ()) -> ThreadingHTTPServer:
    """A server of a site, read-only; on this machine only unless another host is given."""
    if store.get("index.html") is None:
        raise ReportError(f"There is no page in {store.shown} to serve. Run `synthprobe report` first.")
    handler = type("Handler", (_Handler,), {"store": store, "names": (*OWN_NAMES, *(name.lower() for name in names))})
    try:
        return _Server((host, port), handler)
    except OSError as error:
        raise ReportError(
            f"Port {port} of {host} cannot be used ({error.strerror}). Choose another one, or 0 for any."
        ) from error


class _Server(ThreadingHTTPServer):
    """A server that says nothing when a browser leaves before the answer's end."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(loopback.Handler):
    """Answers GET and HEAD, silently, and keeps nothing in the browser's cache.

    It answers to known names only (a page elsewhere could give its own name this address), lists no folder, and
    follows no link out of the site. What a target may have written runs no script.
    """

    store: Store
    names: tuple[str, ...]

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def _answer(self) -> None:
        if not self._is_known(self.headers.get("Host", "")):
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST, "Open the address that synthprobe printed")
            return
        path = unquote(self.path.partition("?")[0].partition("#")[0]).removeprefix("/")
        path = f"{path}index.html" if not path or path.endswith("/") else path
        try:
            found = None if {"", ".", ".."} & set(path.split("/")) else self.store.get(path)
        except ReportError as error:
            self.send_error(HTTPStatus.BAD_GATEWAY, "The store did not answer", str(error))
            return
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._send(found)

    def _send(self, found: Held) -> None:
        data, headers = found.data, {"Content-Type": found.media_type, "Accept-Ranges": "bytes"}
        status, part = HTTPStatus.OK, _PART.fullmatch(self.headers.get("Range", ""))
        if part and any(part.groups()):
            begin, end = _bounds(part, len(data))
            if begin >= end:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.end_headers()
                return
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(data)}"
            data = data[begin:end]
        elif is_text(found.media_type) and "gzip" in self.headers.get("Accept-Encoding", ""):
            data, headers["Content-Encoding"] = gzip.compress(data, 5, mtime=0), "gzip"
        self.answer(status, data, headers | {"Vary": "Accept-Encoding"})

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        if _FOREIGN.search(unquote(self.path.partition("?")[0])):
            self.send_header("Content-Security-Policy", _NO_SCRIPTS)
        super().end_headers()

    def _is_known(self, host: str) -> bool:
        name = host.rpartition(":")[0] if re.search(r":\d*$", host) else host
        return name.lower() in self.names


def _bounds(part: re.Match[str], size: int) -> tuple[int, int]:
    """Begin and end of the bytes that are asked for; the last so many when the begin is missing."""
    if not part[1]:
        return max(size - int(part[2]), 0), size
    return int(part[1]), min(int(part[2]) + 1, size) if part[2] else size
