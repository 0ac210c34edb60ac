"""Freshness as an expectation of the running journey."""

from __future__ import annotations

from datetime import datetime

from synthprobe import words
from synthprobe.journey import steps
from synthprobe.journey.age import Freshness, measure_freshness
from synthprobe.journey.clock import SteadyClock
from synthprobe.records.evidence import Age


def freshness(what: str, at: datetime | str, *, limit: str | float, target_now: datetime | None = None) -> Freshness:
    """Compare the age of data with a limit; too old makes the running journey degraded, never failed.

    Args:
        what: what is looked at, for example ``"position of SYN-01"``.
        at: when it was made, with time zone, a ``datetime`` or ISO 8601 text.
        limit: how old it may be, for example ``"60s"``.
        target_now: the target's clock, if it is known.

    Returns:
        The measurement; ask ``.stale``.

    Raises:
        ExpectationError: when the time is none, has no zone, or lies in the future.
        ConfigurationError: when the limit is no duration.
    """
    recorder = steps.current()
    now = (recorder.clock if recorder else SteadyClock()).now()
    found = measure_freshness(what, at, limit=limit, now=now, target_now=target_now)
    if recorder is not None:
        recorder.ages.append(Age(what=found.what, age_s=found.age_s, limit_s=found.limit_s))
        if abs(found.skew_s) > words.CLOCKS_AGREE_S:
            recorder.notes.append(f"The target's clock differs from the probe's by {found.skew_s:+.0f} s.")
        if found.stale:
            recorder.degraded("stale", recorder.path, found.message, found.limit_s, found.age_s)
    return found
