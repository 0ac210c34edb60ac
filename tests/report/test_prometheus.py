"""The metrics, read back by Prometheus' own parser and received by a real server."""

from __future__ import annotations

import socket
import sys

import made_run
import pytest
from prometheus_client.parser import text_string_to_metric_families

from synthprobe import loopback
from synthprobe.errors import ReportError, ToolError
from synthprobe.records.objective import Coverage
from synthprobe.records.verdict import Verdict
from synthprobe.report import telemetry
from synthprobe.report.telemetry import push_metrics, write_metrics

VERDICT = Verdict(run=made_run.run(), journeys=made_run.journeys(), finished_at=made_run.NOW)


def samples(text: str) -> dict[tuple[str, ...], float]:
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {
        (
            sample.name.removeprefix("synthprobe_"),
            *(sample.labels[key] for key in sample.labels if key != "target"),
        ): sample.value
        for sample in found
    }


def test_outcome_step_time_heartbeat_and_coverage_are_told(tmp_path):
    seen = Coverage(window_s=86400, elapsed=288, judged=216, worst_gap_s=5400)
    found = samples(write_metrics(tmp_path / "new" / "synthprobe.prom", VERDICT, seen).read_text())
    outcomes = {key[1:]: value for key, value in found.items() if key[0] == "journey_outcome"}
    assert {key for key, value in outcomes.items() if value} == {
        ("login", "passed"),
        ("export", "skipped"),
        ("map", "unknown"),
        ("unit-status", "degraded"),
        ("call-intake", "failed"),
    }
    assert found["step_duration_seconds", "login", "sign in"] == 0.6
    assert ("step_duration_seconds", "call-intake", "the other board shows it") not in found
    assert found["last_run_timestamp_seconds",] == made_run.NOW.timestamp()
    assert found["coverage_ratio",] == 0.75
    assert found["longest_gap_seconds",] == 5400


def test_what_is_not_known_is_no_metric(tmp_path):
    found = samples(write_metrics(tmp_path / "synthprobe.prom", VERDICT).read_text())
    assert ("coverage_ratio",) not in found


def test_metrics_are_pushed_for_their_target():
    got: list[tuple[str, str]] = []

    class Gateway(loopback.Handler):
        def do_PUT(self) -> None:
            got.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            self.send_response(200)
            self.end_headers()

    with loopback.served(Gateway) as url:
        push_metrics(url, VERDICT)
    ((path, text),) = got
    assert sorted(path.split("/job/synthprobe/")[1].split("/")) == sorted(["target", "demo", "location", "local"])
    assert samples(text)["journey_outcome", "login", "passed"] == 1


def test_a_gateway_that_is_not_there_is_a_sentence():
    with pytest.raises(ReportError, match="could not be pushed"):
        push_metrics("http://127.0.0.1:1", VERDICT)


def test_a_gateway_that_accepts_and_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(telemetry, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ReportError, match="could not be pushed"):
        push_metrics(f"http://127.0.0.1:{silent.getsockname()[1]}", VERDICT)


def test_without_the_library_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(ToolError, match=r"synthprobe\[prometheus\]"):
        write_metrics(tmp_path / "x.prom", VERDICT)
