"""A run against what is usual: feeds each step's detector, and makes degraded what an open alarm says."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.detection.degradation import SURENESS, Alarm, StepDetector
from synthprobe.records.decoding import from_msgpack
from synthprobe.records.figures import shown_score
from synthprobe.records.impact import Change
from synthprobe.records.latency import StepSeries
from synthprobe.records.result import Degradation, Result, walk_steps
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.verdict.isolation import Isolation
from synthprobe.words import shown_ms

_BROKEN = "Its state is kept, or begun anew when that fails twice; everything else was judged without it."
_EARLY_S, _EXPECTED_S = 1800, 86_400
"""How long before a marked change a slowdown may seem to have begun, and how long after it the change explains it."""

States = Mapping[tuple[str, str], bytes]
"""What is known of each step, by journey's id and step's path; the path of the whole journey is empty."""


class Accepted(Struct, frozen=True, array_like=True):
    """A level that is taken as usual from a moment on."""

    at: float
    usual_ms: float
    now_ms: float
    reason: str

    def sentence(self, *, is_score: bool) -> str:
        """What a person reads of that step's level."""
        now, usual = _shown(self.now_ms, is_score), _shown(self.usual_ms, is_score)
        on = datetime.fromtimestamp(self.at, UTC)
        return f"{now} was accepted on {on:%d %B %H:%M}, before it was {usual}: {self.reason}"


class _Watched(Struct, frozen=True, array_like=True):
    """One step's state as it is stored.

    Its detector, the open alarm, how many runs it could not judge, the level that was accepted last, and whether its
    figures are numbers without a unit.
    """

    detector: bytes
    alarm: Alarm | None = None
    broken_runs: int = 0
    accepted: Accepted | None = None
    is_score: bool = False


class Watched(Struct, frozen=True, kw_only=True):
    """What a run is against what is usual."""

    verdict: Verdict
    states: dict[tuple[str, str], bytes]
    notes: tuple[str, ...] = ()


def watch(verdict: Verdict, states: States, *, least_ms: float = 0.0, changes: Sequence[Change] = ()) -> Watched:
    """Judge each step of a run against its own past; a change that was to make it slower takes its level as usual."""
    slower = [change for change in changes if change.expected == "slower"]
    journeys, notes, after, isolation = [], [], dict(states), Isolation()
    nothing: tuple[list[Degradation], list[str]] = ([], [])
    for judgement in verdict.journeys:
        found, reported = isolation.judge(
            judgement.journey.title, partial(_journey, judgement, after, least_ms, slower, isolation), otherwise=nothing
        )
        notes += reported
        journeys.append(_degraded(judgement, found) if found else judgement)
    notes += isolation.notes
    return Watched(verdict=replace(verdict, journeys=tuple(journeys)), states=after, notes=tuple(notes))


def _journey(
    judgement: JourneyVerdict,
    states: dict[tuple[str, str], bytes],
    least_ms: float,
    slower: Sequence[Change],
    isolation: Isolation,
) -> tuple[list[Degradation], list[str]]:
    found: dict[str, Degradation] = {}
    notes: list[str] = []
    durations = [took for result in (*judgement.results, *judgement.reruns) if (took := timings(result)) is not None]
    walked = [step for result in (*judgement.results, *judgement.reruns) for step in walk_steps(result.steps)]
    scores = {path for path, step in walked if step.vital == "score"}
    for path in dict.fromkeys(path for took in durations for path in took):
        key, title = (judgement.journey.id, path), path or judgement.journey.title
        where = f"{judgement.journey.title}: " if path else ""
        known = states.get(key)
        judged = isolation.judge(
            f"{where}{title}",
            partial(
                _step,
                known,
                title,
                path,
                durations,
                slower,
                is_score=path in scores,
                fails=judgement.outcome == "failed",
            ),
            otherwise=None,
            consequence=_BROKEN,
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
                is_score=path in scores,
            )
    steps = [degradation for path, degradation in found.items() if path]
    return steps or list(found.values()), notes


class _Judged(Struct, frozen=True, kw_only=True):
    """A step after this run: its state, what is to be reported of it, and what to say while its alarm is open."""

    watched: _Watched
    reported: tuple[str, ...] = ()
    message: str = ""


def _step(
    known: bytes | None,
    title: str,
    path: str,
    durations: Sequence[Mapping[str, tuple[float, float, bool]]],
    slower: Sequence[Change],
    *,
    is_score: bool,
    fails: bool,
) -> _Judged:
    before = _stored(known)
    detector, alarm = _detector(before), before.alarm
    accepted, reported = before.accepted, []
    for number, took in enumerate(durations):
        if path in took:
            at, ms, ok = took[path]
            for raised in detector.update(at, ms, ok, scheduled=number == 0):
                sentence = raised.sentence(title, is_score=is_score)
                if raised.lane == "paging" or raised.rule == "eased":
                    alarm = raised
                if raised.rule == "faster" and accepted is not None:
                    sentence, accepted = f"{sentence}. {accepted.sentence(is_score=is_score)}; that is over", None
                if raised.rule == "accepted":
                    accepted = Accepted(at, raised.usual_ms, raised.now_ms, f"it held for {raised.runs} runs")
                if raised.lane != "paging" and not (raised.rule == "failing" and fails):  # its incident tells it
                    reported.append(sentence)
            if alarm is not None and not detector.degraded:
                alarm = None
            elif alarm is not None and alarm.time != at:
                alarm = replace(alarm, runs=alarm.runs + 1)
    change = next((change for change in slower if alarm is not None and _explains(change, alarm, path, accepted)), None)
    if alarm is not None and change is not None and (levels := detector.accept()):
        accepted = Accepted(alarm.time, *levels, change.title)
        reported.append(f"{alarm.sentence(title, is_score=is_score)}. {accepted.sentence(is_score=is_score)}")
        alarm = None
    message = ""
    if alarm is not None:
        least = f"The least this step can show is {detector.smallest_visible():.1f} ×."
        newest = _now(alarm, durations, path, is_score=is_score)
        beyond = f"{accepted.sentence(is_score=is_score)}. " if accepted is not None else ""
        message = f"{alarm.sentence(title, is_score=is_score)}, rule {alarm.rule}. {newest}{beyond}{least}"
    watched = _Watched(detector=detector.to_bytes(), alarm=alarm, accepted=accepted, is_score=is_score)
    return _Judged(watched=watched, reported=tuple(reported), message=message)


