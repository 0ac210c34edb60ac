"""J2, J3 and J8: a call becomes an incident, everywhere, with its dangers."""

from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, Response, step


def enter_call(page: Page, caller, marker: str) -> None:
    """Fill the form of a new call at the board."""
    page.get_by_role("button", name="New incident").click()
    page.get_by_label("Address").fill(caller.address)
    page.get_by_label("Caller").fill(caller.name)
    page.get_by_label("Description").fill(f"Synthetic transaction, no action needed {marker}")
    page.get_by_label("Synthetic").check()


def take_call(page: Page, caller, marker: str) -> str:
    """Enter a call at the board; the incident's number."""
    enter_call(page, caller, marker)
    page.get_by_role("button", name="Create").click()
    shown = page.get_by_test_id("incident-number")
    expect(shown).to_be_visible()
    number = shown.inner_text()
    return number


@pytest.mark.journey(
    id="call-intake", owner="dispatch-desk", severity="blocker", runbook="call-intake", uses_per_day=4200, budget="20s"
)
@pytest.mark.mutates("incident")
def test_a_call_becomes_an_incident(dispatcher: Page, desk: Api, watch: Api, caller, marker):
    """A call becomes an incident at the right place"""
    with step("take the call", budget="3s"):
        number = take_call(dispatcher, caller, marker)
    with step("the incident is stored as entered, for every role", checks="read-after-write"):
        for reader in (desk, watch):
            reader.get(f"/api/incidents/{number}").expect(200).json_has(
                address=caller.address, caller=caller.name, status="Active", units=[]
            )
    with step("the incident lies where the address is", checks="invariant"):
        at = desk.get(f"/api/incidents/{number}").json
        assert (at["lat"], at["lng"]) == (caller.lat, caller.lng), f"it lies at {at['lat']}, {at['lng']}"
    with step("the incident stands on the board"):
        expect(dispatcher.locator(f'tr[data-incident="{number}"]')).to_contain_text(caller.address)


@pytest.mark.journey(
    id="second-board", owner="dispatch-desk", severity="critical", runbook="second-board", uses_per_day=4200
)
@pytest.mark.mutates("incident")
def test_another_dispatcher_sees_the_incident(
    dispatcher: Page, second_dispatcher: Page, supervisor: Page, desk: Api, new_incident, caller, follows
):
    """A new incident appears at the other desks, in the right order"""
    with step("every board hears what is new", checks="live"):
        if not all(follows(board) for board in (supervisor, dispatcher, second_dispatcher)):
            return
    with step("an incident is created"):
        number = new_incident(priority=2)
    row = f'tr[data-incident="{number}"]'
    with step("the supervisor's board shows it", budget="2s", checks="live", role="supervisor"):
        expect(supervisor.locator(row)).to_contain_text(caller.address)
    with step("the dispatcher's board shows it", budget="2s", checks="live", role="dispatcher"):
        expect(dispatcher.locator(row)).to_contain_text(caller.address)
    with step("so does the other dispatcher's, unless that user's own view hides it", budget="2s", checks="preference"):
        expect(second_dispatcher.locator(row)).to_contain_text(caller.address)
    with step("a correction moves it, also to the end of the list", budget="2s"):
        desk.patch(f"/api/incidents/{number}", json={"priority": 5}).expect(200)
        expect(second_dispatcher.locator(row).locator("td").first).to_have_text("5")
    with step("the new incident stands below more urgent ones, above less urgent ones", checks="rule"):
        rows = second_dispatcher.get_by_test_id("incidents").locator("tr[data-incident]")
        priorities = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.priority))")
        assert priorities == sorted(priorities), f"priorities on the board are {priorities}, 1 was expected first"
    with step("when it is closed, it leaves the other desks", budget="2s"):
        desk.post(f"/api/incidents/{number}/close", json={"disposition": "Handled"}).expect(200)
        expect(second_dispatcher.locator(row)).to_have_count(0)


