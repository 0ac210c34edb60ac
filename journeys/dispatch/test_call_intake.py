"""J2, J3 and J8: a call becomes an incident, everywhere, with its dangers."""

import re
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, step


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
    with step("it is stored as entered, for every role", checks="read-after-write"):
        for reader in (desk, watch):
            reader.get(f"/api/incidents/{number}").expect(200).json_has(
                address=caller.address, caller=caller.name, status="Active", units=[]
            )
    with step("it lies where the address is", checks="invariant"):
        at = desk.get(f"/api/incidents/{number}").json
        assert (at["lat"], at["lng"]) == (caller.lat, caller.lng), f"it lies at {at['lat']}, {at['lng']}"
    with step("it stands on the board"):
        expect(dispatcher.locator(f'tr[data-incident="{number}"]')).to_contain_text(caller.address)


@pytest.mark.journey(
    id="second-board", owner="dispatch-desk", severity="critical", runbook="second-board", uses_per_day=4200
)
@pytest.mark.mutates("incident")
def test_another_dispatcher_sees_the_incident(
    dispatcher: Page, second_dispatcher: Page, supervisor: Page, new_incident, caller
):
    """A new incident appears at the other desks, in the right order"""
    with step(
        "every board shows its list"
    ):  # a board that still loads would show the incident without being told of it
        for board in (supervisor, dispatcher, second_dispatcher):
            expect(board.get_by_test_id("stat-active")).to_have_text(re.compile(r"\d+"))
    with step("an incident is created"):
        number = new_incident(priority=2)
    row = f'tr[data-incident="{number}"]'
    with step("the supervisor's board shows it", budget="2s", checks="live", role="supervisor"):
        expect(supervisor.locator(row)).to_contain_text(caller.address)
    with step("the dispatcher's board shows it", budget="2s", checks="live", role="dispatcher"):
        expect(dispatcher.locator(row)).to_contain_text(caller.address)
    with step("so does the other dispatcher's, unless that user's own view hides it", budget="2s", checks="preference"):
        expect(second_dispatcher.locator(row)).to_contain_text(caller.address)
    with step("it stands below more urgent ones, above less urgent ones", checks="rule"):
        rows = second_dispatcher.get_by_test_id("incidents").locator("tr[data-incident]")
        priorities = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.priority))")
        assert priorities == sorted(priorities), f"priorities on the board are {priorities}, 1 was expected first"


@pytest.mark.journey(id="premise-hazard", owner="records", severity="critical", runbook="premise-hazard")
@pytest.mark.mutates("incident")
def test_a_known_danger_is_shown(dispatcher: Page, new_incident, caller):
    """A known danger at an address is shown to the dispatcher"""
    with step("an incident is created at an address with a hazard"):
        number = new_incident()
    with step("the dispatcher is warned", budget="3s", checks="sentinel"):
        dispatcher.goto(f"/incidents/{number}")
        expect(dispatcher.get_by_test_id("hazard")).to_contain_text(caller.hazard)


@pytest.mark.journey(
    id="call-repeated", owner="dispatch-desk", severity="critical", runbook="call-repeated", uses_per_day=120
)
@pytest.mark.mutates("incident")
def test_a_call_sent_twice_is_one_incident(desk: Api, new_incident):
    """A call that is sent twice is one incident, another call is another"""
    token = uuid4().hex
    with step("the same call is sent twice", checks="rule"):
        first, again = new_incident(client_token=token), new_incident(client_token=token)
        assert first == again, f"one call became two incidents, {first} and {again}"
    with step("another call gets another number", checks="rule"):
        assert new_incident() != first
