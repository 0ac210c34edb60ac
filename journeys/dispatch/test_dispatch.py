"""J4 and J5: the nearest unit is sent, and every desk follows what it reports."""

from math import cos, hypot, radians

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, eventually, step


def km(a: dict, b: dict) -> float:
    """Flat distance between two places, good enough inside a city."""
    return 111.2 * hypot(a["lat"] - b["lat"], (a["lng"] - b["lng"]) * cos(radians(a["lat"])))


@pytest.mark.journey(id="recommend-unit", owner="dispatch-desk", severity="blocker", runbook="recommend-unit")
@pytest.mark.xdist_group("SYN-01")
@pytest.mark.mutates("incident", "unit")
def test_the_nearest_available_unit_is_recommended(dispatcher: Page, desk: Api, new_incident):
    """The nearest available unit is recommended and sent"""
    desk.post("/api/units/SYN-01/status", json={"status": "Cleared"}).expect(200)
    number = new_incident()
    with step("a unit is recommended"):
        units = desk.get("/api/recommend", params={"incident": number}).expect(200).json["units"]
        assert units, "no unit is recommended"
        assert units[0]["id"].startswith("SYN-"), f"a real unit is recommended for a synthetic incident: {units[0]}"
        nearest = units[0]["id"]
    with step("the nearest to where the incident lies stands first", checks="rule"):
        place = desk.get(f"/api/incidents/{number}").expect(200).json
        distances = [unit["distance_km"] for unit in units]
        assert distances == sorted(distances), f"the nearest was expected first, distances are {distances}"
        for unit in units:
            assert abs(unit["distance_km"] - km(place, unit)) < 0.1, f"{unit['id']} is {km(place, unit):.2f} km away"
    with step("the dispatcher sends it", budget="3s"):
        dispatcher.goto(f"/incidents/{number}")
        expect(dispatcher.get_by_test_id("recommended")).to_contain_text(nearest)
        dispatcher.get_by_role("button", name="Assign nearest").click()
        expect(dispatcher.get_by_test_id("status")).to_contain_text("ResourcesAssigned")
    with step("the assignment is stored", checks="read-after-write"):
        incident = desk.get(f"/api/incidents/{number}").expect(200).json
        assert incident["units"] == [nearest], f"{incident['units']} is stored with it, {nearest} was expected"
        desk.get(f"/api/units/{nearest}").expect(200).json_has(primary="NotAvailable", incident=number)
    with step("who is sent is not recommended again", checks="rule"):
        left = [
            unit["id"] for unit in desk.get("/api/recommend", params={"incident": number}).expect(200).json["units"]
        ]
        assert nearest not in left, f"{nearest} is at work and recommended: {left}"
    desk.post(f"/api/units/{incident['units'][0]}/status", json={"status": "Cleared"}).expect(200)


@pytest.mark.journey(
    id="recommend-agencies", owner="fleet-desk", severity="critical", runbook="recommend-agencies", uses_per_day=4200
)
def test_every_available_unit_is_recommended(desk: Api, caller):
    """Every available unit of every agency is recommended, the nearest first"""
    place = {"lat": caller.lat, "lng": caller.lng}
    with step("nobody who is free is left out", checks="setting"):

        def complete() -> list[dict]:
            near = desk.get("/api/recommend", params=place).expect(200).json["units"]
            units = desk.get("/api/units").expect(200).json["units"]
            free = {one["id"] for one in units if one["primary"] == "Available" and not one["synthetic"]}
            missing = sorted(free - {one["id"] for one in near})
            assert not missing, f"{missing} are available and not recommended"
            return near

        near = eventually(complete, within="2s")
    with step("nobody who is at work is among them", checks="rule"):
        units = desk.get("/api/units").expect(200).json["units"]
        busy = {one["id"] for one in units if one["primary"] != "Available"} & {one["id"] for one in near}
        assert not busy, f"{sorted(busy)} are at work and recommended"
    with step("the nearest stands first", checks="rule"):
        distances = [one["distance_km"] for one in near]
        assert distances == sorted(distances), f"the nearest was expected first, distances are {distances}"
        for one in near:
            assert abs(one["distance_km"] - km(place, one)) < 0.1, f"{one['id']} is {km(place, one):.2f} km away"


