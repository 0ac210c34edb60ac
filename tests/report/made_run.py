"""A small run folder as a run leaves it, made of real records."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from synthprobe.records.evidence import Evidence
from synthprobe.records.journey import Journey
from synthprobe.records.result import TOLD_ALLURE, Degradation, Failure, Outcome, Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report.allure_results import attempt_uuid

SUSPECTED = "Probe suspected: 4 of 5 journeys took 2.0 × their usual in the same run."
NOW = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=2)
SINCE = NOW - timedelta(hours=2)
HOSTILE = (
    "Expected the other board to show <b>DC-1042</b> within 2.0 s, but it did not.\n"
    "Last seen: <script>alert(1)</script>"
)


def run(run_id: str = "20261123T114000Z-a1b2", target: str = "demo", at: datetime = NOW) -> Run:
    return Run(
        id=run_id,
        target=target,
        base_url="http://127.0.0.1:8700",
        slot=5958792,
        started_at=at,
        build="2026.11.4",
        location="local",
        command=f"synthprobe run --target {target}",
    )


def journey(name: str, title: str, **more: object) -> Journey:
    return msgspec.convert(
        {"id": name, "node_id": f"journeys/dispatch/test_board.py::test_{name}", "title": title, **more}, Journey
    )


def step(title: str, seconds: float, *, after: float = 0.0, failed: str = "", budget: float | None = None) -> Step:
    return Step(
        title=title,
        status="failed" if failed else "passed",
        started_at=NOW + timedelta(seconds=after),
        duration_s=seconds,
        budget_s=budget,
        error=failed,
    )


def journeys() -> tuple[JourneyVerdict, ...]:
    """One of each outcome, in no special order."""
    steps = (
        step("take the call", 1.1, budget=3.0),
        step("it is stored as entered", 0.08, after=1.1),
        step("the other board shows it", 2.02, after=1.2, failed="it did not", budget=2.0),
    )
    handover = journey(
        "call-intake",
        "A call reaches the other dispatcher",
        owner="dispatch-desk",
        severity="critical",
        runbook="call-intake",
        budget_s=10,
    )
    folder = "evidence/call-intake/2"
    evidence = (
        Evidence(kind="trace", title="Playwright trace", media_type="application/zip", path=f"{folder}/trace.zip"),
        Evidence(kind="screenshot", title="the other board", media_type="image/png", path=f"{folder}/board.png"),
        Evidence(kind="console", title="console", media_type="application/json", withheld="It held a secret."),
    )
    failure = Failure(
        kind="expectation",
        ours=False,
        message=HOSTILE,
        detail="test_board.py:14: ExpectationError",
        step="the other board shows it",
    )
    slow = journey(
        "unit-status", "A unit's status change is on the board in time", owner="fleet", runbook="unit-status"
    )
    over = Degradation(kind="over budget", step="status is shown", message="status is shown took 3.4 s of 2.0 s.")
    old = Degradation(
        kind="stale", step="read the map › positions are fresh", message="The position is 80 s old, the limit is 60 s."
    )
    return (
        verdict_of(
            journey("login", "A dispatcher signs in", owner="identity"), "passed", steps=(step("sign in", 0.6),)
        ),
        verdict_of(journey("export", "The shift report is exported"), "skipped", cause="read-only target"),
        verdict_of(
            journey("map", "The map shows every unit", owner="fleet"),
            "unknown",
            cause="The browser process ended before the journey did.",
            results=False,
        ),
        verdict_of(
            slow,
            "degraded",
            steps=(
                step("status is shown", 3.4, budget=2.0),
                msgspec.structs.replace(step("read the map", 0.2), steps=(step("positions are fresh", 0.1),)),
            ),
            degradations=(over, old),
        ),
        verdict_of(
            handover,
            "failed",
            attempts=2,
            steps=steps,
            failure=failure,
            evidence=evidence,
            since=SINCE,
            cause="Expected the other board to show the incident.",
        ),
    )


def verdict_of(
    journey_record: Journey,
    outcome: Outcome,
    *,
    results: bool = True,
    attempts: int = 1,
    cause: str = "",
    since: datetime | None = None,
    steps: tuple[Step, ...] = (),
    failure: Failure | None = None,
    evidence: tuple[Evidence, ...] = (),
    degradations: tuple[Degradation, ...] = (),
) -> JourneyVerdict:
    made = tuple(
        Result(
            run_id=run().id,
            target="demo",
            journey=journey_record,
            attempt=attempt,
            trace_id=hashlib.md5(f"{journey_record.id} {attempt}".encode()).hexdigest(),
            outcome=outcome,
            started_at=NOW + timedelta(seconds=10 * attempt),
            duration_s=sum(part.duration_s for part in steps) or 0.4,
            cause=cause,
            steps=steps,
            failure=failure,
            degradations=degradations,
            evidence=evidence if attempt == attempts else (),
            repeat=f"pytest {journey_record.node_id} --target demo",
            backend_trace=f"https://traces.example/{attempt}" if failure else "",
        )
        for attempt in range(1, attempts + 1)
    )
    return JourneyVerdict(
        journey=journey_record, outcome=outcome, cause=cause, since=since, results=made if results else ()
    )


def write(
    folder: Path,
    judgements: tuple[JourneyVerdict, ...] | None = None,
    *,
    of: Run | None = None,
    trace: bytes = b"PK\5\6" + b"\0" * 18,
) -> Verdict:
    """Write a run folder, with what was told to Allure meanwhile."""
    judged = journeys() if judgements is None else judgements
    verdict = Verdict(run=of or run(), journeys=judged, finished_at=NOW, notes=(SUSPECTED,))
    (folder / TOLD_ALLURE).mkdir(parents=True)
    (folder / "verdict.json").write_bytes(msgspec.json.encode(verdict))
    for judgement in verdict.journeys:
        for result in judgement.results:
            tell(folder, result)
            for kept in result.evidence:
                if kept.path:
                    (folder / kept.path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / kept.path).write_bytes(trace if kept.kind == "trace" else png())
    return verdict


def tell(folder: Path, result: Result, worker: str = "main") -> None:
    """Write down what was told to Allure of an attempt."""
    start = int(result.started_at.timestamp() * 1000)
    record = {
        "uuid": attempt_uuid(result.trace_id),
        "fullName": "journeys.dispatch.test_board#x",
        "historyId": hashlib.md5(result.journey.id.encode()).hexdigest(),
        "testCaseId": "x",
        "start": start,
        "stop": start + int(result.duration_s * 1000),
        "labels": [{"name": "host", "value": "vm"}],
        "parameters": [{"name": "env", "value": "'demo'"}],
        "steps": [{"name": part.title, "status": part.status, "start": start, "stop": start} for part in result.steps],
    }
    with (folder / TOLD_ALLURE / f"{worker}.jsonl").open("a") as file:
        file.write(json.dumps({"result": record}) + "\n")


def forget(folder: Path) -> None:
    """Cut off what was told last, as when its worker was killed."""
    path = folder / TOLD_ALLURE / "main.jsonl"
    path.write_bytes(path.read_bytes()[:-20])


def png(width: int = 320, height: int = 200) -> bytes:
    """A plain grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(b"".join(b"\0" + b"\x9a" * width for _ in range(height)))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
