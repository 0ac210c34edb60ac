"""A target with a cache in front of it, which keeps what it was asked for an hour ago."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from http.server import ThreadingHTTPServer
from urllib.request import urlopen

from synthprobe import loopback

HOUR = 3600


class Cache:
    """Answers in the target's place.

    Attributes:
        obeys: whether it asks the target itself when a request says ``Cache-Control: no-cache``.
        tells_age: whether it says how long it has kept an answer.
        seen: path and ``Cache-Control`` of each request.
        url: its address.
    """

    def __init__(self) -> None:
        self.obeys = self.tells_age = True
        self.seen: list[tuple[str, str | None]] = []
        self.url = ""
        self.origin = ""
        self.behind_s = 0
        self._kept: dict[str, tuple[bytes, str, str]] = {}

    def keep(self, *paths: str) -> None:
        """Somebody asked for these an hour ago."""
        self.behind_s = HOUR
        for path in paths:
            self.fetch(path)
        self.behind_s = 0

    def fetch(self, path: str) -> tuple[bytes, str, str]:
        """Ask the target."""
        with urlopen(self.origin + path) as answer:
            self._kept[path] = answer.read(), answer.headers["Content-Type"], answer.headers["Date"]
        return self._kept[path]

    def answer(self, path: str, control: str | None) -> tuple[bytes, str, str]:
        """What is kept; or what the target says, when nothing is or the request wants it."""
        if path not in self._kept or (self.obeys and "no-cache" in (control or "")):
            return self.fetch(path)
        return self._kept[path]


@contextmanager
def cached_target() -> Iterator[Cache]:
    """Two real servers: the target, and the cache in front of it."""
    cache = Cache()

    class Quiet(loopback.Handler):
        def send(self, body: bytes, kind: str, *more: tuple[str, str]) -> None:
            for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), *more):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    class Origin(Quiet):
        def do_GET(self) -> None:
            made = datetime.fromtimestamp(time.time() - cache.behind_s, UTC).isoformat()
            page = f"<!doctype html><title>board</title><p id=made>{made}</p>".encode()
            self.send_response(200)
            if self.path.startswith("/page"):
                self.send(page, "text/html")
            else:
                self.send(json.dumps({"made_at": made}).encode(), "application/json")

        def date_time_string(self, timestamp: float | None = None) -> str:
            return formatdate(time.time() - cache.behind_s, usegmt=True)

    class Proxy(Quiet):
        def do_GET(self) -> None:
            control = self.headers.get("Cache-Control")
            cache.seen.append((self.path, control))
            body, kind, date = cache.answer(self.path, control)
            age_s = int(time.time() - parsedate_to_datetime(date).timestamp())
            self.send_response_only(200)
            age = [("Age", str(age_s))] if cache.tells_age and age_s > 60 else []
            self.send(body, kind, ("Date", date), *age)

    with ExitStack() as stack:

        def serve(handler: type[Quiet]) -> str:
            server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), handler))
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        cache.origin, cache.url = serve(Origin), serve(Proxy)
        yield cache
