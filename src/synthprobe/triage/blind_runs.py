"""Runs that could look at nothing: one incident of the run itself, beside those of single journeys."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from synthprobe.records.incident import Incident, Triage, event, incident_id, resolved
from synthprobe.records.verdict import Verdict
from synthprobe.words import cut_to

FINGERPRINT = "blind run"


def blind_run_incident(known: Incident | None, verdict: Verdict, reason: str, now: datetime) -> Incident | None:
    """Open it, continue it, or end it by a run that saw something; a run that was cancelled says nothing."""
    run = verdict.run
    reason = reason or (verdict.blind if known else "")
    if not reason:
        if known is None or verdict.count("unknown") == len(verdict.journeys):
            return known
        return resolved(known, now, f"Resolved: run {run.id} came to its end.")
    what = "Nothing could be looked at" if run.concludes else "The run did not come to its end"
    incident = known or Incident(
        id=incident_id(now, run.target, "monitor blind"),
        target=run.target,
        kind="monitor blind",
        state="open",
        fingerprint=FINGERPRINT,
        signature=FINGERPRINT,
        title=cut_to(160, f"{what}: {reason}"),
        opened_at=now,
        first_seen_at=run.started_at,
        last_seen_at=now,
        severity="critical",
        occurrences=0,
        triage=Triage(cause_class="probe", rule="the run was ended", why=reason, sure="high"),
    )
    seen = event(now, f"Run {run.id}: {what[0].lower()}{what[1:]}. {reason}")
    return replace(
        incident,
        last_seen_at=now,
        occurrences=incident.occurrences + (not any(seen.text == old.text for old in incident.events)),
        events=(*incident.events[-50:], seen),
    )
