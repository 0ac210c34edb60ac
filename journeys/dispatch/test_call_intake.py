"""J2, J3 and J8: a call becomes an incident, everywhere, with its dangers."""

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, eventually, step


def take_call(page: Page, caller, marker: str) -> str:
    """Enter a call at the board; the incident's number."""
    page.get_by_role("button", name="New incident").click()
    page.get_by_label("Address").fill(caller.address)
    page.get_by_label("Caller").fill(caller.name)
    page.get_by_label("Description").fill(f"Synthetic transaction, no action needed {marker}")
    page.get_by_label("Synthetic").check()
    page.get_by_role("button", name="Create").click()
    shown = page.get_by_test_id("incident-number")
    expect(shown).to_be_visible()
    return shown.inner_text()


@pytest.mark.journey(
    id="call-intake", owner="dispatch-desk", severity="blocker", runbook="call-intake", uses_per_day=4200, budget="20s"
)
@pytest.mark.mutates("incident")
def test_a_call_becomes_an_incident(dispatcher: Page, desk: Api, caller, marker):
    """A call becomes an incident at the right place"""
    with step("take the call", budget="3s"):
        number = take_call(dispatcher, caller, marker)
    with step("it is stored as entered"):
        desk.get(f"/api/incidents/{number}").expect(200).json_has(address=caller.address, status="Active")
    with step("it lies where the address is"):
        incident = desk.get(f"/api/incidents/{number}").json
        place = desk.get("/api/geocode", params={"q": caller.address}).expect(200).json["results"][0]
        assert (incident["lat"], incident["lng"]) == (place["lat"], place["lng"])
    with step("it stands on the board"):
        expect(dispatcher.locator(f'tr[data-incident="{number}"]')).to_contain_text(caller.address)


@pytest.mark.journey(
    id="second-board", owner="dispatch-desk", severity="critical", runbook="second-board", uses_per_day=4200
)
@pytest.mark.mutates("incident")
def test_another_dispatcher_sees_the_incident(dispatcher: Page, second_dispatcher: Page, new_incident, caller):
    """A new incident appears at the other desk, in the right order"""
    with step("an incident is created"):
        number = new_incident(priority=2)
    with step("both boards show it", budget="2s"):
        for board in (dispatcher, second_dispatcher):
            expect(board.locator(f'tr[data-incident="{number}"]')).to_contain_text(caller.address)
    with step("it stands below more urgent ones, above less urgent ones"):
        rows = second_dispatcher.get_by_test_id("incidents").locator("tr[data-incident]")
        priorities = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.priority))")
        assert priorities == sorted(priorities), f"priorities on the board are {priorities}, 1 was expected first"


@pytest.mark.journey(id="premise-hazard", owner="records", severity="critical", runbook="premise-hazard")
@pytest.mark.mutates("incident")
def test_a_known_danger_is_shown(dispatcher: Page, new_incident, caller):
    """A known danger at an address is shown to the dispatcher"""
    with step("an incident is created at an address with a hazard"):
        number = new_incident()
    with step("the dispatcher is warned", budget="3s"):
        dispatcher.goto(f"/incidents/{number}")
        expect(dispatcher.get_by_test_id("hazard")).to_contain_text(caller.hazard)


@pytest.mark.journey(id="records-search", owner="records", severity="critical", runbook="records-search")
@pytest.mark.mutates("incident")
def test_a_person_and_a_plate_are_found(desk: Api, new_incident):
    """A person, a plate and the newest incident are found"""
    with step("run a person", budget="2s"):
        people = desk.get("/api/search", params={"kind": "person", "q": "Proba"}).expect(200).json["results"]
        assert [p for p in people if "Proba" in p["name"]], f"the sentinel person is missing, got {people}"
    with step("run a plate", budget="2s"):
        cars = desk.get("/api/search", params={"kind": "vehicle", "q": "SYN 001"}).expect(200).json["results"]
        assert [c for c in cars if c["plate"] == "SYN 001"], f"the sentinel plate is missing, got {cars}"
    with step("a new incident is found at once", budget="4s"):
        for _ in range(2):  # whoever searched before must not be shown what they saw then
            desk.get("/api/search", params={"kind": "incident", "q": "HV"}).expect(200)
        number = new_incident()

        def found() -> None:
            rows = desk.get("/api/search", params={"kind": "incident", "q": number}).expect(200).json["results"]
            assert [row for row in rows if row["number"] == number], f"{number} is not among {len(rows)} results"

        eventually(found, within="2s")
    with step("and again, whichever server answers"):
        for _ in range(3):
            found()
