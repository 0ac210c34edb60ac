"""The cause of a failure in one line, as a tired person reads it in an alert, a title or a list."""

from __future__ import annotations

import re
from textwrap import shorten

from synthprobe.model.address import path_of

_EXCHANGE = re.compile(r"(?P<method>[A-Z]+) (?P<url>\S+) → (?P<status>\d{3})")
_WAITED = re.compile(r"Not within [^:]*: ")
_WIDTH = 80
_EXPECTED, _GOT, _SHOWN = "expected: ", "got:      ", "Actual value: "


def cause_in_words(message: str) -> str:
    """Say what a failure's message says, in one line without host, body and request."""
    if waited := _WAITED.match(message):
        return waited[0] + cause_in_words(message[waited.end() :])
    first, *rest = message.strip().splitlines() or [""]
    found = _EXCHANGE.fullmatch(first)
    if found is None:
        shown = _after(_SHOWN, rest)
        if not shown or not first.startswith("Locator expected"):
            return first
        return f"{first}, got {'nothing' if shown == 'None' else repr(shorten(shown, _WIDTH, placeholder=' …'))}"
    where = f"{found['method']} {path_of(found['url']) or '/'}"
    expected, got = _after(_EXPECTED, rest), _after(_GOT, rest)
    if not expected or expected.startswith("status "):
        return f"{where} was answered {found['status']}" + (f", {expected} was expected" if expected else "")
    if expected.startswith("JSON with "):  # what was got names the field, and what was expected of it
        return f"{where} was answered with {got}"
    return f"{where}: {expected} was expected, got {got}"


def _after(start: str, lines: list[str]) -> str:
    return next((line.removeprefix(start).strip() for line in lines if line.startswith(start)), "")
