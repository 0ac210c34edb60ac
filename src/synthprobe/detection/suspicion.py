"""Slow once: which journeys are worth another look at once, and whether it is the probe that is slow."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.detection.degradation import StepDetector
from synthprobe.detection.watch import States, read_state, timings
from synthprobe.records.decoding import from_msgpack
from synthprobe.records.history import OWN
from synthprobe.records.result import Result
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.verdict.isolation import Isolation

REFERENCE = (f"{OWN}reference-task", "")
"""Under which key the probe's own fixed task is remembered."""

LOOK_AGAIN = 1.55
"""Surprise of a run that is slower than 79 of 100 usual ones: it is looked at again."""

_MOST = 2.2  # one run counts for no more than one slower than nearly nine of ten
_SLOW, _SLOW_REFERENCE, _REFERENCE_RATIO = 3.3, 7.0, 1.5
_TOGETHER, _SPREAD, _PATIENCE = 3, 1.3, 3


class Suspicion(Struct, frozen=True, kw_only=True):
    """A journey that passed and had a step over its own usual."""

    journey: str
    title: str
    node_id: str
    steps: dict[str, tuple[bytes, float]]
    surprise: float

    def is_calm(self, reruns: Sequence[Result]) -> bool:
        """Whether the run that was slow and its re-runs so far, taken together, are worth no other."""
        seen = list(filter(None, map(self._surprises, reruns)))
        return all(is_calm([slow, *(run[path] for run in seen)]) for path, (_, slow) in self.steps.items())

    def is_usual(self, rerun: Result) -> bool:
        """Whether a re-run did its job and would not be looked at again itself."""
        surprises = self._surprises(rerun)
        return bool(surprises) and max(surprises.values()) < LOOK_AGAIN

    def _surprises(self, rerun: Result) -> dict[str, float]:
        took, not_walked = _healthy(rerun), (0.0, 0.0)
        steps = self.steps.items() if took else ()
        return {
            path: StepDetector.from_bytes(state).surprise(*took.get(path, not_walked)) for path, (state, _) in steps
        }


def is_calm(surprises: Sequence[float]) -> bool:
    """Whether a run and its re-runs, none of which outweighs the others, are as most usual ones are."""
    return sum(min(surprise, _MOST) for surprise in surprises) < LOOK_AGAIN * len(surprises)


class Suspicions(Struct, frozen=True, kw_only=True):
    """What is run again, and how often at most."""

    most: int
    budget: int
    journeys: tuple[Suspicion, ...]

    def left_out(self, reruns: Sequence[Result], repeatable: Collection[str]) -> tuple[str, ...]:
        """What the budget did not reach, or not to the end."""
        if len(reruns) < self.budget:
            return ()
        left = []
        for suspicion in self.journeys:
            seen = [result for result in reruns if result.journey.id == suspicion.journey]
            if suspicion.journey in repeatable and len(seen) < self.most and not suspicion.is_calm(seen):
                left.append(suspicion.journey)
        return tuple(left)


class LookedAgain(Struct, frozen=True, kw_only=True):
    """What became of a second look."""

    results: tuple[Result, ...] = ()
    left_out: tuple[str, ...] = ()
    budget: int = 0


class ProbeJudgement(Struct, frozen=True, kw_only=True):
    """Whether durations of a run say anything of the target."""

    suspected: str
    states: dict[tuple[str, str], bytes]


class _Probe(Struct, frozen=True, array_like=True):
    detector: bytes
    suspected_runs: int = 0


def suspect(verdict: Verdict, states: States, isolation: Isolation | None = None) -> tuple[Suspicion, ...]:
    """Find the journeys that did their job and were slower than usual in a step whose alarm is not open yet.

    With several steps in a journey one of them is slow by chance more often, so each must be the more surprising: by
    the logarithm of their number, which keeps the share of journeys looked at again where it is for one step (the
    correction of Bonferroni).
    """
    isolation = isolation or Isolation()
    judged = (
        isolation.judge(judgement.journey.title, partial(_suspect, judgement, states), None)
        for judgement in verdict.journeys
    )
    return tuple(sorted(filter(None, judged), key=lambda suspicion: -suspicion.surprise))


def _suspect(judgement: JourneyVerdict, states: States) -> Suspicion | None:
    took = _only_attempt(judgement)
    known = {path: read_state(states.get((judgement.journey.id, path))).detector for path in took}
    known = {path: detector for path, detector in known.items() if detector.ready and not detector.degraded}
    surprises = {path: detector.surprise(*took[path]) for path, detector in known.items()}
    most = max(surprises.values(), default=0.0)
    if not known or most < LOOK_AGAIN + math.log(len(known)):
        return None
    return Suspicion(
        journey=judgement.journey.id,
        title=judgement.journey.title,
        node_id=judgement.journey.node_id,
        steps={
            path: (known[path].to_bytes(), surprise) for path, surprise in surprises.items() if surprise >= LOOK_AGAIN
        },
        surprise=most,
    )


