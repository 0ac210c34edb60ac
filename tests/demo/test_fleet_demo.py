"""The demonstration of the fleet. All of it runs every night (`make fleet-demo`, drill.yml); here are its parts."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from synthprobe.fault_proxy import Break, proxy_drill
from synthprobe.hooks import Fault
from synthprobe.records.incident import Incident
from synthprobe.records.journey import Journey
from synthprobe.records.result import Run
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe_demo import fleet
from synthprobe_demo.process import running_centre

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_its_journeys_pass_find_the_fault_and_notice_a_broken_network(tmp_path):
    (tmp_path / "journeys").mkdir()
    (tmp_path / "journeys" / "test_centre.py").write_text(fleet.JOURNEYS)
    environ = {**os.environ, "DISPATCHER": fleet.password(), "PAGER": "json://127.0.0.1:9"}
    history = f"sqlite:///{tmp_path}/history.db"
    cut = Fault(name="cut", cause="infra")
    with (
        running_centre() as centre,
        proxy_drill("demo", centre.base_url, {cut: Break(path="", drop=True)}).start() as way,
    ):
        (tmp_path / "synthprobe.toml").write_text(fleet.settings(history, centre.base_url, tmp_path / "site"))

        def run() -> dict[str, str]:
            words = (sys.executable, "-m", "synthprobe", "run", "--json", "--base-url", way.base_url)
            done = subprocess.run(words, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=250)
            assert done.stdout, done.stderr
            return {judged["journey"]["id"]: judged["outcome"] for judged in json.loads(done.stdout)["journeys"]}

        with centre.broken(fleet.FAULT):
            assert run() == {"address-lookup": "failed", "units": "passed", "lookouts": "passed"}
        with way.broken("cut"):
            assert set(run().values()) == {"failed"}


def slot(outcomes: dict[str, str], alone: tuple[str, ...] = ()) -> Verdict:
    run = Run(id="r", target="demo", base_url="http://x", slot=1, started_at=NOW)
    journeys = [
        JourneyVerdict(journey=Journey(id=id, node_id=id, title=id), outcome=outcome, alone=alone)
        for id, outcome in outcomes.items()
    ]
    return Verdict(run=run, journeys=tuple(journeys), finished_at=NOW)


def incident(kind: str, location: str = "") -> Incident:
    return Incident(
        id=kind, target="demo", kind=kind, state="open", fingerprint="", signature="", title=kind, opened_at=NOW,
        first_seen_at=NOW, last_seen_at=NOW, location=location,
    )  # fmt: skip


RIGHT = {
    "healthy": slot({"address-lookup": "passed", "units": "passed"}),
    "cut_off": slot({"address-lookup": "degraded", "units": "degraded"}, alone=("sin",)),
    "broken": slot({"address-lookup": "failed", "units": "passed"}),
    "incidents": [incident("degraded", "sin"), incident("failing")],
    "alerts": ["Location sin", "address-lookup"],
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"healthy": slot({"address-lookup": "passed", "units": "unknown"})},
        {"cut_off": slot({"address-lookup": "failed", "units": "degraded"}, alone=("sin",))},
        {"cut_off": slot({"address-lookup": "degraded"}, alone=("fra",))},
        {"broken": slot({"address-lookup": "failed", "units": "failed"})},
        {"incidents": [incident("degraded", "sin"), incident("failing"), incident("monitor blind")]},
        {"alerts": ["Location sin", "address-lookup", "address-lookup"]},
        {"alerts": ["address-lookup"]},
    ],
)
def test_only_one_incident_and_one_alert_of_each_is_right(wrong):
    assert fleet.is_right(**RIGHT)
    assert not fleet.is_right(**(RIGHT | wrong))
