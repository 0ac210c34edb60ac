"""Working hours of a route: when people are asked for what can wait."""

from __future__ import annotations

import re
from datetime import datetime, time
from zoneinfo import ZoneInfo

from msgspec import Struct

USUAL = "Mon-Fri 09:00-17:00"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(r"(?P<first>[a-z]{3})(-(?P<last>[a-z]{3}))? (?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d)", re.IGNORECASE)


class Hours(Struct, frozen=True, kw_only=True):
    """Days of the week, Monday being 0, and the times of the day between which people work."""

    days: frozenset[int]
    begin: time
    end: time
    zone: ZoneInfo

    def hold(self, moment: datetime) -> bool:
        """Whether people work at that moment."""
        local = moment.astimezone(self.zone)
        return local.weekday() in self.days and self.begin <= local.time() < self.end


def read_hours(text: str, timezone: str) -> Hours:
    """Working hours as they are written; a ValueError is a sentence."""
    match = _FORM.fullmatch(text.strip())
    try:
        assert match is not None
        first = _DAYS.index(match["first"].lower())
        last = _DAYS.index((match["last"] or match["first"]).lower())
        begin, end = time.fromisoformat(match["begin"]), time.fromisoformat(match["end"])
        assert begin < end
    except (AssertionError, ValueError):
        raise ValueError(
            f"{text!r} is no working hours: days and times within one day were expected, for example {USUAL!r}."
        ) from None
    days = frozenset((first + n) % 7 for n in range((last - first) % 7 + 1))
    return Hours(days=days, begin=begin, end=end, zone=read_zone(timezone))


def read_zone(name: str) -> ZoneInfo:
    """A time zone by its name; a ValueError is a sentence."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; a name such as 'Europe/Berlin' or 'UTC' was expected.") from None
