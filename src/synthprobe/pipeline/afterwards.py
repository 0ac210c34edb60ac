"""What happens to a verdict once it is written: remembered, judged against the past, explained, told or handed over."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.deadlines import is_ending
from synthprobe.files import write_whole
from synthprobe.firstline.naming import is_ours, name_incidents, named_alone, with_incidents
from synthprobe.firstline.runbook import Runbook
from synthprobe.firstline.shelf import Shelf
from synthprobe.pipeline.against_past import Judged, LookAgain, explained, judge_with_past, opened, shelf_of
from synthprobe.pipeline.clocks import of_now
from synthprobe.pipeline.coverage import began_to_burn, last_day
from synthprobe.pipeline.judging import write_verdict
from synthprobe.pipeline.leftovers import FINGERPRINT, LOOKS_BACK, left_by, left_over_incident
from synthprobe.pipeline.memory import AFTER_S, open_history
from synthprobe.pipeline.notes import noted
from synthprobe.pipeline.notification import send_telemetry, tell_people, tell_watcher
from synthprobe.pipeline.publishing import publish_part, publish_run
from synthprobe.pipeline.run_state import RunIncidents, last_incidents, mark_remembered, write_incidents, write_ledger
from synthprobe.pipeline.spare_folder import blind_incident, bring_home, read_blindness, write_blindness
from synthprobe.pipeline.upkeep import tidy_if_due
from synthprobe.project import Project
from synthprobe.records.fleet import PartSeen, Place
from synthprobe.records.incident import Incident, event, merged, resolved
from synthprobe.records.objective import Coverage
from synthprobe.records.verdict import Verdict
from synthprobe.targets.windows import Window, read_windows, shown
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
    notes = list(verdict.notes)
    shelf = Shelf()
    with noted(notes):
        shelf = shelf_of(project)
    runbooks = shelf.runbooks
    windows: tuple[Window, ...] = ()
    with noted(notes):  # what cannot be read silences nobody
        windows = read_windows(project.root / project.config.windows)
    notes += shown(windows, verdict.run.target, verdict.run.started_at)
    notes += shelf.refused
    runs, owner = project.folder / "runs" / verdict.run.target, project.config.alerts.probe_owner
    located = partial(
        location_incidents, interval_s=project.config.interval_s, owner=project.config.alerts.network_owner
    )
    followed: _Followed | None = None
    coverage: Coverage | None = None
    audit = ""
    with noted(notes), opened(project, notes) as history:
        judged = judge_with_past(history, project, folder, verdict, runbooks, notes, look_again)
        verdict = judged.verdict
        followed = _follow(history, runs, folder, judged, runbooks, notes, owner, located)
        if verdict.run.scheduled and (project.config.telemetry.metrics_folder or project.config.telemetry.push_url):
            coverage = last_day(history, project.config, verdict.run.target, datetime.now(UTC))
        with noted(notes):
            audit = history.audit_end()
        with noted(notes):
            followed = _with_left_overs(history, folder, verdict, followed, notes, owner)
        with noted(notes):
            notes += began_to_burn(history, project.config, verdict, windows)
    verdict = explained(verdict, runbooks, notes)
    if followed is None:
        alone = Judged(verdict=verdict, remembered=verdict, now=datetime.now(UTC))
        followed = _follow(None, runs, folder, alone, runbooks, notes, owner, located)
    if verdict.run.scheduled:
        with noted(notes):
            blinded = _with_blind_slot if verdict.run.concludes else _with_blindness
            followed = blinded(followed, project, verdict, blind, notes)
    verdict = with_incidents(verdict, followed.of, probe_owner=owner)
    write_verdict(folder, verdict)
    with noted(notes):
        write_drafts(folder, verdict, followed.incidents)
    notified = False
    if verdict.run.scheduled:
        with noted(notes):
            notified = tell_people(
                project,
                folder,
                verdict,
                followed.incidents,
                runbooks,
                notes,
                windows=windows,
                publish=partial(publish_run, project, folder, verdict, runbooks, notes),
                history=_ALONE if followed.alone else "",
            )
        with noted(notes):
            notes += send_telemetry(project, verdict, coverage)
    if not is_ending():
        with noted(notes):
            tidy_if_due(project)
    verdict = replace(verdict, notes=tuple(dict.fromkeys(notes)))
    write_verdict(folder, verdict)
    if verdict.run.scheduled:
        with noted(notes):
            tell_watcher(project, verdict, notified=notified, audit=audit)
    return verdict


def _with_blindness(followed: _Followed, project: Project, verdict: Verdict, blind: str, notes: list[str]) -> _Followed:
    """Open, continue or end the incident of runs that do not come to their end."""
    known = read_blindness(project.root, verdict.run.target)
    if not blind and known is None:
        return followed
    now = datetime.now(UTC)
    if blind:
        incident = blind_incident(known, verdict, blind)
    else:
        assert known is not None
        incident = resolved(known, now, f"Resolved: run {verdict.run.id} came to its end.")
        with noted(notes):
            notes += bring_home(project)
        with noted(notes), open_history(project, within_s=AFTER_S) as history:
            history.put_incident(incident)
    write_blindness(project.root, incident)
    # what it makes of single journeys is the same news
    others = [
        followed_incident
        for followed_incident in followed.incidents
        if followed_incident.kind != "monitor blind" or followed_incident.opened_at < incident.opened_at
    ]
    kept = {incident.id for incident in others}
    of = {
        journey: followed_incident if followed_incident.id in kept else incident
        for journey, followed_incident in followed.of.items()
    }
    return replace(followed, incidents=(*others, incident), of=of)


def _with_blind_slot(
    followed: _Followed, project: Project, verdict: Verdict, blind: str, notes: list[str]
) -> _Followed:
    """Open the incident of a slot in which no location could look; any machine continues and ends it like others."""
    is_known = any(
        incident.kind == "monitor blind" and not incident.location
        for incident in followed.incidents
        if incident.state != "resolved"
    )
    if not blind or is_known:
        return followed
    incident = replace(
        blind_incident(None, verdict, blind),
        title=f"Nothing could be looked at: {blind}",
        journeys=tuple(judged.journey.id for judged in verdict.journeys),
        last_seen_at=verdict.run.started_at,
    )
    with open_history(project, within_s=AFTER_S) as history:
        history.put_incident(incident)
    of = {journey: followed.of.get(journey, incident) for journey in incident.journeys}
    return replace(followed, incidents=(*followed.incidents, incident), of=of)


def _with_left_overs(
    history: History, folder: Path, verdict: Verdict, followed: _Followed, notes: list[str], owner: str
) -> _Followed:
    """Say what the run left at the target, keep the open entries of the ledger, and open an incident when they grow."""
    now, target = datetime.now(UTC), verdict.run.target
    entries = history.entries(target, since=now - LOOKS_BACK)
    notes += left_by(verdict.run.id, target, entries)
    write_ledger(folder, entries)
    known = next(
        (
            incident
            for incident in history.incidents(target)
            if incident.fingerprint == FINGERPRINT and incident.state != "resolved"
        ),
        None,
    )
    incident = left_over_incident(known, target, entries, owner, now)
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
    alone: bool


def _follow(
    history: History | None,
    runs: Path,
    folder: Path,
    judged: Judged,
    runbooks: Sequence[Runbook],
    notes: list[str],
    owner: str,
    located: Callable[..., list[Incident]],
) -> _Followed:
    """What the run makes of the incidents: in its folder, and with the run itself in the history."""
    verdict, now = judged.remembered, judged.now
    alone = history is None or not history.available
    left = last_incidents(runs, folder.parent)
    stored = {
        incident.id: incident for incident in (history.incidents(verdict.run.target) if history is not None else ())
    }
    ours = (incident for incident in left.incidents if alone or incident.id in left.waiting)
    found = stored | {
        incident.id: merged(None, incident, stored[incident.id]) if incident.id in stored else incident
        for incident in ours
    }
    known = {id: of_now(incident, now) for id, incident in found.items()}
    isolation = Isolation()
    open_now = [
        incident for incident in known.values() if incident.state != "resolved" and incident.fingerprint != FINGERPRINT
    ]
    of_target = [incident for incident in open_now if not incident.location]
    named = name_incidents(
        verdict, runbooks, of_target, judged.before, now, isolation, usual=judged.usual, probe_owner=owner
    )
    notes += isolation.notes
    of = {judgement.journey.id: judgement.incident for judgement in named.verdict.journeys if judgement.incident}
    found_here = [
        _opened_alone(incident, now) if alone and incident.id not in known else incident for incident in named.incidents
    ]
    of_locations = located(verdict, [incident for incident in open_now if incident.location], now)
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
    with noted(notes):
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
    with noted(notes):
        kept = (incident for incident in incidents if incident.state != "resolved" or incident in changed)
        write_incidents(folder, RunIncidents(incidents=tuple(kept), waiting=tuple(waiting)))
    lately = (
        incident for incident in incidents if incident.resolved_at is None or now - incident.resolved_at < _LATELY
    )
    by_id = {incident.id: incident for incident in incidents}
    return _Followed(incidents=tuple(lately), of={journey: by_id[id] for journey, id in of.items()}, alone=alone)


def _opened_alone(incident: Incident, now: datetime) -> Incident:
    return replace(incident, events=(*incident.events, event(now, _ALONE)))


def after_part(
    project: Project, folder: Path, verdict: Verdict, place: Place, token: int, *, look_again: LookAgain | None = None
) -> Verdict:
    """Judge a part's steps by what is usual at its location, and hand over what it found to who concludes the slot."""
    notes = list(verdict.notes)
    shelf = Shelf()
    with noted(notes):
        shelf = shelf_of(project)
    with noted(notes), opened(project, notes) as history:
        judged = judge_with_past(history, project, folder, verdict, shelf.runbooks, notes, look_again)
        verdict = replace(judged.verdict, notes=tuple(dict.fromkeys(notes)))
        published = publish_part(project, folder, verdict, notes)
        history.ingest(judged.remembered, (), judged.states, part=seen_by(verdict, place, token, published))
        mark_remembered(folder, history)
    verdict = replace(verdict, notes=tuple(dict.fromkeys(notes)))
    write_verdict(folder, verdict)
    return verdict


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
