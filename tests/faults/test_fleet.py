"""Slots that several machines judge on one real PostgreSQL: each journey has one verdict a slot, whatever dies."""

import itertools
import json
import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from machines import Fleet, outcomes, votes

from synthprobe_demo.postgres import running_postgres

_numbers = itertools.count()


@pytest.fixture(scope="module")
def server():
    with running_postgres("full_page_writes=off", "synchronous_commit=off") as started:
        yield started


@pytest.fixture
def fleet(server, tmp_path):
    url = server.url().replace("postgresql:", "postgresql+psycopg:")
    return Fleet(tmp_path, url, target=f"shop{next(_numbers)}")


def test_a_majority_fails_the_target_and_one_location_is_an_incident_of_its_own(fleet):
    plan = fleet.plan(2)
    fleet.look(plan, {"fra": {"buy": "failed", "read": "failed"}, "iad": {"buy": "failed"}})
    printed = fleet.conclude()
    assert printed["exit_code"] == 1
    assert outcomes(printed) == {"buy": "failed", "read": "degraded", "search": "passed"}
    assert votes(printed, "buy") == {"fra": "failed", "iad": "failed", "sin": "passed"}
    target, location = sorted(fleet.incidents(), key=lambda incident: incident["location"])
    assert target["kind"] == "failing"
    assert target["seen_from"] == "fails from fra and iad, passes from sin"
    assert target["seen_from"] in target["events"][0]["text"]
    assert location["kind"] == "degraded"
    assert (location["location"], location["owner"]) == ("fra", "network")
    assert location["title"] == "Location fra: read fails from fra, passes from iad and sin"
    (read,) = (journey for journey in printed["journeys"] if journey["journey"]["id"] == "read")
    assert (read["incident"], read["responsible"]) == (location["id"], "network")


