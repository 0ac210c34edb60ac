"""Requests of a page, as Playwright's trace records them, and what a page shows and waits for when a journey breaks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from playwright.sync_api import BrowserContext, Error, Page, Request

from synthprobe.evidence.calls import call_of
from synthprobe.evidence.exchanges import account_sent, credentials_sent, server_timing
from synthprobe.hooks import AnswerSource
from synthprobe.records.address import place_of
from synthprobe.records.evidence import NetworkRequest, PageSeen, StatedError
from synthprobe.targets.addresses import other_place

_ODD = re.compile(rb'"status":(?:[45]\d\d|-1)|"postData"|"_failureText"|"_resourceType":"(?:fetch|xhr)"')
_PHASES = {"dns": "dns", "connect": "connect", "ssl": "tls", "wait": "wait", "receive": "body"}
_MOST_SENT = 20_000
_MOST_READ = 200_000
_DATA = {"fetch", "xhr"}


def is_odd(line: bytes) -> bool:
    """Whether a line of a trace is a request that was refused, sent something or asked for data."""
    return b'"resource-snapshot"' in line and bool(_ODD.search(line))


def is_target_answer(snapshot: Mapping[str, Any], fetched: Sequence[float]) -> bool:
    """Whether the target answered, and no route of the journey in its place; `fetched` are times of `fetched_at`."""
    begun, took = snapshot.get("_monotonicTime", 0.0), max(snapshot.get("time", 0.0), 0.0)
    was_fulfilled = snapshot.get("_wasFulfilled") and not any(begun <= at <= begun + took for at in fetched)
    return not (was_fulfilled or snapshot.get("_wasAborted"))


def each_once(snapshots: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    """Requests of a trace; one that ends while the trace does is written twice."""
    return {
        (found.get("_monotonicTime"), found["request"]["method"], found["request"]["url"]): found for found in snapshots
    }.values()


def fetched_at(entry: Mapping[str, Any]) -> float | None:
    """When a route handed on what it had fetched from the target, if a line of a trace is that."""
    hands_on = entry.get("class") == "Route" and "fetchResponseUid" in (entry.get("params") or {})
    return float(entry["startTime"]) if hands_on and "startTime" in entry else None


def network_request(
    snapshot: Mapping[str, Any], describe: Callable[[Mapping[str, str]], AnswerSource], read: Callable[[str], bytes]
) -> NetworkRequest:
    """A request of a trace; ``read`` reads what it sent, by the name of a resource."""
    request, response = snapshot["request"], snapshot.get("response", {})
    headers = {header["name"].lower(): header["value"] for header in response.get("headers", [])}
    sent = {header["name"].lower(): header["value"] for header in request.get("headers", [])}
    source = describe(headers)
    timings = snapshot.get("timings") or {}
    posted = _posted(request.get("postData") or {}, read)
    is_data = snapshot.get("_resourceType") in _DATA and 0 < response.get("status", 0) < 400
    content = response.get("content") or {}
    is_data = is_data and content.get("size", 0) <= _MOST_READ
    call = call_of(request["url"], posted[0], body_of(content, read) if is_data else b"")
    return NetworkRequest(
        method=request["method"],
        url=request["url"],
        status=max(int(response.get("status", 0)), 0),
        duration_ms=max(float(snapshot.get("time", 0)), 0.0),
        resource_type=snapshot.get("_resourceType", ""),
        error=snapshot.get("_failureText") or response.get("_failureText") or "",
        server_timing=server_timing(headers.get("server-timing", "")),
        node=source.node,
        build=source.build,
        content_type=headers.get("content-type", "").split(";")[0].strip(),
        credentials=credentials_sent(sent, *posted),
        account=account_sent(*posted),
        operation=call.operation,
        stated=StatedError(code=call.code, message=call.message) if call.is_error else None,
        phases={_PHASES[name]: float(ms) for name, ms in timings.items() if name in _PHASES and float(ms or -1) > 0},
        at=started_at(snapshot),
    )


def _posted(post: Mapping[str, Any], read: Callable[[str], bytes]) -> tuple[str, str]:
    return body_of(post, read)[:_MOST_SENT].decode("utf-8", "replace"), str(post.get("mimeType") or "")


def body_of(body: Mapping[str, Any], read: Callable[[str], bytes]) -> bytes:
    """A body of a trace, which stands in it or in a resource beside it."""
    text = str(body.get("text") or "")
    file = body.get("_file") or (f"resources/{body['_sha1']}" if body.get("_sha1") else "")
    if not text and file:
        with suppress(KeyError, OSError):
            return read(file)
    return text.encode()


def started_at(snapshot: Mapping[str, Any]) -> datetime | None:
    """When a request of a trace was sent."""
    with suppress(ValueError):
        return datetime.fromisoformat(snapshot.get("startedDateTime", ""))
    return None


_OUTLINE_TIMEOUT_MS = 1000
_LINES, _WIDTH, _TEXTS = 120, 160, 6
_VALUE = re.compile(
    r'^((?:textbox|searchbox|spinbutton|combobox|slider)(?: "(?:[^"\\\\]|\\\\.)*")?(?: \[[^\]]*\])*):.*'
)
_KEY = re.compile(r"^'((?:[^']|'')*)'(?=$|:)")
"""What stands in an outline, in the quotation marks of YAML where its name has a colon, a brace or a number sign."""
_WARNINGS = """body => {
  const typed = 'input, select, textarea', fields = typed + ', button, label';
  const text = e => e && e.checkVisibility() ? e.innerText : '';
  const named = (e, by) => (e.getAttribute(by) || '').split(/\\s+/).map(id => id && document.getElementById(id));
  const beside = field => {
    for (let e = field, up = 0; up < 3 && e !== body; e = e.parentElement, up++)
      for (let next = e.nextElementSibling; next; next = next.nextElementSibling) {
        if (next.matches(fields) || next.querySelector(fields)) break;
        if (text(next).trim()) return [next] }
    return [] };
  const of = field => [named(field, 'aria-errormessage'), named(field, 'aria-describedby'), beside(field)]
    .find(all => all.some(e => text(e).trim())) || [];
  const invalid = body.querySelectorAll('[aria-invalid]:not([aria-invalid=""], [aria-invalid="false"])');
  const dialogs = [...body.querySelectorAll('[role=dialog], dialog[open]')].filter(e => !e.querySelector(typed));
  const lines = e => { const clicked = [...e.querySelectorAll('button, a')].map(inner => inner.innerText.trim());
    return text(e).split('\\n').map(line => line.trim()).filter(line => line && !clicked.includes(line)).slice(0, 2) };
  return [...body.querySelectorAll('[role=alert], [role=alertdialog]'), ...dialogs,
    ...[...invalid].filter(e => e.checkVisibility()).flatMap(of).filter(e => e)].flatMap(lines) }"""
"""Texts by their role and by the field that they belong to, in whatever language."""
_NEVER_ENDS = {"eventsource", "websocket", "ping", "media", "beacon"}
_PENDING_S = 1.0


def pages_of(context: BrowserContext) -> list[Page]:
    """Pages of a context that are open."""
    try:
        return context.pages
    except Error:
        return []


def seen_page(page: Page, site: str) -> Iterator[PageSeen]:
    """What a page shows, without what was typed; nothing when it does not answer."""
    with suppress(Error):
        lines = page.locator("body").aria_snapshot(timeout=_OUTLINE_TIMEOUT_MS).splitlines()
        asks = page.locator("input[type=password]:visible").count() > 0
        warnings = list[str]()
        with suppress(Error):
            warnings = page.locator("body").evaluate(_WARNINGS, timeout=_OUTLINE_TIMEOUT_MS)
        yield PageSeen(
            path=place_of(page.url),
            outline=_outline(lines),
            asks_password=asks,
            warnings=tuple(dict.fromkeys(text[:_WIDTH] for text in warnings))[:_TEXTS],
            host=other_place(page.url, site),
        )


def outline_of(page: Page) -> tuple[str, ...]:
    """The accessible outline of a page, without what was typed; nothing when it does not answer."""
    with suppress(Error):
        return _outline(page.locator("body").aria_snapshot(timeout=_OUTLINE_TIMEOUT_MS).splitlines())
    return ()


def _outline(lines: Sequence[str]) -> tuple[str, ...]:
    outline = (_VALUE.sub(r"\1", _KEY.sub(_plain, line.strip().removeprefix("- "))) for line in lines)
    return tuple(line[:_WIDTH] for line in outline if not line.startswith("/url:"))[:_LINES]


def _plain(quoted: re.Match[str]) -> str:
    return quoted[1].replace("''", "'")


def unanswered(page: Page) -> list[Request]:
    """Requests of a page that have no answer now."""
    with suppress(Error):
        return [request for request in page.requests() if _is_pending(request)]
    return []


def pending_requests(page: Page, sent: Sequence[Request], at: float) -> Iterator[NetworkRequest]:
    """Of requests without an answer ``at`` a time, in seconds since 1970, those that were not just sent then.

    What was just sent is answered within the next second.
    """
    until = time.monotonic() + _PENDING_S
    with suppress(Error):
        while any(map(_is_pending, sent)) and time.monotonic() < until:
            page.wait_for_timeout(50)
    for request in sent:
        began = request.timing["startTime"] / 1000  # 0 until it is answered
        if request.existing_response is None or 0 < began < at - _PENDING_S:
            yield NetworkRequest(
                method=request.method,
                url=request.url,
                status=0,
                duration_ms=0.0,
                resource_type=request.resource_type,
                error="no answer when the journey broke",
            )


def late_requests(page: Page, describe: Callable[[Mapping[str, str]], AnswerSource]) -> Iterator[NetworkRequest]:
    """What an open page was answered that its trace may not hold yet: refusals, and where credentials were sent."""
    with suppress(Error):
        for request in page.requests():
            if (response := request.existing_response) is None:
                continue
            source = describe(response.headers)
            posted = request.post_data_buffer or b""
            sent = posted[:_MOST_SENT].decode("utf-8", "replace"), request.headers.get("content-type", "")
            yield NetworkRequest(
                method=request.method,
                url=request.url,
                status=response.status,
                duration_ms=max(request.timing["responseEnd"], 0.0),
                resource_type=request.resource_type,
                node=source.node,
                build=source.build,
                content_type=response.headers.get("content-type", "").split(";")[0].strip(),
                credentials=credentials_sent(request.headers, *sent),
                account=account_sent(*sent),
                operation=call_of(request.url, sent[0]).operation,
                at=datetime.fromtimestamp(request.timing["startTime"] / 1000, UTC),
            )


def _is_pending(request: Request) -> bool:
    never_ends = request.resource_type in _NEVER_ENDS
    return request.existing_response is None and not request.failure and not never_ends
