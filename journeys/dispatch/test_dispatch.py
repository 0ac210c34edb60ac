"""J4 and J5: the nearest unit is sent, and every desk follows what it reports."""

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, eventually, step


@pytest.fixture
def sent_unit(desk: Api, new_incident) -> str:
    """The number of an incident that SYN-01 is assigned to; the unit is free again afterwards."""
    with step("SYN-01 is sent to an incident"):
        number = new_incident()
        desk.post(f"/api/incidents/{number}/assign", json={"unit": "SYN-01"}).expect(200)
    yield number
    desk.post("/api/units/SYN-01/status", json={"status": "Cleared"})


@pytest.mark.journey(id="recommend-unit", owner="dispatch-desk", severity="blocker", runbook="recommend-unit")
@pytest.mark.xdist_group("SYN-01")
@pytest.mark.mutates("incident", "unit")
def test_the_nearest_available_unit_is_recommended(dispatcher: Page, desk: Api, new_incident):
    """The nearest available unit is recommended and sent"""
    number = new_incident()
    with step("a unit is recommended"):
        units = desk.get("/api/recommend", params={"incident": number}).expect(200).json["units"]
        assert units, "no unit is recommended"
        assert units[0]["id"].startswith("SYN-"), f"a real unit is recommended for a synthetic incident: {units[0]}"
        distances = [unit["distance_km"] for unit in units]
        assert distances == sorted(distances), f"the nearest was expected first, distances are {distances}"
    with step("the dispatcher sends it", budget="3s"):
        dispatcher.goto(f"/incidents/{number}")
        dispatcher.get_by_role("button", name="Assign nearest").click()
        expect(dispatcher.get_by_test_id("status")).to_contain_text("ResourcesAssigned")
    with step("it is stored"):
        incident = desk.get(f"/api/incidents/{number}").expect(200).json
        assert incident["units"], "no unit is stored with the incident"
    desk.post(f"/api/units/{incident['units'][0]}/status", json={"status": "Cleared"}).expect(200)


@pytest.mark.journey(id="unit-status", owner="fleet-desk", severity="blocker", runbook="unit-status", uses_per_day=9000)
@pytest.mark.xdist_group("SYN-01")
@pytest.mark.mutates("incident", "unit")
def test_every_board_follows_the_unit(page: Page, log_in, second_dispatcher: Page, desk: Api, sent_unit):
    """A unit reports en route from its terminal, and every board follows"""
    with step("the officer opens the terminal"):
        page.goto("/login")
        log_in_unit(page, log_in)
    with step("en route", budget="3s"):
        page.get_by_role("button", name="En route").click()
    with step("it is stored", budget="2s"):

        def stored() -> None:
            unit = desk.get("/api/units/SYN-01").expect(200).json
            assert unit["secondary"] == "EnRoute", f"SYN-01 is stored as {unit['secondary']}, EnRoute was expected"

        eventually(stored, within="2s")
    with step("the other dispatcher's board shows it", budget="2s"):
        expect(second_dispatcher.locator('tr[data-unit="SYN-01"]')).to_contain_text("EnRoute")


def log_in_unit(page: Page, log_in) -> None:
    """The unit's terminal is its own page."""
    log_in(page, "unit-syn01")
    page.goto("/mct/SYN-01")


@pytest.mark.journey(id="incident-closed", owner="dispatch-desk", severity="normal", runbook="incident-closed")
@pytest.mark.mutates("incident")
def test_a_note_and_a_closing_reach_everyone(dispatcher: Page, desk: Api, new_incident):
    """A note is in the timeline, and a closed incident leaves the board"""
    number = new_incident()
    with step("add a note", budget="3s"):
        dispatcher.goto(f"/incidents/{number}")
        dispatcher.get_by_label("Note").fill("Synthetic note: caller is safe")
        dispatcher.get_by_role("button", name="Add note").click()
        expect(dispatcher.get_by_test_id("timeline")).to_contain_text("caller is safe")
    with step("close it", budget="3s"):
        dispatcher.get_by_role("button", name="Close incident").click()
        expect(dispatcher.get_by_test_id("status")).to_contain_text("Closed")
    with step("it is stored as closed, and off the board"):
        desk.get(f"/api/incidents/{number}").expect(200).json_has(status="Closed")
        dispatcher.goto("/board")
        expect(dispatcher.locator(f'tr[data-incident="{number}"]')).to_have_count(0)
