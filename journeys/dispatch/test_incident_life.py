"""J9, J10 and J11: what is written stays written; closed is closed, and reopened is open."""

import re

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, eventually, step

CALL = {
    "type": "Structure fire",
    "priority": 3,
    "address": "100 Main Street, Harborview",
    "caller": "O'Probä-Synthia, Zoë",
    "description": "Synthetic transaction, no action needed. "
    + "Smoke from the 2nd floor & the roof, 3 < 5 people; " * 5
    + "end.",
}
"""A call as callers are: long, with every character people use."""
NOTE = "Synthetic note: “déjà vu” – caller says <b>5 > 3</b> & hangs up, 100 %"


@pytest.mark.journey(
    id="incident-record", owner="dispatch-desk", severity="critical", runbook="incident-record", uses_per_day=12000
)
@pytest.mark.mutates("incident")
def test_what_is_written_is_there_for_everyone(desk: Api, watch: Api, new_incident):
    """Notes and corrections are saved at once, and everyone reads them in order"""
    began = desk.get("/api/time").expect(200).json_has("now").json["now"]
    with step("take a call", budget="1500ms"):
        number = new_incident(**CALL)
    path = f"/api/incidents/{number}"
    with step("add a note", budget="1500ms"):
        desk.post(f"{path}/notes", json={"text": NOTE}).expect(200).json_has(number=number)
    with step("correct the priority", budget="1500ms"):
        desk.patch(path, json={"priority": 4}).expect(200).json_has(number=number, priority=4)
    with step("add another note", budget="1500ms"):
        desk.post(f"{path}/notes", json={"text": "Synthetic note 2"}).expect(200)
    with step("every word of it is kept", checks="read-after-write"):
        for _ in range(2):  # whichever server answers
            kept = watch.get(path).expect(200).json_has(**{**CALL, "priority": 4}, status="Active", units=[]).json
            assert [note["text"] for note in kept["notes"]][:1] == [NOTE], f"the note reads {kept['notes'][:1]}"
    with step("another role reads all of it, in order", checks="read-after-write"):
        record = watch.get(path).expect(200).json_has(number=number, priority=4, version=2).json
        notes = [(note["author"], note["text"]) for note in record["notes"]]
        assert notes == [("dispatcher1", NOTE), ("dispatcher1", "Synthetic note 2")], f"got {notes}"
    with step("each entry has the time at which it was made", checks="rule"):
        ends = desk.get("/api/time").expect(200).json_has("now").json["now"]
        for entries in (record["history"], record["notes"]):
            times = [began, *(entry["at"] for entry in entries), ends]
            assert times == sorted(times), f"from {began} to {ends} it was made, its entries are of {times[1:-1]}"
    with step("its row on the board says the same", checks="read-after-write"):
        listed = watch.get("/api/incidents").expect(200).json_rows("incidents", key="number")
        row = next((incident for incident in listed if incident["number"] == number), None)
        assert row, f"{number} is open and not among {len(listed)} on the board"
        other = {name: (value, record.get(name)) for name, value in row.items() if value != record.get(name)}
        assert not other, f"board and record differ in {other}"
    with step("the log holds what was done, and nothing else", checks="rule"):
        kinds = [entry["kind"] for entry in record["history"]]
        assert kinds == ["incident:new", "incident:note", "incident:update", "incident:note"], f"got {kinds}"


