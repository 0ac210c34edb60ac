"""The verdict as Prometheus metrics: a text file for the node exporter, or a push."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from synthprobe.errors import ReportError
from synthprobe.files import write_whole
from synthprobe.journey.deadline import bounded_session
from synthprobe.records.objective import Coverage
from synthprobe.records.result import Outcome
from synthprobe.records.verdict import Verdict
from synthprobe.tools import needs

TIMEOUT_S = 5.0
_SEEN = ("journey", "location", "outcome")


def write_metrics(path: Path, verdict: Verdict, coverage: Coverage | None = None) -> Path:
    """Write the metrics in one move, so that no collector reads half a file."""
    client = _client()
    text = client.generate_latest(_registry(client, verdict, coverage))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return write_whole(path, text)
    except OSError as error:
        raise ReportError(
            f"The metrics cannot be written to {path.name}: {error.strerror}. Check its folder."
        ) from None


def push_metrics(gateway: str, verdict: Verdict, coverage: Coverage | None = None) -> None:
    """Push the metrics to a Pushgateway; those of the target's last run at this location are replaced."""
    client, run = _client(), verdict.run
    registry = _registry(client, verdict, coverage)
    try:
        client.push_to_gateway(
            gateway,
            job="synthprobe",
            registry=registry,
            grouping_key={"target": verdict.run.target} | ({"location": run.location} if run.location else {}),
            handler=_put,
        )
    except (OSError, ValueError) as error:
        raise ReportError(
            f"The metrics could not be pushed: {type(error).__name__}. Check that the Pushgateway runs and its address "
            "is right; the verdict itself is not touched by this."
        ) from None


def _put(url: str, method: str, timeout: float | None, headers: list[tuple[str, str]], data: bytes) -> Any:
    def send() -> None:
        with bounded_session(TIMEOUT_S) as session:
            session.request(method, url, headers=dict(headers), data=data, timeout=TIMEOUT_S).raise_for_status()

    return send


def _registry(client: Any, verdict: Verdict, coverage: Coverage | None) -> Any:
    registry, target = client.CollectorRegistry(), verdict.run.target

    def gauge(name: str, says: str, *labels: str) -> Any:
        return client.Gauge(f"synthprobe_{name}", says, ["target", *labels], registry=registry)

    outcome = gauge("journey_outcome", "1 for the outcome the journey has, 0 for the others.", "journey", "outcome")
    seen = gauge("journey_seen", "1 for the outcome that a location sees, 0 for the others.", *_SEEN)
    lasted = gauge("step_duration_seconds", "Time of the step in the last attempt.", "journey", "step")
    for one in verdict.journeys:
        for word in get_args(Outcome):
            outcome.labels(target, one.journey.id, word).set(one.outcome == word)
            for vote in one.votes:
                seen.labels(target, one.journey.id, vote.location, word).set(vote.outcome == word)
        for step in one.results[-1].steps if one.results else ():
            if step.status == "passed":  # a broken step's time is how long it waited, not how long it takes
                lasted.labels(target, one.journey.id, step.title).set(step.duration_s)
    beat = gauge("last_run_timestamp_seconds", "When the last run was judged; its age is the heartbeat's.")
    beat.labels(target).set(verdict.finished_at.timestamp())
    if coverage is not None:
        judged = gauge("coverage_ratio", "Judged slots of those that passed in the last 24 hours.")
        judged.labels(target).set(coverage.percent / 100)
        gap = gauge("longest_gap_seconds", "The longest time in the last 24 hours in which no slot was judged.")
        gap.labels(target).set(coverage.worst_gap_s)
    return registry


def _client() -> Any:
    with needs("prometheus", "Writing metrics"):
        import prometheus_client
    return prometheus_client
