"""Secrets to plant, each of its own, and what is searched for: whole in every form, and each half, as texts are cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

from synthprobe.evidence.redaction import Redactor
from synthprobe.evidence.scan import Scanner

KINDS = {"plain": "Plain-{}-Zq7w", "odd": "p'l\"a\\n {}é+/=x", "number": "4815162{}3429018"}
_URI = "!#$%&'()*+,/:;=?@[]~"


def plant(rows: Iterable[str], first: int = 0) -> dict[str, str]:
    """Three secrets for each row, by ``row-kind``; their numbers begin with the given one."""
    names = [(row, kind) for row in rows for kind in KINDS]
    return {f"{row}-{kind}": KINDS[kind].format(f"{number:03}") for number, (row, kind) in enumerate(names, first)}


def variable(name: str) -> str:
    """The environment variable a secret stands in."""
    return "PLANTED_" + name.replace("-", "_").upper()


def halves(name: str, value: str) -> set[str]:
    """The value up to its number, and from it on, in texts and addresses."""
    before, after = KINDS[name.rpartition("-")[2]].split("{}")
    parts = {value.removesuffix(after), value.removeprefix(before)}
    return parts | {quote(part, safe=safe) for part in parts for safe in ("", "/", _URI)}


def find(planted: Mapping[str, str], written: Iterable[tuple[str, bytes]]) -> dict[str, list[str]]:
    """In which files each secret stands."""
    redactor = Redactor()
    for name, value in planted.items():
        redactor.add(value, name)
    parts = Scanner({part.encode(): name for name, value in planted.items() for part in halves(name, value)})
    hits: dict[str, list[str]] = {}
    for file, content in written:
        for rule in {*redactor.residual(content), *parts.content(content)}:
            hits.setdefault(rule, []).append(file)
    return hits
