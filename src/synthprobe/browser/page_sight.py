"""What a page shows when a journey breaks: its accessible outline, and what it waits for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from playwright.sync_api import BrowserContext, Error, Page

from synthprobe.records.address import path_of
from synthprobe.records.evidence import NetworkRequest, PageSeen

_OUTLINE_TIMEOUT_MS = 1000
_LINES, _WIDTH = 120, 160
_VALUE = re.compile(
    r'^((?:textbox|searchbox|spinbutton|combobox|slider)(?: "(?:[^"\\\\]|\\\\.)*")?(?: \[[^\]]*\])*):.*'
)
_NEVER_ENDS = {"eventsource", "websocket", "ping", "media", "beacon"}


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
    """Requests of a page that have no answer."""
    with suppress(Error):
        for request in page.requests():
            if request.existing_response is None and not request.failure and request.resource_type not in _NEVER_ENDS:
                yield NetworkRequest(
                    method=request.method,
                    url=request.url,
                    status=0,
                    duration_ms=0.0,
                    resource_type=request.resource_type,
                    error="no answer when the journey broke",
                )
