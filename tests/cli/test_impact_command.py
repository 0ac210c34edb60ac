"""`synthprobe review`, on what runs left behind."""

from __future__ import annotations

import json
import re
import shutil
from datetime import timedelta

import msgspec
import pytest
from made_site import publish
from msgspec.structs import replace
from recorded_runs import NOW, call, ran
from remembering import remember
from typer.testing import CliRunner

from synthprobe.cli.main import app
from synthprobe.detection.watch import watch
from synthprobe.errors import ConfigurationError, HistoryError
from synthprobe.pipeline.memory import open_history
from synthprobe.pipeline.statements import add_snapshot
from synthprobe.project import Project
from synthprobe.records.evidence import Evidence
from synthprobe.records.impact import Change, Snapshot, StatementCounter
from synthprobe.records.result import Degradation
from synthprobe.records.verdict import Verdict
from synthprobe.report.board import journey_page
from synthprobe.targets.changes import mark_change, read_changes


def test_steps_are_ranked_by_what_users_wait_and_not_by_the_schedule(root):
    for minutes in range(5, 60, 5):
        ran(root, timedelta(minutes=minutes))
    ran(root, timedelta(minutes=61), outcome="failed", search=900.0)
    first, second = json.loads(call("review", "--only", "impact", "--json"))["impact"]
    assert (first["name"], first["impact_ms_per_day"], first["calls"]) == ("find the address", 4_000 * 1_500.0, 11)
    assert second["probe_share"] > 0.8 > 0.1 > second["production_share"]
    assert first["excess_ms_per_day"] > 0


