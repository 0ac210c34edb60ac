"""Journeys and steps as OpenTelemetry spans, with the ids the target already saw in ``traceparent``."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from synthprobe.errors import ReportError
from synthprobe.journey.deadline import bounded_session
from synthprobe.records.result import Outcome, Result, Step
from synthprobe.records.verdict import Verdict
from synthprobe.tools import needs

TIMEOUT_S = 5


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
    attempts = [(one, result) for one in verdict.journeys for result in one.results]
    traced = [(one, result) for one, result in attempts if result.trace_id and result.span_id]
    spans = [span for one, result in traced for span in _spans(one.outcome_of(result), result, resource)]
    if not spans:
        return 0
    try:
        with bounded_session(TIMEOUT_S) as session:
            sent = OTLPSpanExporter(endpoint=endpoint, timeout=TIMEOUT_S, session=session).export(spans)
    except OSError:
        sent = SpanExportResult.FAILURE
    if sent is not SpanExportResult.SUCCESS:
        raise ReportError(
            f"{len(spans)} spans could not be sent within {TIMEOUT_S} s. Check that the OTLP receiver runs and its "
            "address ends in /v1/traces; the verdict itself is not touched by this."
        )
    return len(spans)


def _spans(outcome: Outcome, result: Result, resource: Any) -> Iterator[Any]:
    journey = result.journey
    attributes: dict[str, Any] = {
        "synthprobe.journey": journey.id,
        "synthprobe.outcome": outcome,
        "synthprobe.attempt": result.attempt,
    }
    yield _span(
        result, resource, journey.title, result.span_id, "", result.started_at, result.duration_s, attributes,
        result.cause if result.outcome in {"failed", "unknown"} else "",
    )  # fmt: skip
    yield from _steps(result, resource, result.steps, result.span_id)


def _steps(result: Result, resource: Any, steps: tuple[Step, ...], parent: str) -> Iterator[Any]:
    for step in (one for one in steps if not one.vital):
        attributes: dict[str, Any] = {"synthprobe.journey": result.journey.id, "synthprobe.step": step.title}
        attributes |= {f"synthprobe.{one.title}": one.duration_s for one in step.steps if one.vital}
        error = (step.error or "The step broke.") if step.status == "failed" else ""
        yield _span(
            result, resource, step.title, step.span_id, parent, step.started_at, step.duration_s, attributes, error
        )
        yield from _steps(result, resource, step.steps, step.span_id)


def _span(
    result: Result,
    resource: Any,
    name: str,
    span_id: str,
    parent: str,
    started_at: datetime,
    duration_s: float,
    attributes: dict[str, Any],
    error: str,
) -> Any:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

    def context(id: str) -> SpanContext:
        return SpanContext(int(result.trace_id, 16), int(id, 16), is_remote=False, trace_flags=TraceFlags(1))

    began = int(started_at.timestamp() * 1e9)
    return ReadableSpan(
        name=name,
        context=context(span_id),
        parent=context(parent) if parent else None,
        resource=resource,
        attributes=attributes,
        status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.OK),
        start_time=began,
        end_time=began + int(duration_s * 1e9),
    )
