"""A run against what is usual: feeds each step's detector, and makes degraded what an open alarm says."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.detection.degradation import SURENESS, Alarm, StepDetector
from synthprobe.records.result import Degradation, Result, walk_steps
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.verdict.isolation import Isolation

_BROKEN = "Its state is kept, or begun anew when that fails twice; everything else was judged without it."

States = Mapping[tuple[str, str], bytes]
"""What is known of each step, by journey's id and step's path; the path of the whole journey is empty."""


class _Watched(Struct, frozen=True, array_like=True):
    """One step's state as it is stored: its detector, the open alarm, and how many runs it could not judge."""

    detector: bytes
    alarm: Alarm | None = None
    broken_runs: int = 0


class Watched(Struct, frozen=True, kw_only=True):
    """What a run is against what is usual.

    Attributes:
        verdict: the run's verdict, with what is above its baseline degraded.
        states: what is known of each step now.
        notes: what is to be reported and pages nobody.
    """

    verdict: Verdict
    states: dict[tuple[str, str], bytes]
    notes: tuple[str, ...] = ()


def watch(verdict: Verdict, states: States, *, least_ms: float = 0.0) -> Watched:
    """Judge each step of a run against its own past."""
    journeys, notes, after, isolation = [], [], dict(states), Isolation()
    nothing: tuple[list[Degradation], list[str]] = ([], [])
    for one in verdict.journeys:
        found, reported = isolation.judge(
            one.journey.title, partial(_journey, one, after, least_ms, isolation), otherwise=nothing
        )
        notes += reported
        journeys.append(_degraded(one, found) if found else one)
    notes += isolation.notes
    return Watched(verdict=replace(verdict, journeys=tuple(journeys)), states=after, notes=tuple(notes))


def _journey(
    one: JourneyVerdict, states: dict[tuple[str, str], bytes], least_ms: float, isolation: Isolation
) -> tuple[list[Degradation], list[str]]:
    found: dict[str, Degradation] = {}
    notes: list[str] = []
    durations = [took for result in (*one.results, *one.reruns) if (took := timings(result)) is not None]
    for path in dict.fromkeys(path for took in durations for path in took):
        key, title = (one.journey.id, path), path or one.journey.title
        where = f"{one.journey.title}: " if path else ""
        known = states.get(key)
        judged = isolation.judge(
            f"{where}{title}", partial(_step, known, title, path, durations), otherwise=None, consequence=_BROKEN
        )
        if judged is None:
            judged = _broken(known, title)
        states[key] = msgspec.msgpack.encode(judged.watched)
        notes += [f"{where}{sentence}." for sentence in judged.reported]
        alarm = judged.watched.alarm
        if alarm is not None and alarm.now_ms - alarm.usual_ms >= least_ms:
            found[path] = Degradation(
                kind="above baseline",
                step=title,
                message=judged.message,
                sure=SURENESS,
                limit_s=alarm.usual_ms / 1000,
                measured_s=alarm.now_ms / 1000,
            )
    steps = [told for path, told in found.items() if path]
    return steps or list(found.values()), notes


class _Judged(Struct, frozen=True, kw_only=True):
    """A step after this run: its state, what is to be reported of it, and what to say while its alarm is open."""

    watched: _Watched
    reported: tuple[str, ...] = ()
    message: str = ""


def _step(
    known: bytes | None, title: str, path: str, durations: Sequence[Mapping[str, tuple[float, float, bool]]]
) -> _Judged:
    detector, alarm = read_state(known)
    reported = []
    for number, took in enumerate(durations):
        if path in took:
            at, ms, ok = took[path]
            for raised in detector.update(at, ms, ok, scheduled=number == 0):
                if raised.lane == "paging":
                    alarm = raised
                else:
                    reported.append(raised.sentence(title))
            if alarm is not None and not detector.degraded:
                alarm = None
            elif alarm is not None and alarm.time != at:
                alarm = replace(alarm, runs=alarm.runs + 1)
    message = ""
    if alarm is not None:
        least = f"The least this step can show is {detector.smallest_visible():.1f} ×."
        message = f"{alarm.sentence(title)}, rule {alarm.rule}. {_now(alarm, durations, path)}{least}"
    watched = _Watched(detector=detector.to_bytes(), alarm=alarm)
    return _Judged(watched=watched, reported=tuple(reported), message=message)


def _broken(known: bytes | None, title: str) -> _Judged:
    """The state as it was, with its open alarm; a new one when it could not be used in the run before either."""
    kept = _Watched(detector=b"", broken_runs=1)
    with contextlib.suppress(msgspec.DecodeError):
        kept = msgspec.msgpack.decode(known or b"", type=_Watched)
    if known is None or kept.broken_runs:
        return _Judged(watched=_Watched(detector=StepDetector().to_bytes()))
    alarm = kept.alarm
    message = f"{title} was slower than usual in the run before, and could not be judged now." if alarm else ""
    return _Judged(watched=replace(kept, broken_runs=1), message=message)


def _now(alarm: Alarm, durations: Sequence[Mapping[str, tuple[float, float, bool]]], path: str) -> str:
    """Said when the newest run was quick again: an alarm stays open until it is sure."""
    ms = next((took[path][1] for took in reversed(durations) if path in took and took[path][2]), alarm.now_ms)
    if 2 * ms > alarm.usual_ms + alarm.now_ms:
        return ""
    shown = f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"
    return f"The newest run took {shown}; it is called well again after several such runs in a row. "


def _degraded(one: JourneyVerdict, found: Sequence[Degradation]) -> JourneyVerdict:
    last = one.results[-1]
    outcome, cause = one.outcome, one.cause
    if outcome == "passed":
        outcome, cause = "degraded", found[0].told
    return replace(
        one,
        outcome=outcome,
        cause=cause,
        since=one.since or last.started_at,
        degradations=(*one.degradations, *found),
    )


def timings(result: Result) -> dict[str, tuple[float, float, bool]] | None:
    """What an attempt says of durations; a failed one says nothing of a healthy duration."""
    at, ok = result.started_at.timestamp(), result.outcome in {"passed", "degraded"}
    if result.outcome in {"unknown", "skipped"}:
        return None
    took = {"": (at, result.duration_s * 1000, ok)}
    if ok:
        for path, step in walk_steps(result.steps):
            before = took.get(path)
            took[path] = (at, step.duration_s * 1000 + (before[1] if before else 0.0), True)
    return took


def read_state(state: bytes | None) -> tuple[StepDetector, Alarm | None]:
    """The detector of a step as it was stored, and the alarm that is open."""
    if state is not None:
        try:
            stored = msgspec.msgpack.decode(state, type=_Watched)
            return StepDetector.from_bytes(stored.detector), stored.alarm
        except (ValueError, msgspec.DecodeError):
            pass  # of another version: it judges again after 20 runs
    return StepDetector(), None
