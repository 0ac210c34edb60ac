"""J4 and J5: the nearest unit is sent, and every desk follows what it reports."""

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, eventually, step


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
    with step("the nearest stands first", checks="rule"):
        distances = [unit["distance_km"] for unit in units]
        assert distances == sorted(distances), f"the nearest was expected first, distances are {distances}"
    with step("the dispatcher sends it", budget="3s"):
        dispatcher.goto(f"/incidents/{number}")
        dispatcher.get_by_role("button", name="Assign nearest").click()
        expect(dispatcher.get_by_test_id("status")).to_contain_text("ResourcesAssigned")
    with step("it is stored", checks="read-after-write"):
        incident = desk.get(f"/api/incidents/{number}").expect(200).json
        assert incident["units"], "no unit is stored with the incident"
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
    with step("the nearest stands first", checks="rule"):
        distances = [one["distance_km"] for one in near]
        assert distances == sorted(distances), f"the nearest was expected first, distances are {distances}"


@pytest.mark.journey(id="unit-status", owner="fleet-desk", severity="blocker", runbook="unit-status", uses_per_day=9000)
@pytest.mark.xdist_group("SYN-01")
@pytest.mark.mutates("incident", "unit")
def test_every_board_follows_the_unit(page: Page, log_in, second_dispatcher: Page, desk: Api, sent):
    """A unit reports en route from its terminal, and every board follows"""
    with step("SYN-01 is sent to an incident"):
        number = sent("SYN-01")
    with step("the officer opens the terminal"):
        log_in(page, "unit-syn01")
        page.goto("/mct/SYN-01")
        expect(page.get_by_test_id("mct-incident")).to_contain_text(number)
    with step("en route", budget="3s"):
        page.get_by_role("button", name="En route").click()
    with step("it is stored", budget="2s", checks="read-after-write"):

        def stored() -> None:
            unit = desk.get("/api/units/SYN-01").expect(200).json
            assert unit["secondary"] == "EnRoute", f"SYN-01 is stored as {unit['secondary']}, EnRoute was expected"

        eventually(stored, within="2s")
    row = second_dispatcher.locator('tr[data-unit="SYN-01"]')
    with step("the other dispatcher's board hears of it", budget="2s", checks="live"):
        expect(second_dispatcher.get_by_test_id("activity")).to_contain_text("SYN-01 is EnRoute")
    with step("and shows it", budget="2s", checks="rule"):
        expect(row).to_contain_text("EnRoute")
    with step("and keeps showing it when more is heard", budget="3s", checks="rule"):
        note = f"Synthetic note on {number}"
        desk.post(f"/api/incidents/{number}/notes", json={"text": note}).expect(200)
        expect(second_dispatcher.get_by_test_id("activity")).to_contain_text(f"noted on {number}")
        expect(row).to_contain_text("EnRoute")
    with step("the log says who reported it", checks="account"):
        told = desk.get("/api/units/SYN-01/history").expect(200).json["history"][-1]["text"]
        assert told == "SYN-01 is EnRoute (unit-syn01)", f"the log says {told!r}"


@pytest.mark.journey(id="second-call", owner="dispatch-desk", severity="critical", runbook="second-call")
@pytest.mark.mutates("incident", "unit")
def test_a_second_call_leaves_the_unit_alone(desk: Api, sent, new_incident):
    """A second call about the same place leaves the unit on scene"""
    with step("SYN-02 is on scene", checks="read-after-write"):
        sent("SYN-02")
        desk.post("/api/units/SYN-02/status", json={"status": "OnScene"}).expect(200)
        before = desk.get("/api/units/SYN-02").expect(200).json_has(secondary="OnScene").json
    with step("the incident has the times of its stages, in order", checks="rule"):
        stages = ("created_at", "dispatched_at", "onscene_at")
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
    with step("the first changes it"):
        desk.post("/api/units/SYN-03/status", json={"status": "OnScene"}, headers=version).expect(200)
    with step("the second is told that it has changed", checks="rule"):
        other.post("/api/units/SYN-03/status", json={"status": "EnRoute"}, headers=version).expect(412)
    with step("the first one's change stands, and nothing else is in the log", checks="read-after-write"):
        desk.get("/api/units/SYN-03").json_has(secondary="OnScene")
        told = desk.get("/api/units/SYN-03/history").expect(200).json["history"][-1]["text"]
        assert told == "SYN-03 is OnScene (dispatcher1)", f"the log says {told!r}"


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
