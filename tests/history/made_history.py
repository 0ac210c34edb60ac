"""Verdicts as a run would leave them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from synthprobe.history.store import History
from synthprobe.records.journey import Journey
from synthprobe.records.result import Failure, Operation, Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVERY = timedelta(minutes=5)


def opened(place: str, folder: Path, **more) -> History:
    """The history at a place; of one that is shared, the file of this machine is in the folder."""
    if "://" in place:
        return History.open(folder / "home.db", shared=place, **more)
    return History.open(place, **more)


def journey(number: int) -> Journey:
    return Journey(id=f"journey-{number}", node_id=f"j.py::test_{number}", title=f"Journey {number}", budget_s=10)


def verdict(
    number: int = 0,
    *,
    at: datetime | None = None,
    journeys: int = 1,
    steps: int = 1,
    ms: float = 400,
    outcome: str = "passed",
    run_id: str = "",
    target: str = "demo",
    location: str = "",
) -> Verdict:
    """The verdict of the run of one slot; every step takes `ms`, and has a budget of 300 ms."""
    at = at or START + number * EVERY
    run = Run(
        id=run_id or f"run-{number:06d}",
        target=target,
        base_url="http://demo.test",
        slot=int(at.timestamp()) // 300,
        started_at=at,
        location=location,
        scheduled=True,
    )
    judged = []
    for journey_record in map(journey, range(journeys)):
        failure = None
        if outcome == "failed":
            failure = Failure(kind="expectation", ours=False, message="no", detail="no", step="step 0")
        result = Result(
            run_id=run.id,
            target=target,
            journey=journey_record,
            attempt=1,
            outcome=outcome,
            started_at=at,
            duration_s=ms * steps / 1000,
            cause="" if outcome == "passed" else "no",
            failure=failure,
            steps=tuple(
                Step(
                    title=f"step {i}",
                    status="failed" if failure and i == 0 else "passed",
                    started_at=at,
                    duration_s=ms / 1000,
                    budget_s=0.3,
                )
                for i in range(steps)
            ),
            operations=tuple(
                Operation(step=f"step {i}", name=f"db query {i}", calls=2, total_ms=ms / 2) for i in range(steps)
            ),
        )
        judged.append(JourneyVerdict(journey=journey_record, outcome=outcome, cause=result.cause, results=(result,)))
    return Verdict(run=run, journeys=tuple(judged), finished_at=at + timedelta(seconds=20))
