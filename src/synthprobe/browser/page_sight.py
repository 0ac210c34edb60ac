"""What a page shows when a journey breaks: its accessible outline, and what it waits for."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress

from playwright.sync_api import BrowserContext, Error, Page, Request

from synthprobe.records.address import path_of
from synthprobe.records.evidence import NetworkRequest, PageSeen

_OUTLINE_TIMEOUT_MS = 1000
_LINES, _WIDTH = 120, 160
_VALUE = re.compile(
    r'^((?:textbox|searchbox|spinbutton|combobox|slider)(?: "(?:[^"\\\\]|\\\\.)*")?(?: \[[^\]]*\])*):.*'
)
_NEVER_ENDS = {"eventsource", "websocket", "ping", "media", "beacon"}
_PENDING_S = 1.0


def pages_of(context: BrowserContext) -> list[Page]:
    """Pages of a context that are open."""
    try:
        return context.pages
    except Error:
        return []


def seen_page(page: Page) -> Iterator[PageSeen]:
    """What a page shows, without what was typed; nothing when it does not answer."""
    with suppress(Error):
        lines = page.locator("body").aria_snapshot(timeout=_OUTLINE_TIMEOUT_MS).splitlines()
        asks = page.locator("input[type=password]:visible").count() > 0
        outline = (_VALUE.sub(r"\1", line.strip().removeprefix("- ")) for line in lines)
        yield PageSeen(
            path=path_of(page.url) or "/",
            outline=tuple(line[:_WIDTH] for line in outline if not line.startswith("/url:"))[:_LINES],
            asks_password=asks,
        )


def pending_requests(page: Page) -> Iterator[NetworkRequest]:
    """Requests of a page that get no answer, also within the next second; what was just sent is not one."""
    with suppress(Error):
        sent = [request for request in page.requests() if _is_pending(request)]
        until = time.monotonic() + _PENDING_S
        while any(map(_is_pending, sent)) and time.monotonic() < until:
            page.wait_for_timeout(50)
        for request in sent:
            if _is_pending(request):
                yield NetworkRequest(
                    method=request.method,
                    url=request.url,
                    status=0,
                    duration_ms=0.0,
                    resource_type=request.resource_type,
                    error="no answer when the journey broke",
                )


def _is_pending(request: Request) -> bool:
    never_ends = request.resource_type in _NEVER_ENDS
    return request.existing_response is None and not request.failure and not never_ends
