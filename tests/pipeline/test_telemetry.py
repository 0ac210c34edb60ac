"""A scheduled run is told to the tools a team has already, by the table [telemetry] alone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from synthprobe import loopback, pipeline
from synthprobe.config import read_config
from synthprobe.errors import ConfigurationError
from synthprobe.project import Project
from synthprobe.records.journey import Journey
from synthprobe.records.result import Result, Run, Step
from synthprobe.records.verdict import Verdict
from synthprobe.report import telemetry
from synthprobe.verdict.judge import judge_run

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
SEARCH = Journey(id="search", node_id="journeys/test_a.py::test_search", title="A plate is found")


class Heard:
    """What arrived, in its order."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.requests: list[tuple[str, str, bytes]] = []

    def body(self, path: str) -> bytes:
        (found,) = [body for _, asked, body in self.requests if asked == path]
        return found


@pytest.fixture
def heard() -> Iterator[Heard]:
    class Handler(loopback.Handler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.requests.append((self.command, self.path.partition("?")[0], body))
            self.send_response(200)
            self.end_headers()

        def do_PUT(self) -> None:
            self.do_POST()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Heard(server.server_port)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def run_once(tmp_path: Path):
    def run(more: str, *, scheduled: bool = True, environ: dict[str, str] | None = None) -> Verdict:
        (tmp_path / "synthprobe.toml").write_text(f'[targets.demo]\nbase_url = "http://127.0.0.1:9"\n{more}')
        config = read_config(tmp_path, {})
        now = datetime.now(UTC).replace(microsecond=0)
        slot = int(now.timestamp()) // config.interval_s
        made = Run(id="r", target="demo", base_url="http://127.0.0.1:9", slot=slot, started_at=now, scheduled=scheduled)
        step = Step(title="type the plate", status="passed", started_at=now, duration_s=0.25, span_id="12" * 8)
        result = Result(
            run_id="r",
            target="demo",
            journey=SEARCH,
            attempt=1,
            outcome="failed",
            started_at=now,
            duration_s=0.5,
            cause="503",
            steps=(step,),
            trace_id="ab" * 16,
            span_id="cd" * 8,
        )
        folder = tmp_path / ".synthprobe" / "runs" / "demo" / "r"
        folder.mkdir(parents=True)
        verdict = judge_run(made, (SEARCH,), [result], now)
        pipeline.write_verdict(folder, verdict)
        done = pipeline.after_run(Project(tmp_path, config, environ or {}), folder, verdict)
        assert msgspec.json.decode((folder / "verdict.json").read_bytes(), type=Verdict) == done
        return done

    return run


def metrics(text: str) -> dict[str, float]:
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: sample.value for sample in found if sample.labels.get("outcome", "failed") == "failed"}


def test_spans_metrics_and_a_push_go_where_the_table_says(run_once, heard, tmp_path):
    (tmp_path / "gateway").write_text(heard.address)
    table = '[telemetry]\notlp_url = "env:SPANS"\nmetrics_folder = "metrics"\npush_url = "file:gateway"\n'
    verdict = run_once(table, environ={"SPANS": f"{heard.address}/v1/traces"})
    assert verdict.notes == ()
    sent = ExportTraceServiceRequest.FromString(heard.body("/v1/traces"))
    spans = [span for resource in sent.resource_spans for scope in resource.scope_spans for span in scope.spans]
    assert {(span.name, span.trace_id.hex()) for span in spans} == {
        ("A plate is found", "ab" * 16),
        ("type the plate", "ab" * 16),
    }
    written = metrics((tmp_path / "metrics" / "synthprobe-demo.prom").read_text())
    assert written == metrics(heard.body("/metrics/job/synthprobe/target/demo").decode())
    assert written["synthprobe_journey_outcome"] == 1
    assert written["synthprobe_step_duration_seconds"] == 0.25
    assert written["synthprobe_coverage_ratio"] == 1
    assert written["synthprobe_last_run_timestamp_seconds"] == verdict.finished_at.timestamp()


def test_without_the_table_and_without_a_schedule_nothing_is_sent(run_once, heard, tmp_path):
    run_once(f'[telemetry]\notlp_url = "{heard.address}/v1/traces"\n', scheduled=False)
    assert heard.requests == []


def test_places_that_do_not_take_it_cost_a_sentence_each_and_neither_alert_nor_heartbeat(
    run_once, heard, tmp_path, monkeypatch
):
    monkeypatch.setattr(telemetry, "TIMEOUT_S", 0.3)
    (tmp_path / "metrics").write_text("no folder")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        verdict = run_once(
            f'[telemetry]\notlp_url = "{silent_url}/v1/traces"\nmetrics_folder = "metrics"\npush_url = "env:UNSET"\n'
            '[heartbeat]\nurl = "env:BEAT"\n[[alerts.routes]]\nname = "all"\nto = ["env:PAGER"]\n',
            environ={"PAGER": heard.address.replace("http", "json") + "/pager", "BEAT": f"{heard.address}/beat"},
        )
    assert [judgement.outcome for judgement in verdict.journeys] == ["failed"]
    assert [path.strip("/") for _, path, _ in heard.requests] == ["pager", "beat"]
    spans, written, pushed = verdict.notes
    assert "spans could not be sent" in spans
    assert "metrics" in written
    assert "telemetry.push_url" in pushed
    assert "UNSET" in pushed


@pytest.mark.parametrize("wrong", ["traces.example/{trace_id}", "https://traces.example/", "javascript:{trace_id}"])
def test_a_trace_url_that_leads_nowhere_is_refused(tmp_path, wrong):
    (tmp_path / "synthprobe.toml").write_text(
        f'[targets.demo]\nbase_url = "http://127.0.0.1:9"\ntrace_url = "{wrong}"\n'
    )
    with pytest.raises(ConfigurationError, match=r"trace_url of target 'demo' .* \{trace_id\} in it was expected"):
        read_config(tmp_path, {}).target("demo")