@pytest.mark.journey(id="unit-status", owner="fleet-desk", severity="blocker", runbook="unit-status", uses_per_day=9000)
@pytest.mark.xdist_group("SYN-01")
@pytest.mark.mutates("incident", "unit")
def test_every_board_follows_the_unit(page: Page, log_in, second_dispatcher: Page, desk: Api, sent, caller, follows):
    """A unit reports en route from its terminal, and every board follows"""
    with step("the other dispatcher's board hears what is new", checks="live"):
        if not follows(second_dispatcher):
            return
    with step("SYN-01 is sent to an incident"):
        number = sent("SYN-01")
    with step("the officer opens the terminal"):
        log_in(page, "unit-syn01")
        page.set_viewport_size({"width": 480, "height": 800})  # a screen in a car
        page.goto("/mct/SYN-01")
        expect(page.get_by_test_id("mct-incident")).to_contain_text(number)
    with step("en route", budget="3s"):
        page.get_by_role("button", name="En route").click()
    with step("the status is stored", budget="2s", checks="read-after-write"):

        def stored() -> None:
            unit = desk.get("/api/units/SYN-01").expect(200).json
            assert unit["secondary"] == "EnRoute", f"SYN-01 is stored as {unit['secondary']}, EnRoute was expected"

        eventually(stored, within="2s")
        told = desk.get("/api/units/SYN-01/history").expect(200).json["history"]
        assert told, "the log of SYN-01 is empty"
    row = second_dispatcher.locator('tr[data-unit="SYN-01"]')
    with step("the other dispatcher's board hears of it", budget="2s", checks="live", role="dispatcher"):
        heard = f"{told[-1]['at'][11:19]} {told[-1]['text']}"  # with its time, as it said so before as well
        expect(second_dispatcher.get_by_test_id("activity")).to_contain_text(heard)
    with step("and shows it", budget="2s", checks="rule"):
        expect(row).to_contain_text("EnRoute")
    with step("and keeps showing it when more is heard", budget="3s", checks="rule"):
        note = f"Synthetic note on {number}"
        desk.post(f"/api/incidents/{number}/notes", json={"text": note}).expect(200)
        expect(second_dispatcher.get_by_test_id("activity")).to_contain_text(f"noted on {number}")
        expect(row).to_contain_text("EnRoute")
    with step("the log says who reported it", checks="account"):
        texts = [entry["text"] for entry in desk.get("/api/units/SYN-01/history").expect(200).json["history"]]
        assert texts[-1:] == ["SYN-01 is EnRoute (unit-syn01)"], f"the log says {texts[-1:]!r} last"
    with step("the crew is warned of a known danger, and told where to go", budget="3s"):
        expect(page.get_by_test_id("hazard")).to_contain_text(caller.hazard)
        expect(page.get_by_test_id("mct-incident")).to_contain_text(caller.address)
    for button, secondary in (
        ("Acknowledge", "AcknowledgedTransmission"),
        ("On scene", "OnScene"),
        ("Clear", "InService"),
    ):
        with step(f"{button}: stored, and on the other board", budget="3s"):
            page.get_by_role("button", name=button, exact=True).click()
            expect(page.get_by_test_id("mct-status")).to_have_text(secondary)
            expect(row).to_contain_text(secondary)
            desk.get("/api/units/SYN-01").expect(200).json_has(secondary=secondary)
    with step("who is clear is free again, and hears of the next call without asking", budget="3s"):
        expect(page.get_by_test_id("mct-incident")).to_have_text("No incident")
        desk.get("/api/units/SYN-01").expect(200).json_has(primary="Available", incident=None)
        desk.post(f"/api/incidents/{number}/assign", json={"unit": "SYN-01"}).expect(200)
        expect(page.get_by_test_id("mct-incident")).to_contain_text(number)


