"""Freshness: the age of data, by its own clock, against a limit."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from synthprobe import words
from synthprobe.errors import ConfigurationError, ExpectationError
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
