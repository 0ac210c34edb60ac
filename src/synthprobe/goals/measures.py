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
    known = sorted(
        (incident for incident in incidents if incident.target == target),
        key=lambda incident: (incident.opened_at, incident.id),
    )
    inside = [incident for incident in known if since <= incident.opened_at < until]
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
    first = [
        incident
        for incident in incidents
        if incident.occurrences and not (incident.reported_at and incident.reported_at <= incident.opened_at)
    ]
    unseen = sum(not incident.occurrences for incident in incidents)
    more = f" The monitor did not see {unseen} at all." if unseen else ""
    return _share(
        "detected_first", "Detected first", first, incidents, "incidents were known before a user told." + more
    )


def lead(incidents: Sequence[Incident]) -> Measure:
    """How long the monitor knew before the user."""
    both = [
        (incident.reported_at - incident.opened_at) / _MINUTE
        for incident in incidents
        if incident.reported_at and incident.occurrences
    ]
    text = "Half of what users reported was known at least that long before they did."
    return _figure("lead", "Lead over the user", "minutes", len(both), median(both or [0.0]), text)


def first_line(incidents: Sequence[Incident]) -> Measure:
    """How much ends without an engineer."""
    cases = _resolved(incidents)
    hits = [incident for incident in cases if incident.resolved_how in {"runbook", "fix"}]
    itself = sum(incident.state == "resolved" and incident.resolved_how == "itself" for incident in incidents)
    more = f" {itself} more ended by themselves." if itself else ""
    text = "resolved incidents needed a runbook or a fix, and no engineer." + more
    return _share("first_line", "First-line resolution", hits, cases, text)


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
    ends = [
        incident.resolved_at
        for incident in _resolved(known)
        if incident.resolved_how == "engineer" and incident.resolved_at
    ]
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
    paged_ids = {id for page in pages for id in page.incidents}
    cases = [
        incident
        for incident in incidents
        if incident.id in paged_ids and incident.state == "resolved" and incident.resolved_how
    ]
    hits = [incident for incident in cases if incident.resolved_how != "itself"]
    return _share(
        "actionable", "Actionable pages", hits, cases, "paged incidents that are over needed somebody to act."
    )


def responders(incidents: Sequence[Incident]) -> Measure:
    """Over how many roles the work is spread."""
    counts = Counter(incident.resolved_by for incident in _resolved(incidents) if incident.resolved_by)
    n = counts.total()
    value = math.exp(-sum(c / n * math.log(c / n) for c in counts.values()))
    text = f"{counted(len(counts), 'role')} resolved incidents; shared alike it would be {len(counts)}."
    return _figure("responders", "Effective responders", "roles", n, value, text)


def repeats(known: Sequence[Incident], incidents: Sequence[Incident]) -> Measure:
    """How much of what happens has happened before."""
    cases = [incident for incident in incidents if incident.fingerprint]
    text = "incidents had been seen before, in the same step with the same words."
    return _share("repeats", "Repeats", _repeated(known, incidents), cases, text)


def repeats_without_runbook(known: Sequence[Incident], incidents: Sequence[Incident]) -> Measure:
    """How much has happened before, and still nobody wrote down what to do."""
    cases = _repeated(known, incidents)
    bare = [incident for incident in cases if not incident.runbook]
    text = "repeats had no runbook. Begin one: synthprobe runbook new FINGERPRINT."
    return _share("repeats_without_runbook", "Repeats without runbook", bare, cases, text)


def covered(incidents: Sequence[Incident]) -> Measure:
    """How much of what happens a runbook tells of."""
    hits = [incident for incident in incidents if incident.runbook]
    return _share("covered", "Covered by a runbook", hits, incidents, "incidents matched a runbook.")


def covered_minutes(incidents: Sequence[Incident]) -> Measure:
    """How much of the time in which something is wrong a runbook tells of."""
    hits = [incident for incident in incidents if incident.runbook]
    whole, part = sum(map(_lasted, incidents)), sum(map(_lasted, hits))
    text = f"incidents matched a runbook; they lasted {part:.0f} of {counted(round(whole), 'minute')}."
    found = _share("covered_minutes", "Covered by minutes", hits, incidents, text)
    return found if found.few else replace(found, value=part / whole if whole > 0 else None)


