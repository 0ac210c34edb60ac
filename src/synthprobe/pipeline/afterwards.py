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
from synthprobe.pipeline.publishing import publish_part, publish_run
from synthprobe.pipeline.run_state import RunIncidents, last_incidents, mark_remembered, write_incidents, write_ledger
from synthprobe.pipeline.spare import blind_incident, bring_home, read_blindness, write_blindness
from synthprobe.pipeline.telling import send_telemetry, tell_people, tell_watcher
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
    told = False
    if verdict.run.scheduled:
        with noted(notes):
            told = tell_people(
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
            tell_watcher(project, verdict, told=told, audit=audit)
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
    others = [one for one in followed.incidents if one.kind != "monitor blind" or one.opened_at < incident.opened_at]
    kept = {one.id for one in others}
    of = {journey: one if one.id in kept else incident for journey, one in followed.of.items()}
    return replace(followed, incidents=(*others, incident), of=of)


def _with_blind_slot(
    followed: _Followed, project: Project, verdict: Verdict, blind: str, notes: list[str]
) -> _Followed:
    """Open the incident of a slot in which no location could look; any machine continues and ends it like others."""
    is_known = any(
        one.kind == "monitor blind" and not one.location for one in followed.incidents if one.state != "resolved"
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
        (one for one in history.incidents(target) if one.fingerprint == FINGERPRINT and one.state != "resolved"), None
    )
    incident = left_over_incident(known, target, entries, owner, now)
    if incident is None:
        return followed
    if incident != known:
        history.put_incident(incident, base=known)
    others = (one for one in followed.incidents if one.id != incident.id)
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
    stored = {one.id: one for one in (history.incidents(verdict.run.target) if history is not None else ())}
    ours = (one for one in left.incidents if alone or one.id in left.waiting)
    found = stored | {one.id: merged(None, one, stored[one.id]) if one.id in stored else one for one in ours}
    known = {id: of_now(one, now) for id, one in found.items()}
    isolation = Isolation()
    open_now = [one for one in known.values() if one.state != "resolved" and one.fingerprint != FINGERPRINT]
    of_target = [one for one in open_now if not one.location]
    named = name_incidents(
        verdict, runbooks, of_target, judged.before, now, isolation, usual=judged.usual, probe_owner=owner
    )
    notes += isolation.notes
    of = {one.journey.id: one.incident for one in named.verdict.journeys if one.incident}
    found_here = [_opened_alone(one, now) if alone and one.id not in known else one for one in named.incidents]
    of_locations = located(verdict, [one for one in open_now if one.location], now)
    of |= {journey: one.id for one in of_locations if one.state != "resolved" for journey in one.journeys}
    incidents = [*found_here, *of_locations]
    incidents += [one for one in known.values() if one.state == "resolved"]
    changed = [one for one in incidents if one.id in left.waiting or one != known.get(one.id)]
    waiting = [one.id for one in changed]
    with noted(notes):
        if history is not None:
            seen = observe(verdict, usual=judged.usual)
            if not verdict.run.concludes:
                history.ingest(verdict, seen, judged.states)
            for one in changed:
                history.put_incident(one, base=stored.get(one.id))
                waiting.remove(one.id)
            if verdict.run.concludes:  # last: who takes over a broken conclusion finds it unfollowed
                history.ingest(verdict, seen, judged.states)
            mark_remembered(folder, history)
            history.prune_if_due(now)
    with noted(notes):
        kept = (one for one in incidents if one.state != "resolved" or one in changed)
        write_incidents(folder, RunIncidents(incidents=tuple(kept), waiting=tuple(waiting)))
    lately = (one for one in incidents if one.resolved_at is None or now - one.resolved_at < _LATELY)
    by_id = {one.id: one for one in incidents}
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
    shown = {one.incident: one.telling for one in verdict.journeys if one.incident}
    for incident in incidents:
        if incident.id in shown and incident.kind == "failing" and not incident.runbook and not is_ours(incident):
            from synthprobe.firstline.runbook_pages import draft, draft_id  # most runs begin none

            place = folder / FOLDER / f"{draft_id(incident)}.md"
            place.parent.mkdir(exist_ok=True)
            write_whole(place, draft(incident, shown[incident.id]))