def test_two_conclusions_at_once_judge_once(fleet):
    plan = fleet.plan()
    fleet.look(plan, {"fra": {"buy": "failed"}, "iad": {"buy": "failed"}})
    root = fleet.machine("other")
    other = subprocess.Popen(
        [sys.executable, "-m", "synthprobe", "run", "--conclude", "--slot", str(fleet.slot), "--json"],
        cwd=root, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    printed = fleet.conclude()
    theirs = other.communicate(timeout=250)[0]
    assert ("concluded by" in printed["nothing_done"]) != ("concluded by" in theirs), (printed, theirs)
    (incident,) = fleet.incidents()
    assert incident["occurrences"] == 1
    assert "was concluded by" in fleet.conclude(fleet.slot, "third")["nothing_done"]


def test_work_handed_out_twice_is_judged_once(fleet):
    plan = fleet.plan(locations=("fra",))
    slow = fleet.lease(plan, "fra", seconds=0, name="slow")  # it froze: its lease is over
    quick = fleet.lease(plan, "fra", name="quick")
    assert fleet.finish(quick, plan, {"buy": "failed"}, name="quick")
    assert not fleet.finish(slow, plan, name="slow")
    assert outcomes(fleet.conclude())["buy"] == "failed"
    with fleet.history() as history:
        assert len(history.step_series(fleet.target, "buy", "open", since=_long_ago())) == 1


def test_a_lost_part_is_unknown_and_says_who_had_it(fleet):
    plan = fleet.plan(3, locations=("fra",))
    fleet.finish(fleet.lease(plan, "fra", 1), plan)
    fleet.lease(plan, "fra", 2, name="m2")
    printed = fleet.conclude()
    causes = {journey["journey"]["id"]: journey["cause"] for journey in printed["journeys"]}
    second, third = plan.parts[1].journeys[0].id, plan.parts[2].journeys[0].id
    assert causes[second].startswith("part lost: part 2 of 3 was taken by machine m2 at ")
    assert causes[third] == "part lost: part 3 of 3 was taken by nobody."
    assert sorted(outcomes(printed).values()) == ["passed", "unknown", "unknown"]
    assert printed["exit_code"] == 3


def test_a_blind_location_has_no_vote_and_one_incident_for_a_day(fleet):
    for slot in range(fleet.slot - 2, fleet.slot + 1):
        plan = fleet.plan(slot=slot)
        fleet.look(plan, but=("sin",))
        assert set(outcomes(fleet.conclude(slot)).values()) == {"passed"}
    (incident,) = fleet.incidents()
    assert (incident["kind"], incident["location"], incident["owner"]) == ("monitor blind", "sin", "network")
    assert incident["occurrences"] == 2
    plan = fleet.plan(slot=fleet.slot + 1)
    fleet.look(plan)
    fleet.conclude(fleet.slot + 1)
    assert fleet.incidents()[0]["state"] == "resolved"


def test_slots_in_which_nobody_could_look_are_one_alert_whichever_machine_concludes(server, tmp_path):
    url = server.url().replace("postgresql:", "postgresql+psycopg:")
    pager = '[[alerts.routes]]\nname = "pager"\nto = ["env:NO_PAGER"]\n'
    fleet = Fleet(tmp_path, url, target=f"shop{next(_numbers)}", more=pager)
    first = fleet.slot - 3
    for slot, machine in enumerate(("fra", "iad", "sin"), first):
        fleet.plan(slot=slot)
        assert set(outcomes(fleet.conclude(slot, machine)).values()) == {"unknown"}
    (incident,) = fleet.incidents()
    assert (incident["kind"], incident["occurrences"], incident["location"]) == ("monitor blind", 3, "")
    assert "part lost: part 1 of 1 was taken by nobody." in incident["title"]
    with fleet.history() as history:
        letters = [json.loads(letter)["alert"] for letter in history.fleet.letters()]
    assert [letter["reason"] for letter in letters if incident["id"] in letter["incidents"]] == ["opened"]
    fleet.look(fleet.plan(slot=fleet.slot))
    fleet.conclude(fleet.slot, "fra")
    assert fleet.incidents()[0]["state"] == "resolved"


def test_a_clock_that_is_off_changes_no_slot(fleet):
    plan = fleet.plan()
    for location, off in (("fra", 600), ("iad", -600), ("sin", 0)):
        fleet.finish(fleet.lease(plan, location), plan, {"buy": "failed"}, off=timedelta(seconds=off))
    assert outcomes(fleet.conclude())["buy"] == "failed"
    with fleet.history() as history:
        (slot,) = history.judged_slots(fleet.target, _long_ago(), _long_ago() + timedelta(days=3))
    assert slot.slot == fleet.slot
    assert slot.outcomes == {"buy": "failed", "read": "passed", "search": "passed"}


def test_the_quorum_of_a_slot_is_that_of_its_plan(fleet):
    bad = {"fra": {"buy": "failed"}}
    for slot, quorum, expected in ((fleet.slot, 1, "failed"), (fleet.slot + 1, 2, "degraded")):
        fleet.look(fleet.plan(slot=slot, quorum=quorum), bad)
        assert outcomes(fleet.conclude(slot))["buy"] == expected
    assert sorted(incident["kind"] for incident in fleet.incidents()) == ["degraded", "failing"]


def test_a_database_that_restarts_loses_no_part(server, fleet):
    plan = fleet.plan(locations=("fra",))
    state = fleet.lease(plan, "fra")
    with fleet.history("fra") as history:
        verdict = fleet.verdict(state, plan, {"buy": "failed"})
        server.restart(meanwhile=lambda: _handed_over(history, verdict, state))
    printed = fleet.conclude(None, "fra")  # the machine that had it hands it over now
    assert outcomes(printed) == {"buy": "failed", "read": "passed", "search": "passed"}


def test_a_broken_conclusion_is_taken_over_and_tells_once(fleet, monkeypatch):
    plan = fleet.plan(locations=("fra",))
    fleet.look(plan, {"fra": {"buy": "failed"}})
    with monkeypatch.context() as broken:
        broken.setattr("synthprobe.history.fleet.Fleet.finish", lambda *_: sys.exit(9))
        broken.setattr("synthprobe.fleet.conclude.LEASE_S", 0.0)
        with pytest.raises(Exception, match="Expecting value"):  # it printed nothing
            fleet.conclude()
    assert outcomes(fleet.conclude(None, "second"))["buy"] == "failed"
    (incident,) = fleet.incidents()
    assert incident["occurrences"] == 1
    with fleet.history() as history:
        assert len(history.observations(fleet.target, {"buy"})) == 1


def test_machines_that_come_together_take_each_part_once(fleet):
    plan = fleet.plan(3, locations=("fra",))
    taken, all_there = [], threading.Barrier(4)

    def come(name: int) -> None:
        all_there.wait()
        for part in (1, 2, 3):
            try:
                taken.append(fleet.lease(plan, "fra", part, name=f"m{name}").place.part)
            except AssertionError:
                continue

    threads = [threading.Thread(target=come, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [1, 2, 3]


def _long_ago():
    from datetime import UTC, datetime

    return datetime.now(UTC) - timedelta(days=2)


def _handed_over(history, verdict, state) -> None:
    from synthprobe.pipeline.afterwards import seen_by

    history.ingest(verdict, part=seen_by(verdict, state.place, state.token))
