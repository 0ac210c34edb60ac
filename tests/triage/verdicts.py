"""A journey's verdict of one attempt, for tests that say only what matters of it."""

from datetime import UTC, datetime

from synthprobe.records.journey import Journey
from synthprobe.records.result import Result
from synthprobe.records.verdict import JourneyVerdict

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def verdict_of(name, *steps, outcome="failed", cause="", degradations=(), owner="", mutates=(), **attempt):
    """What was judged of a journey; what is said besides is of its attempt."""
    journey = Journey(id=name, node_id=f"{name}.py::test", title=name, owner=owner, mutates=mutates)
    of_attempt = {"run_id": "r", "target": "t", "worker": "main", "started_at": NOW, "duration_s": 1.0} | attempt
    result = Result(journey=journey, attempt=1, outcome=outcome, steps=steps, degradations=degradations, **of_attempt)
    return JourneyVerdict(journey=journey, outcome=outcome, results=(result,), cause=cause, degradations=degradations)