@pytest.mark.journey(id="premise-hazard", owner="records", severity="critical", runbook="premise-hazard")
@pytest.mark.mutates("incident")
def test_a_known_danger_is_shown(dispatcher: Page, new_incident, caller):
    """A known danger at an address is shown to the dispatcher"""
    with step("an incident is created at an address with a hazard"):
        number = new_incident()
    with step("the dispatcher is warned", budget="3s", checks="sentinel"):
        dispatcher.goto(f"/incidents/{number}")
        expect(dispatcher.get_by_test_id("hazard")).to_contain_text(caller.hazard)
    with step("so is whoever takes the next call from there, before it is created", budget="5s"):
        dispatcher.goto("/board")
        dispatcher.get_by_role("button", name="New incident").click()
        dispatcher.get_by_label("Address").fill(caller.address)
        dispatcher.get_by_label("Address").blur()
        expect(dispatcher.locator("#intake").get_by_test_id("hazard")).to_contain_text(caller.hazard)
        expect(dispatcher.get_by_test_id("geocode")).to_contain_text("Harborview")


@pytest.mark.journey(
    id="call-repeated", owner="dispatch-desk", severity="critical", runbook="call-repeated", uses_per_day=120
)
@pytest.mark.mutates("incident")
def test_a_call_sent_twice_is_one_incident(dispatcher: Page, desk: Api, new_incident, caller, marker):
    """A call that is sent twice is one incident, another call is another"""
    token = uuid4().hex
    with step("the same call is sent twice", checks="rule"):
        first, again = new_incident(client_token=token), new_incident(client_token=token)
        assert first == again, f"one call became two incidents, {first} and {again}"
    with step("another call gets another number", checks="rule"):
        assert new_incident() != first
    with step("so is a call whose button is pressed twice, on a narrow screen"):
        dispatcher.set_viewport_size({"width": 390, "height": 844})
        enter_call(dispatcher, caller, marker)
        dispatcher.get_by_role("button", name="Create").dblclick()
        expect(dispatcher.get_by_test_id("incident-number")).to_be_visible()
        made = desk.get("/api/incidents", params={"marker": marker}).expect(200).json["incidents"]
        assert len(made) == 1, f"one call became {len(made)} incidents"


@pytest.mark.journey(
    id="wrong-entries", owner="dispatch-desk", severity="normal", runbook="wrong-entries", uses_per_day=40
)
@pytest.mark.mutates("incident")
def test_what_cannot_be_right_is_refused(desk: Api, marker):
    """What cannot be right is refused with a reason, and what may be left out may be left out"""
    call = {"address": "1 Probe Lane", "client_token": marker, "synthetic": True}
    with step("a call without an address, or with a priority that does not exist, is refused", checks="rule"):
        for wrong in ({"address": "  "}, {"priority": 9}, {"priority": 0}, {"priority": "soon"}):
            refused(desk.post("/api/incidents", json={**call, **wrong}))
        found = desk.get("/api/incidents", params={"marker": marker}).expect(200)
        kept = found.json_rows("incidents", key="number", at_least=0)
        assert not kept, f"it was refused and kept: {kept}"
    with step("a call needs no more than an address", checks="rule"):
        made = desk.post("/api/incidents", json=call).expect(201).json
        assert (made["status"], made["priority"]) == ("Active", 3), f"got {made}"
    with step("a wrong correction, status, record or look-up is refused, and changes nothing", checks="rule"):
        path = f"/api/incidents/{made['number']}"
        refused(desk.patch(path, json={"priority": 9}))
        refused(desk.patch(path, json={}))
        refused(desk.post("/api/units/SYN-06/status", json={"status": "Asleep"}))
        refused(desk.get("/api/search", params={"kind": "everything", "q": "a"}))
        desk.get("/api/incidents/HV-00-000000").expect(404)
        desk.get("/api/units/NOBODY").expect(404)
        desk.get(path).expect(200).json_has(priority=3, version=1)


def refused(answer: Response) -> None:
    """An answer that says what was wrong."""
    assert answer.expect(400).json["error"].strip(), "no reason is given"
