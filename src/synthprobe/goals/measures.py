"""How calm the work is: measures of the operating model, from incidents and the pages that were sent. Pure.

They speak of incidents and roles, never of people. Each is given with what it was counted over, and none is given as a
figure when that is fewer than `ENOUGH`.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from statistics import median

from msgspec.structs import replace

from synthprobe.goals.ratios import ENOUGH, lasted, median_of, minutes, share
from synthprobe.goals.runbook_coverage import covered, covered_minutes, repeats, repeats_without_runbook
from synthprobe.records.incident import Incident
from synthprobe.records.measure import Measure, Measures, OneHead, Page, RoleShare
from synthprobe.words import counted

SHIFT_HOURS = 8.0
"""Length of a shift in hours."""

SLEEP = (time(22), time(6))
"""When people sleep: from, until."""


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
    """Whether the monitor, or a user, was first.

    Formula: incidents the monitor opened and no user reported before that / all incidents. An incident that only a user
    saw is in the denominator, and so is one the monitor saw afterwards.
    """
    first = [one for one in incidents if one.occurrences and not (one.reported_at and one.reported_at <= one.opened_at)]
    unseen = sum(not one.occurrences for one in incidents)
    more = f" The monitor did not see {unseen} at all." if unseen else ""
    return share(
        "detected_first", "Detected first", first, incidents, "incidents were known before a user told." + more
    )


def lead(incidents: Sequence[Incident]) -> Measure:
    """How long the monitor knew before the user.

    Formula: median of (user's report − opened) over incidents that a user reported and the monitor saw. Negative when
    users were first.
    """
    both = [minutes(one.reported_at - one.opened_at) for one in incidents if one.reported_at and one.occurrences]
    text = "Half of what users reported was known at least that long before they did."
    return median_of("lead", "Lead over the user", both, text)


def first_line(incidents: Sequence[Incident]) -> Measure:
    """How much ends without an engineer.

    Formula: resolved by runbook or fix / resolved by runbook, fix or engineer. What ended by itself is in neither.
    """
    some = _resolved(incidents)
    hits = [one for one in some if one.resolved_how in {"runbook", "fix"}]
    itself = sum(one.state == "resolved" and one.resolved_how == "itself" for one in incidents)
    more = f" {itself} more ended by themselves." if itself else ""
    text = "resolved incidents needed a runbook or a fix, and no engineer." + more
    return share("first_line", "First-line resolution", hits, some, text)


def pages_per_shift(pages: Sequence[Page], shifts: float) -> Measure:
    """How rarely people are needed.

    Formula: pages that reached somebody / shifts in the window.
    """
    n = round(shifts)
    text = f"{counted(len(pages), 'page')} reached somebody in {counted(n, 'shift')}."
    few = n < ENOUGH
    value = None if few else len(pages) / shifts
    return Measure(
        id="pages_per_shift", name="Pages per shift", unit="pages per shift", n=n, value=value, few=few, text=text
    )


def sleep_interruptions(pages: Sequence[Page], sleep: tuple[time, time], zone: tzinfo) -> Measure:
    """How often a page woke somebody.

    Formula: pages between the two times of the day, in the zone's time. A count, so it is never too few.
    """
    start, end = sleep
    nights = [page for page in pages if _within(page.at.astimezone(zone).time(), start, end)]
    text = f"{counted(len(nights), 'page')} came between {start:%H:%M} and {end:%H:%M} ({zone.tzname(None) or zone})."
    n = len(pages)
    return Measure(id="sleep", name="Sleep interruptions", unit="pages", n=n, value=float(len(nights)), text=text)


def days_since_escalation(known: Sequence[Incident], until: datetime) -> Measure:
    """How long the first line has managed alone.

    Formula: end of the window − when an incident was last resolved by an engineer. A fact, so it is never too few.
    """
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
    """Whether a page is worth getting up for.

    Formula: resolved incidents of the window that were paged and that a runbook, a fix or an engineer ended /
    resolved incidents of the window that were paged.
    """
    told = {id for page in pages for id in page.incidents}
    some = [one for one in incidents if one.id in told and one.state == "resolved" and one.resolved_how]
    hits = [one for one in some if one.resolved_how != "itself"]
    return share("actionable", "Actionable pages", hits, some, "paged incidents that are over needed somebody to act.")


def responders(incidents: Sequence[Incident]) -> Measure:
    """Over how many roles the work is spread.

    Formula: exp(−Σ p ln p), p being each role's share of the incidents that people resolved. It is 1 when one
    role does it all, and the number of roles when they share alike.
    """
    counts = Counter(one.resolved_by for one in _resolved(incidents) if one.resolved_by)
    n = counts.total()
    few = n < ENOUGH
    value = None if few else math.exp(-sum(c / n * math.log(c / n) for c in counts.values()))
    text = f"{counted(len(counts), 'role')} resolved incidents; shared alike it would be {len(counts)}."
    return Measure(id="responders", name="Effective responders", unit="roles", n=n, value=value, few=few, text=text)


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
    """How much would be lost with one person.

    Formula: fingerprints that one person alone resolved, without runbook / fingerprints that people resolved.
    """
    some = _by_fingerprint(_resolved(incidents))
    text = "failures were only ever resolved by one person, and have no runbook."
    return share("one_head", "Knowledge in one head", heads, list(some), text)


def time_bought_back(incidents: Sequence[Incident]) -> Measure:
    """What fixes saved.

    Formula: for each fingerprint that was ended both by a fix and by people otherwise, (median time to the end
    otherwise − with a fix) × times a fix ended it; the sum of these. A fix that was slower counts against it.
    """
    total, n, kinds, slower = 0.0, 0, 0, 0
    for some in _by_fingerprint(_resolved(incidents)).values():
        fixed = [lasted(one) for one in some if one.resolved_how == "fix"]
        otherwise = [lasted(one) for one in some if one.resolved_how != "fix"]
        if fixed and otherwise:
            saved = (median(otherwise) - median(fixed)) * len(fixed)
            total, n, kinds, slower = total + saved, n + len(fixed) + len(otherwise), kinds + 1, slower + (saved <= 0)
    text = f"{counted(kinds, 'failure')} ended with a fix and also without one, so that both can be compared."
    if slower:
        text += f" For {slower} the fix was no faster."
    few = n < ENOUGH
    return Measure(
        id="bought_back",
        name="Time fixes bought back",
        unit="minutes",
        n=n,
        value=None if few else total,
        few=few,
        text=text,
    )


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
