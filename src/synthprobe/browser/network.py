"""Requests of a page, as Playwright's trace records them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from synthprobe.evidence.exchanges import account_sent, credentials_sent, server_timing
from synthprobe.hooks import AnswerSource
from synthprobe.records.evidence import NetworkRequest

_ODD = re.compile(rb'"status":(?:[45]\d\d|-1)|"postData"|"_failureText"')
_PHASES = {"dns": "dns", "connect": "connect", "ssl": "tls", "wait": "wait", "receive": "body"}
_MOST_SENT = 20_000


def is_odd(line: bytes) -> bool:
    """Whether a line of a trace is a request that was refused or sent something."""
    return b'"resource-snapshot"' in line and bool(_ODD.search(line))


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
        phases={_PHASES[name]: float(ms) for name, ms in timings.items() if name in _PHASES and float(ms or -1) > 0},
        at=_time(snapshot.get("startedDateTime", "")),
    )


def _posted(post: Mapping[str, Any], read: Callable[[str], bytes]) -> tuple[str, str]:
    text, kind = str(post.get("text") or ""), str(post.get("mimeType") or "")
    file = post.get("_file") or (f"resources/{post['_sha1']}" if post.get("_sha1") else "")
    if not text and file:
        with suppress(KeyError, OSError):
            text = read(file)[:_MOST_SENT].decode("utf-8", "replace")
    return text, kind


def _time(written: str) -> datetime | None:
    with suppress(ValueError):
        return datetime.fromisoformat(written)
    return None