@pytest.mark.parametrize("columns", [80, 200])
def test_the_ranking_can_be_read_in_a_terminal_of_any_width(root, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    ran(root, timedelta(minutes=5))
    output = call("review", "--only", "impact")
    assert output.startswith("Users wait 1.7 h a day for “find the address” in “the search”.")
    table = output.partition("Steps\n")[2].splitlines()
    assert max(map(len, table)) <= columns
    first = "".join(line[2:] for line in table[1 if columns == 200 else 2 :])
    assert first.index("find") < first.index("print")
    row = next(line for line in table if "find the address" in line)
    assert "1.7 h" in row
    assert "100 %" in row


def test_statements_of_the_database_are_ranked_beside_the_steps(root):
    for minutes, calls in ((30, 10), (10, 20_010)):
        often, rare = "select * from position where unit = $1", "select sum(x) from log"
        counters = (
            StatementCounter(id="1", text=often, calls=calls, total_ms=5.0 * calls),
            StatementCounter(id="2", text=rare, calls=calls // 10_000, total_ms=8_000.0 * (calls // 10_000)),
        )
        snapshot = Snapshot(at=NOW - timedelta(minutes=minutes), counters=counters)
        add_snapshot(Project.at(root), "demo", snapshot)
    rows = json.loads(call("review", "--only", "impact", "--json", "--days", "1"))["impact"]
    assert [(row["name"], row["impact_ms_per_day"]) for row in rows] == [
        ("select * from position where unit = ?", 100_000.0),
        ("select sum(x) from log", 16_000.0),
    ]


def test_a_change_tells_its_ceiling_first_and_its_merit_afterwards(root):
    for hours in (30, 29, 28):
        ran(root, timedelta(hours=hours))
    for hours in (3, 2, 1):
        ran(root, timedelta(hours=hours), search=0.75)
    live = (NOW - timedelta(hours=20)).isoformat()
    what = ("index on incident.created", "--operation", "find the address", "--saves", "0.5", "--at", live)
    output = call("mark", *what)
    assert "What it can save: at most 100 % of the waiting for" in output
    (marked,) = read_changes(root)
    assert (marked.title, marked.saves) == ("index on incident.created", 0.5)
    made = json.loads(call("review", "--change", "index on incident.created", "--json"))
    assert made["split"] == {"before_ms": 4500.0, "after_ms": 2250.0, "traffic_ms": 0.0, "per_call_ms": -2250.0}
    assert [row["moved"] for row in made["forecast"]] == [False, False]
    assert "its merit" in call("review", "--change", "index on incident.created")
    call("mark", "of nothing that is measured", "--operation", "no such row", "--at", live)
    assert "0 %" not in call("review", "--change", "of nothing that is measured")


def test_a_row_that_is_gone_after_a_change_is_said_and_what_comes_next_is_told(root):
    slow, other = "select * from incident where lower(address) like $1", "select * from unit"
    for hours, walks in ((30, 10), (22, 40), (12, 40), (1, 40)):
        counters = (
            StatementCounter(id="1", text=slow, calls=walks, total_ms=900.0 * walks),
            StatementCounter(id="2", text=other, calls=100 - hours, total_ms=2.0 * (100 - hours)),
        )
        snapshot = Snapshot(at=NOW - timedelta(hours=hours), counters=counters)
        add_snapshot(Project.at(root), "demo", snapshot)
    name = "select * from incident where lower(address) like ?"
    live = (NOW - timedelta(hours=16)).isoformat()
    output = call("mark", "index on address", "--operation", name, "--at", live)
    assert "at most 100 % of the waiting for database statements" in output
    made = json.loads(call("review", "--change", "index on address", "--json"))
    assert made["note"].startswith("It was not called any more after the change.")
    assert made["split"] is None
    ranks = [(row["name"], row["rank_before"], row["rank_predicted"], row["rank_after"]) for row in made["forecast"]]
    assert ranks == [("select * from unit", 2, 1, 1), (name, 1, 2, 0)]


def test_every_step_that_was_not_well_enough_is_marked(root):
    ran(root, timedelta(minutes=10))
    ran(root, timedelta(minutes=5), outcome="degraded")
    path = max((root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json"))
    verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    _, search = verdict.journeys
    (result,) = search.results
    second = replace(result.steps[0], title="read it aloud")
    degradations = tuple(
        Degradation(kind="over budget", step=title, message=f"{title} took long")
        for title in ("find the address", "read it aloud")
    )
    result = replace(result, steps=(*result.steps, second), degradations=degradations)
    search = replace(search, results=(result,))
    path.write_bytes(msgspec.json.encode(replace(verdict, journeys=(verdict.journeys[0], search))))
    assert remember(Project.at(root), "demo") == []
    page = root / ".synthprobe" / "site" / "board" / "demo" / journey_page("search")
    for _ in ("its folder is there", "its folder is gone"):
        call("review", "--pages", "--only", "impact")
        marks = [line for line in page.read_text().splitlines() if "●" in line]
        assert len(marks) == 2
        assert ["find the address took long" in marks[0], "read it aloud took long" in marks[1]] == [True, True]
        shutil.rmtree(path.parent, ignore_errors=True)
        page.unlink()


def test_a_healthy_step_says_the_smallest_slowdown_it_can_show(root):
    for minutes in range(5, 155, 5):
        ran(root, timedelta(minutes=minutes), search=0.02 + minutes % 20 / 1000)
    assert remember(Project.at(root), "demo") == []
    states: dict[tuple[str, str], bytes] = {}
    for path in sorted((root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")):
        states = watch(msgspec.json.decode(path.read_bytes(), type=Verdict), states).states
    with open_history(Project.at(root)) as history:
        history.put_detector_states("demo", states)
    call("review", "--pages", "--only", "impact")
    board = root / ".synthprobe" / "site" / "board" / "demo"
    pattern = re.compile(r"Usually (\S+ m?s)\. The smallest slowdown it can show is (\S+) ×, (\S+ m?s)\.")
    (report,) = pattern.findall((board / journey_page("report")).read_text())
    (search,) = pattern.findall((board / journey_page("search")).read_text())
    assert report[0] == "8.0 s"
    assert 1.0 < float(report[1]) < 1.6
    assert float(search[1]) > 2.0  # 50 ms are the least that is called degraded


def test_a_row_leads_to_the_trace_of_its_last_slow_run_also_when_later_runs_were_published(root):
    site, runs = root / ".synthprobe" / "site", root / ".synthprobe" / "runs" / "demo"
    ran(root, timedelta(minutes=10), outcome="degraded")
    (slow,) = runs.iterdir()
    verdict = msgspec.json.decode((slow / "verdict.json").read_bytes(), type=Verdict)
    report, search = verdict.journeys
    trace = Evidence(kind="trace", title="trace", media_type="application/zip", path="evidence/search/1/trace.zip")
    (slow / trace.path).parent.mkdir(parents=True)
    (slow / trace.path).write_bytes(b"PK\5\6" + bytes(18))
    degradation = Degradation(kind="over budget", step="find the address", message="it took long")
    search = replace(search, results=(replace(search.results[0], degradations=(degradation,), evidence=(trace,)),))
    (slow / "verdict.json").write_bytes(msgspec.json.encode(replace(verdict, journeys=(report, search))))
    publish([slow], site)
    ran(root, timedelta(minutes=5))
    publish([max(runs.iterdir())], site)
    call("review", "--pages", "--only", "impact")
    page = (site / "board" / "demo" / "index.html").read_text()
    (link,) = re.findall(r'href="\.\./\.\./(\S+)">Trace of the last slow run', page)
    assert link.startswith("trace-viewer/index.html?trace=")
    assert slow.name in link


def test_the_board_is_made_from_run_folders(root):
    ran(root, timedelta(minutes=5))
    ran(root, timedelta(minutes=6), outcome="failed", search=900.0)
    call("review", "--pages", "--only", "impact")
    page = root / ".synthprobe" / "site" / "board" / "demo" / "index.html"
    board = page.read_text()
    assert "Users wait 1.7 h a day for “find the address” in “the search”" in board, "900 s were the probe's waiting"
    assert board.index('data-row="find the address"') < board.index('data-row="print the shift report"')
    assert len(list(page.parent.glob("journey-*.html"))) == 2


def test_nothing_recorded_is_said_and_is_no_error(root):
    assert "Nothing was measured on demo in 7 days" in call("review", "--only", "impact")
    assert json.loads(call("review", "--only", "impact", "--json"))["impact"] == []


def test_a_history_that_cannot_be_used_is_said_and_is_not_nothing_measured(root):
    (root / ".synthprobe" / "history.db").mkdir(parents=True)
    with pytest.raises(HistoryError, match="cannot be reached"):
        CliRunner().invoke(app, ["review"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[change]]\nat = 2026-01-01T00:00:00\ntitle = 'x'", "without a zone"),
        ("[[change]]\nat = 2026-01-01T00:00:00Z", "title"),
        ("[[change]]\nat = 2026-01-01T00:00:00Z\ntitle = 'x'\nsaves = 7", "above 0 and up to 1"),
        ("[[change]]\nat = 0206-01-01T00:00:00Z\ntitle = 'x'", "in the year 206: one from 2000 on"),
        ("[[change", "cannot be used"),
    ],
)
def test_a_broken_file_of_changes_is_refused_with_a_sentence(root, text, says):
    (root / "changes.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=says):
        read_changes(root)


@pytest.mark.parametrize(
    ("at", "says"),
    [
        ("0206-03-02T12:00Z", "from 2000 on and at most a year ahead"),
        ("0001-01-01T00:00Z", "from 2000 on"),
        ("9999-12-31T23:59-12:00", "at most a year ahead"),
        ("yesterday", "is not a time"),
    ],
)
def test_a_change_at_a_time_far_away_is_refused_and_not_marked(root, at, says):
    with pytest.raises(ConfigurationError, match=says):
        CliRunner().invoke(app, ["mark", "typo", "--at", at], catch_exceptions=False)
    assert not (root / "changes.toml").exists()


@pytest.mark.parametrize("options", [("--target", "nope"), ("--target", "nope", "--operation", "find the address")])
def test_a_change_for_an_unknown_target_is_not_marked(root, options):
    with pytest.raises(ConfigurationError, match="no target 'nope'"):
        CliRunner().invoke(app, ["mark", "an index", *options], catch_exceptions=False)
    assert not (root / "changes.toml").exists()


@pytest.mark.parametrize("days", ["inf", "nan", "1e9", "401", "0"])
def test_days_out_of_range_are_refused_with_a_sentence(root, days):
    assert "Invalid value for '--days'" in call("review", "--days", days, code=2)


@pytest.mark.parametrize("options", [("--json",), ("--change", "an index")])
def test_the_board_is_made_alone(root, options):
    with pytest.raises(ConfigurationError, match="--pages makes pages"):
        CliRunner().invoke(app, ["review", "--pages", *options], catch_exceptions=False)


def test_any_title_survives_and_a_second_one_of_its_name_is_refused(root):
    hostile = 'a "title"\nwith \\ and é and [[change]]'
    (root / "changes.toml").write_text("# our changes\n")
    mark_change(root, Change(at=NOW, title=hostile))
    mark_change(root, Change(at=NOW, title="second"))
    assert {change.title for change in read_changes(root)} == {hostile, "second"}
    assert (root / "changes.toml").read_text().startswith("# our changes\n")
    with pytest.raises(ConfigurationError, match="marked already"):
        mark_change(root, Change(at=NOW, title="second"))