def _explains(change: Change, alarm: Alarm, path: str, accepted: Accepted | None) -> bool:
    """Whether a change was to make this step slower, and its level has not been accepted since it went live."""
    live = change.at.timestamp()
    if accepted is not None and accepted.at >= live:
        return False
    named = not change.operation or path in {"", change.operation} or change.operation in path.split(" › ")
    return named and live - _EARLY_S <= alarm.since <= live + _EXPECTED_S and alarm.time >= live


def _broken(known: bytes | None, title: str) -> _Judged:
    """The state as it was, with its open alarm; a new one when it could not be used in the run before either."""
    kept = _Watched(detector=b"", broken_runs=1)
    with contextlib.suppress(msgspec.DecodeError):
        kept = from_msgpack(known or b"", _Watched)
    if known is None or kept.broken_runs:
        return _Judged(watched=replace(kept, detector=StepDetector().to_bytes(), alarm=None, broken_runs=0))
    alarm = kept.alarm
    message = f"{title} was slower than usual in the run before, and could not be judged now." if alarm else ""
    return _Judged(watched=replace(kept, broken_runs=1), message=message)


def _now(
    alarm: Alarm, durations: Sequence[Mapping[str, tuple[float, float, bool]]], path: str, *, is_score: bool
) -> str:
    """Said when the newest run was quick again: an alarm stays open until it is sure."""
    ms = next((took[path][1] for took in reversed(durations) if path in took and took[path][2]), alarm.now_ms)
    if 2 * ms > alarm.usual_ms + alarm.now_ms:
        return ""
    return f"The newest run took {_shown(ms, is_score)}; it is called well again after several such runs in a row. "


def _degraded(judgement: JourneyVerdict, found: Sequence[Degradation]) -> JourneyVerdict:
    last = judgement.results[-1]
    outcome, cause = judgement.outcome, judgement.cause
    if outcome == "passed":
        outcome, cause = "degraded", found[0].sentence
    return replace(
        judgement,
        outcome=outcome,
        cause=cause,
        since=judgement.since or last.started_at,
        degradations=(*judgement.degradations, *found),
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


class StepState(Struct, frozen=True):
    """What is known of a step: its detector, the level that was accepted last as a sentence, and its kind of figure."""

    detector: StepDetector
    accepted: str
    is_score: bool

    def series(self, title: str, least_ms: float) -> StepSeries:
        """What is usual, for a chart; fewer milliseconds are not called degraded, however sure the detector is."""
        usual, smallest = self.detector.usual_ms, self.detector.smallest_visible()
        return StepSeries(
            title=title,
            usual_ms=usual,
            smallest=max(smallest, 1 + least_ms / usual) if usual else smallest,
            is_score=self.is_score,
            accepted=self.accepted,
        )


def read_state(state: bytes | None) -> StepState:
    """What is known of a step, as it was stored."""
    stored = _stored(state)
    accepted = stored.accepted.sentence(is_score=stored.is_score) if stored.accepted else ""
    return StepState(_detector(stored), accepted, stored.is_score)


def accept(states: States, journey: str, step: str, at: datetime, reason: str) -> dict[tuple[str, str], bytes]:
    """Take the level of an open alarm as usual: the step's, that of what it is part of, and of its own parts.

    The journey as a whole goes with its last slow step. Returns what is known of each of them now; nothing when the
    step has no open alarm.
    """
    open_now = {path for id, path in states if id == journey and _degraded_state(states[id, path])}
    if step not in open_now:
        return {}
    taken = {path for path in open_now if _within(path, step) or _within(step, path) or not step}
    if open_now <= {"", *taken}:
        taken |= open_now & {""}
    after = {}
    for path in taken:
        stored = _stored(states[journey, path])
        detector = _detector(stored)
        if levels := detector.accept():
            accepted = Accepted(at.timestamp(), *levels, reason)
            after[journey, path] = msgspec.msgpack.encode(
                _Watched(detector.to_bytes(), accepted=accepted, is_score=stored.is_score)
            )
    return after


def _within(path: str, other: str) -> bool:
    return bool(other) and (path == other or path.startswith(f"{other} › "))


def _degraded_state(state: bytes) -> bool:
    return _detector(_stored(state)).degraded


def _stored(state: bytes | None) -> _Watched:
    with contextlib.suppress(msgspec.DecodeError):
        return from_msgpack(state or b"", _Watched)
    return _Watched(b"")


def _detector(stored: _Watched) -> StepDetector:
    try:
        return StepDetector.from_bytes(stored.detector)
    except ValueError:
        return StepDetector()  # of a version that is no longer read: it judges again after 20 runs


def _shown(ms: float, is_score: bool) -> str:
    return shown_score(ms / 1000) if is_score else shown_ms(ms)