@pytest.mark.journey(id="incident-closed", owner="dispatch-desk", severity="normal", runbook="incident-closed")
@pytest.mark.mutates("incident")
def test_a_note_and_a_closing_reach_everyone(dispatcher: Page, desk: Api, new_incident, caller):
    """A note is in the timeline, and a closed incident leaves the board"""
    number = new_incident()
    with step("add a note", budget="3s"):
        dispatcher.goto(f"/incidents/{number}")
        dispatcher.get_by_label("Note").fill("Synthetic note: caller is safe")
        dispatcher.get_by_role("button", name="Add note").click()
        expect(dispatcher.get_by_test_id("timeline")).to_contain_text("caller is safe")
    with step("add another: both stand there, in order", budget="3s"):
        dispatcher.get_by_label("Note").fill("Synthetic note: caller has left")
        dispatcher.get_by_role("button", name="Add note").click()
        expect(dispatcher.get_by_test_id("timeline").locator("li")).to_contain_text(
            ["dispatcher1: Synthetic note: caller is safe", "dispatcher1: Synthetic note: caller has left"]
        )
    with step("the page says what the record says, and its log what was done", checks="rule"):
        record = desk.get(f"/api/incidents/{number}").expect(200).json
        for fact in (record["type"], caller.address, caller.name, record["description"]):
            expect(dispatcher.locator("#facts")).to_contain_text(fact)
        lines = dispatcher.get_by_test_id("history").locator("li").all_inner_texts()
        want = [f"{entry['at'][11:19]} {entry['text']}" for entry in record["history"]]
        assert [" ".join(line.split()) for line in lines] == want, f"the log shows {lines}, {want} was expected"
    with step("close it", budget="3s"):
        dispatcher.get_by_label("Disposition").select_option("Report taken")
        dispatcher.get_by_role("button", name="Close incident").click()
        expect(dispatcher.get_by_test_id("status")).to_contain_text("Closed")
    with step("reopen it, and close it again", budget="5s"):
        dispatcher.get_by_role("button", name="Reopen").click()
        expect(dispatcher.get_by_test_id("status")).to_contain_text("Active")
        dispatcher.get_by_role("button", name="Close incident").click()
        expect(dispatcher.get_by_test_id("status")).to_contain_text("Closed")
    with step("the incident is stored as closed, and off the board", checks="read-after-write"):
        desk.get(f"/api/incidents/{number}").expect(200).json_has(status="Closed", disposition="Report taken")
        dispatcher.goto("/board")
        expect(dispatcher.get_by_test_id("stat-active")).to_have_text(re.compile(r"^\d+$"))
        expect(dispatcher.locator(f'tr[data-incident="{number}"]')).to_have_count(0)


@pytest.mark.journey(
    id="incident-reopened", owner="dispatch-desk", severity="critical", runbook="incident-reopened", uses_per_day=60
)
@pytest.mark.mutates("incident")
def test_a_reopened_incident_stays_open(desk: Api, watch: Api, new_incident):
    """A reopened incident stays open, and can be moved"""
    number = new_incident()
    path = f"/api/incidents/{number}"
    with step("close it, then reopen it", checks="rule"):
        desk.post(f"{path}/close", json={"disposition": "Unfounded"}).expect(200).json_has(
            status="Closed", disposition="Unfounded"
        )
        desk.post(f"{path}/reopen", json={}).expect(200).json_has(status="Active", closed_at=None)
        reopened = desk.get("/api/time").expect(200).json_has("now").json["now"]
    with step("move it to another address", checks="read-after-write"):
        desk.patch(path, json={"address": "100 Main Street, Harborview"}).expect(200)
        asked = desk.get("/api/geocode", params={"q": "100 Main Street, Harborview"}).expect(200)
        place, *_ = asked.json_rows("results", key="address", has=("lat", "lng"))
        moved = watch.get(path).expect(200).json
        assert (moved["lat"], moved["lng"]) == (place["lat"], place["lng"]), f"it stayed at {moved['lat']}"
    with step("housekeeping has run since", budget="5s"):

        def run() -> None:
            jobs = desk.get("/api/jobs").expect(200).json_rows("jobs", key="name", has=("beat_at",))
            ran = next((job["beat_at"] for job in jobs if job["name"] == "housekeeping"), "")
            assert ran > reopened, f"housekeeping last ran at {ran or 'no time'}"

        eventually(run, within="4s")
    with step("the incident is still open, and the log says why", checks="rule"):
        record = watch.get(path).expect(200).json_has(status="Active", disposition=None)
        kinds = [entry["kind"] for entry in record.json_rows("history", key="at", has=("kind",), once=False)]
        assert kinds == ["incident:new", "incident:close", "incident:update", "incident:update"], f"got {kinds}"
    with step("and it is on the board", checks="rule"):
        listed = watch.get("/api/incidents").expect(200).json_rows("incidents", key="number")
        assert number in [incident["number"] for incident in listed], f"{number} is open and not on the board"
