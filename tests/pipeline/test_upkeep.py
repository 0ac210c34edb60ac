"""Nothing is kept for ever: run folders, damaged histories, records of the heartbeat."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from synthprobe import pipeline
from synthprobe.config import KeepConfig
from synthprobe.pipeline.upkeep import tidy

DAY = 86_400.0
NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()


def run_folder(state: Path, days: float, *, broken: bool = False, size: int = 1000, remembered: bool = True) -> Path:
    folder = state / "runs" / "demo" / f"{round((NOW - days * DAY) / 300)}-r"
    (folder / "evidence").mkdir(parents=True)
    (folder / "verdict.json").write_bytes(b"x" * size)
    if broken:
        (folder / "evidence" / "a").mkdir()
    if remembered:
        (folder / "remembered").touch()
    os.utime(folder, (NOW - days * DAY,) * 2)
    return folder


def left(state: Path) -> list[float]:
    return sorted(round((NOW - path.stat().st_mtime) / DAY, 1) for path in (state / "runs" / "demo").iterdir())


@pytest.mark.parametrize(
    ("keep", "kept"),
    [
        (KeepConfig(days=5, failures_days=20), [0.0, 1.0, 2.0, 3.0, 6.0, 12.0]),
        (KeepConfig(runs=5), [0.0, 1.0, 2.0, 6.0, 12.0]),
        (KeepConfig(megabytes=0.0045), [0.0, 1.0, 2.0, 6.0]),
        (KeepConfig(runs=1, megabytes=0.001), [0.0, 1.0, 2.0]),
        (KeepConfig(), [0.0, 1.0, 2.0, 3.0, 6.0, 12.0, 25.0]),
    ],
)
def test_runs_go_by_age_count_and_size_the_good_ones_first_and_never_the_newest(tmp_path, keep, kept):
    for days in (0, 1, 2, 3, 40):
        run_folder(tmp_path, days)
    for days in (6, 12, 25):
        run_folder(tmp_path, days, broken=True)
    tidy(tmp_path, keep, NOW)
    assert left(tmp_path) == kept


def test_what_is_on_and_what_the_history_has_not_taken_in_stays(tmp_path):
    on = run_folder(tmp_path, 0.5)
    (on / "verdict.json").unlink()
    os.utime(on, (NOW - 0.5 * DAY,) * 2)
    waiting = run_folder(tmp_path, 9, remembered=False)
    for days in (0.1, 0.2, 0.3, 10):
        run_folder(tmp_path, days)
    tidy(tmp_path, KeepConfig(runs=1), NOW)
    assert on.exists()
    assert waiting.exists()
    assert left(tmp_path) == [0.1, 0.2, 0.3, 0.5, 9.0]


def test_damaged_histories_and_records_go_too(tmp_path):
    for number in range(14):
        damaged = tmp_path / f"history.db.damaged-{number:02}"
        damaged.write_bytes(b"x")
        os.utime(damaged, (NOW - (20 - number) * DAY,) * 2)
    (tmp_path / "heartbeat.jsonl").write_text('{"a": "long line of a record"}\n' * 50_000)
    tidy(tmp_path, KeepConfig(), NOW)
    assert [path.name[-2:] for path in sorted(tmp_path.glob("history.db.damaged-*"))] == [
        f"{n:02}" for n in range(5, 14)
    ]
    assert len((tmp_path / "heartbeat.jsonl").read_text().splitlines()) == 2000


LONG = """
import allure
import pytest
from synthprobe import step
BIG = 'x' * 40_000_000
def test_said(api):
    raise AssertionError('begin ' + BIG + ' end')
def test_compared(api):
    with step('s' * 5000):
        assert BIG == 'short'
def test_printed(api):
    print(BIG)
    assert False, 'after it'
def test_skipped(api):
    pytest.skip(BIG)
def test_named(api, record_property):
    record_property(BIG, BIG)
    allure.dynamic.title(BIG)
    allure.dynamic.parameter('p', BIG)
    assert False
"""


def test_an_assertion_of_forty_megabytes_costs_less_than_five(project):
    project.journeys(LONG)
    text = (project.root / "synthprobe.toml").read_text()
    (project.root / "synthprobe.toml").write_text("second_attempts = 0\n" + text)
    done = subprocess.run(
        [sys.executable, "-m", "synthprobe", "run"],
        cwd=project.root,
        env={**os.environ, "CI": ""},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 1, done.stdout[-3000:]
    assert len(done.stdout) < 1_000_000
    (folder,) = (project.root / ".synthprobe" / "runs" / "demo").iterdir()
    size = sum(path.stat().st_size for path in (project.root / ".synthprobe").rglob("*") if path.is_file())
    assert size < 3 * 5_000_000
    verdict = pipeline.read_verdict(folder / "verdict.json")
    journeys = {journey.journey.node_id.rpartition("::test_")[2]: journey for journey in verdict.journeys}
    message = journeys["said"].results[-1].failure.message
    assert message.startswith("begin xxx")
    assert "characters left out" in message
    assert message.endswith("xxx end")
    (whole,) = [kept for kept in journeys["said"].results[-1].evidence if kept.kind == "text"]
    assert 500_000 < (folder / whole.path).stat().st_size < 1_100_000
    assert len(journeys["named"].journey.title) < 400
    assert len(journeys["skipped"].cause) < 70_000
    assert len(journeys["compared"].results[-1].steps[0].title) < 400
    assert all(journey.results[-1].duration_s < 5 for journey in verdict.journeys)
    assert datetime.now(UTC) - verdict.run.started_at < timedelta(seconds=60)
