"""J4 and J5: the nearest unit is sent, and every desk follows what it reports."""

from datetime import datetime
from math import cos, hypot, radians

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, eventually, step


def km(a: dict, b: dict) -> float:
    """Flat distance between two places, good enough inside a city."""
    return 111.2 * hypot(a["lat"] - b["lat"], (a["lng"] - b["lng"]) * cos(radians(a["lat"])))


def recommended(desk: Api, number: str) -> list[dict]:
    """Who is recommended for an incident."""
    answer = desk.get("/api/recommend", params={"incident": number}).expect(200)
    return answer.json_rows("units", key="id", has=("distance_km", "lat", "lng"), at_least=0)


@pytest.mark.journey(id="recommend-unit", owner="dispatch-desk", severity="blocker", runbook="recommend-unit")
@pytest.mark.xdist_group("SYN-01")
@pytest.mark.mutates("incident", "unit")
def test_the_nearest_available_unit_is_recommended(dispatcher: Page, desk: Api, new_incident):
    """The nearest available unit is recommended and sent"""
    desk.post("/api/units/SYN-01/status", json={"status": "Cleared"}).expect(200)
    number = new_incident()
    with step("a unit is recommended"):
        units = recommended(desk, number)
        assert units, "no unit is recommended"
        assert units[0]["id"].startswith("SYN-"), f"a real unit is recommended for a synthetic incident: {units[0]}"
        nearest = units[0]["id"]
    with step("the nearest to where the incident lies stands first", checks="rule"):
        place = desk.get(f"/api/incidents/{number}").expect(200).json_has("lat", "lng").json
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
        incident = desk.get(f"/api/incidents/{number}").expect(200).json_has("units").json
        assert incident["units"] == [nearest], f"{incident['units']} is stored with it, {nearest} was expected"
        desk.get(f"/api/units/{nearest}").expect(200).json_has(primary="NotAvailable", incident=number)
    with step("who is sent is not recommended again", checks="rule"):
        left = [unit["id"] for unit in recommended(desk, number)]
        assert nearest not in left, f"{nearest} is at work and recommended: {left}"
    desk.post(f"/api/units/{incident['units'][0]}/status", json={"status": "Cleared"}).expect(200)


@pytest.mark.journey(
    id="recommend-agencies", owner="fleet-desk", severity="critical", runbook="recommend-agencies", uses_per_day=4200
)
def test_every_available_unit_is_recommended(desk: Api, caller):
    """Every available unit of every agency is recommended, the nearest first"""
    here = {"lat": caller.lat, "lng": caller.lng}
    with step("nobody who is free is left out", checks="setting"):

        def complete() -> list[dict]:
            near = desk.get("/api/recommend", params=here).expect(200).json_rows("units", key="id", at_least=0)
            units = desk.get("/api/units").expect(200).json_rows("units", key="id")
            free = {unit["id"] for unit in units if unit["primary"] == "Available" and not unit["synthetic"]}
            missing = sorted(free - {unit["id"] for unit in near})
            assert not missing, f"{missing} are available and not recommended"
            return near

        near = eventually(complete, within="2s")
    with step("nobody who is at work is among them", checks="rule"):
        units = desk.get("/api/units").expect(200).json_rows("units", key="id")
        busy = {unit["id"] for unit in units if unit["primary"] != "Available"} & {unit["id"] for unit in near}
        assert not busy, f"{sorted(busy)} are at work and recommended"
    with step("each is recommended as what it is", checks="rule"):
        known = {unit["id"]: unit["agency"] for unit in units}
        wrong = [unit for unit in near if (unit["agency"], unit["primary"]) != (known.get(unit["id"]), "Available")]
        assert not wrong, f"it is recommended as {wrong[0]}, listed as {known.get(wrong[0]['id'])}"
    with step("the nearest stands first, in either town", budget="2s", checks="rule"):
        for place in (here, {"lat": 47.75, "lng": -122.1}):
            found = desk.get("/api/recommend", params=place).expect(200)
            for near_unit in found.json_rows("units", key="id", order=("distance_km",), at_least=0):
                assert abs(near_unit["distance_km"] - km(place, near_unit)) < 0.1, (
                    f"{near_unit['id']} is {km(place, near_unit):.2f} km away"
                )


