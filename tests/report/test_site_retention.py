"""What stays in the site, and that two who publish at once lose nothing."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import made_run
import made_site
from made_site import publish

from synthprobe.report.retention import Retention

JOURNEY = made_run.journey("login", "A dispatcher signs in")
ALL = Retention(runs=1000, megabytes=1000, days=1000)


def publish_series(tmp_path: Path, outcomes: list[str], retention: Retention, minutes: int = 5) -> list[str]:
    """Publish one run after the other; the numbers of those that stand in the site at the end."""
    start = made_run.NOW.replace(minute=0, second=0) - timedelta(days=1)
    for number, outcome in enumerate(outcomes):
        run = made_run.run(f"{number:03}", at=start + timedelta(minutes=minutes * number))
        made_run.write(tmp_path / run.id, (made_run.verdict_of(JOURNEY, outcome),), of=run)
        publish([tmp_path / run.id], tmp_path / "site", retention=retention)
    return sorted(path.name for path in (tmp_path / "site" / "runs" / "demo").iterdir())


def test_failures_recoveries_and_one_good_run_an_hour_stay(tmp_path):
    outcomes = ["passed"] * 4 + ["failed", "unknown", "passed", "passed"] + ["passed"] * 8
    assert publish_series(tmp_path, outcomes, ALL) == ["000", "004", "005", "006", "012", "015"]


def test_the_oldest_go_when_there_are_too_many_and_the_newest_never(tmp_path):
    assert publish_series(tmp_path, ["failed"] * 5, Retention(runs=2)) == ["003", "004"]


def test_the_oldest_go_when_they_are_too_large(tmp_path):
    assert publish_series(tmp_path, ["failed"] * 3, Retention(megabytes=0.0001)) == ["002"]


def test_old_runs_go_but_for_the_newest(tmp_path):
    assert publish_series(tmp_path, ["failed"] * 3, Retention(days=0.1)) == ["002"]


def test_two_who_publish_at_once_lose_nothing(tmp_path):
    for target in ("staging", "production"):
        for number in range(4):
            made_run.write(tmp_path / f"{target}{number}", of=made_run.run(f"{number}", target=target))
    both = [
        subprocess.Popen([sys.executable, made_site.__file__, tmp_path / "site", *sorted(tmp_path.glob(f"{target}*"))])
        for target in ("staging", "production")
    ]
    assert [publisher.wait(timeout=250) for publisher in both] == [0, 0]
    assert len(list((tmp_path / "site").glob("runs/*/*/published.json"))) == 8
    page = (tmp_path / "site" / "index.html").read_text()
    assert "staging" in page
    assert "production" in page


def test_a_run_costs_little_beside_its_traces(tmp_path, allure):
    made_run.write(tmp_path / "run")
    publish([tmp_path / "run"], tmp_path / "site", allure=True)
    (folder,) = (tmp_path / "site" / "runs" / "demo").iterdir()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".zip")
    assert size <= 200_000, f"{size} bytes"
    assert len(list((tmp_path / "site" / "assets").iterdir())) == 1
