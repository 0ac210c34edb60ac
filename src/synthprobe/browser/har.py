"""What a context asks for, where its trace is made without DOM snapshots: Playwright records requests only with them.

Its HAR holds each request in the form of a trace, so they are written where a trace would have them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from greenlet import getcurrent
from playwright.sync_api import Error


class Har:
    """The requests of one context, in pieces of HAR that are taken in when somebody wants to know them."""

    def __init__(self, tracing: Any, folder: Path, name: str) -> None:
        self._start, self._stop = tracing.start_har, tracing.stop_har
        self._folder = folder
        self._name = name
        self._count = 0
        self._is_running = self._is_over = False
        self.raised: Exception | None = None
        """What a handler of the journey raised while Playwright was asked here; it is the journey's to hear."""
        tracing.start_har = self._author_starts
        self.begin()

    def begin(self) -> None:
        if not self._is_running and not self._is_over:
            self._count += 1
            piece = self._resources / f"{self._name}-{self._count}.har"
            self._is_running = self._asked(self._start, piece, content="attach")

    def take_in(self, *, ends: bool) -> None:
        """Write what was requested so far to the trace's own file.

        A request that has no answer yet is written at the end only. Neither a handler of events nor another thread can
        ask Playwright.
        """
        if threading.current_thread() is not threading.main_thread() or getcurrent().parent is not None:
            return
        if self._is_running:
            self._is_running = not self._asked(self._stop) and not ends
        for piece in self._pieces():
            try:
                entries = json.loads(piece.read_bytes())["log"]["entries"]
            except ValueError:
                continue  # it is still written
            with (self._folder / f"{self._name}.network").open("ab") as file:
                file.writelines(_line(entry) for entry in entries if ends or _is_answered(entry))
            piece.unlink()
        if not ends:
            self.begin()

    def forget(self) -> None:
        """Nobody wants what was not taken in."""
        for piece in self._pieces():
            piece.unlink()

    def _asked(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
        """Whether Playwright did it; a browser that died does not."""
        try:
            call(*arguments, **named)
        except Error:
            return False
        except Exception as error:  # of a handler of the journey, which the next call raises, done or not
            self.raised = self.raised or error
            with suppress(Exception):
                call(*arguments, **named)
        return True

    @property
    def _resources(self) -> Path:
        return self._folder / "resources"

    def _pieces(self) -> list[Path]:
        """Those that are written; that of an open context is while it is recorded."""
        return sorted(self._resources.glob(f"{self._name}-*.har"), key=lambda path: path.stat().st_mtime_ns)

    def _author_starts(self, *arguments: Any, **named: Any) -> Any:
        """Playwright records one HAR at once, and a journey's own goes first."""
        self.take_in(ends=True)
        self._is_over = True
        return self._start(*arguments, **named)


def _is_answered(entry: dict[str, Any]) -> bool:
    response = entry["response"]
    return response["status"] != -1 or "_failureText" in response


def _line(entry: dict[str, Any]) -> bytes:
    for body in (entry["request"].get("postData") or {}, entry["response"]["content"]):
        if "_file" in body:
            body["_file"] = f"resources/{body['_file']}"
    return json.dumps({"type": "resource-snapshot", "snapshot": entry}, separators=(",", ":")).encode() + b"\n"