def with_reruns(verdict: Verdict, suspicions: Sequence[Suspicion], looked: LookedAgain) -> Verdict:
    """Add what re-runs saw to a verdict. They decide nothing by themselves: they are samples for the detector."""
    by_id = {suspicion.journey: suspicion for suspicion in suspicions}
    seen = {id: tuple(r for r in looked.results if r.journey.id == id) for id in by_id}
    notes = []
    for id, results in seen.items():
        if results:
            calm = sum(map(by_id[id].is_usual, results))
            failed = [result for result in results if result.outcome in {"failed", "unknown"}]
            note = f"{by_id[id].title}: slower than usual, so it was run again {_times(len(results))}; "
            note += f"{calm} of {len(results)} {'was' if len(results) == 1 else 'were'} as usual."
            if failed:
                note += f" {len(failed)} did not pass: {failed[-1].cause}"
            notes.append(note)
    if looked.left_out:
        left = ", ".join(
            by_id[id].title + (f" (after {_times(len(seen[id]))})" if seen[id] else "") for id in looked.left_out
        )
        notes.append(
            f"Slower than usual and not run again, or not to the end, as the budget of {looked.budget} re-runs was "
            f"used up: {left}. The budget is suspicion_budget in the configuration."
        )
    journeys = tuple(replace(judgement, reruns=seen.get(judgement.journey.id, ())) for judgement in verdict.journeys)
    return replace(verdict, journeys=journeys, notes=(*verdict.notes, *notes))


def judge_probe(verdict: Verdict, states: States) -> ProbeJudgement:
    """Judge whether the probe itself is slow: its fixed task, or most journeys by one and the same factor.

    One factor over most journeys is believed to be the probe's for three runs; where its own task is as usual, the
    target is to blame after that.
    """
    before = _read_probe(states.get(REFERENCE))
    detector = StepDetector.from_bytes(before.detector) if before.detector else StepDetector()
    at, took = verdict.run.started_at.timestamp(), verdict.run.reference_ms
    sentence, runs = "", 0
    usual = detector.usual_ms
    if detector.surprise(at, took) >= _SLOW_REFERENCE and took >= _REFERENCE_RATIO * usual:
        sentence = f"the machine it stands on took {took:.0f} ms for a fixed task that usually takes {usual:.0f} ms"
        runs = before.suspected_runs
    elif together := _together(verdict, states):
        runs = before.suspected_runs + 1
        sentence = together if runs <= _PATIENCE else ""
    if took:
        detector.update(at, took)
    if sentence:
        sentence = f"Probe suspected: {sentence}. Durations of this run are not judged, and nobody is paged for them."
    state = msgspec.msgpack.encode(_Probe(detector.to_bytes(), runs))
    return ProbeJudgement(suspected=sentence, states={REFERENCE: state})


def without_durations(verdict: Verdict) -> Verdict:
    """A verdict of a run whose probe is suspected: nobody is told of a budget that the probe overran."""
    return replace(verdict, journeys=tuple(map(_without_durations, verdict.journeys)))


def _without_durations(judgement: JourneyVerdict) -> JourneyVerdict:
    if judgement.outcome != "degraded" or not judgement.results:
        return judgement
    left = tuple(found for found in judgement.degradations if found.kind != "over budget")
    outcome, cause = ("degraded", left[0].sentence) if left else ("passed", "")
    return replace(
        judgement,
        outcome=outcome,
        cause=cause or (judgement.cause if judgement.intermittent else ""),
        since=judgement.since if left else None,
        degradations=left,
    )


def _together(verdict: Verdict, states: States) -> str:
    isolation = Isolation()  # what cannot be compared is said where its steps are judged
    judged = (
        isolation.judge(judgement.journey.title, partial(_factor, judgement, states), None)
        for judgement in verdict.journeys
    )
    slowdowns = [factor for factor in judged if factor is not None]
    compared, factors = len(slowdowns), [factor for factor in slowdowns if factor]
    if len(factors) < max(_TOGETHER, (compared + 1) // 2) or max(factors) > _SPREAD * min(factors):
        return ""
    middle = sorted(factors)[len(factors) // 2]
    return f"{len(factors)} of {compared} journeys took {middle:.1f} × their usual in the same run"


def _factor(judgement: JourneyVerdict, states: States) -> float | None:
    """How many times slower than usual a journey was, 0 when it was as usual; nothing when that cannot be said."""
    took = _only_attempt(judgement).get("")
    detector = read_state(states.get((judgement.journey.id, ""))).detector if took else None
    if not took or detector is None or not detector.ready or detector.degraded:
        return None
    return took[1] / detector.usual_at(took[0]) if detector.surprise(*took) >= _SLOW else 0.0


def _only_attempt(judgement: JourneyVerdict) -> dict[str, tuple[float, float]]:
    """Start and milliseconds by step of a journey that did its job at once; nothing of any other."""
    return _healthy(judgement.results[0]) if len(judgement.results) == 1 else {}


def _healthy(result: Result) -> dict[str, tuple[float, float]]:
    return {path: (at, ms) for path, (at, ms, ok) in (timings(result) or {}).items() if ok}


def _read_probe(state: bytes | None) -> _Probe:
    try:
        read = from_msgpack(state, _Probe) if state else _Probe(b"")
        if read.detector:
            StepDetector.from_bytes(read.detector)
        return read
    except (ValueError, msgspec.DecodeError):
        return _Probe(b"")  # of another version: it judges again after 20 runs


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")
