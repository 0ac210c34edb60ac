"""The verdict as Prometheus metrics (a file, or a push), and as OpenTelemetry spans with the ids the target saw."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from synthprobe.errors import ReportError
from synthprobe.files import write_whole
from synthprobe.journey.deadline import bounded_session
from synthprobe.records.objective import Coverage
from synthprobe.records.result import Outcome, Result, Step
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
    for judgement in verdict.journeys:
        for word in get_args(Outcome):
            outcome.labels(target, judgement.journey.id, word).set(judgement.outcome == word)
            for vote in judgement.votes:
                seen.labels(target, judgement.journey.id, vote.location, word).set(vote.outcome == word)
        for step in judgement.results[-1].steps if judgement.results else ():
            if step.status == "passed":  # a broken step's time is how long it waited, not how long it takes
                lasted.labels(target, judgement.journey.id, step.title).set(step.duration_s)
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


def export_spans(endpoint: str, verdict: Verdict) -> int:
    """Send a span for each attempt at a journey and each of its steps over OTLP/HTTP."""
    with needs("otel", "Sending spans"):
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import SpanExportResult
    run = verdict.run
    resource = Resource(
        {
            "service.name": "synthprobe",
            "synthprobe.target": run.target,
            "synthprobe.run": run.id,
            "synthprobe.location": run.location,
        }
    )
    attempts = [(judgement, result) for judgement in verdict.journeys for result in judgement.results]
    traced = [(judgement, result) for judgement, result in attempts if result.trace_id and result.span_id]
    spans = [span for judgement, result in traced for span in _spans(judgement.outcome_of(result), result, resource)]
    if not spans:
        return 0
    try:
        with bounded_session(TIMEOUT_S) as session:
            sent = OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S, session=session).export(spans)
    except OSError:
        sent = SpanExportResult.FAILURE
    if sent is not SpanExportResult.SUCCESS:
        raise ReportError(
            f"{len(spans)} spans could not be sent within {TIMEOUT_S:g} s. Check that the OTLP receiver runs and its "
            "address ends in /v1/traces; the verdict itself is not touched by this."
        )
    return len(spans)


def _spans(outcome: Outcome, result: Result, resource: Any) -> Iterator[Any]:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

    def context(id: str) -> SpanContext:
        return SpanContext(int(result.trace_id, 16), int(id, 16), is_remote=False, trace_flags=TraceFlags(1))

    def span(of: Result | Step, name: str, parent: str, attributes: dict[str, Any], error: str) -> ReadableSpan:
        began = int(of.started_at.timestamp() * 1e9)
        return ReadableSpan(
            name=name,
            context=context(of.span_id),
            parent=context(parent) if parent else None,
            resource=resource,
            attributes={"synthprobe.journey": result.journey.id, **attributes},
            status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.OK),
            start_time=began,
            end_time=began + int(of.duration_s * 1e9),
        )

    def inside(steps: tuple[Step, ...], parent: str) -> Iterator[ReadableSpan]:
        for step in (step for step in steps if not step.vital):
            attributes: dict[str, Any] = {"synthprobe.step": step.title}
            attributes |= {f"synthprobe.{step.title}": step.duration_s for step in step.steps if step.vital}
            error = (step.error or "The step broke.") if step.status == "failed" else ""
            yield span(step, step.title, parent, attributes, error)
            yield from inside(step.steps, step.span_id)

    attributes = {"synthprobe.outcome": outcome, "synthprobe.attempt": result.attempt}
    cause = result.cause if result.outcome in {"failed", "unknown"} else ""
    yield span(result, result.journey.title, "", attributes, cause)
    yield from inside(result.steps, result.span_id)