@pytest.mark.journey(id="unit-status", owner="fleet-desk", severity="blocker", runbook="unit-status", uses_per_day=9000)
@pytest.mark.xdist_group("SYN-01")
@pytest.mark.mutates("incident", "unit")
def test_every_board_follows_the_unit(
    page: Page, log_in, second_dispatcher: Page, desk: Api, sent, unit_log, caller, follows
):
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
            unit = desk.get("/api/units/SYN-01").expect(200).json_has("secondary").json
            assert unit["secondary"] == "EnRoute", f"SYN-01 is stored as {unit['secondary']}, EnRoute was expected"

        eventually(stored, within="2s")
        entries = unit_log("SYN-01")
    row = second_dispatcher.locator('tr[data-unit="SYN-01"]')
    with step("the other dispatcher's board hears of it", budget="2s", checks="live", role="dispatcher"):
        heard = f"{entries[-1]['at'][11:19]} {entries[-1]['text']}"  # with its time, as it said so before as well
        expect(second_dispatcher.get_by_test_id("activity")).to_contain_text(heard)
    with step("and shows it", budget="2s", checks="rule"):
        expect(row).to_contain_text("EnRoute")
    with step("and keeps showing it when more is heard", budget="3s", checks="rule"):
        note = f"Synthetic note on {number}"
        desk.post(f"/api/incidents/{number}/notes", json={"text": note}).expect(200)
        expect(second_dispatcher.get_by_test_id("activity")).to_contain_text(f"noted on {number}")
        expect(row).to_contain_text("EnRoute")
    with step("the log says who reported it", checks="account"):
        texts = [entry["text"] for entry in unit_log("SYN-01")]
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
def test_a_second_call_leaves_the_unit_alone(desk: Api, watch: Api, sent, new_incident, unit_log, activity):
    """A unit's way to the scene is told everywhere alike, and a second call about the place changes none of it"""
    newest = activity(watch)[0]["id"]
    with step("SYN-02 is on scene", checks="read-after-write"):
        number = sent("SYN-02")
        for status in ("EnRoute", "OnScene"):
            answer = desk.post("/api/units/SYN-02/status", json={"status": status}).expect(200)
            answer.json_has(id="SYN-02", secondary=status, incident=number)
        before = desk.get("/api/units/SYN-02").expect(200).json_has("incident", "version", secondary="OnScene").json
    with step("the incident has the times of its stages, in order", checks="rule"):
        stages = ("created_at", "dispatched_at", "enroute_at", "onscene_at")
        incident = desk.get(f"/api/incidents/{before['incident']}").expect(200).json_has(*stages).json
        times = [incident[stage] for stage in stages]
        assert times == sorted(times), f"{stages} are {times}"
    with step("its log tells each stage once, in order, at the time of that stage", budget="2s"):
        way = [
            f"dispatcher1 sent SYN-02 to {number}",
            "SYN-02 is EnRoute (dispatcher1)",
            "SYN-02 is OnScene (dispatcher1)",
        ]
        entries = unit_log("SYN-02")[-3:]
        assert [entry["text"] for entry in entries] == way, f"the log ends with {entries}, {way} was expected"
        for entry, at in zip(entries, times[1:], strict=True):
            assert entry["kind"].startswith("responder:"), f"the log has {entry}"
            off = datetime.fromisoformat(entry["at"]) - datetime.fromisoformat(at)
            assert abs(off.total_seconds()) < 3, f"{entry['text']!r} is told of {entry['at']}, it was at {at}"
    with step("the activity tells it too, the newest first"):
        events = activity(watch)
        assert events[0]["id"] > newest, f"the activity ends with {events[0]}, as before"
        new = [event for event in events if event["id"] > newest]  # the run before told the same
        stages = [(event["subject"], event["at"], event["text"]) for event in new if event["text"] in way]
        want = [("SYN-02", entry["at"], entry["text"]) for entry in entries if entry["at"] > events[-1]["at"]]
        assert stages == want[::-1], f"the activity tells {stages}, {want[::-1]} was expected"
    with step("both lists say what the records say", checks="read-after-write"):
        listed = watch.get("/api/units").expect(200).json_rows("units", key="id")
        row = next((unit for unit in listed if unit["id"] == "SYN-02"), {})
        shown = {name: row.get(name) for name in ("primary", "secondary", "incident", "version")}
        assert shown == {name: before[name] for name in shown}, f"the list has SYN-02 as {shown}"
    with step("somebody else calls about the same place"):
        new_incident()
    with step("the unit is what it was", checks="rule"):
        desk.get("/api/units/SYN-02").json_has(
            secondary="OnScene", incident=before["incident"], version=before["version"]
        )


