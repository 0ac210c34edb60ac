"""What happens to a verdict once it is written: remembered, judged against the past, explained, told or handed over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.deadlines import is_ending
from synthprobe.files import write_whole
from synthprobe.firstline.naming import is_ours, name_incidents, named_alone, with_incidents
from synthprobe.firstline.shelf import Shelf
from synthprobe.pipeline.against_past import Judged, LookAgain, explained, judge_with_past, opened, shelf_of
from synthprobe.pipeline.clocks import of_now
from synthprobe.pipeline.context import Context
from synthprobe.pipeline.coverage import began_to_burn, last_day
from synthprobe.pipeline.judging import write_verdict
from synthprobe.pipeline.leftovers import FINGERPRINT, LOOKS_BACK, left_by, left_over_incident
from synthprobe.pipeline.notes import Noted, read_or
from synthprobe.pipeline.notification import send_telemetry, tell_people, tell_watcher
from synthprobe.pipeline.publishing import publish_part
from synthprobe.pipeline.run_state import RunIncidents, last_incidents, mark_remembered, write_incidents, write_ledger
from synthprobe.pipeline.spare_folder import bring_home, spare_runs
from synthprobe.pipeline.upkeep import tidy_if_due
from synthprobe.project import Project
from synthprobe.records.fleet import PartSeen, Place
from synthprobe.records.incident import Incident, event, merged
from synthprobe.records.objective import Coverage
from synthprobe.records.verdict import Verdict
from synthprobe.targets.windows import read_windows, shown
from synthprobe.triage.blind_runs import FINGERPRINT as BLIND_RUN
from synthprobe.triage.blind_runs import blind_run_incident
from synthprobe.triage.locations import location_incidents
from synthprobe.triage.observations import observe
from synthprobe.verdict.isolation import Isolation

if TYPE_CHECKING:
    from synthprobe.history.store import History


_LATELY = timedelta(days=8)  # until then the end of what comes and goes may be told
_ALONE = (
    "The history could not be used, so nothing is known of earlier runs here; "
    "this may last longer, and may have been seen more often, than is said."
)


def after_run(
    project: Project, folder: Path, verdict: Verdict, *, look_again: LookAgain | None = None, blind: str = ""
) -> Verdict:
    """Do all that follows a run. The verdict stands already; nothing here can cost it, only add to it."""
    context, scheduled, telemetry = Context(project, folder, verdict), verdict.run.scheduled, project.config.telemetry
    notes = context.notes
    shelf = read_or(Shelf(), notes, shelf_of, project)
    context.runbooks = shelf.runbooks
    # windows that cannot be read silence nobody
    context.windows = read_or((), notes, read_windows, project.root / project.config.windows)
    notes += shown(context.windows, verdict.run.target, verdict.run.started_at)
    notes += shelf.refused
    followed: _Followed | None = None
    coverage: Coverage | None = None
    audit, shares = "", False
    with Noted(notes), opened(project, notes) as history:
        judged = judge_with_past(context, history, look_again)
        context.verdict = judged.verdict
        with history.alone(f"incidents of {verdict.run.target}"):  # else two machines open two for one cause
            followed = _follow(context, judged, history, blind)
        shares = history.is_shared
        if scheduled and (telemetry.metrics_folder or telemetry.push_url):
            coverage = last_day(history, project.config, verdict.run.target, datetime.now(UTC))
        audit = read_or("", notes, history.audit_end)
        followed = read_or(followed, notes, _with_left_overs, context, followed, history)
        notes += read_or([], notes, began_to_burn, history, project.config, context.verdict, context.windows)
    context.verdict = explained(context.verdict, context.runbooks, notes)
    if followed is None:
        alone = Judged(verdict=context.verdict, remembered=context.verdict, now=datetime.now(UTC))
        followed = _follow(context, alone, None, blind)
    if not blind:
        notes += read_or([], notes, bring_home, project)
    owner = project.config.alerts.probe_owner
    context.verdict = with_incidents(context.verdict, followed.of, probe_owner=owner, linked=followed.linked)
    write_verdict(folder, context.verdict)
    with Noted(notes):
        write_drafts(folder, context.verdict, followed.incidents)
    notified = False
    if scheduled:
        unknown = _ALONE if followed.alone else ""
        tell = partial(tell_people, shares=shares)
        notified = read_or(False, notes, tell, context, followed.incidents, unknown)
        notes += read_or([], notes, send_telemetry, project, context.verdict, coverage)
    if not is_ending():
        with Noted(notes):
            tidy_if_due(project)
    verdict = context.write()
    if scheduled:
        with Noted(notes):
            tell_watcher(project, verdict, notified=notified, audit=audit)
    return verdict


def _with_left_overs(context: Context, followed: _Followed, history: History) -> _Followed:
    """Say what the run left at the target, keep the open entries of the ledger, and open an incident when they grow."""
    now, run, owner = datetime.now(UTC), context.verdict.run, context.project.config.alerts.probe_owner
    entries = history.entries(run.target, since=now - LOOKS_BACK)
    context.notes += left_by(run.id, run.target, entries)
    write_ledger(context.folder, entries)
    left = (incident for incident in history.incidents(run.target) if incident.fingerprint == FINGERPRINT)
    known = next((incident for incident in left if incident.state != "resolved"), None)
    incident = left_over_incident(known, run.target, entries, owner, now)
    if incident is None:
        return followed
    if incident != known:
        history.put_incident(incident, base=known)
    others = (followed_incident for followed_incident in followed.incidents if followed_incident.id != incident.id)
    return replace(followed, incidents=(*others, incident))


def explain_run(project: Project, folder: Path, verdict: Verdict, *, write: bool = True) -> Verdict:
    """Add where the causes lie, which failures are one incident, and which runbooks fit, without any memory."""
    shelf = shelf_of(project)
    notes = [*verdict.notes, *shelf.refused]
    named = named_alone(
        replace(verdict, notes=tuple(notes)), shelf.runbooks, probe_owner=project.config.alerts.probe_owner
    )
    verdict = replace(named.verdict, notes=tuple(dict.fromkeys(named.verdict.notes)))
    if write:
        write_verdict(folder, verdict)
    return verdict


class _Followed(Struct, frozen=True, kw_only=True):
    """The incidents people are told of, which each journey belongs to, and whether nothing is known of earlier runs."""

    incidents: tuple[Incident, ...]
    of: dict[str, Incident]
    linked: frozenset[str]
    alone: bool


def _follow(context: Context, judged: Judged, history: History | None, blind: str) -> _Followed:
    """What the run makes of the incidents: in its folder, and with the run itself in the history."""
    config, folder, notes = context.project.config, context.folder, context.notes
    verdict, now = judged.remembered, judged.now
    alone = history is None or not history.available
    target = verdict.run.target
    left = last_incidents(context.project.folder / "runs" / target, *spare_runs(context.project.root, target))
    stored = {incident.id: incident for incident in (history.incidents(target) if history is not None else ())}
    ours = (incident for incident in left.incidents if alone or incident.id in left.waiting)
    found = stored | {
        incident.id: merged(None, incident, stored[incident.id]) if incident.id in stored else incident
        for incident in ours
    }
    known = {id: of_now(incident, now) for id, incident in found.items()}
    isolation = Isolation()
    open_now = [incident for incident in known.values() if incident.state != "resolved"]
    of_run = next((incident for incident in open_now if incident.fingerprint == BLIND_RUN), None)
    open_now = [incident for incident in open_now if incident.fingerprint not in {BLIND_RUN, FINGERPRINT}]
    of_target = [incident for incident in open_now if not incident.location]
    if verdict.run.scheduled:
        of_run = blind_run_incident(of_run, verdict, blind, now)
    goes_on = of_run is not None and of_run.state != "resolved"
    unseen = [judgement.journey.id for judgement in verdict.journeys if goes_on and judgement.outcome == "unknown"]
    named = name_incidents(
        replace(verdict, journeys=tuple(shown for shown in verdict.journeys if shown.journey.id not in unseen)),
        context.runbooks,
        of_target,
        judged.before,
        now,
        isolation,
        usual=judged.usual,
        probe_owner=config.alerts.probe_owner,
    )
    notes += isolation.notes
    of = {judgement.journey.id: judgement.incident for judgement in named.verdict.journeys if judgement.incident}
    of |= {journey: of_run.id for journey in unseen if of_run}
    found_here = [
        _opened_alone(incident, now) if alone and incident.id not in known else incident
        for incident in (*named.incidents, *filter(None, (of_run,)))
    ]
    of_locations = location_incidents(
        verdict,
        [incident for incident in open_now if incident.location],
        now,
        interval_s=config.interval_s,
        owner=config.alerts.network_owner,
    )
    of |= {
        journey: incident.id
        for incident in of_locations
        if incident.state != "resolved"
        for journey in incident.journeys
    }
    incidents = [*found_here, *of_locations]
    incidents += [incident for incident in known.values() if incident.state == "resolved"]
    changed = [incident for incident in incidents if incident.id in left.waiting or incident != known.get(incident.id)]
    waiting = [incident.id for incident in changed]
    with Noted(notes):
        if history is not None:
            seen = observe(verdict, usual=judged.usual)
            if not verdict.run.concludes:
                history.ingest(verdict, seen, judged.states)
            for changed_incident in changed:
                history.put_incident(changed_incident, base=stored.get(changed_incident.id))
                waiting.remove(changed_incident.id)
            if verdict.run.concludes:  # last: who takes over a broken conclusion finds it unfollowed
                history.ingest(verdict, seen, judged.states)
            mark_remembered(folder, history)
            history.prune_if_due(now)
    with Noted(notes):
        kept = (incident for incident in incidents if incident.state != "resolved" or incident in changed)
        write_incidents(folder, RunIncidents(incidents=tuple(kept), waiting=tuple(waiting)))
    lately = (
        incident for incident in incidents if incident.resolved_at is None or now - incident.resolved_at < _LATELY
    )
    by_id = {incident.id: incident for incident in incidents}
    belongs = {journey: by_id[id] for journey, id in of.items()}
    return _Followed(incidents=tuple(lately), of=belongs, linked=named.linked, alone=alone)


def _opened_alone(incident: Incident, now: datetime) -> Incident:
    return replace(incident, events=(*incident.events, event(now, _ALONE)))


def after_part(
    project: Project, folder: Path, verdict: Verdict, place: Place, token: int, *, look_again: LookAgain | None = None
) -> Verdict:
    """Judge a part's steps by what is usual at its location, and hand over what it found to who concludes the slot."""
    context = Context(project, folder, verdict)
    context.runbooks = read_or(Shelf(), context.notes, shelf_of, project).runbooks
    with Noted(context.notes), opened(project, context.notes) as history:
        judged = judge_with_past(context, history, look_again)
        context.verdict = judged.verdict
        verdict = context.with_notes()
        published = publish_part(context)
        history.ingest(judged.remembered, (), judged.states, part=seen_by(verdict, place, token, published))
        mark_remembered(folder, history)
    return context.write()


