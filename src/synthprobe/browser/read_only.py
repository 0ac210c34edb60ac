"""Holds what a browser asks of a read-only target: every request that may be a change waits here, whoever sends it.

A route belongs to a page: it knows no shared worker, ends when the page does, and a journey can take it away. The
browser's own session holds until the browser ends, behind all routes, and for HTTPS as well.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from playwright.sync_api import CDPSession, Error

from synthprobe.browser.messages import held_answer, told_by_worker
from synthprobe.browser.protocol import send_unguarded
from synthprobe.journey.guard import Guard
from synthprobe.targets.guardrails import change_refusal, may_reach, message_refusal

_MAY_CHANGE = [
    *({"resourceType": kind} for kind in ("Document", "XHR", "Fetch", "Ping", "CSPViolationReport", "Other")),
    # of the other types are images, scripts and the like: always a GET, which may still ask for another method
    *({"urlPattern": f"*{name}*=*"} for name in ("ethod", "ETHOD")),
    *({"urlPattern": f"*\\?*%{letters}*"} for letters in "4567"),
]
"""What may be a change, as the browser can tell it: every other request goes its way without a stop here."""

_WORKERS = {"resourceType": "Other", "requestStage": "Response"}
"""Scripts of workers are among these answers."""


def hold_network(session: CDPSession, guard: Guard, refused: Callable[[str], None]) -> None:
    """Hold all that leaves a browser, for as long as it lives; `refused` is told each sentence."""

    def command(name: str, event: Mapping[str, Any], **how: Any) -> Any:
        with suppress(Error):  # whoever asked is gone, and the request with it
            return send_unguarded(session, f"Fetch.{name}", {"requestId": event["requestId"], **how})

    def decide(event: dict[str, Any]) -> None:
        request = event["request"]
        if "responseStatusCode" in event or "responseErrorReason" in event:
            if held := held_answer(event, guard, lambda: command("getResponseBody", event)):
                _let_connect(session)
                command("fulfillRequest", event, **held)
            else:
                command("continueRequest", event)
            return
        url, headers = request["url"], request["headers"]
        socket = told_by_worker(url)
        change = message_refusal(guard.target, socket) if socket else ""
        change = change or change_refusal(guard.target, request["method"], url, guard.mutates, headers, _sent(request))
        astray = url.startswith("http") and not may_reach(guard.target, url)
        if change and not astray:
            refused(change)
        if astray or change:
            command("failRequest", event, errorReason="NameNotResolved" if astray else "BlockedByClient")
        else:
            command("continueRequest", event)

    session.on("Fetch.requestPaused", decide)
    send_unguarded(session, "Fetch.enable", {"patterns": [*_MAY_CHANGE, _WORKERS]})


def _let_connect(session: CDPSession) -> None:
    """A browser knows no address of an answer that is ours, so it would ask a person whether the worker may connect."""
    with suppress(Error):
        for context in send_unguarded(session, "Target.getBrowserContexts")["browserContextIds"]:
            for name in ("loopback-network", "local-network"):
                how = {"permission": {"name": name}, "setting": "granted", "browserContextId": context}
                send_unguarded(session, "Browser.setPermission", how)


def _sent(request: Mapping[str, Any]) -> bytes | bool | None:
    """The body of a request that waits; true when the browser does not show it."""
    if "postDataEntries" in request:
        return b"".join(base64.b64decode(entry.get("bytes", "")) for entry in request["postDataEntries"])
    text = request.get("postData")
    return text.encode() if text else request.get("hasPostData")
