"""Maintenance windows, kept in a reviewed file: what is wrong in them is no news and no fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct, field

from synthprobe.errors import ConfigurationError
from synthprobe.mistakes import read_reviewed
from synthprobe.records.journey import duration_s

LONGEST = timedelta(days=7)


class Window(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table ``[[window]]``: once, from a moment to another, or again and again, by cron.

    Attributes:
        journeys: journeys it concerns; empty for all.
        cron: when it begins again and again: minute, hour, day, month, day of the week.
        lasts: how long it lasts then, for example ``2h``.
    """

    targets: tuple[str, ...]
    owner: str
    reason: str
    journeys: tuple[str, ...] = ()
    begin: datetime | None = field(default=None, name="from")
    end: datetime | None = field(default=None, name="to")
    cron: str = ""
    lasts: str = ""
    timezone: str = "UTC"

    def until(self, at: datetime) -> datetime | None:
        """When the window ends that is open at a moment; nothing when none is."""
        if self.begin is not None and self.end is not None:
            return self.end if self.begin <= at < self.end else None
        from zoneinfo import ZoneInfo  # most runs have no window

        from cronsim import CronSim

        lasts, zone = timedelta(seconds=duration_s(self.lasts)), ZoneInfo(self.timezone)
        earlier = (at - lasts).astimezone(zone)
        begin = next(iter(CronSim(self.cron, earlier)), None)
        return begin.astimezone(UTC) + lasts if begin is not None and begin <= at else None

    def holds(self, target: str, journey: str, at: datetime) -> bool:
        """Whether a journey of a target was, or is, in it."""
        return target in self.targets and (not self.journeys or journey in self.journeys) and bool(self.until(at))

    def wrong(self) -> Iterator[str]:
        """What is not in order."""
        what = f"The window {self.reason!r}"
        if not (self.targets and self.owner.strip() and self.reason.strip()):
            yield f"{what} names no target, no owner or no reason; each was expected."
        once, repeated = (self.begin, self.end), (self.cron, self.lasts)
        if all(once) == all(repeated) or any(once) == any(repeated):
            yield f"{what} has no time: either from and to, or cron and lasts were expected."
            return
        if self.begin is not None and self.end is not None:
            if self.begin.tzinfo is None or self.end.tzinfo is None:
                yield f"{what} has a time without a zone. Add Z for UTC."
            elif not timedelta(0) < self.end - self.begin <= LONGEST:
                yield f"{what} lasts {self.end - self.begin}; at most {LONGEST.days} days were expected."
            return
        try:
            from zoneinfo import ZoneInfo

            from cronsim import CronSim

            if duration_s(self.lasts) > LONGEST.total_seconds():
                yield f"{what} lasts {self.lasts}; at most {LONGEST.days} days were expected."
            next(CronSim(self.cron, datetime.now(ZoneInfo(self.timezone))))
        except Exception as error:  # of the cron, the zone or the duration
            yield f"{what} has a time that cannot be used ({error}): cron = '0 2 * * sun', lasts = '2h' were expected."


class _WindowFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    window: tuple[Window, ...] = ()


def read_windows(path: Path) -> tuple[Window, ...]:
    """Read the file of windows."""
    expected = "Each window is a table [[window]] with targets, owner, reason, and from and to, or cron and lasts."
    windows = read_reviewed(path, _WindowFile, expected).window
    if wrong := [sentence for window in windows for sentence in window.wrong()]:
        raise ConfigurationError(f"{path.name} cannot be used. {' '.join(wrong)}")
    return windows


def shown(windows: Sequence[Window], target: str, at: datetime) -> list[str]:
    """The windows that are open at a moment, as sentences."""
    opened = ((window, window.until(at)) for window in windows if target in window.targets)
    return [
        f"Maintenance until {end:%Y-%m-%d %H:%M} UTC: {window.reason} ({window.owner}). "
        f"Nobody is told of {', '.join(window.journeys) or 'any journey'}, and nothing counts against objectives."
        for window, end in opened
        if end is not None
    ]
