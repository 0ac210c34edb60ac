"""Objectives, as `synthprobe review` shows them and `synthprobe doctor` looks at them."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from recorded_runs import NOW, call, ran
from remembering import remember

from synthprobe.cli import remembered
from synthprobe.project import Project
from synthprobe.records.journey import Journey
from synthprobe.runner.inventory import Inventory, write_inventory

FAST = '[[objectives.login.rules]]\nfactor = 14.4\nlong = "1h"\nshort = "5m"\n'


def statuses() -> list[dict]:
    return json.loads(call("review", "--only", "objectives", "--json"))["objectives"]


def declare(root, text: str) -> None:
    with (root / "synthprobe.toml").open("a") as file:
        file.write(text)


def test_lint_prints_what_each_rule_needs_at_this_interval(root):
    output = call("review", "--rules")
    assert "default: 99 % in 30 days, one sample each 5 m" in output
    for needs in ("2/12 & 1/1", "5/72 & 1/6", "9/288 & 1/24", "9/864 & 1/72"):
        assert needs in output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[objectives.default]\npercent = 99.9\n", "cannot be watched with one sample each 5 m"),
        ("[objectives.default]\npercent = 100\n", "above 0 and under 100"),
        (
            "[objectives.login]\npercent = 90\n" + FAST,
            "It cannot fire: 14.4 × over 1 h asks for 144 % of the samples",
        ),
        (
            "[objectives.login]\npercent = 99.5\n" + FAST,
            "One sample trips it",
        ),
    ],
)
def test_lint_refuses_what_cannot_work(root, text, says):
    declare(root, text)
    output = call("doctor", "objectives", code=1)
    assert "wrong    objectives: [objectives." in output
    assert says in output


@pytest.mark.parametrize(
    ("table", "near"),
    [
        ('[objectives."the search"]', "Did you mean 'search'?"),
        ("[objectives.serch]", "Did you mean 'search'?"),
        ("[objectives.zzz]", "Known ones: report, search."),
        ('[aliases."the report"]', "Did you mean 'report'?"),
    ],
)
def test_lint_names_a_journey_that_the_last_runs_did_not_have(root, table, near):
    declare(root, f"[objectives.search]\npercent = 99\n[aliases.search]\n'old' = 'new'\n{table}\n")
    call("doctor", "objectives")  # no run yet: nothing is known
    ran(root, timedelta(minutes=5))
    output = " ".join(call("doctor", "objectives", code=1).split())
    assert output.count("wrong objectives:") == 1
    name = table.split(".", 1)[1].strip('"]')
    assert f"There is no journey with the id {name!r}, so this does nothing. {near}" in output


def test_lint_knows_the_journeys_of_the_kept_inventory(root):
    declare(root, "[objectives.sign-in]\npercent = 99\n[objectives.sign-on]\npercent = 99\n")
    journey = Journey(id="sign-in", node_id="sign_in.py::t", title="Sign in")
    inventory = Inventory(revision="1", journeys=(journey,))
    write_inventory(root / ".synthprobe" / "state" / "demo" / "inventory.json", inventory)
    output = call("doctor", "objectives", code=1)
    assert 'wrong    objectives: [objectives."sign-on"]' in output
    assert "Did you mean 'sign-in'?" in output
    assert '[objectives."sign-in"]' not in output


def test_show_tells_coverage_beside_availability_and_a_gap_makes_the_objective_unknown(root):
    declare(root, "[objectives.search]\npercent = 95\nwindow_days = 7\n")
    for minutes in range(5, 105, 5):
        ran(root, timedelta(minutes=minutes), outcome="failed" if minutes == 50 else "passed")
    found = {status["objective"]["journey"]: status for status in statuses()}
    assert (found["search"]["objective"]["percent"], found["report"]["objective"]["percent"]) == (95, 99)
    assert (found["search"]["availability"], found["search"]["coverage"]) == (95.0, 100.0)
    assert found["search"]["text"] == "5 m of 8 h 24 m used, 5 m of it one cause: it broke"
    ran(root, timedelta(minutes=300))
    table = call("review", "--only", "objectives")
    assert "unknown" in table
    assert "Coverage" in table


def test_show_says_when_nothing_is_recorded(root):
    assert "No slot was judged" in call("review", "--only", "objectives")


def test_lint_shows_the_standard_rules_for_usual_objectives_at_this_interval(root):
    declare(root, "[objectives.default]\npercent = 97\n")
    lines = [" ".join(line.split()) for line in call("review", "--rules").splitlines()]
    assert "90 % 864 cannot fire 44/72 & 4/6 87/288 & 8/24 87/864 & 8/72 3 of 4" in lines
    assert "97 % * 259.2 6/12 & 1/1 13/72 & 2/6 26/288 & 3/24 26/864 & 3/72 4 of 4" in lines
    assert "99.9 % 8.64 one sample one sample one sample one sample 0 of 4" in lines
    assert "8,640 samples without a bad one only show that less than 0.035 % are bad." in call("review", "--rules")
    toml = root / "synthprobe.toml"
    toml.write_text("interval_s = 60\n" + toml.read_text())
    lines = [" ".join(line.split()) for line in call("review", "--rules").splitlines()]
    assert "99.9 % 43.2 one sample 3/360 & 1/30 5/1440 & 1/120 5/4320 & 1/360 3 of 4" in lines


def test_a_gap_at_the_begin_of_the_window_counts(root):
    """Nobody looked for 29 of 30 days: the objective is unknown, though every slot since then was good."""
    ran(root, timedelta(days=40))
    for minutes in range(5, 65, 5):
        ran(root, timedelta(minutes=minutes))
    assert remember(Project.at(root), "demo") == []
    for status in statuses():
        assert (status["state"], status["good"], status["elapsed"]) == ("unknown", 12, 8640)
        assert status["worst_gap_s"] == (8640 - 12) * 300
    assert "8628 of 8640 slots" in call("review", "--only", "objectives")


def test_a_journey_first_watched_inside_the_window_has_no_gap_before(root):
    for minutes in range(5, 65, 5):
        ran(root, timedelta(minutes=minutes))
    assert remember(Project.at(root), "demo") == []
    for status in statuses():
        assert (status["state"], status["elapsed"], status["coverage"]) == ("met", 12, 100.0)


def test_an_error_budget_that_is_used_too_fast_is_said(root):
    for minutes in range(5, 305, 5):
        ran(root, timedelta(minutes=minutes), outcome="failed" if minutes in {5, 15} else "passed")
    says = "The error budget is used 14.4 × too fast or faster: 2 of the last 12 slots (1 h) were bad, 2 are too many."
    assert {status["burning"] for status in statuses()} == {says}
    call("review", "--pages")
    assert says in (root / ".synthprobe" / "site" / "board" / "demo" / "index.html").read_text()


@pytest.mark.parametrize(
    ("interval_s", "elapsed", "bad", "used"),
    [(300, 48, 3, "15 m"), (600, 24, 3, "30 m"), (3600, 4, 2, "2 h"), (60, 240, 15, "15 m")],
)
def test_another_interval_keeps_what_was_judged_before(root, monkeypatch, interval_s, elapsed, bad, used):
    """Four hours of slots of 5 minutes, three of them bad, told in slots of another length."""
    until = NOW.replace(hour=12, minute=0, second=0) - timedelta(days=1)
    monkeypatch.setattr(remembered, "now", lambda: until)
    for minutes in range(5, 245, 5):
        ran(root, NOW - until + timedelta(minutes=minutes), outcome="failed" if minutes in {20, 110, 90} else "passed")
    toml = root / "synthprobe.toml"
    toml.write_text(f"interval_s = {interval_s}\n" + toml.read_text())
    for status in statuses():
        assert (status["elapsed"], status["bad"], status["unknown"], status["coverage"]) == (elapsed, bad, 0, 100.0)
        assert status["text"].startswith(f"{used} of ")
