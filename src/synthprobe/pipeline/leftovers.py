"""What runs left at a target: told by the run that left it, and an incident only when it grows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from msgspec.structs import replace

from synthprobe.records.incident import Incident, Triage, event, incident_id, resolved
from synthprobe.records.testdata import LedgerEntry

FINGERPRINT = "left-overs"
LOOKS_BACK = timedelta(hours=3)
_LEAST = 10
_HOUR = timedelta(hours=1)


def left_by(run_id: str, target: str, entries: Sequence[LedgerEntry]) -> list[str]:
    kinds = Counter(entry.kind for entry in entries if entry.run_id == run_id and entry.closed_at is None)
    if not kinds:
        return []
    named = ", ".join(f"{count} × {kind}" for kind, count in sorted(kinds.items()))
    return [
        f"This run left test data behind: {named}. It is removed, once its lease is over, by: "
        f"synthprobe sweep --target {target}"
    ]


def left_over_incident(
    known: Incident | None, target: str, entries: Sequence[LedgerEntry], owner: str, now: datetime
) -> Incident | None:
    """The incident of left-overs that grow from hour to hour, until they do not any more."""
    hours = int(LOOKS_BACK / _HOUR)
    counts = [_left_at(entries, now - hour * _HOUR) for hour in reversed(range(hours + 1))]
    grows = counts[-1] >= _LEAST and all(before < after for before, after in pairwise(counts))
    if grows:
        so = f"{counts[-1]} objects are left at {target} beyond their lease; an hour ago there were {counts[-2]}."
        incident = known or Incident(
            id=incident_id(now, target, FINGERPRINT),
            target=target,
            kind="degraded",
            state="open",
            fingerprint=FINGERPRINT,
            signature=FINGERPRINT,
            title="",
            opened_at=now,
            first_seen_at=now,
            last_seen_at=now,
            severity="minor",
            owner=owner,
            occurrences=0,
            triage=Triage(cause_class="probe", rule="left-overs grow", why=so, sure="high"),
        )
        return replace(
            incident,
            title=f"Test data is left behind and grows: {so}",
            last_seen_at=now,
            occurrences=incident.occurrences + 1,
            events=(*incident.events[-50:], event(now, f"{so} See what became of them: synthprobe sweep.")),
        )
    if known is None or counts[-1] > counts[0]:
        return known
    text = f"Resolved: {counts[-1]} objects are left, no more than {hours} hours ago."
    return resolved(known, now, text)


def _left_at(entries: Sequence[LedgerEntry], at: datetime) -> int:
    return sum(entry.expires_at <= at and (entry.closed_at is None or entry.closed_at > at) for entry in entries)
