"""How calm the work is: measures of the operating model, from incidents and the pages that were sent. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from statistics import median

from msgspec.structs import replace

from synthprobe.records.incident import Incident
from synthprobe.records.measure import Measure, Measures, OneHead, Page, RoleShare, Unit
from synthprobe.words import counted

ENOUGH = 10
"""Counted over fewer than this, a ratio or a median is "too few"."""

SHIFT_HOURS = 8.0
"""Length of a shift in hours."""

SLEEP = (time(22), time(6))
"""When people sleep: from, until."""

_MINUTE = timedelta(minutes=1)


def measure(
    incidents: Sequence[Incident],
    pages: Sequence[Page] | None,
    *,
    target: str,
    since: datetime,
    until: datetime,
    pages_since: datetime | None = None,
    shift_hours: float = SHIFT_HOURS,
    sleep: tuple[time, time] = SLEEP,
    zone: tzinfo = UTC,
) -> Measures:
    """Every measure of a window."""
    known = sorted((one for one in incidents if one.target == target), key=lambda one: (one.opened_at, one.id))
    inside = [one for one in known if since <= one.opened_at < until]
    counted_from = max(since, pages_since or since)
    sent = [page for page in pages or () if counted_from <= page.at < until]
    shifts = max((until - counted_from) / timedelta(hours=shift_hours), 1.0)
    heads = one_head(inside)
    return Measures(
        target=target,
        since=since,
        until=until,
        incidents=len(inside),
        measures=(
            detected_first(inside),
            lead(inside),
            first_line(inside),
            repeats(known, inside),
            repeats_without_runbook(known, inside),
            _if_recorded(pages_per_shift(sent, shifts), pages),
            _if_recorded(sleep_interruptions(sent, sleep, zone), pages),
            days_since_escalation(known, until),
            covered(inside),
            covered_minutes(inside),
            _if_recorded(actionable(inside, sent), pages),
            responders(inside),
            knowledge_in_one_head(inside, heads),
            time_bought_back(inside),
        ),
        roles=roles(inside),
        one_head=heads,
    )


def detected_first(incidents: Sequence[Incident]) -> Measure:
    """Whether the monitor, or a user, was first."""
    first = [one for one in incidents if one.occurrences and not (one.reported_at and one.reported_at <= one.opened_at)]
    unseen = sum(not one.occurrences for one in incidents)
    more = f" The monitor did not see {unseen} at all." if unseen else ""
    return _share(
        "detected_first", "Detected first", first, incidents, "incidents were known before a user told." + more
    )


def lead(incidents: Sequence[Incident]) -> Measure:
    """How long the monitor knew before the user."""
    both = [(one.reported_at - one.opened_at) / _MINUTE for one in incidents if one.reported_at and one.occurrences]
    text = "Half of what users reported was known at least that long before they did."
    return _figure("lead", "Lead over the user", "minutes", len(both), median(both or [0.0]), text)


def first_line(incidents: Sequence[Incident]) -> Measure:
    """How much ends without an engineer."""
    some = _resolved(incidents)
    hits = [one for one in some if one.resolved_how in {"runbook", "fix"}]
    itself = sum(one.state == "resolved" and one.resolved_how == "itself" for one in incidents)
    more = f" {itself} more ended by themselves." if itself else ""
    text = "resolved incidents needed a runbook or a fix, and no engineer." + more
    return _share("first_line", "First-line resolution", hits, some, text)


def pages_per_shift(pages: Sequence[Page], shifts: float) -> Measure:
    """How rarely people are needed."""
    n = round(shifts)
    text = f"{counted(len(pages), 'page')} reached somebody in {counted(n, 'shift')}."
    return _figure("pages_per_shift", "Pages per shift", "pages per shift", n, len(pages) / shifts, text)


def sleep_interruptions(pages: Sequence[Page], sleep: tuple[time, time], zone: tzinfo) -> Measure:
    """How often a page woke somebody."""
    start, end = sleep
    nights = [page for page in pages if _within(page.at.astimezone(zone).time(), start, end)]
    text = f"{counted(len(nights), 'page')} came between {start:%H:%M} and {end:%H:%M} ({zone.tzname(None) or zone})."
    n = len(pages)
    return Measure(id="sleep", name="Sleep interruptions", unit="pages", n=n, value=float(len(nights)), text=text)


def days_since_escalation(known: Sequence[Incident], until: datetime) -> Measure:
    """How long the first line has managed alone."""
    ends = [one.resolved_at for one in _resolved(known) if one.resolved_how == "engineer" and one.resolved_at]
    ends = [end for end in ends if end < until]
    value = max((until - max(ends)).total_seconds() / 86_400, 0.0) if ends else None
    text = f"An engineer was last needed on {max(ends):%Y-%m-%d}." if ends else "No incident ended with an engineer."
    return Measure(
        id="since_escalation",
        name="Since the last escalation",
        unit="days",
        n=len(ends),
        value=value,
        text=text,
    )


def actionable(incidents: Sequence[Incident], pages: Sequence[Page]) -> Measure:
    """Whether a page is worth getting up for."""
    told = {id for page in pages for id in page.incidents}
    some = [one for one in incidents if one.id in told and one.state == "resolved" and one.resolved_how]
    hits = [one for one in some if one.resolved_how != "itself"]
    return _share("actionable", "Actionable pages", hits, some, "paged incidents that are over needed somebody to act.")


def responders(incidents: Sequence[Incident]) -> Measure:
    """Over how many roles the work is spread."""
    counts = Counter(one.resolved_by for one in _resolved(incidents) if one.resolved_by)
    n = counts.total()
    value = math.exp(-sum(c / n * math.log(c / n) for c in counts.values()))
    text = f"{counted(len(counts), 'role')} resolved incidents; shared alike it would be {len(counts)}."
    return _figure("responders", "Effective responders", "roles", n, value, text)


def repeats(known: Sequence[Incident], incidents: Sequence[Incident]) -> Measure:
    """How much of what happens has happened before."""
    some = [one for one in incidents if one.fingerprint]
    text = "incidents had been seen before, in the same step with the same words."
    return _share("repeats", "Repeats", _repeated(known, incidents), some, text)


def repeats_without_runbook(known: Sequence[Incident], incidents: Sequence[Incident]) -> Measure:
    """How much has happened before, and still nobody wrote down what to do."""
    some = _repeated(known, incidents)
    bare = [one for one in some if not one.runbook]
    text = "repeats had no runbook. Begin one: synthprobe runbook new FINGERPRINT."
    return _share("repeats_without_runbook", "Repeats without runbook", bare, some, text)


def covered(incidents: Sequence[Incident]) -> Measure:
    """How much of what happens a runbook tells of."""
    hits = [one for one in incidents if one.runbook]
    return _share("covered", "Covered by a runbook", hits, incidents, "incidents matched a runbook.")


def covered_minutes(incidents: Sequence[Incident]) -> Measure:
    """How much of the time in which something is wrong a runbook tells of."""
    hits = [one for one in incidents if one.runbook]
    whole, part = sum(map(_lasted, incidents)), sum(map(_lasted, hits))
    text = f"incidents matched a runbook; they lasted {part:.0f} of {counted(round(whole), 'minute')}."
    found = _share("covered_minutes", "Covered by minutes", hits, incidents, text)
    return found if found.few else replace(found, value=part / whole if whole > 0 else None)


def roles(incidents: Sequence[Incident]) -> tuple[RoleShare, ...]:
    """Which roles resolved how much."""
    counts = Counter(one.resolved_by for one in _resolved(incidents) if one.resolved_by)
    return tuple(RoleShare(role=role, n=counts[role], of=counts.total()) for role in sorted(counts))


def one_head(incidents: Sequence[Incident]) -> tuple[OneHead, ...]:
    """What only one head knows.

    A failure counts when all its incidents that people resolved carry the same mark (the hash of a person; the role
    where none was kept), and none of them has a runbook.
    """
    found = []
    for fingerprint, some in _by_fingerprint(_resolved(incidents)).items():
        heads = {one.resolved_mark or one.resolved_by for one in some}
        if len(heads) == 1 and not any(one.runbook or one.resolved_how == "runbook" for one in some):
            last = some[-1]
            found.append(
                OneHead(
                    fingerprint=fingerprint,
                    incident=last.id,
                    title=last.title,
                    role=last.resolved_by,
                    times=len(some),
                )
            )
    return tuple(sorted(found, key=lambda one: (-one.times, one.fingerprint)))


def knowledge_in_one_head(incidents: Sequence[Incident], heads: Sequence[OneHead]) -> Measure:
    """How much would be lost with one person."""
    some = _by_fingerprint(_resolved(incidents))
    text = "failures were only ever resolved by one person, and have no runbook."
    return _share("one_head", "Knowledge in one head", heads, list(some), text)


def time_bought_back(incidents: Sequence[Incident]) -> Measure:
    """What fixes saved."""
    total, n, kinds, slower = 0.0, 0, 0, 0
    for some in _by_fingerprint(_resolved(incidents)).values():
        fixed = [_lasted(one) for one in some if one.resolved_how == "fix"]
        otherwise = [_lasted(one) for one in some if one.resolved_how != "fix"]
        if fixed and otherwise:
            saved = (median(otherwise) - median(fixed)) * len(fixed)
            total, n, kinds, slower = total + saved, n + len(fixed) + len(otherwise), kinds + 1, slower + (saved <= 0)
    text = f"{counted(kinds, 'failure')} ended with a fix and also without one, so that both can be compared."
    if slower:
        text += f" For {slower} the fix was no faster."
    return _figure("bought_back", "Time fixes bought back", "minutes", n, total, text)


def _if_recorded(one: Measure, pages: Sequence[Page] | None) -> Measure:
    """No record of pages is no calm night."""
    if pages is not None:
        return one
    text = "No record of sent pages is there, so this cannot be counted."
    return replace(one, value=None, hits=None, n=0, few=False, known=False, text=text)


def _resolved(incidents: Iterable[Incident]) -> list[Incident]:
    """What people ended."""
    return [one for one in incidents if one.state == "resolved" and one.resolved_how in {"runbook", "fix", "engineer"}]


def _by_fingerprint(incidents: Iterable[Incident]) -> dict[str, list[Incident]]:
    found: dict[str, list[Incident]] = defaultdict(list)
    for one in incidents:
        if one.fingerprint:
            found[one.fingerprint].append(one)
    return found


def _within(at: time, start: time, end: time) -> bool:
    return start <= at < end if start <= end else at >= start or at < end


def _repeated(known: Sequence[Incident], incidents: Sequence[Incident]) -> list[Incident]:
    first: dict[str, str] = {}
    for one in known:
        first.setdefault(one.fingerprint, one.id)
    return [one for one in incidents if one.fingerprint and first.get(one.fingerprint) != one.id]


def _figure(
    id: str, name: str, unit: Unit, n: int, value: float | None, text: str, *, hits: int | None = None
) -> Measure:
    """A measure; no figure where it was counted over too little."""
    few = n < ENOUGH
    return Measure(id=id, name=name, unit=unit, n=n, hits=hits, value=None if few else value, few=few, text=text)


def _share(id: str, name: str, hits: Sequence[object], some: Sequence[object], text: str) -> Measure:
    n, part = len(some), len(hits)
    return _figure(id, name, "share", n, part / max(n, 1), f"{part} of {n} {text}", hits=part)


def _lasted(one: Incident) -> float:
    """Minutes an incident _lasted, as long as it was seen when it is not over."""
    return max(((one.resolved_at or one.last_seen_at) - one.opened_at) / _MINUTE, 0.0)
