"""What databases counted is kept for each target, in little space, and only as long as the history keeps it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from synthprobe.cli import review
from synthprobe.cli.main import app
from synthprobe.config import read_config
from synthprobe.goals.statements import MOST, REST, statement_totals
from synthprobe.pipeline.statements import add_snapshot, read_counted
from synthprobe.project import Project
from synthprobe.records.impact import Snapshot, StatementCounter

NOW = datetime.now(UTC).replace(microsecond=0)
EVER = (NOW - timedelta(days=4000), NOW + timedelta(days=1))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "synthprobe.toml").write_text(
        'default_target = "demo"\n[targets.demo]\nbase_url = "http://127.0.0.1:9"\n[targets.staging]\nbase_url = "http://127.0.0.1:8"\n'
        "[history]\nraw_days = 1\nhourly_days = 10\ndaily_days = 30\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def snapshot(minutes: float, *counters: tuple[str, int, float], database: str = "cad") -> Snapshot:
    """So many minutes ago; statements with their calls and milliseconds."""
    rows = tuple(StatementCounter(id=text, text=text, calls=calls, total_ms=ms) for text, calls, ms in counters)
    at = NOW - timedelta(minutes=minutes)
    return Snapshot(at=at, counters=rows, reset_at=NOW - timedelta(days=900), database=database)


def keep(root: Path, *snapshots: Snapshot, target: str = "demo") -> Path:
    config = read_config(root)
    return [add_snapshot(Project(root, config), target, shot) for shot in snapshots][-1]


def counted(root: Path, target: str = "demo") -> dict[str, int]:
    return {
        statement_total.name: statement_total.calls
        for statement_total in statement_totals(read_counted(Project.at(root), target, *EVER))
    }


def ranked(*options: str) -> dict[str, int]:
    output = CliRunner().invoke(app, ["review", "--only", "impact", "--json", *options], catch_exceptions=False).output
    return {row["name"]: row["calls"] for row in json.loads(output)["impact"]}


def test_databases_of_two_targets_are_not_mixed(root, monkeypatch):
    for minutes, calls in ((20, 6000), (10, 6500)):
        for target, text, count in (("demo", "select a", calls), ("staging", "select b", calls // 100)):
            monkeypatch.setattr(review, "collect", lambda url, made=snapshot(minutes, (text, count, 9.0 * count)): made)
            done = CliRunner().invoke(
                app, ["review", "--collect", "--url", "postgresql://x", "--target", target, "--json"]
            )
            assert f"statements/{target}.jsonl" in done.output
    assert ranked() == ranked("--target", "demo") == {"select a": 500}
    assert ranked("--target", "staging") == {"select b": 5}


def test_another_database_under_one_target_is_no_reset(root):
    keep(root, snapshot(30, ("select a", 6000, 6.0)), snapshot(20, ("select a", 15, 1.0), database="other"))
    assert counted(root) == {}
    keep(root, snapshot(10, ("select a", 20, 2.0), database="other"))
    assert counted(root) == {"select a": 5}


def test_only_what_changed_is_kept(root):
    many = [(f"select c{number} from t", 1000, 1e6) for number in range(2000)]
    path = keep(root, snapshot(30, *many), snapshot(20, *many[1:], ("select d", 7, 7.0)))
    first = path.stat().st_size
    assert first < 400
    keep(root, snapshot(10, *many[1:], ("select d", 8, 8.0)))
    assert path.stat().st_size - first < 150  # its text stands there already
    assert counted(root) == {"select d": 8}


def test_the_costliest_are_named_and_the_rest_is_one_row(root):
    texts = [f"select c{number} from t" for number in range(MOST + 50)]
    keep(root, snapshot(20), snapshot(10, *((text, 2, 1000.0 - number) for number, text in enumerate(texts))))
    found = counted(root)
    assert (len(found), found[REST], found[texts[0]]) == (MOST + 1, 100, 2)
    assert texts[-1] not in found


def test_retention_makes_hours_and_days_of_what_is_old_and_ends_it(root):
    """A statement that runs once in 40 minutes, for 20 days: 1 day one by one, then hours, from 5 days on days."""
    toml = root / "synthprobe.toml"
    toml.write_text(toml.read_text().replace("hourly_days = 10\ndaily_days = 30", "hourly_days = 5\ndaily_days = 15"))
    minutes = range(20 * 1440, 0, -40)
    path = keep(root, *(snapshot(ago, ("select a", number, 5.0 * number)) for number, ago in enumerate(minutes)))
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    assert len(lines) < 2 * 36 + 4 * 24 + 12
    kept = read_counted(Project.at(root), "demo", *EVER)
    assert timedelta(days=14) < NOW - kept[0].since < timedelta(days=17)
    (total,) = statement_totals(kept)
    assert total.calls == round((kept[-1].at - kept[0].since) / timedelta(minutes=40))
    assert total.name == "select a"


def test_a_line_cut_off_by_a_kill_is_left_out(root):
    path = keep(root, snapshot(30, ("select a", 1, 1.0)), snapshot(20, ("select a", 2, 2.0)))
    with path.open("ab") as file:
        file.write(b'\n{"since": "2026-')
    assert counted(root) == {"select a": 1}
    keep(root, snapshot(10, ("select a", 4, 4.0)))
    assert counted(root) == {"select a": 3}


def test_a_snapshot_taken_twice_or_before_the_last_counts_nothing(root):
    keep(root, snapshot(20, ("select a", 5, 5.0)), snapshot(10, ("select a", 9, 9.0)))
    keep(root, snapshot(10, ("select a", 9, 9.0)), snapshot(15, ("select a", 7, 7.0)))
    assert counted(root) == {"select a": 4}
