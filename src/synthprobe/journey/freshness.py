"""Freshness: the age of data, by its own clock, against a limit that the running journey is held to."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from synthprobe import words
from synthprobe.errors import ConfigurationError, ExpectationError
from synthprobe.journey import steps
from synthprobe.journey.clock import SteadyClock
from synthprobe.records.evidence import Age
from synthprobe.records.finding import Finding, Skew
from synthprobe.records.journey import duration_s


class Freshness(Struct, frozen=True, kw_only=True):
    """How old something is, and whether that is too old."""

    what: str
    age_s: float
    limit_s: float
    skew_s: float
    message: str

    @property
    def stale(self) -> bool:
        """Whether it is older than its limit."""
        return self.age_s > self.limit_s


def measure_freshness(
    what: str, at: datetime | str, *, limit: str | float, now: datetime, target_now: datetime | None = None
) -> Freshness:
    """Compare the time of some data with now.

    The target's own clock is used when it is known, so that a runner's wrong clock makes no false alarm;
    the difference is named.

    Example:
        >>> noon = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
        >>> measure_freshness("position", "2026-01-01T11:59:00Z", limit="30s", now=noon).stale
        True
    """
    try:
        limit_s = duration_s(limit)
    except ValueError as error:
        raise ConfigurationError(f'The freshness limit of "{what}" cannot be used: {error}') from None
    try:
        made = datetime.fromisoformat(at) if isinstance(at, str) else at
    except ValueError:
        raise ExpectationError(f"The time of {what} is {at!r}, which is no ISO 8601 time.") from None
    if made.tzinfo is None:
        raise ExpectationError(f"The time of {what} is {at!r}, which has no time zone, so its age is not known.")
    skew_s = (target_now - now).total_seconds() if target_now else 0.0
    reference = target_now or now
    age_s = (reference - made.astimezone(UTC)).total_seconds()
    if age_s < -words.CLOCKS_AGREE_S:
        skew = Skew(what=what, ahead_s=-age_s, clock_s=skew_s)
        raise ExpectationError(words.ahead(skew), finding=Finding(skew=skew))
    message = words.age(what, age_s, limit_s, skew_s)
    return Freshness(what=what, age_s=age_s, limit_s=limit_s, skew_s=skew_s, message=message)


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
