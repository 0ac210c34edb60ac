"""What the measures of the operating model count, and when they say nothing."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from synthprobe.goals.measures import measure
from synthprobe.records.incident import Incident
from synthprobe.records.measure import Measure, Measures, Page

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = SINCE + timedelta(days=30)


def incident(number: int, fingerprint: str = "", *, day: float = 1, lasted: float = 60, **fields: object) -> Incident:
    at = SINCE + timedelta(days=day, minutes=number)
    if fields.get("resolved_how"):
        fields = {
            "state": "resolved",
            "resolved_by": "first-line",
            "resolved_at": at + timedelta(minutes=lasted),
        } | fields
    known = {"target": "demo", "kind": "failing", "state": "open", "signature": "", "title": f"t{number}"}
    when = {"opened_at": at, "first_seen_at": at, "last_seen_at": at}
    return Incident(**{"id": f"I{number}", "fingerprint": fingerprint or f"v1:{number}", **known, **when, **fields})


def measured(incidents: list[Incident], pages: list[Page] | None = None, **more: object) -> Measures:
    return measure(incidents, pages or [], target="demo", since=SINCE, until=UNTIL, **more)


def measure_of(id: str, incidents: list[Incident], pages: list[Page] | None = None, **more: object) -> Measure:
    return next(each for each in measured(incidents, pages, **more).measures if each.id == id)


def test_what_a_user_told_first_or_only_a_user_saw_was_not_detected_first():
    incidents = [incident(n) for n in range(17)]
    early, late = incident(20), incident(21)
    early = incident(20, reported_at=early.opened_at - timedelta(minutes=3))
    late = incident(21, reported_at=late.opened_at + timedelta(minutes=9))
    unseen = incident(22, reported_at=late.opened_at, occurrences=0)
    found = measure_of("detected_first", [*incidents, early, late, unseen])
    assert (found.figure, found.text) == (
        "90 % (18 of 20)",
        "18 of 20 incidents were known before a user told. The monitor did not see 1 at all.",
    )


def test_lead_is_the_median_and_negative_when_users_were_first():
    def reported(n: int, minutes: float) -> Incident:
        return incident(n, reported_at=incident(n).opened_at + timedelta(minutes=minutes))

    assert (
        measure_of("lead", [reported(n, minutes) for n, minutes in enumerate(range(1, 12))]).figure == "+6 min (n = 11)"
    )
    assert measure_of("lead", [reported(n, -4) for n in range(10)]).value == -4


def test_what_ended_by_itself_is_no_first_line_resolution():
    hows = ["runbook"] * 5 + ["fix"] * 3 + ["engineer"] * 2 + ["itself"] * 30
    found = measure_of("first_line", [incident(n, resolved_how=how) for n, how in enumerate(hows)])
    assert (found.value, found.n) == (0.8, 10)
    assert "30 more ended by themselves" in found.text


def test_a_repeat_is_known_from_before_the_window_and_the_missing_runbook_is_counted():
    old = incident(1, "v1:x", day=-40)
    new = [incident(n, "v1:x", runbook="page" if n < 7 else "") for n in range(2, 12)]
    assert measure_of("repeats", [old, *new]).figure == "100 % (10 of 10)"
    assert measure_of("repeats", new).figure == "90 % (9 of 10)"
    assert measure_of("repeats_without_runbook", [old, *new]).figure == "50 % (5 of 10)"


def test_coverage_by_runbooks_is_counted_by_incidents_and_by_minutes():
    incidents = [incident(n, resolved_how="engineer", runbook="page", lasted=10) for n in range(8)]
    incidents += [incident(n, resolved_how="engineer", lasted=160) for n in range(8, 10)]
    assert measure_of("covered", incidents).figure == "80 % (8 of 10)"
    found = measure_of("covered_minutes", incidents)
    assert (found.figure, found.value) == ("20 % (8 of 10)", pytest.approx(0.2))
    assert found.text == "8 of 10 incidents matched a runbook; they lasted 80 of 400 minutes."
    assert measure_of("covered_minutes", incidents[:9]).figure == "too few (8 of 9)"
    instant = [incident(n, resolved_how="engineer", runbook="page", lasted=0) for n in range(10)]
    assert measure_of("covered_minutes", instant).figure == "none", "what took no time has no share of it"
    seen_once = incident(
        0, runbook="page", last_seen_at=SINCE - timedelta(minutes=1)
    )  # the run began before it was judged
    assert (
        measure_of("covered_minutes", [seen_once]).text
        == "1 of 1 incidents matched a runbook; they lasted 0 of 0 minutes."
    )


def test_pages_by_shift_and_by_night_in_the_time_of_those_who_sleep():
    pages = [Page(at=SINCE + timedelta(days=2, hours=hour)) for hour in (5, 12, 21, 23)]
    pages.append(Page(at=UNTIL))
    assert measure_of("pages_per_shift", [], pages).value == pytest.approx(4 / 90)
    assert measure_of("sleep", [], pages).figure == "2 (n = 4)"
    assert measure_of("sleep", [], pages, zone=ZoneInfo("Europe/Berlin")).figure == "2 (n = 4)"
    assert measure_of("sleep", [], pages[:1], zone=ZoneInfo("Europe/Berlin")).value == 0  # 05:00 UTC is 06:00 there
    assert measure(
        [], pages, target="demo", since=SINCE, until=SINCE + timedelta(days=3)
    ).measures[5].figure == "too few (n = 9)"  # fmt: skip


def test_days_since_an_engineer_was_needed_look_beyond_the_window():
    assert measure_of("since_escalation", []).figure == "none"
    old = incident(1, day=-10, lasted=0, resolved_how="engineer")
    assert measure_of("since_escalation", [old, incident(2, resolved_how="fix")]).figure == "40 days"


def test_a_page_was_worth_it_when_somebody_acted():
    hows = ["fix"] * 6 + ["itself"] * 4 + ["engineer"] * 9
    incidents = [incident(n, resolved_how=how) for n, how in enumerate(hows)]
    pages = [Page(at=SINCE + timedelta(days=1), incidents=tuple(f"I{n}" for n in range(10)))]
    assert measure_of("actionable", incidents, pages).figure == "60 % (6 of 10)"


def test_responders_are_roles_weighed_by_what_they_do_and_stand_in_no_order_of_rank():
    by = ["supervisor"] * 9 + ["desk"] * 3
    incidents = [incident(n, resolved_how="runbook", resolved_by=role) for n, role in enumerate(by)]
    expected = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert measure_of("responders", incidents).value == pytest.approx(expected)
    assert [(share.role, share.n, share.of) for share in measured(incidents).roles] == [
        ("desk", 3, 12),
        ("supervisor", 9, 12),
    ]


def test_knowledge_is_in_one_head_unless_a_second_person_or_a_runbook_knows_too():
    fields = {"resolved_how": "engineer", "resolved_by": "dispatch-desk"}
    incidents = [
        incident(1, "v1:alone", resolved_mark="a", **fields),
        incident(2, "v1:alone", resolved_mark="a", **fields),
        incident(3, "v1:shared", resolved_mark="a", **fields),
        incident(4, "v1:shared", resolved_mark="b", **fields),
        incident(5, "v1:written", resolved_mark="a", runbook="page", **fields),
        *(incident(n, resolved_mark="a", runbook="page", **fields) for n in range(6, 13)),
    ]
    found = measured(incidents)
    assert [(head.fingerprint, head.incident, head.times) for head in found.one_head] == [("v1:alone", "I2", 2)]
    assert measure_of("one_head", incidents).figure == "10 % (1 of 10)"
    assert "a" not in {head.role for head in found.one_head}


def test_a_fix_buys_back_what_the_same_failure_took_without_it():
    slow = [incident(n, "v1:x", lasted=60, resolved_how="engineer") for n in range(5)]
    quick = [incident(n, "v1:x", lasted=10, resolved_how="fix") for n in range(5, 10)]
    alone = [incident(n, lasted=1, resolved_how="fix") for n in range(10, 30)]
    assert measure_of("bought_back", [*slow, *quick, *alone]).figure == "250 min (n = 10)"
    worse = [incident(n, "v1:x", lasted=90, resolved_how="fix") for n in range(5, 10)]
    found = measure_of("bought_back", [*slow, *worse])
    assert found.value == -150
    assert "the fix was no faster" in found.text


def test_below_ten_no_ratio_is_a_figure():
    incidents = [incident(n, resolved_how="fix", reported_at=incident(n).opened_at) for n in range(9)]
    pages = [Page(at=SINCE, incidents=tuple(each.id for each in incidents))]
    facts = {"sleep", "since_escalation", "pages_per_shift"}
    ratios = [each for each in measured(incidents, pages).measures if each.id not in facts]
    assert len(ratios) == 11
    for each in ratios:
        assert each.value is None
        assert each.figure.startswith("too few")


def test_without_a_record_of_pages_nothing_is_called_calm():
    found = {each.id: each.figure for each in measure([], None, target="demo", since=SINCE, until=UNTIL).measures}
    assert {found[id] for id in ("pages_per_shift", "sleep", "actionable")} == {"not known"}


def test_pages_are_counted_only_for_as_long_as_they_are_recorded():
    pages = [Page(at=UNTIL - timedelta(days=day)) for day in (1, 2, 25)]
    found = measure_of("pages_per_shift", [], pages, pages_since=UNTIL - timedelta(days=10))
    assert (found.n, found.value) == (30, pytest.approx(2 / 30))


def test_other_targets_and_other_windows_are_left_out():
    incidents = [incident(1), incident(2, target="staging"), incident(3, day=31), incident(4, day=-1)]
    assert measured(incidents).incidents == 1
