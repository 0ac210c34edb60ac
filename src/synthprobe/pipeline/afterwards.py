"""What happens to a verdict after it was written: remembered, judged against the past, explained, told."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from synthprobe.config import Config
from synthprobe.deadlines import is_ending, left_s
from synthprobe.detection.suspicion import (
    LookedAgain,
    ProbeJudgement,
    Suspicion,
    judge_probe,
    suspect,
    with_reruns,
    without_durations,
)
from synthprobe.detection.watch import timings, watch
from synthprobe.errors import HistoryError
from synthprobe.firstline.naming import explain, name_incidents, named_alone, with_incidents
from synthprobe.firstline.runbook import Runbook, Shelf
from synthprobe.pipeline.clocks import Dated, in_order, of_now, out_of_order, put_on_timeline, shifted
from synthprobe.pipeline.coverage import began_to_burn, last_day, missed_slots
from synthprobe.pipeline.judging import write_verdict
from synthprobe.pipeline.memory import AFTER_S, open_history, take_in
from synthprobe.pipeline.notes import noted
from synthprobe.pipeline.publishing import publish_run
from synthprobe.pipeline.run_state import RunIncidents, last_incidents, mark_remembered, write_incidents
from synthprobe.pipeline.spare import blind_incident, bring_home, read_blindness, write_blindness
from synthprobe.pipeline.telemetry import send_telemetry
from synthprobe.pipeline.telling import tell_people, tell_watcher
from synthprobe.pipeline.upkeep import tidy_if_due
from synthprobe.records.impact import Change
from synthprobe.records.incident import Incident, IncidentEvent, Observation, merged
from synthprobe.records.objective import Coverage
from synthprobe.records.verdict import Verdict
from synthprobe.targets.changes import read_changes
from synthprobe.targets.windows import Window, read_windows, shown
from synthprobe.triage.facts import Request
from synthprobe.triage.observations import observe, seen_in_a_row
from synthprobe.triage.usual import USUAL, usual_answers, with_usual
from synthprobe.verdict.isolation import Isolation

if TYPE_CHECKING:
    from synthprobe.history.store import History

_LATELY = timedelta(days=8)  # until then the end of what comes and goes may be told
_LEAST_S = 2.0  # a history needs about one to be opened
_ALONE = (
    "The history could not be used, so nothing is known of earlier runs here; "
    "this may last longer, and may have been seen more often, than is said."
)

LookAgain = Callable[[Sequence[Suspicion]], LookedAgain]
"""Runs journeys again that were slower than usual, the most surprising first."""


def after_run(
    root: Path,
    config: Config,
    folder: Path,
    verdict: Verdict,
    *,
    mask: Callable[[str], str] = str,
    environ: Mapping[str, str] | None = None,
    look_again: LookAgain | None = None,
    blind: str = "",
) -> Verdict:
    """Do all that follows a run. The verdict stands already; nothing here can cost it, only add to it."""
    notes = list(verdict.notes)
    shelf = Shelf()
    with noted(notes):
        shelf = _shelf(root, config)
    runbooks = shelf.runbooks
    windows: tuple[Window, ...] = ()
    with noted(notes):  # what cannot be read silences nobody
        windows = read_windows(root / config.windows)
    notes += shown(windows, verdict.run.target, verdict.run.started_at)
    notes += shelf.refused
    runs, owner = root / config.folder / "runs" / verdict.run.target, config.alerts.probe_owner
    followed: _Followed | None = None
    coverage: Coverage | None = None
    audit = ""
    with noted(notes), _opened(root, config, environ, notes) as history:
        judged = _judged(history, root, config, folder, verdict, runbooks, notes, look_again)
        verdict = judged.verdict
        followed = _follow(history, runs, folder, judged, runbooks, notes, owner)
        if verdict.run.scheduled and (config.telemetry.metrics_folder or config.telemetry.push_url):
            coverage = last_day(history, config, verdict.run.target, datetime.now(UTC))
        with noted(notes):
            audit = history.audit_end()
        with noted(notes):
            notes += began_to_burn(history, config, verdict, windows)
    verdict = _explained(verdict, runbooks, notes)
    if followed is None:
        alone = _Judged(verdict=verdict, remembered=verdict, now=datetime.now(UTC))
        followed = _follow(None, runs, folder, alone, runbooks, notes, owner)
    if verdict.run.scheduled:
        with noted(notes):
            followed = _with_blindness(followed, root, config, verdict, blind, notes, environ)
    verdict = with_incidents(verdict, followed.of, probe_owner=owner)
    write_verdict(folder, verdict)
    told = False
    if verdict.run.scheduled:
        with noted(notes):
            told = tell_people(
                root,
                config,
                folder,
                verdict,
                followed.incidents,
                runbooks,
                notes,
                windows=windows,
                publish=partial(publish_run, root, config, folder, verdict, runbooks, notes),
                history=_ALONE if followed.alone else "",
                mask=mask,
                environ=environ,
            )
        with noted(notes):
            notes += send_telemetry(root, config, verdict, coverage, os.environ if environ is None else environ)
    if not is_ending():
        with noted(notes):
            tidy_if_due(root, config)
    verdict = replace(verdict, notes=tuple(dict.fromkeys(notes)))
    write_verdict(folder, verdict)
    if verdict.run.scheduled:
        with noted(notes):
            tell_watcher(root, config, verdict, told=told, audit=audit, mask=mask, environ=environ)
    return verdict


def _with_blindness(
    followed: _Followed,
    root: Path,
    config: Config,
    verdict: Verdict,
    blind: str,
    notes: list[str],
    environ: Mapping[str, str] | None,
) -> _Followed:
    """Open, continue or end the incident of runs that do not come to their end."""
    known = read_blindness(root, verdict.run.target)
    if not blind and known is None:
        return followed
    now = datetime.now(UTC)
    if blind:
        incident = blind_incident(known, verdict, blind)
    else:
        assert known is not None
        text = f"Resolved: run {verdict.run.id} came to its end."
        event = IncidentEvent(at=now, role="synthprobe", text=text)
        over = {"state": "resolved", "resolved_at": now, "resolved_how": "itself", "resolved_by": "synthprobe"}
        incident = replace(known, events=(*known.events, event), **over)
        with noted(notes):
            notes += bring_home(root, config)
        with noted(notes), open_history(root, config, within_s=AFTER_S) as history:
            history.put_incident(incident)
    write_blindness(root, incident)
    # what it makes of single journeys is the same news
    others = [one for one in followed.incidents if one.kind != "monitor blind" or one.opened_at < incident.opened_at]
    kept = {one.id for one in others}
    of = {journey: one if one.id in kept else incident for journey, one in followed.of.items()}
    return replace(followed, incidents=(*others, incident), of=of)


def _shelf(root: Path, config: Config) -> Shelf:
    folder = root / config.runbooks
    if not folder.is_dir():
        return Shelf()
    from synthprobe.firstline.runbooks import read_runbooks

    return read_runbooks(folder, root)


def explain_run(root: Path, config: Config, folder: Path, verdict: Verdict, *, write: bool = True) -> Verdict:
    """Add where the causes lie, which failures are one incident, and which runbooks fit, without any memory."""
    shelf = _shelf(root, config)
    notes = [*verdict.notes, *shelf.refused]
    named = named_alone(replace(verdict, notes=tuple(notes)), shelf.runbooks, probe_owner=config.alerts.probe_owner)
    verdict = replace(named.verdict, notes=tuple(dict.fromkeys(named.verdict.notes)))
    if write:
        write_verdict(folder, verdict)
    return verdict


class _Judged(Struct, frozen=True, kw_only=True):
    """A verdict judged against the past, the same as it is remembered, what was observed before, by journey, and what
    the detector knows now.
    """

    verdict: Verdict
    remembered: Verdict
    now: datetime
    before: dict[str, list[Observation]] = field(default_factory=dict)
    states: dict[tuple[str, str], bytes] = field(default_factory=dict)


class _Followed(Struct, frozen=True, kw_only=True):
    """The incidents people are told of, which each journey belongs to, and whether nothing is known of earlier runs."""

    incidents: tuple[Incident, ...]
    of: dict[str, Incident]
    alone: bool


@contextmanager
def _opened(root: Path, config: Config, environ: Mapping[str, str] | None, notes: list[str]) -> Iterator[History]:
    if is_ending() and left_s(math.inf) < _LEAST_S:
        raise HistoryError("The history was left alone, as the run was asked to end. It takes the run in later.")
    with open_history(root, config, environ, within_s=AFTER_S) as history:
        try:
            yield history
        finally:
            notes += history.notes


def _judged(
    history: History,
    root: Path,
    config: Config,
    folder: Path,
    verdict: Verdict,
    runbooks: Sequence[Runbook],
    notes: list[str],
    look_again: LookAgain | None,
) -> _Judged:
    target, location = verdict.run.target, verdict.run.location
    with noted(notes):
        notes += take_in(history, folder.parent, but=folder)
    if history.available and (aliases := _gone_by(config.aliases, verdict)):
        with noted(notes):
            history.rename_steps(target, aliases)
    dated = Dated(verdict=verdict, now=datetime.now(UTC))
    with noted(notes):
        dated = put_on_timeline(history, folder.parent, verdict, config.interval_s)
        notes += dated.notes
    if missed := missed_slots(history, dated.verdict.run, config.interval_s):
        notes.append(missed)
    before = in_order(history.observations(target), dated)
    notes += out_of_order(observe(dated.verdict), before)
    isolation = Isolation()
    usual: dict[str, dict[Request, int]] = {}
    if verdict.run.ended or verdict.blind:
        states = {}  # what was cut off says nothing of how long a step takes
    else:
        known = history.detector_states(target, location=location)
        nothing = ProbeJudgement(suspected="", states={})
        probe = isolation.judge("The probe itself", partial(judge_probe, verdict, known), otherwise=nothing)
        states = dict(probe.states)
        if probe.suspected:
            notes.append(probe.suspected)
            verdict = without_durations(verdict)
        else:
            if look_again is not None and (suspicions := suspect(verdict, known, isolation)):
                with noted(notes):
                    verdict = with_reruns(verdict, suspicions, look_again(suspicions))
                    notes += verdict.notes
            changes: Sequence[Change] = ()
            with noted(notes):
                changes = read_changes(root)
            watched = watch(verdict, known, least_ms=config.least_slowdown_ms, changes=changes)
            verdict = watched.verdict
            states |= {k: v for k, v in watched.states.items() if v != known.get(k)}
            notes += watched.notes
        for one in verdict.journeys:
            key = one.journey.id, USUAL
            usual[one.journey.id] = usual_answers(known.get(key))
            if (counted := with_usual(known.get(key), one)) and counted != known.get(key):
                states[key] = counted
    verdict = _explained(seen_in_a_row(verdict, before, isolation), runbooks, notes, before, usual)
    notes += isolation.notes
    write_verdict(folder, verdict)
    remembered = shifted(verdict, dated.ahead, config.interval_s)
    return _Judged(verdict=verdict, remembered=remembered, now=dated.now, before=before, states=states)


def _gone_by(aliases: Mapping[str, Mapping[str, str]], verdict: Verdict) -> dict[str, dict[str, str]]:
    """The aliases of this run's journeys, without those of steps that still are called so."""
    found = {}
    for one in verdict.journeys:
        walked = {path for result in one.results for path in timings(result) or ()}
        if its := {old: new for old, new in aliases.get(one.journey.id, {}).items() if old not in walked}:
            found[one.journey.id] = its
    return found