@pytest.mark.journey(id="status-conflict", owner="fleet-desk", severity="normal", runbook="status-conflict")
@pytest.mark.mutates("incident", "unit")
def test_of_two_writers_the_slower_is_told(desk: Api, sign_in, sent, unit_log):
    """Of two dispatchers who change a unit at once, the slower is told"""
    other = sign_in("supervisor")
    with step("both read SYN-03"):
        sent("SYN-03")
        read = desk.get("/api/units/SYN-03").expect(200).json_has("version").json["version"]
        other.get("/api/units/SYN-03").expect(200).json_has(version=read)
        version = {"If-Match": str(read)}
    with step("the first changes it, and it is stored", checks="read-after-write"):
        desk.post("/api/units/SYN-03/status", json={"status": "OnScene"}, headers=version).expect(200)
        desk.get("/api/units/SYN-03").expect(200).json_has(secondary="OnScene")
    with step("the second is told that it has changed", checks="rule"):
        other.post("/api/units/SYN-03/status", json={"status": "EnRoute"}, headers=version).expect(412)
    with step("the first one's change stands", checks="read-after-write"):
        desk.get("/api/units/SYN-03").json_has(secondary="OnScene")
    with step("and nothing else is in the log", checks="read-after-write"):
        texts = [entry["text"] for entry in unit_log("SYN-03")]
        assert texts[-1:] == ["SYN-03 is OnScene (dispatcher1)"], f"the log says {texts[-1:]!r} last"


@pytest.mark.journey(id="crew-told", owner="fleet-desk", severity="blocker", runbook="crew-told", uses_per_day=4200)
@pytest.mark.mutates("incident", "unit")
def test_the_crew_is_told(desk: Api, watch: Api, sent):
    """A crew that is sent is told, once"""
    with step("SYN-05 is sent to an incident"):
        number = sent("SYN-05")
    with step("its crew is told", budget="3s", checks="delivery"):

        def notified() -> None:
            record = desk.get(f"/api/incidents/{number}").expect(200)
            messages = record.json_rows("messages", key="unit", has=("queued_at",), at_least=0, once=False)
            assert [message["unit"] for message in messages] == ["SYN-05"], f"one message was expected: {messages}"
            assert messages[0]["sent_at"], f"the message waits since {messages[0]['queued_at']}"

        eventually(notified, within="3s")
    with step("who is sent is not recommended again, nor a real unit for a synthetic incident", checks="rule"):
        ids = [unit["id"] for unit in recommended(desk, number)]
        wrong = [id for id in ids if id == "SYN-05" or not id.startswith("SYN-")]
        assert not wrong, f"{wrong} are recommended"
    with step("closing the incident frees the unit", checks="rule"):
        desk.post(f"/api/incidents/{number}/close", json={"disposition": "Handled"}).expect(200).json_has(units=[])
        desk.get("/api/units/SYN-05").expect(200).json_has(primary="Available", incident=None)
    with step("and takes it off the board of every role", checks="read-after-write"):
        for reader in (desk, watch):
            reader.get(f"/api/incidents/{number}").expect(200).json_has(status="Closed", disposition="Handled")
            listed = reader.get("/api/incidents").expect(200).json_rows("incidents", key="number", at_least=0)
            assert number not in [incident["number"] for incident in listed], f"{number} is closed and on the board"