def seen_by(verdict: Verdict, place: Place, token: int, files: dict[str, str] | None = None) -> PartSeen:
    """What a part says. It counts unless it was cancelled or could not look at anything, so that another may try."""
    plain = {v.journey.id for v in verdict.journeys if v.outcome == "passed" and not v.intermittent}
    looked = any(v.outcome != "unknown" for v in verdict.journeys) or not verdict.journeys
    return PartSeen(
        place=place,
        token=token,
        final=looked and verdict.run.ended != "cancelled",
        passed=tuple(v.journey.id for v in verdict.journeys if v.journey.id in plain),
        others=tuple(v for v in verdict.journeys if v.journey.id not in plain),
        run_id=verdict.run.id,
        build=verdict.run.build,
        finished_at=verdict.finished_at,
        notes=verdict.notes,
        files=files or {},
    )


FOLDER = "drafts"
"""Of a run: a runbook for each incident that no page knows."""


def write_drafts(folder: Path, verdict: Verdict, incidents: Sequence[Incident]) -> None:
    """Begin a runbook for each failing incident of a run that no page knows; a fault of the probe gets none."""
    shown = {judgement.incident: judgement.telling for judgement in verdict.journeys if judgement.incident}
    for incident in incidents:
        if incident.id in shown and incident.kind == "failing" and not incident.runbook and not is_ours(incident):
            from synthprobe.firstline.runbook_pages import draft, draft_id  # most runs begin none

            place = folder / FOLDER / f"{draft_id(incident)}.md"
            place.parent.mkdir(exist_ok=True)
            write_whole(place, draft(incident, shown[incident.id]))
