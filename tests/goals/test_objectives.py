"""Objectives that can fire, and that admit what nobody looked at."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from synthprobe.goals.objectives import STANDARD_RULES, burn_rules, burning, check_rule, judge_objective, lint, slices
from synthprobe.records.incident import Observation
from synthprobe.records.objective import BurnRule, Objective, Slice

NOW = 100_000
MONTH = 8_640


def seen(
    outcome: str, slot: int = NOW, *, journey: str = "login", fingerprint: str = "", run: str = "r"
) -> Observation:
    return Observation(
        run_id=run,
        slot=slot,
        at=datetime.fromtimestamp(slot * 300, UTC),
        target="demo",
        journey=journey,
        outcome=outcome,
        fingerprint=fingerprint,
        cause=f"because of {fingerprint}" if fingerprint else "",
    )


def month(bad: dict[str, int], *, unknown: int = 0, missing: int = 0) -> list[Slice]:
    states = [("bad", cause) for cause, count in bad.items() for _ in range(count)]
    states += [("unknown", "")] * unknown
    states = [("good", "")] * (MONTH - missing - len(states)) + states
    return [
        Slice(slot=NOW - MONTH + 1 + place, state=state, fingerprint=cause, cause=cause and f"because of {cause}")
        for place, (state, cause) in enumerate(states)
    ]


def judged(bad: dict[str, int], percent: float = 99.0, **gaps: int):
    return judge_objective(
        Objective(journey="login", percent=percent), month(bad, **gaps), now_slot=NOW, interval_s=300
    )


@pytest.mark.parametrize(
    ("percent", "needs"),
    [
        (95, ["9/12 & 1/1", "22/72 & 2/6", "44/288 & 4/24", "44/864 & 4/72"]),
        (98, ["4/12 & 1/1", "9/72 & 1/6", "18/288 & 2/24", "18/864 & 2/72"]),
        (99, ["2/12 & 1/1", "5/72 & 1/6", "9/288 & 1/24", "9/864 & 1/72"]),
        (99.5, ["1/12 & 1/1", "3/72 & 1/6", "5/288 & 1/24", "5/864 & 1/72"]),
        (99.9, ["1/12 & 1/1", "1/72 & 1/6", "1/288 & 1/24", "1/864 & 1/72"]),
    ],
)
def test_the_standard_rules_become_these_counts_at_five_minutes(percent, needs):
    found = [check_rule(Objective(journey="login", percent=percent), rule, 300) for rule in STANDARD_RULES]
    assert [f"{c.long_needs}/{c.long_of} & {c.short_needs}/{c.short_of}" for c in found] == needs


@pytest.mark.parametrize(
    ("percent", "left"), [(90, [6, 3, 1]), (95, [14.4, 6, 3, 1]), (99, [14.4, 6, 3, 1]), (99.5, [6, 3, 1]), (99.9, [])]
)
def test_rules_that_cannot_fire_or_that_one_sample_trips_are_left_out(percent, left):
    assert [rule.factor for rule in burn_rules(Objective(journey="login", percent=percent), 300)] == left


def test_the_rules_follow_the_interval():
    strict = Objective(journey="login", percent=99.9)
    assert lint(strict, 300)[0].startswith(
        "99.9 % cannot be watched with one sample each 5 m: it allows 8.64 bad samples"
    )
    assert [rule.factor for rule in burn_rules(strict, 30)] == [14.4, 6, 3, 1]
    assert lint(strict, 30) == ()


@pytest.mark.parametrize(
    ("percent", "rule", "why"),
    [
        (90, BurnRule(factor=14.4, long_s=3600, short_s=300), "It cannot fire: 14.4 × over 1 h asks for 144 %"),
        (
            99.5,
            BurnRule(factor=14.4, long_s=3600, short_s=300),
            "One sample trips it: 14.4 × over 1 h is reached by 1 bad",
        ),
        (
            99,
            BurnRule(factor=2, long_s=60, short_s=60),
            "It cannot fire reliably: 2 × over 1 m is shorter than the 5 m",
        ),
        (99, BurnRule(factor=0, long_s=3600, short_s=300), "0 × over 1 h: the factor must be above 0"),
    ],
)
def test_a_declared_rule_that_makes_no_sense_is_refused_with_a_sentence(percent, rule, why):
    (sentence,) = lint(Objective(journey="login", percent=percent), 300, [rule])
    assert sentence.startswith(why)


def test_a_rule_fires_when_both_windows_hold_enough_and_ends_soon_after():
    rule = check_rule(Objective(journey="login", percent=99), STANDARD_RULES[0], 300)
    bad = [Slice(slot=NOW - 5, state="bad"), Slice(slot=NOW, state="bad")]
    assert burning(rule, bad, NOW)
    assert not burning(rule, bad[1:], NOW)
    assert not burning(rule, bad, NOW + 1)
    assert not burning(rule, [Slice(slot=NOW - 1, state="unknown"), bad[1]], NOW)


def test_the_error_budget_is_told_as_time_with_its_largest_cause():
    status = judged({"v1:geocoder": 32, "v1:login": 6})
    assert status.text == "3 h 10 m of 7 h 12 m used, 2 h 40 m of it one cause: because of v1:geocoder"
    assert (status.state, status.availability) == ("met", pytest.approx(100 * (MONTH - 38) / MONTH))
    assert judged({}).text == "nothing of 7 h 12 m used"


def test_an_objective_is_missed_when_the_budget_is_used_up():
    assert judged({"v1:x": 86}).state == "met"
    assert judged({"v1:x": 87}).state == "missed"


@pytest.mark.parametrize("gap", ["unknown", "missing"])
def test_what_nobody_could_look_at_makes_the_objective_unknown_beyond_the_cap_f45(gap):
    few, many = (judged({}, **{gap: count}) for count in (432, 433))
    assert (few.state, few.availability, round(few.coverage, 1)) == ("met", 100.0, 95.0)
    assert (many.state, many.why.split(" slots")[0]) == ("unknown", "433 of 8640")
    assert many.worst_gap_s == 433 * 300


def test_a_journey_nobody_watched_is_unknown_and_not_good():
    status = judge_objective(Objective(journey="login"), [], now_slot=NOW, interval_s=300, since_slot=NOW - 99)
    assert (status.state, status.availability, status.coverage, status.worst_gap_s) == ("unknown", None, 0.0, 30_000)


def test_a_new_journey_is_judged_from_its_first_slice():
    young = [Slice(slot=NOW - place, state="good") for place in range(100)]
    status = judge_objective(Objective(journey="login"), young, now_slot=NOW, interval_s=300)
    assert (status.elapsed, status.coverage, status.state) == (100, 100.0, "met")


def test_of_several_runs_in_a_slot_the_bad_one_decides_and_a_repeated_run_changes_nothing():
    runs = [seen("unknown"), seen("failed", fingerprint="v1:x"), seen("passed"), seen("failed", fingerprint="v1:x")]
    assert [
        slot.state for slot in slices([*runs, *runs, seen("failed", journey="other")], Objective(journey="login"))
    ] == ["bad"]
    assert slices([seen("unknown"), seen("passed")], Objective(journey="login"))[0].state == "good"


def test_degraded_is_bad_only_when_declared_and_skipped_is_left_out():
    assert slices([seen("degraded")], Objective(journey="login"))[0].state == "good"
    assert slices([seen("degraded")], Objective(journey="login", count_degraded=True))[0].state == "bad"
    half = slices([seen("passed", NOW - 1), seen("skipped", NOW)], Objective(journey="login"))
    status = judge_objective(Objective(journey="login"), half, now_slot=NOW, interval_s=300)
    assert (status.elapsed, status.skipped, status.coverage) == (1, 1, 100.0)


@pytest.mark.parametrize("percent", [0, 100, 101, -1, float("nan")])
def test_an_objective_that_is_no_percentage_is_refused(percent):
    with pytest.raises(ValueError, match="above 0 and under 100"):
        burn_rules(Objective(journey="login", percent=percent), 300)


def test_the_table_in_the_documentation_is_what_the_rules_become():
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "objectives.md").read_text()
    rows = re.findall(r"^\| ([\d.]+) % \| (.+) \|$", page, re.MULTILINE)
    assert len(rows) == 6
    for percent, text in rows:
        objective = Objective(journey="login", percent=float(percent))
        checked = [check_rule(objective, rule, 300) for rule in STANDARD_RULES]
        made = [
            "cannot fire"
            if rule.outage_s is None
            else "one sample"
            if rule.refused
            else f"{rule.long_needs}/{rule.long_of} & {rule.short_needs}/{rule.short_of}"
            for rule in checked
        ]
        assert text.split(" | ") == made
