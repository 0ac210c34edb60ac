"""Judges a slot once, of what its parts say from every location; only here incidents open and people are told."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.errors import HistoryError
from synthprobe.fleet.slots import LEASE_S, Done, held, holder, plan_of, slot_of
from synthprobe.pipeline.run_state import own
from synthprobe.project import Project
from synthprobe.records.fleet import CONCLUSION, Conclusion, PartSeen, PartState, Place, Plan
from synthprobe.records.journey import Journey
from synthprobe.records.result import RUN_FOLDERS, Run
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.run_files import ELSEWHERE
from synthprobe.runner.slots import runs_folder
from synthprobe.targets.target import Target
from synthprobe.verdict.judge import exit_code, worst_first
from synthprobe.verdict.votes import judge_votes

if TYPE_CHECKING:
    from synthprobe.history.fleet import Fleet

_POLL_S = 1.0


def conclude(project: Project, target: Target, slot: str, *, wait_s: float = 0.0, degraded_fails: bool = False) -> Done:
    """Judge a slot, unless somebody else does or did."""
    with pipeline.open_history(project) as history:
        fleet = history.fleet
        number, _ = slot_of(fleet, project.config, slot)
        plan = plan_of(fleet, project, target, number, parts=1)
        place = Place(target=target.name, slot=number, location="", part=CONCLUSION)
        state, ours = fleet.lease(place, holder(), LEASE_S)
        if not ours:
            did = "was concluded" if state.done_at else "is being concluded"
            known = fleet.conclusion(target.name, number)
            why = f"Slot {number} of {target.name} {did} by {state.holder}. Nothing was done."
            return Done(code=known.exit_code if known else 0, why=why)
    pipeline.beat_start(project, target.name, number)
    with held(project, state) as lease:
        with pipeline.open_history(project) as history:
            states = _awaited(history.fleet, plan, wait_s)
            before = history.fleet.conclusion(target.name, number - 1)
        verdict, blind = judge_slot(
            plan, states, target, project.config.interval_s, before.blind if before else (), datetime.now(UTC)
        )
        folder = _begun(project.folder, verdict, plan, states)
        nothing = (
            ""
            if verdict.is_idle or any(judgement.outcome != "unknown" for judgement in verdict.journeys)
            else _why_nothing(verdict)
        )
        if not lease.lost:
            verdict = pipeline.after_run(project, folder, verdict, blind=nothing)
        code = exit_code(verdict, fail_on_degraded=degraded_fails)
        done = Conclusion(run_id=verdict.run.id, exit_code=code, blind=blind)
        with pipeline.open_history(project) as history:
            ours = history.fleet.finish(state, msgspec.msgpack.encode(done))
    why = "" if ours else f"Slot {number} of {target.name} was taken over by another machine, which concludes it."
    return Done(code=code, why=why, folder=folder, verdict=verdict, locations=_asked(plan, states))


def judge_slot(
    plan: Plan, states: Sequence[PartState], target: Target, interval_s: int, blind_before: Sequence[str], now: datetime
) -> tuple[Verdict, tuple[str, ...]]:
    """One verdict for each journey of a plan, and the locations from which nothing could be looked at."""
    locations = _asked(plan, states)
    known = {(state.place.location, state.place.part): state for state in states}
    seen = {place: state.seen for place, state in known.items() if place[1] != CONCLUSION}
    journeys: list[JourneyVerdict] = []
    for part in plan.parts:
        by_location = {
            location: _by_journey(
                seen.get((location, part.number)),
                part.journeys,
                _lost(known.get((location, part.number)), part.number, len(plan.parts)),
            )
            for location in locations
        }
        for journey in part.journeys:
            votes = {location: found[journey.id] for location, found in by_location.items()}
            journeys.append(judge_votes(journey, votes, plan.quorum))
    blind = _blind(journeys, locations)
    began = datetime.fromtimestamp(plan.slot * interval_s, UTC)
    run = Run(
        id=f"{began:%Y%m%dT%H%M%S}-{plan.digest[:6]}",
        target=plan.target,
        base_url=target.base_url,
        slot=plan.slot,
        started_at=began,
        build=next((part.build for part in seen.values() if part and part.build), ""),
        scheduled=True,
        interval_s=interval_s,
        concludes=True,
    )
    notes = [
        f"Part {part}{f' from {location}' if location else ''}: {note}"
        for (location, part), part_seen in sorted(seen.items())
        for note in (part_seen.notes if part_seen else ())
    ]
    verdict = Verdict(
        run=run,
        journeys=tuple(worst_first(journeys)),
        finished_at=max([now, *(part.finished_at for part in seen.values() if part)]),
        notes=tuple(dict.fromkeys(notes)),
        not_due=len(plan.not_due),
        blind_locations=tuple(location for location in blind if location in blind_before),
    )
    return verdict, blind


def _asked(plan: Plan, states: Iterable[PartState]) -> tuple[str, ...]:
    """From where a slot is looked at: as planned, or by whoever came."""
    came = {state.place.location for state in states if state.place.part != CONCLUSION}
    return plan.locations or tuple(sorted(came)) or ("",)


def _by_journey(seen: PartSeen | None, journeys: Sequence[Journey], lost: str) -> dict[str, JourneyVerdict]:
    """What a part says of each of its journeys; what it does not mention was not looked at."""
    found = {journey.id: JourneyVerdict(journey=journey, outcome="unknown", cause=lost) for journey in journeys}
    if seen is not None:
        expected = {journey.id: journey for journey in journeys}
        found |= {id: JourneyVerdict(journey=expected[id], outcome="passed") for id in seen.passed if id in expected}
        found |= {
            judgement.journey.id: _placed(judgement, seen)
            for judgement in seen.others
            if judgement.journey.id in expected
        }
    return found


def _placed(judgement: JourneyVerdict, seen: PartSeen) -> JourneyVerdict:
    """A verdict whose evidence has a path that no other part has."""
    results = tuple(
        replace(result, evidence=tuple(replace(kept, path=_path(seen, kept.path)) for kept in result.evidence))
        for result in judgement.results
    )
    return replace(judgement, results=results)


def _path(seen: PartSeen, path: str) -> str:
    return f"{seen.run_id}/{path}" if path else ""


def _lost(state: PartState | None, part: int, of: int) -> str:
    which = f"part lost: part {part} of {of}"
    if state is None:
        return f"{which} was taken by nobody."
    if state.done_at is not None or state.body:
        return f"{which} was looked at by {state.holder}, which says nothing of this journey."
    note = f" {state.note}" if state.note else ""
    if not state.token:
        return f"{which} was left alone by{note}"
    return f"{which} was taken by {state.holder} at {state.taken_at:%H:%M:%S} UTC, and no result arrived.{note}"


def _blind(journeys: Sequence[JourneyVerdict], locations: Sequence[str]) -> tuple[str, ...]:
    looked = {vote.location for judgement in journeys for vote in judgement.votes if vote.looked}
    return tuple(location for location in locations if location not in looked) if looked else ()


def _why_nothing(verdict: Verdict) -> str:
    return verdict.journeys[0].cause if verdict.journeys else "The plan of the slot holds no journey."


def _awaited(fleet: Fleet, plan: Plan, wait_s: float) -> list[PartState]:
    """The parts of a slot, once all are done or there is no more time."""
    until = time.monotonic() + wait_s
    while True:
        try:
            states = fleet.parts(plan.target, plan.slot)
            done = {(s.place.location, s.place.part) for s in states if s.done_at and s.place.part != CONCLUSION}
            wanted = {(place, part.number) for place in _asked(plan, states) for part in plan.parts}
            if wanted <= done or time.monotonic() >= until:
                return states
        except HistoryError:
            if time.monotonic() >= until:
                raise
        time.sleep(_POLL_S)


def _begun(state: Path, verdict: Verdict, plan: Plan, states: Iterable[PartState]) -> Path:
    """The folder of the conclusion, as any run has one."""
    folder = runs_folder(state, verdict.run.target) / f"{verdict.run.slot}-{verdict.run.id}"
    for part in RUN_FOLDERS:
        (folder / part).mkdir(parents=True, exist_ok=True)
    own(folder)
    (folder / "run.json").write_bytes(msgspec.json.encode(verdict.run))
    found = [part_seen for state in states if state.place.part != CONCLUSION and (part_seen := state.seen) is not None]
    published = {_path(part_seen, path): address for part_seen in found for path, address in part_seen.files.items()}
    (folder / ELSEWHERE).write_bytes(msgspec.json.encode(published))
    (folder / "inventory.json").write_bytes(msgspec.json.encode(plan.journeys))
    pipeline.write_verdict(folder, verdict)
    return folder
