"""`synthprobe objectives`."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from recorded_runs import call, ran

FAST = '[[objectives.login.rules]]\nfactor = 14.4\nlong = "1h"\nshort = "5m"\n'


def declare(root, text: str) -> None:
    with (root / "synthprobe.toml").open("a") as file:
        file.write(text)


def test_lint_prints_what_each_rule_needs_at_this_interval(root):
    said = call("objectives", "lint")
    assert "default: 99 % in 30 days, one sample each 5 m" in said
    for needs in ("2/12 & 1/1", "5/72 & 1/6", "9/288 & 1/24", "9/864 & 1/72"):
        assert needs in said


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
    said = call("objectives", "lint", code=2)
    assert "refused: [objectives." in said
    assert says in said


def test_show_tells_coverage_beside_availability_and_a_gap_makes_the_objective_unknown(root):
    declare(root, "[objectives.search]\npercent = 95\nwindow_days = 7\n")
    for minutes in range(5, 105, 5):
        ran(root, timedelta(minutes=minutes), outcome="failed" if minutes == 50 else "passed")
    found = {one["objective"]["journey"]: one for one in json.loads(call("objectives", "show", "--json"))}
    assert (found["search"]["objective"]["percent"], found["report"]["objective"]["percent"]) == (95, 99)
    assert (found["search"]["availability"], found["search"]["coverage"]) == (95.0, 100.0)
    assert found["search"]["text"] == "5 m of 8 h 24 m used, 5 m of it one cause: it broke"
    ran(root, timedelta(minutes=300))
    table = call("objectives", "show")
    assert "unknown" in table
    assert "Coverage" in table


def test_show_says_when_nothing_is_recorded(root):
    assert "No slot was judged" in call("objectives", "show")
