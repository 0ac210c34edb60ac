"""What a page wrote to its console, threw, or asked in a dialog, as Playwright's trace holds it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from synthprobe.records.evidence import DIALOG, ConsoleMessage


def is_message(entry: dict[str, Any]) -> bool:
    """Whether an entry of a trace is one of these."""
    return entry.get("type") == "console" or is_page_error(entry) or _is_dialog(entry)


def is_page_error(entry: dict[str, Any]) -> bool:
    """Whether a script of the page threw it."""
    return entry.get("type") == "event" and entry.get("method") == "pageError"


def _is_dialog(entry: dict[str, Any]) -> bool:
    return entry.get("type") == "event" and entry.get("method") == "dialog"


def console_message(entry: dict[str, Any], at: datetime) -> ConsoleMessage:
    """The message that an entry holds, with when it came."""
    if entry["type"] == "console":
        place = entry.get("location") or {}
        return ConsoleMessage(
            kind=entry.get("messageType", "log"),
            text=entry.get("text", ""),
            location=f"{place.get('url', '')}:{place.get('lineNumber', '')}",
            page=entry.get("pageId", ""),
            at=at,
        )
    if _is_dialog(entry):
        opened = entry.get("params", {})
        kind, page = f"{DIALOG}{opened.get('type', '')}", opened.get("pageId", "")
        return ConsoleMessage(kind=kind, text=opened.get("message", ""), location="", page=page, at=at)
    error = entry.get("params", {}).get("error", {})
    error = error.get("error", error)
    text = error.get("stack") or error.get("message") or json.dumps(error)
    return ConsoleMessage(kind="page error", text=text, location="", page=entry.get("pageId", ""), at=at)
