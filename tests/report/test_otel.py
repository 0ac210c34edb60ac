"""Spans, received by a real OTLP/HTTP receiver."""

from __future__ import annotations

import gzip
import socket
import sys
from collections.abc import Iterator

import made_run
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from synthprobe import Journey, Recorder, loopback, recording, step
from synthprobe.errors import ReportError, ToolError
from synthprobe.records.result import Result
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.report import telemetry
from synthprobe.report.telemetry import export_spans


@pytest.fixture
def receiver() -> Iterator[tuple[str, list]]:
    got: list = []

    class Receiver(loopback.Handler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            message = ExportTraceServiceRequest.FromString(body)
            got.extend(span for r in message.resource_spans for scope in r.scope_spans for span in scope.spans)
            self.send_response(200 if self.path == "/v1/traces" else 404)
            self.end_headers()

    with loopback.served(Receiver) as url:
        yield f"{url}/v1/traces", got


def verdict() -> tuple[Verdict, Recorder, str]:
    journey = Journey(id="call-intake", node_id="t.py::t", title="A call is taken")
    with recording(Recorder(journey)) as recorder:
        with step("take the call"):
            with step("type the address"):
                sent = recorder.span_id
        with pytest.raises(AssertionError), step("it is stored"):
            raise AssertionError("it is not there")
    result = Result(
        run_id="r",
        target="demo",
        journey=journey,
        attempt=1,
        outcome="failed",
        started_at=recorder.started_at,
        duration_s=recorder.duration_s,
        cause="it is not there",
        steps=recorder.steps,
        trace_id=recorder.trace_id,
        span_id=recorder.root_span_id,
    )
    judged = JourneyVerdict(journey=journey, outcome="failed", results=(result,))
    return Verdict(run=made_run.run(), journeys=(judged,), finished_at=made_run.NOW), recorder, sent


def test_a_journey_and_its_steps_are_spans_with_the_ids_the_target_saw(receiver):
    address, got = receiver
    made, recorder, sent = verdict()
    assert export_spans(address, made) == 4
    spans = {span.name: span for span in got}
    assert set(spans) == {"A call is taken", "take the call", "type the address", "it is stored"}
    assert {span.trace_id.hex() for span in got} == {recorder.trace_id}
    assert spans["type the address"].span_id.hex() == sent
    assert spans["type the address"].parent_span_id == spans["take the call"].span_id
    assert spans["take the call"].parent_span_id == spans["A call is taken"].span_id
    assert spans["it is stored"].status.message == "it is not there"
    assert {attribute.key: attribute.value.string_value for attribute in spans["it is stored"].attributes} == {
        "synthprobe.journey": "call-intake",
        "synthprobe.step": "it is stored",
    }


def test_a_receiver_that_refuses_is_a_sentence(receiver):
    with pytest.raises(ReportError, match="4 spans could not be sent"):
        export_spans(receiver[0] + "/wrong", verdict()[0])


def test_attempts_without_ids_are_left_out():
    old = Verdict(run=made_run.run(), journeys=made_run.journeys(), finished_at=made_run.NOW)
    assert export_spans("http://127.0.0.1:1/v1/traces", old) == 0


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ToolError, match=r"synthprobe\[otel\]"):
        export_spans("http://127.0.0.1:1/v1/traces", verdict()[0])


def test_a_receiver_that_accepts_and_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(telemetry, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ReportError, match="within 0.3 s"):
        export_spans(f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces", verdict()[0])
