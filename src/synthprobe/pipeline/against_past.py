"""A verdict is judged against what is remembered: is a step slower than it was, since when, and where is the cause."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

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
from synthprobe.firstline.naming import explain
from synthprobe.firstline.runbook import Runbook
from synthprobe.firstline.shelf import Shelf, read_shelf
from synthprobe.pipeline.clocks import Dated, in_order, out_of_order, put_on_timeline, shifted
from synthprobe.pipeline.context import Context
from synthprobe.pipeline.coverage import missed_slots
from synthprobe.pipeline.judging import write_verdict
from synthprobe.pipeline.memory import AFTER_S, open_history, take_in
from synthprobe.pipeline.notes import Noted, read_or
from synthprobe.project import Project
from synthprobe.records.impact import Change
from synthprobe.records.incident import Observation
from synthprobe.records.verdict import Verdict
from synthprobe.targets.changes import read_changes
from synthprobe.triage.observations import observe, seen_in_a_row
from synthprobe.triage.usual import USUAL, Occurrence, usual_occurrences, with_usual
from synthprobe.verdict.isolation import Isolation

if TYPE_CHECKING:
    from synthprobe.history.store import History

_LEAST_S = 2.0  # a history needs about one to be opened

LookAgain = Callable[[Sequence[Suspicion]], LookedAgain]
"""Runs journeys again that were slower than usual, the most surprising first."""


def shelf_of(project: Project) -> Shelf:
    return read_shelf(project.root / project.config.runbooks, project.root)


class Judged(Struct, frozen=True, kw_only=True):
    """A verdict judged against the past, the same as it is remembered, and by journey what was observed before, what
    the detector knows now, and what is usual where it passed.
    """

    verdict: Verdict
    remembered: Verdict
    now: datetime
    before: dict[str, list[Observation]] = field(default_factory=dict)
    states: dict[tuple[str, str], bytes] = field(default_factory=dict)
    usual: dict[str, dict[Occurrence, int]] = field(default_factory=dict)


@contextmanager
def opened(project: Project, notes: list[str]) -> Iterator[History]:
    """The history, for what follows a run."""
    if is_ending() and left_s(math.inf) < _LEAST_S:
        raise HistoryError("The history was left alone, as the run was asked to end. It takes the run in later.")
    with open_history(project, within_s=AFTER_S) as history:
        try:
            yield history
        finally:
            notes += history.notes


def judge_with_past(context: Context, history: History, look_again: LookAgain | None) -> Judged:
    """Judge a run against what is remembered; a run that concludes was judged so in its parts."""
    project, folder, verdict, notes = context.project, context.folder, context.verdict, context.notes
    target, location = verdict.run.target, verdict.run.location
    with Noted(notes):
        notes += take_in(history, folder.parent, but=folder)
    if history.available and (aliases := _gone_by(project.config.aliases, verdict)):
        with Noted(notes):
            history.rename_steps(target, aliases)
    dated = Dated(verdict=verdict, now=datetime.now(UTC))
    with Noted(notes):
        dated = put_on_timeline(history, folder.parent, verdict, project.config.interval_s)
        notes += dated.notes
    if missed := missed_slots(history, dated.verdict.run, project.config.interval_s):
        notes.append(missed)
    apart = verdict.run.part or verdict.run.concludes
    journeys = _of_interest(history, verdict) if apart else None
    before = in_order(history.observations(target, journeys), dated)
    notes += out_of_order(observe(dated.verdict), before)
    isolation = Isolation()
    usual: dict[str, dict[Occurrence, int]] = {}
    if verdict.run.ended or verdict.blind or verdict.run.concludes:
        states = {}  # what was cut off says nothing of how long a step takes
    else:
        known = history.detector_states(target, location=location, journeys=journeys)
        nothing = ProbeJudgement(suspected="", states={})
        probe = isolation.judge("The probe itself", partial(judge_probe, verdict, known), otherwise=nothing)
        states = dict(probe.states)
        if probe.suspected:
            notes.append(probe.suspected)
            verdict = without_durations(verdict)
        else:
            if look_again is not None and (suspicions := suspect(verdict, known, isolation)):
                with Noted(notes):
                    verdict = with_reruns(verdict, suspicions, look_again(suspicions))
                    notes += verdict.notes
            changes: Sequence[Change] = read_or((), notes, read_changes, project.root)
            watched = watch(verdict, known, least_ms=project.config.least_slowdown_ms, changes=changes)
            verdict = watched.verdict
            states |= {k: v for k, v in watched.states.items() if v != known.get(k)}
            notes += watched.notes
        for judgement in verdict.journeys:
            key = judgement.journey.id, USUAL
            if known.get(key):
                usual[judgement.journey.id] = usual_occurrences(known[key])
            if (counted := with_usual(known.get(key), judgement, verdict.run.identifiers)) and counted != known.get(
                key
            ):
                states[key] = counted
    verdict = explained(seen_in_a_row(verdict, before, isolation), context.runbooks, notes, before, usual)
    notes += isolation.notes
    write_verdict(folder, verdict)
    remembered = verdict if verdict.run.concludes else shifted(verdict, dated.ahead, project.config.interval_s)
    if apart:  # its slot is one of the database's clock already
        remembered = replace(remembered, run=replace(remembered.run, slot=verdict.run.slot))
    return Judged(verdict=verdict, remembered=remembered, now=dated.now, before=before, states=states, usual=usual)


def _of_interest(history: History, verdict: Verdict) -> set[str]:
    """Journeys whose past matters: of a part all, of a conclusion those that may change an incident."""
    if verdict.run.part:
        return {judgement.journey.id for judgement in verdict.journeys}
    open_now = (incident for incident in history.incidents(verdict.run.target) if incident.state != "resolved")
    concerned = {id for incident in open_now for id in (*incident.journeys, *incident.blocked)}
    return concerned | {
        judgement.journey.id
        for judgement in verdict.journeys
        if judgement.outcome != "passed" or judgement.intermittent
    }


def _gone_by(aliases: Mapping[str, Mapping[str, str]], verdict: Verdict) -> dict[str, dict[str, str]]:
    """The aliases of this run's journeys, without those of steps that still are called so."""
    found = {}
    for judgement in verdict.journeys:
        walked = {path for result in judgement.results for path in timings(result) or ()}
        if gone_aliases := {
            old: new for old, new in aliases.get(judgement.journey.id, {}).items() if old not in walked
        }:
            found[judgement.journey.id] = gone_aliases
    return found


def explained(
    verdict: Verdict,
    runbooks: Sequence[Runbook],
    notes: list[str],
    before: Mapping[str, Sequence[Observation]] | None = None,
    usual: Mapping[str, Mapping[Occurrence, int]] | None = None,
) -> Verdict:
    """Add where the causes lie and which pages fit."""
    isolation = Isolation()
    passed_at = {
        journey: next((observation.build for observation in reversed(seen) if observation.outcome == "passed"), "")
        for journey, seen in (before or {}).items()
    }
    verdict = explain(verdict, runbooks, isolation, passed_at, usual)
    notes += isolation.notes
    return verdict