def roles(incidents: Sequence[Incident]) -> tuple[RoleShare, ...]:
    """Which roles resolved how much."""
    counts = Counter(incident.resolved_by for incident in _resolved(incidents) if incident.resolved_by)
    return tuple(RoleShare(role=role, n=counts[role], of=counts.total()) for role in sorted(counts))


def one_head(incidents: Sequence[Incident]) -> tuple[OneHead, ...]:
    """What only one head knows.

    A failure counts when all its incidents that people resolved carry the same mark (the hash of a person; the role
    where none was kept), and none of them has a runbook.
    """
    found = []
    for fingerprint, group in _by_fingerprint(_resolved(incidents)).items():
        heads = {incident.resolved_mark or incident.resolved_by for incident in group}
        if len(heads) == 1 and not any(incident.runbook or incident.resolved_how == "runbook" for incident in group):
            last = group[-1]
            found.append(
                OneHead(
                    fingerprint=fingerprint,
                    incident=last.id,
                    title=last.title,
                    role=last.resolved_by,
                    times=len(group),
                )
            )
    return tuple(sorted(found, key=lambda head: (-head.times, head.fingerprint)))


def knowledge_in_one_head(incidents: Sequence[Incident], heads: Sequence[OneHead]) -> Measure:
    """How much would be lost with one person."""
    failures = _by_fingerprint(_resolved(incidents))
    text = "failures were only ever resolved by one person, and have no runbook."
    return _share("one_head", "Knowledge in one head", heads, list(failures), text)


def time_bought_back(incidents: Sequence[Incident]) -> Measure:
    """What fixes saved."""
    total, n, kinds, slower = 0.0, 0, 0, 0
    for group in _by_fingerprint(_resolved(incidents)).values():
        fixed = [_lasted(incident) for incident in group if incident.resolved_how == "fix"]
        otherwise = [_lasted(incident) for incident in group if incident.resolved_how != "fix"]
        if fixed and otherwise:
            saved = (median(otherwise) - median(fixed)) * len(fixed)
            total, n, kinds, slower = total + saved, n + len(fixed) + len(otherwise), kinds + 1, slower + (saved <= 0)
    text = f"{counted(kinds, 'failure')} ended with a fix and also without one, so that both can be compared."
    if slower:
        text += f" For {slower} the fix was no faster."
    return _figure("bought_back", "Time fixes bought back", "minutes", n, total, text)


def _if_recorded(figure: Measure, pages: Sequence[Page] | None) -> Measure:
    """No record of pages is no calm night."""
    if pages is not None:
        return figure
    text = "No record of sent pages is there, so this cannot be counted."
    return replace(figure, value=None, hits=None, n=0, few=False, known=False, text=text)


def _resolved(incidents: Iterable[Incident]) -> list[Incident]:
    """What people ended."""
    return [
        incident
        for incident in incidents
        if incident.state == "resolved" and incident.resolved_how in {"runbook", "fix", "engineer"}
    ]


def _by_fingerprint(incidents: Iterable[Incident]) -> dict[str, list[Incident]]:
    found: dict[str, list[Incident]] = defaultdict(list)
    for incident in incidents:
        if incident.fingerprint:
            found[incident.fingerprint].append(incident)
    return found


def _within(at: time, start: time, end: time) -> bool:
    return start <= at < end if start <= end else at >= start or at < end


def _repeated(known: Sequence[Incident], incidents: Sequence[Incident]) -> list[Incident]:
    first: dict[str, str] = {}
    for incident in known:
        first.setdefault(incident.fingerprint, incident.id)
    return [
        incident for incident in incidents if incident.fingerprint and first.get(incident.fingerprint) != incident.id
    ]


def _figure(
    id: str, name: str, unit: Unit, n: int, value: float | None, text: str, *, hits: int | None = None
) -> Measure:
    """A measure; no figure where it was counted over too little."""
    few = n < ENOUGH
    return Measure(id=id, name=name, unit=unit, n=n, hits=hits, value=None if few else value, few=few, text=text)


def _share(id: str, name: str, hits: Sequence[object], cases: Sequence[object], text: str) -> Measure:
    n, part = len(cases), len(hits)
    return _figure(id, name, "share", n, part / max(n, 1), f"{part} of {n} {text}", hits=part)


def _lasted(incident: Incident) -> float:
    """Minutes an incident _lasted, as long as it was seen when it is not over."""
    return max(((incident.resolved_at or incident.last_seen_at) - incident.opened_at) / _MINUTE, 0.0)
