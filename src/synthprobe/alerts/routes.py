"""Who is told: the tables ``[alerts]`` and ``[[alerts.routes]]``, and the reviewed file of mutes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct, field

from synthprobe.mistakes import nearest_or_all, read_reviewed
from synthprobe.records.incident import CauseClass, Incident, IncidentKind
from synthprobe.records.journey import Severity, duration_s
from synthprobe.tools import missing

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

Urgency = Literal["page", "ticket", "probe"]
"""``page`` wakes somebody, ``ticket`` waits for the morning, ``probe`` goes to the monitor's own owner."""

_URGENCY: dict[IncidentKind, Urgency] = {
    "failing": "page",
    "intermittent": "ticket",
    "degraded": "ticket",
    "monitor blind": "probe",
}
URGENCIES: tuple[Urgency, ...] = ("page", "ticket", "probe")
REPEATS: dict[Urgency, timedelta] = {
    "page": timedelta(hours=1),
    "probe": timedelta(hours=4),
    "ticket": timedelta(days=1),
}
"""How long a message is not repeated where the route does not say."""

USUAL = "Mon-Fri 09:00-17:00"
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM = re.compile(r"(?P<first>[a-z]{3})(-(?P<last>[a-z]{3}))? (?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d)", re.IGNORECASE)
LONGEST_MUTE = timedelta(days=90)
_FINGERPRINT = re.compile(r"v[0-9]+:[0-9a-f]{16}")
_ROLE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


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
    from zoneinfo import ZoneInfo  # most routes have no hours

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone; a name such as 'Europe/Berlin' or 'UTC' was expected.") from None


class AlertRoute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table ``[[alerts.routes]]``. The first route that fits an incident takes it; an empty key fits all."""

    name: str
    to: tuple[str, ...]
    second: tuple[str, ...] = ()
    urgency: tuple[Urgency, ...] = ()
    target: tuple[str, ...] = ()
    severity: tuple[Severity, ...] = ()
    cause_class: tuple[CauseClass, ...] = field(default=(), name="class")
    owner: tuple[str, ...] = ()
    repeat: str = ""
    escalate: str = ""
    hours: str = ""
    timezone: str = "UTC"
    read_back: str = ""

    def fits(self, incident: Incident, owner: str, urgency: Urgency) -> bool:
        """Whether this route takes an incident."""
        cause = incident.triage.cause_class if incident.triage else "unknown"
        pairs: tuple[tuple[Sequence[str], str], ...] = (
            (self.urgency, urgency),
            (self.target, incident.target),
            (self.severity, incident.severity),
            (self.cause_class, cause),
            (self.owner, owner),
        )
        return all(not allowed or value in allowed for allowed, value in pairs)

    def pace(self, urgency: Urgency) -> timedelta:
        """How long a message of that urgency is not repeated."""
        return timedelta(seconds=duration_s(self.repeat)) if self.repeat else REPEATS[urgency]

    def working_hours(self) -> Hours:
        """When tickets are repeated."""
        return read_hours(self.hours or USUAL, self.timezone)

    def wrong(self) -> Iterator[tuple[str, str]]:
        """Keys whose values cannot be used, each with a sentence."""
        durations = ((key, duration_s) for key in ("repeat", "escalate"))
        hours = (("hours", lambda text: read_hours(text, "UTC")), ("timezone", read_zone))
        for key, read in (*durations, *hours):
            try:
                if text := getattr(self, key):
                    read(text)
            except ValueError as error:
                yield key, str(error)


class AlertsConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[alerts]``."""

    routes: tuple[AlertRoute, ...] = ()
    probe_owner: str = "monitoring"
    network_owner: str = "network"
    page_degraded: tuple[Severity, ...] = ()
    storm: Annotated[int, Meta(ge=1, le=10_000)] = 4
    mutes: str = "mutes.toml"
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 10.0

    def owner(self, incident: Incident) -> str:
        """The role to tell of an incident."""
        return self.probe_owner if incident.kind == "monitor blind" and not incident.location else incident.owner

    def fitting(self, incident: Incident) -> list[AlertRoute]:
        """The route an incident takes, and those after it to which it may be escalated."""
        owner, urgency = self.owner(incident), self.urgency(incident)
        return [route for route in self.routes if route.fits(incident, owner, urgency)]

    def urgency(self, incident: Incident) -> Urgency:
        """How an incident is told."""
        if incident.kind == "degraded" and incident.severity in self.page_degraded:
            return "page"
        return _URGENCY[incident.kind]


