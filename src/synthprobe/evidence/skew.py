"""How far the clocks of this machine and of the target differ, by the dates of answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from synthprobe.records.evidence import Exchange
from synthprobe.records.result import Degradation, Failure

SKEW_S = 30.0
"""Seconds two clocks may differ by before ages are not believed."""


def telling_answer(exchanges: Iterable[Exchange]) -> tuple[datetime, Exchange] | None:
    """The answer whose ``Date`` tells the target's clock best.

    What a cache has kept, by its ``Age``, tells nothing of now. Of the others the newest does: a date can be older than
    the answer's arrival, never younger.
    """
    found = []
    for exchange in exchanges:
        headers = {name.lower(): value for name, value in exchange.response_headers.items()}
        if headers.get("age", "0").strip().strip("0"):
            continue
        try:
            date = parsedate_to_datetime(headers.get("date", ""))
        except ValueError:
            continue
        found.append((date.replace(tzinfo=date.tzinfo or UTC), exchange))
    return max(found, key=lambda pair: _ahead_s(*pair), default=None)


def _ahead_s(date: datetime, exchange: Exchange) -> float:
    return (date - exchange.started_at - timedelta(milliseconds=exchange.duration_ms)).total_seconds()


def clock_failure(
    exchanges: Iterable[Exchange], failure: Failure | None, degradations: Sequence[Degradation], *, step: str = ""
) -> Failure | None:
    """The failure of an attempt whose judgement rests on clocks that do not agree."""
    skew_of = failure.finding.skew if failure and failure.finding else None
    depends_on_clock = failure is not None and (failure.kind == "tls" or skew_of is not None)
    if failure is None:
        depends_on_clock = any(degradation.kind == "stale" for degradation in degradations)
    found = telling_answer(exchanges) if depends_on_clock else None
    skew = _ahead_s(*found) if found else 0.0
    if abs(skew) <= SKEW_S:
        return failure
    before = failure.message if failure else degradations[0].message
    message = (
        f"The clocks of this machine and of the target differ by {abs(skew):.0f} s, so no age is believed; at most "
        f"{SKEW_S:.0f} s were expected. Set the clock that is wrong, for example with timedatectl set-ntp true."
        f"\nThe journey itself: {before}"
    )
    return Failure(kind="clock", ours=True, message=message, detail=failure.detail if failure else "", step=step)