@pytest.mark.journey(id="second-call", owner="dispatch-desk", severity="critical", runbook="second-call")
@pytest.mark.mutates("incident", "unit")
def test_a_second_call_leaves_the_unit_alone(desk: Api, sent, new_incident):
    """A second call about the same place leaves the unit on scene"""
    with step("SYN-02 is on scene", checks="read-after-write"):
        sent("SYN-02")
        desk.post("/api/units/SYN-02/status", json={"status": "EnRoute"}).expect(200)
        desk.post("/api/units/SYN-02/status", json={"status": "OnScene"}).expect(200)
        before = desk.get("/api/units/SYN-02").expect(200).json_has(secondary="OnScene").json
    with step("the incident has the times of its stages, in order", checks="rule"):
        stages = ("created_at", "dispatched_at", "enroute_at", "onscene_at")
        incident = desk.get(f"/api/incidents/{before['incident']}").expect(200).json
        times = [incident[stage] or "" for stage in stages]
        assert all(times), f"one of {stages} is missing: {times}"
        assert times == sorted(times), f"{stages} are {times}"
    with step("somebody else calls about the same place"):
        new_incident()
    with step("the unit is what it was", checks="rule"):
        desk.get("/api/units/SYN-02").json_has(
            secondary="OnScene", incident=before["incident"], version=before["version"]
        )


@pytest.mark.journey(id="status-conflict", owner="fleet-desk", severity="normal", runbook="status-conflict")
@pytest.mark.mutates("incident", "unit")
def test_of_two_writers_the_slower_is_told(desk: Api, sign_in, sent):
    """Of two dispatchers who change a unit at once, the slower is told"""
    other = sign_in("supervisor")
    with step("both read SYN-03"):
        sent("SYN-03")
        version = {"If-Match": str(desk.get("/api/units/SYN-03").expect(200).json["version"])}
        assert other.get("/api/units/SYN-03").expect(200).json["version"] == int(version["If-Match"])
    with step("the first changes it, and it is stored", checks="read-after-write"):
        desk.post("/api/units/SYN-03/status", json={"status": "OnScene"}, headers=version).expect(200)
        desk.get("/api/units/SYN-03").expect(200).json_has(secondary="OnScene")
    with step("the second is told that it has changed", checks="rule"):
        other.post("/api/units/SYN-03/status", json={"status": "EnRoute"}, headers=version).expect(412)
    with step("the first one's change stands, and nothing else is in the log", checks="read-after-write"):
        desk.get("/api/units/SYN-03").json_has(secondary="OnScene")
        texts = [entry["text"] for entry in desk.get("/api/units/SYN-03/history").expect(200).json["history"]]
        assert texts[-1:] == ["SYN-03 is OnScene (dispatcher1)"], f"the log says {texts[-1:]!r} last"


@pytest.mark.journey(id="crew-told", owner="fleet-desk", severity="blocker", runbook="crew-told", uses_per_day=4200)
@pytest.mark.mutates("incident", "unit")
def test_the_crew_is_told(desk: Api, sent):
    """A crew that is sent is told, once"""
    with step("SYN-05 is sent to an incident"):
        number = sent("SYN-05")
    with step("its crew is told", budget="3s", checks="delivery"):

        def told() -> None:
            messages = desk.get(f"/api/incidents/{number}").expect(200).json["messages"]
            assert [message["unit"] for message in messages] == ["SYN-05"], f"one message was expected: {messages}"
            assert messages[0]["sent_at"], f"the message waits since {messages[0]['queued_at']}"

        eventually(told, within="3s")
    with step("closing the incident frees the unit", checks="rule"):
        desk.post(f"/api/incidents/{number}/close", json={"disposition": "Handled"}).expect(200).json_has(units=[])
        desk.get("/api/units/SYN-05").expect(200).json_has(primary="Available", incident=None)
