"""A project with recorded runs, as the commands that look back find it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from typer.testing import CliRunner

from synthprobe.cli.main import app
from synthprobe.records.journey import Journey
from synthprobe.records.result import Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict

NOW = datetime.now(UTC).replace(microsecond=0)


def ran(root: Path, ago: timedelta, *, outcome: str = "passed", scheduled: bool = True, **seconds: float) -> None:
    """Leave a run of two journeys: a rare slow report, and a search that everybody uses."""
    at = NOW - ago
    slot = int(at.timestamp()) // 300
    run = Run(
        id=f"{at:%Y%m%dT%H%M%S}", target="demo", base_url="http://t", slot=slot, started_at=at, scheduled=scheduled
    )
    made = []
    for id, uses, title in (("report", 3, "print the shift report"), ("search", 4_000, "find the address")):
        journey = Journey(id=id, node_id=f"{id}.py::t", title=f"the {id}", uses_per_day=uses)
        took = seconds.get(id, 8.0 if id == "report" else 1.5)
        result = Result(
            run_id=run.id,
            target="demo",
            journey=journey,
            attempt=1,
            outcome=outcome,
            started_at=at,
            duration_s=took,
            steps=(Step(title=title, status="passed", started_at=at, duration_s=took, budget_s=1.0),),
        )
        cause = "" if outcome == "passed" else "it broke"
        made.append(JourneyVerdict(journey=journey, outcome=outcome, cause=cause, results=(result,)))
    folder = root / ".synthprobe" / "runs" / "demo" / run.id
    folder.mkdir(parents=True)
    verdict = Verdict(run=run, journeys=tuple(made), finished_at=at)
    (folder / "verdict.json").write_bytes(msgspec.json.encode(verdict))


def call(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == code, done.output
    return done.output
