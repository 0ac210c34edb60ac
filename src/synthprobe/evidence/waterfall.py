"""The few requests and console lines around a failure that a card shows, of the many that were recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from synthprobe.records.address import path_of
from synthprobe.records.evidence import ConsoleMessage, Exchange, NetworkRequest, SeenRequest

ROWS = 5
"""Requests around the failure, and lines of the console."""

_LINE = 200
_TELLING = ("page error", "error", "warning")


def waterfall(
    exchanges: Sequence[Exchange], requests: Sequence[NetworkRequest], begun_at: datetime, broken_at: datetime
) -> tuple[SeenRequest, ...]:
    """The requests around a failure, in their order: around the last that was refused or broke, else the last ones."""
    rows = sorted(_rows(exchanges, requests, begun_at), key=lambda row: row.after_s)
    rows = [row for row in rows if row.after_s <= (broken_at - begun_at).total_seconds()]
    odd = [place for place, row in enumerate(rows) if row.error or row.status >= 400]
    middle = odd[-1] if odd else len(rows) - 1
    first = max(min(middle - ROWS // 2, len(rows) - ROWS), 0)
    return tuple(rows[first : first + ROWS])


def _rows(
    exchanges: Sequence[Exchange], requests: Sequence[NetworkRequest], begun_at: datetime
) -> Iterator[SeenRequest]:
    for asked in exchanges:
        after_s = (asked.started_at - begun_at).total_seconds()
        yield SeenRequest(
            method=asked.method, path=path_of(asked.url) or "/", status=asked.status, error=asked.error[:_LINE],
            after_s=after_s, duration_s=asked.duration_ms / 1000,
        )  # fmt: skip
    for sent in requests:
        if sent.at is not None and sent.at >= begun_at:
            after_s = (sent.at - begun_at).total_seconds()
            yield SeenRequest(
                method=sent.method, path=path_of(sent.url) or "/", status=sent.status, error=sent.error[:_LINE],
                after_s=after_s, duration_s=max(sent.duration_ms, 0.0) / 1000,
            )  # fmt: skip


def console_lines(messages: Sequence[ConsoleMessage]) -> tuple[str, ...]:
    """What pages said that tells most: uncaught errors first, then errors and warnings."""
    told = sorted((m for m in messages if m.kind in _TELLING), key=lambda m: (_TELLING.index(m.kind), m.at))
    lines = (f"{m.kind}: {next(iter(m.text.strip().splitlines()), '')[:_LINE]}" for m in told)
    return tuple(dict.fromkeys(lines))[:ROWS]
