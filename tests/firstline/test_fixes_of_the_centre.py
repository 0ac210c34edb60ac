"""Fixes end real faults of the dispatch centre, through its own API."""

from __future__ import annotations

from dataclasses import replace

import pytest
import requests
from test_fixes import ANNA, BEN, PASSWORDS, ROOT, desk, incident, world

from synthprobe.errors import FixRefused
from synthprobe.firstline.applying import FixDesk
from synthprobe.firstline.fixes import load_fixes
from synthprobe.firstline.policy import FixesConfig
from synthprobe.firstline.shelf import read_runbooks
from synthprobe.targets.target import Target
from synthprobe_demo.faults import NAMES

__all__ = ["desk", "incident", "world"]


MENDED_BY = {
    "search_cached": ("restore-setting", {}),
    "recommend_flag_off": ("restore-setting", {}),
    "role_read_only": ("restore-role-grants", {}),
    "avl_feed_stopped": ("restart-avl-feed", {}),
    "stream_silent": ("restart-live-updates", {}),
    "one_node_bad": ("restart-server", {}),
    "hazard_missing": ("reload-hazards", {}),
    "password_expired": ("unlock-account", {}),
    "notify_worker_dead": ("restart-notify-worker", {}),
    "saved_filter_hides": ("show-all-incidents", {}),
    "geocode_wrong_town": ("reload-addresses", {}),
    "role_no_grants": ("restore-role-grants", {}),
}


def test_the_runbook_of_a_fault_names_the_fix_that_ends_it():
    named = {runbook.drill: runbook.fix for runbook in read_runbooks(ROOT / "runbooks", ROOT).runbooks if runbook.fix}
    assert {fault: named.get(fault) for fault in MENDED_BY} == {fault: fix for fault, (fix, _) in MENDED_BY.items()}


def at(desk: FixDesk, centre) -> FixDesk:
    return replace(
        desk,
        target=Target(name="demo", base_url=centre.url),
        rerun=lambda journeys: dict.fromkeys(journeys, "passed"),
    )


@pytest.mark.parametrize("fault", [name for name in MENDED_BY if name in NAMES])
def test_a_fault_of_the_centre_ends(desk, incident, centre, fault):
    repair, inputs = load_fixes(ROOT / "fixes", FixesConfig().roles)[MENDED_BY[fault][0]], MENDED_BY[fault][1]
    desk = at(desk, centre)
    assert desk.plan(repair, incident, inputs) is None, "nothing is wrong yet"
    centre.fault(fault)
    asked = desk.apply(repair, incident, ANNA, inputs, really=True)
    if asked.request:
        desk.approve(asked.request, BEN)
        asked = desk.apply(repair, incident, ANNA, inputs, really=True)
    assert asked.ok, asked.text
    assert desk.plan(repair, incident, inputs) is None


def test_orphaned_incidents_are_removed_and_real_ones_stay(desk, incident, centre):
    def board() -> dict[str, int]:
        rows = requests.get(f"{centre.url}/api/incidents", headers=header, timeout=5).json()["incidents"]
        return {row["number"]: row["synthetic"] for row in rows}

    login = {"username": "dispatcher1", "password": PASSWORDS["dispatcher1"]}
    token = requests.post(f"{centre.url}/api/login", json=login, timeout=5).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    real = {number for number, synthetic in board().items() if not synthetic}
    body = {"address": "1 Probe Lane", "client_token": "orphan-1", "synthetic": True}
    requests.post(f"{centre.url}/api/incidents", json=body, headers=header, timeout=5).raise_for_status()
    repair = load_fixes(ROOT / "fixes", FixesConfig().roles)["remove-orphaned-incidents"]
    assert at(desk, centre).apply(repair, incident, ANNA, {"minutes": "0"}, really=True).ok
    assert set(board()) == real


@pytest.mark.parametrize(
    ("fix", "inputs", "sentence"),
    [
        (
            "unlock-account",
            {"user": "dispatcher"},
            "There is no account 'dispatcher'; perhaps dispatcher. or dispatcher. was meant",
        ),
        ("log-off-stranger", {"unit": "SYN-99"}, "404"),
    ],
)
def test_what_does_not_exist_is_not_as_it_should_be(desk, incident, centre, fix, inputs, sentence):
    repair = load_fixes(ROOT / "fixes", FixesConfig().roles)[fix]
    with pytest.raises(FixRefused, match=sentence):
        at(desk, centre).plan(repair, incident, inputs)


def test_where_no_import_helps_nothing_is_as_it_should_be(desk, incident, centre):
    centre.fault("geocode_null_island")
    repair = load_fixes(ROOT / "fixes", FixesConfig().roles)["reload-addresses"]
    with pytest.raises(FixRefused, match="look-up of addresses is down"):
        at(desk, centre).plan(repair, incident)


def test_only_administrators_operate(centre):
    login = {"username": "dispatcher1", "password": PASSWORDS["dispatcher1"]}
    token = requests.post(f"{centre.url}/api/login", json=login, timeout=5).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    assert requests.post(f"{centre.url}/api/admin/settings", json={}, headers=header, timeout=5).status_code == 403
