"""Runs, attempts, steps, operations, observations and slots: what verdicts leave behind, and what is read back."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, islice
from typing import Any, get_args

import msgspec
from sqlalchemy import Connection, Table, func, or_, select

from synthprobe.history.database import (
    ATTEMPTS,
    DAILY,
    DETECTOR_STATE,
    HOURLY,
    JOURNEYS,
    OBSERVATIONS,
    RUNS,
    SERIES,
    SERVER_TIMING,
    SLOTS,
    STEPS,
    from_ms,
    put,
    to_ms,
    upsert,
)
from synthprobe.history.rows import SeriesKey, insert_new, journey_numbers, series_numbers
from synthprobe.records.decoding import from_json
from synthprobe.records.history import OWN, JudgedSlot, StepSample
from synthprobe.records.incident import Observation
from synthprobe.records.result import Outcome, Result, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict

FIRST_RERUN = 101
"""Number of the first re-run of a journey that was slower than usual, among the attempts of its run."""

_LETTERS: dict[Outcome, str] = {outcome: outcome[0] for outcome in get_args(Outcome)}
_OUTCOMES = {letter: outcome for outcome, letter in _LETTERS.items()}
_TELLS_MOST = "fdpus-"  # of two verdicts on one slot: in whatever order they arrive, the same one stays
_SPANS: tuple[tuple[Table, float], ...] = ((HOURLY, 3600.0), (DAILY, 86400.0), (STEPS, 0.0))


def step_paths(steps: Iterable[Step], above: str = "") -> Iterator[tuple[str, Step]]:
    """Every step of an attempt with its path, the outer one first."""
    seen: dict[str, int] = {}
    for step in steps:
        path = f"{above} › {step.title}" if above else step.title
        seen[path] = seen.get(path, 0) + 1
        if seen[path] > 1:
            path = f"{path} ({seen[path]})"
        yield path, step
        yield from step_paths(step.steps, path)


def write_verdict(connection: Connection, verdict: Verdict) -> bool:
    """Write all a verdict says, once."""
    run = verdict.run
    row = {
        "id": run.id,
        "target": run.target,
        "location": run.location,
        "slot": run.slot,
        "started_at": to_ms(run.started_at),
        "finished_at": to_ms(verdict.finished_at),
        "build": run.build,
        "part": run.part,
    }
    statement = upsert(connection, RUNS).values(row).on_conflict_do_nothing(index_elements=["id"])
    run_no = connection.execute(statement.returning(RUNS.c.no)).scalar()
    if run_no is None:
        return False
    at = to_ms(run.started_at)
    journeys = journey_numbers(connection, run.target, [v.journey.id for v in verdict.journeys])
    measured = {v.journey.id: [] if run.concludes else [*_measured(v, run_no, at)] for v in verdict.journeys}
    keys = [key for attempts in measured.values() for attempt in attempts for key in attempt.keys]
    series = series_numbers(connection, run.location, journeys, keys)
    rows: dict[Table, list[dict[str, Any]]] = {ATTEMPTS: [], STEPS: [], SERVER_TIMING: [], OBSERVATIONS: []}
    for judged in verdict.journeys:
        journey_no = journeys[judged.journey.id]
        for attempt in measured[judged.journey.id]:
            rows[ATTEMPTS].append({"journey_no": journey_no, **attempt.row})
            rows[STEPS] += ({"series_no": series[key], **values} for key, values in attempt.steps.items())
            rows[SERVER_TIMING] += ({"series_no": series[key], **values} for key, values in attempt.operations.items())
        if not run.part:
            rows[OBSERVATIONS].append(_observation_row(journey_no, run_no, verdict.observation(judged)))
    for table, values in rows.items():
        insert_new(connection, table, values)
    if run.scheduled:
        _write_slot(connection, verdict, at, {journeys[v.journey.id]: v.outcome for v in verdict.journeys})
    return True


def _measured(judged: JourneyVerdict, run_no: int, at: int) -> Iterator[_Measured]:
    for result in judged.results:
        yield _Measured(result, judged.outcome_of(result), judged.cause_of(result), run_no, at, result.attempt)
    for number, result in enumerate(judged.reruns, start=FIRST_RERUN):
        yield _Measured(result, result.outcome, result.cause, run_no, to_ms(result.started_at), number)


class _Measured:
    """The rows of one attempt, before its series have numbers."""

    def __init__(self, result: Result, outcome: Outcome, cause: str, run_no: int, at: int, number: int) -> None:
        passed = outcome in {"passed", "degraded"}
        key = {"at": at, "run_no": run_no, "attempt": number}
        failure = msgspec.json.encode(result.failure).decode() if result.failure else None
        self.row = {
            "run_no": run_no,
            "attempt": number,
            "outcome": _LETTERS[outcome],
            "started_at": to_ms(result.started_at),
            "duration_us": _us(result.duration_s),
            "cause": cause or None,
            "failure": failure,
        }
        timed = [("", result.duration_s, result.journey.budget_s, not passed)]
        timed += [(path, s.duration_s, s.budget_s, s.status != "passed") for path, s in step_paths(result.steps)]
        self.steps: dict[SeriesKey, dict[str, Any]] = {}
        for path, seconds, budget, failed in timed:
            over = max(0, _us(seconds) - _us(budget)) if budget else 0
            values = {"duration_us": _us(seconds), "over_us": over or None, "failed": int(failed)}
            self.steps[result.journey.id, path, ""] = {**key, **values, "kept": int(outcome != "passed")}
        self.operations: dict[SeriesKey, dict[str, Any]] = {
            (result.journey.id, o.step, o.name): {**key, "calls": o.calls, "total_us": _us(o.total_ms / 1000)}
            for o in result.operations
        }

    @property
    def keys(self) -> list[SeriesKey]:
        return [*self.steps, *self.operations]


def _us(seconds: float) -> int:
    """Microseconds; what is no duration at all counts as none."""
    return round(seconds * 1e6) if 0 < seconds < 1e9 else 0


_IN_COLUMNS = ("run_id", "slot", "at", "target", "journey", "outcome", "build", "location")
"""What of an observation other columns hold; only more than that needs a body."""


def _observation_row(journey_no: int, run_no: int, observation: Observation) -> dict[str, Any]:
    plain = Observation(**{name: getattr(observation, name) for name in _IN_COLUMNS})
    body = None if observation == plain else msgspec.json.encode(observation).decode()
    at, outcome = to_ms(observation.at), _LETTERS[observation.outcome]
    return {"journey_no": journey_no, "at": at, "run_no": run_no, "outcome": outcome, "body": body}


def write_observations(connection: Connection, observations: Sequence[Observation]) -> None:
    """Complete the observations of runs that are in the store."""
    for target in sorted({o.target for o in observations}):
        wanted = [o for o in observations if o.target == target]
        journeys = journey_numbers(connection, target, [o.journey for o in wanted])
        ids = sorted({o.run_id for o in wanted})
        runs = {r.id: r.no for r in connection.execute(select(RUNS.c.id, RUNS.c.no).where(RUNS.c.id.in_(ids)))}
        rows = [_observation_row(journeys[o.journey], runs[o.run_id], o) for o in wanted if o.run_id in runs]
        put(connection, OBSERVATIONS, rows)


def read_observations(
    connection: Connection, target: str, journeys: str | Collection[str] | None = None, last: int = 12
) -> list[Observation]:
    """What the last runs at each location said of journeys, the newest last; of all without any."""
    wanted = [journeys] if isinstance(journeys, str) else journeys
    looked = select(RUNS.c.location).where(RUNS.c.target == target, RUNS.c.part == 0).distinct()
    found = [
        _observation(target, row)
        for location in connection.execute(looked).scalars().all()
        for row in _newest_rows(connection, target, location, wanted, last)
    ]
    return sorted(found, key=lambda o: (o.at, o.slot, o.run_id))


def _newest_rows(
    connection: Connection, target: str, location: str, journeys: Collection[str] | None, last: int
) -> Iterator[Any]:
    newest, run = OBSERVATIONS.alias(), RUNS.alias()
    oldest_wanted = (
        select(newest.c.at)
        .join(run, run.c.no == newest.c.run_no)
        .where(newest.c.journey_no == JOURNEYS.c.no, run.c.location == location)
        .order_by(newest.c.at.desc(), newest.c.run_no.desc())
        .limit(1)
        .offset(last - 1)
        .scalar_subquery()
    )
    query = (
        select(OBSERVATIONS, JOURNEYS.c.journey, RUNS.c.id, RUNS.c.slot, RUNS.c.build, RUNS.c.location)
        .select_from(JOURNEYS)
        .join(OBSERVATIONS, OBSERVATIONS.c.journey_no == JOURNEYS.c.no)
        .join(RUNS, RUNS.c.no == OBSERVATIONS.c.run_no)
        .where(JOURNEYS.c.target == target, RUNS.c.location == location)
        .where(OBSERVATIONS.c.at >= func.coalesce(oldest_wanted, 0))
        .order_by(OBSERVATIONS.c.journey_no, OBSERVATIONS.c.at.desc(), OBSERVATIONS.c.run_no.desc())
    )
    if journeys is not None:
        query = query.where(JOURNEYS.c.journey.in_(journeys))
    for _, rows in groupby(connection.execute(query), key=lambda row: row.journey_no):
        yield from islice(rows, last)  # two runs that began in the same moment are both past the oldest wanted


def _observation(target: str, row: Any) -> Observation:
    if row.body:
        observation = from_json(row.body, Observation)
        return msgspec.structs.replace(observation, at=from_ms(row.at), slot=row.slot, location=row.location)
    return Observation(
        run_id=row.id,
        slot=row.slot,
        at=from_ms(row.at),
        target=target,
        journey=row.journey,
        outcome=_OUTCOMES[row.outcome],
        build=row.build,
        location=row.location,
    )


def _write_slot(connection: Connection, verdict: Verdict, at: int, outcomes: Mapping[int, Outcome]) -> None:
    run = verdict.run
    key = {"target": run.target, "slot": run.slot, "location": run.location}
    blank = upsert(connection, SLOTS).values({**key, "at": at, "outcomes": ""})
    connection.execute(blank.on_conflict_do_nothing())
    here = [SLOTS.c[name] == value for name, value in key.items()]
    known: str = connection.execute(select(SLOTS.c.outcomes).where(*here).with_for_update()).scalar_one()
    letters = list(known.ljust(max(outcomes, default=0) + 1, "-"))
    for number, outcome in outcomes.items():
        letters[number] = min(letters[number], _LETTERS[outcome], key=_TELLS_MOST.index)
    connection.execute(SLOTS.update().where(*here).values(outcomes="".join(letters)))


def read_slots(
    connection: Connection, target: str, since: datetime, until: datetime, journeys: Collection[str] | None = None
) -> list[JudgedSlot]:
    """The slots judged in a window, oldest first."""
    names = {
        row.no: row.journey
        for row in connection.execute(select(JOURNEYS.c.no, JOURNEYS.c.journey).where(JOURNEYS.c.target == target))
        if journeys is None or row.journey in journeys
    }
    query = select(SLOTS).where(SLOTS.c.target == target, SLOTS.c.at >= to_ms(since), SLOTS.c.at < to_ms(until))
    return [
        JudgedSlot(
            slot=row.slot,
            at=from_ms(row.at),
            location=row.location,
            outcomes={
                name: _OUTCOMES[row.outcomes[i]]
                for i, name in names.items()
                if i < len(row.outcomes) and row.outcomes[i] != "-"
            },
        )
        for row in connection.execute(query.order_by(SLOTS.c.slot))
    ]


def read_slot_before(connection: Connection, target: str, slot: int) -> tuple[int, datetime] | None:
    """The last slot judged before this one, at whatever location, and when its run began."""
    query = select(SLOTS.c.slot, SLOTS.c.at).where(SLOTS.c.target == target, SLOTS.c.slot < slot)
    row = connection.execute(query.order_by(SLOTS.c.slot.desc()).limit(1)).first()
    return (row.slot, from_ms(row.at)) if row else None


def has_slot(connection: Connection, target: str, slot: int, *, location: str = "") -> bool:
    """Whether a scheduled run at a location judged a slot."""
    here = (SLOTS.c.target == target, SLOTS.c.slot == slot, SLOTS.c.location == location)
    return connection.execute(select(SLOTS.c.slot).where(*here)).first() is not None


def read_first_judged(connection: Connection, target: str) -> dict[str, datetime]:
    """When the first run began that judged a slot of each journey."""
    found = {}
    for known in connection.execute(select(JOURNEYS.c.no, JOURNEYS.c.journey).where(JOURNEYS.c.target == target)):
        letter = func.substr(SLOTS.c.outcomes, known.no + 1, 1)
        query = select(SLOTS.c.at).where(SLOTS.c.target == target, letter.not_in(("", "-")))
        if (at := connection.execute(query.order_by(SLOTS.c.slot).limit(1)).scalar()) is not None:
            found[str(known.journey)] = from_ms(at)
    return found


def read_steps(connection: Connection, target: str) -> dict[str, tuple[str, ...]]:
    """Paths of the steps of each journey of the target."""
    query = (
        select(JOURNEYS.c.journey, SERIES.c.step)
        .join(SERIES, SERIES.c.journey_no == JOURNEYS.c.no)
        .where(JOURNEYS.c.target == target, SERIES.c.operation == "", ~JOURNEYS.c.journey.startswith(OWN))
        .order_by(SERIES.c.no)
    )
    found: dict[str, dict[str, None]] = {}
    for row in connection.execute(query):
        found.setdefault(row.journey, {}).update({row.step: None} if row.step else {})
    return {journey: tuple(steps) for journey, steps in found.items()}


def read_series(
    connection: Connection, target: str, journey: str, steps: Collection[str], since: datetime
) -> dict[str, list[StepSample]]:
    """The measurements of steps, oldest first: one by one where they are kept so, otherwise rolled up."""
    numbers: dict[int, str] = {
        row.no: row.step
        for row in connection.execute(
            select(SERIES.c.no, SERIES.c.step)
            .join(JOURNEYS, JOURNEYS.c.no == SERIES.c.journey_no)
            .where(JOURNEYS.c.target == target, JOURNEYS.c.journey == journey)
            .where(SERIES.c.step.in_(steps), SERIES.c.operation == "")
        )
    }
    found: dict[str, list[StepSample]] = {step: [] for step in steps}
    for table, span in _SPANS:
        wanted = (table.c.series_no.in_(numbers), table.c.at >= to_ms(since) - span * 1000)
        for row in connection.execute(select(table).where(*wanted)).mappings():
            found[numbers[row["series_no"]]].append(
                StepSample(
                    at=from_ms(row["at"]),
                    span_s=span,
                    count=row.get("count", 1),
                    failed=row["failed"],
                    total_ms=row["duration_us" if table is STEPS else "total_us"] / 1000,
                )
            )
    return {step: sorted(samples, key=lambda sample: sample.at) for step, samples in found.items()}


def write_states(
    connection: Connection, target: str, states: Mapping[tuple[str, str], bytes], *, location: str = ""
) -> None:
    """Replace the detector's state of steps, by journey and step."""
    journeys = journey_numbers(connection, target, [journey for journey, _ in states])
    series = series_numbers(connection, location, journeys, [(journey, step, "") for journey, step in states])
    rows = [{"series_no": series[journey, step, ""], "state": state} for (journey, step), state in states.items()]
    put(connection, DETECTOR_STATE, rows)


def read_states(
    connection: Connection, target: str, *, location: str = "", journeys: Collection[str] | None = None
) -> dict[tuple[str, str], bytes]:
    """The detector's state of every step, by journey and step."""
    query = (
        select(JOURNEYS.c.journey, SERIES.c.step, DETECTOR_STATE.c.state)
        .join(SERIES, SERIES.c.no == DETECTOR_STATE.c.series_no)
        .join(JOURNEYS, JOURNEYS.c.no == SERIES.c.journey_no)
        .where(JOURNEYS.c.target == target, SERIES.c.location == location)
    )
    if journeys is not None:
        query = query.where(or_(JOURNEYS.c.journey.in_(journeys), JOURNEYS.c.journey.startswith(OWN)))
    return {(row.journey, row.step): bytes(row.state) for row in connection.execute(query)}