def _follow(
    history: History | None,
    runs: Path,
    folder: Path,
    judged: _Judged,
    runbooks: Sequence[Runbook],
    notes: list[str],
    owner: str,
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
    open_now = [one for one in known.values() if one.state != "resolved"]
    named = name_incidents(verdict, runbooks, open_now, judged.before, now, isolation, probe_owner=owner)
    notes += isolation.notes
    of = {one.journey.id: one.incident for one in named.verdict.journeys if one.incident}
    incidents = [_opened_alone(one, now) if alone and one.id not in known else one for one in named.incidents]
    incidents += [one for one in known.values() if one.state == "resolved"]
    changed = [one for one in incidents if one.id in left.waiting or one != known.get(one.id)]
    waiting = [one.id for one in changed]
    with noted(notes):
        if history is not None:
            history.ingest(verdict, observe(verdict), judged.states)
            for one in changed:
                history.put_incident(one, base=stored.get(one.id))
                waiting.remove(one.id)
            mark_remembered(folder, history)
            history.prune_if_due(now)
    with noted(notes):
        kept = (one for one in incidents if one.state != "resolved" or one in changed)
        write_incidents(folder, RunIncidents(incidents=tuple(kept), waiting=tuple(waiting)))
    lately = (one for one in incidents if one.resolved_at is None or now - one.resolved_at < _LATELY)
    by_id = {one.id: one for one in incidents}
    return _Followed(incidents=tuple(lately), of={journey: by_id[id] for journey, id in of.items()}, alone=alone)


def _opened_alone(incident: Incident, now: datetime) -> Incident:
    event = IncidentEvent(at=now, role="synthprobe", text=_ALONE)
    return replace(incident, events=(*incident.events, event))


def _explained(
    verdict: Verdict,
    runbooks: Sequence[Runbook],
    notes: list[str],
    before: Mapping[str, Sequence[Observation]] | None = None,
    usual: Mapping[str, Mapping[Request, int]] | None = None,
) -> Verdict:
    isolation = Isolation()
    passed_at = {
        journey: next((one.build for one in reversed(seen) if one.outcome == "passed"), "")
        for journey, seen in (before or {}).items()
    }
    verdict = explain(verdict, runbooks, isolation, passed_at, usual)
    notes += isolation.notes
    return verdict