class Mute(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table ``[[mute]]`` of the mutes' file: known, owned, and ending.

    Attributes:
        fingerprint: which failure; empty for all of a journey.
        journey: which journey; empty for one fingerprint in any.
        until: the last day it holds, UTC.
    """

    fingerprint: str = ""
    journey: str = ""
    owner: str = ""
    reason: str = ""
    until: date | None = None

    def holds(self, incident: Incident, now: datetime) -> bool:
        """Whether it silences an incident now. One that is not in order silences nothing."""
        if next(self.wrong(now), ""):
            return False
        journeys = set(incident.journeys)
        return self.fingerprint in {"", *incident.fingerprints} and (not self.journey or journeys == {self.journey})

    def wrong(self, now: datetime) -> Iterator[str]:
        """What is not in order."""
        what = self.fingerprint or self.journey
        if not what:
            yield "A mute names neither a fingerprint nor a journey. Say what it silences."
        if self.fingerprint and not _FINGERPRINT.fullmatch(self.fingerprint):
            yield (
                f"The mute of {what!r} has a fingerprint that cannot be one; v1: and 16 hexadecimal digits were "
                "expected, as synthprobe incident show prints it."
            )
        if not self.owner:
            yield f"The mute of {what!r} has no owner. Name a role that answers for it: owner = 'dispatch-desk'."
        elif not _ROLE.fullmatch(self.owner):
            yield (
                f"The mute of {what!r} has the owner {self.owner!r}; a role in small letters was expected, such as "
                "dispatch-desk. Names of people are not kept."
            )
        if not self.reason.strip():
            yield f"The mute of {what!r} has no reason. Say why nobody needs to hear of it."
        if self.until is None:
            yield f"The mute of {what!r} has no end. Set until = YYYY-MM-DD, at most {LONGEST_MUTE.days} days ahead."
        elif datetime.combine(self.until + timedelta(days=1), time(), UTC) <= now:
            yield f"The mute of {what!r} ended on {self.until}. Remove it, or have a new date reviewed."
        elif datetime.combine(self.until, time(), UTC) - now > LONGEST_MUTE:
            yield f"The mute of {what!r} lasts until {self.until}; at most {LONGEST_MUTE.days} days were expected."


class _MuteFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    mute: tuple[Mute, ...] = ()


def read_mutes(path: Path) -> tuple[Mute, ...]:
    """Read the file of mutes."""
    expected = "Each mute is a table [[mute]] with fingerprint or journey, owner, reason and until."
    return read_reviewed(path, _MuteFile, expected).mute


def lint(
    config: AlertsConfig, mutes: Sequence[Mute], now: datetime, *, journeys: Collection[str] | None = None
) -> Iterator[str]:
    """What would keep a message from reaching anybody, or keep somebody silent for too long."""
    if config.routes and find_spec("apprise") is None:
        yield missing("alerts", "Sending alerts")
    for name in {route.name for route in config.routes if sum(route.name == other.name for other in config.routes) > 1}:
        yield f"Two routes are called {name!r}. Give each its own name."
    for route in config.routes:
        if not route.to:
            yield f"The route {route.name!r} leads nowhere. Give it to = ['env:VARIABLE']."
        if not route.second and "ticket" not in route.urgency:
            yield f"The route {route.name!r} has no second channel. A page needs one: second = ['env:VARIABLE']."
        for kind in (source.partition(":")[0] for source in (*route.to, *route.second, route.read_back) if source):
            if kind not in {"env", "file"}:
                yield (
                    f"The route {route.name!r} has the channel {kind}:… in the file itself; an address is a secret. "
                    "Write env:VARIABLE or file:/path."
                )
        yield from (f"The route {route.name!r} has {key}: {sentence}" for key, sentence in route.wrong())
        if route.escalate and route is config.routes[-1]:
            yield f"The route {route.name!r} escalates, and no route stands after it. Add one, or remove escalate."
    for urgency in URGENCIES:
        if not any(
            (not route.urgency or urgency in route.urgency)
            and not (route.target or route.severity or route.cause_class or route.owner)
            for route in config.routes
        ):
            yield f"No route takes every {urgency!r}. Add a last [[alerts.routes]] without other match keys for it."
    for mute in mutes:
        yield from mute.wrong(now)
        if journeys is not None and mute.journey and mute.journey not in journeys:
            yield (
                f"The mute of {mute.journey!r} names a journey there is none of, and silences nothing. "
                f"{nearest_or_all(mute.journey, journeys)}"
            )
