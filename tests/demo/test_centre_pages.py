"""The centre is watched, so what its pages lose of a hurried dispatcher's work must be a fault, not haste."""

import pytest
from playwright.sync_api import expect

PASSWORD = "dispatch-Harbor-1"
BUTTONS = {"/board": "New incident", "/incidents/HV-26-000001": "Add note", "/mct/SYN-06": "En route"}


@pytest.fixture
def page(chromium, centre):
    with chromium.new_context(base_url=centre.url) as context:
        made = context.new_page()
        made.goto("/login")
        made.get_by_label("User name").fill("dispatcher1")
        made.get_by_label("Password").fill(PASSWORD)
        made.get_by_role("button", name="Log in").click()
        expect(made.get_by_test_id("incidents")).to_be_visible()
        yield made


@pytest.mark.parametrize(("address", "name"), BUTTONS.items())
def test_a_button_can_be_pressed_once_its_script_is_there(page, address, name):
    script = {"/board": "board", "/mct/SYN-06": "mct"}.get(address, "incident")
    button = page.get_by_role("button", name=name, exact=True)
    page.route(f"**/{script}.js*", lambda route: route.abort())
    page.goto(address)
    expect(button).to_be_disabled()
    page.unroute(f"**/{script}.js*")
    page.goto(address)
    expect(button).to_be_enabled()


def test_a_search_that_was_sent_before_its_script_was_there_is_answered(page):
    page.route("**/search.js*", lambda route: route.abort())
    page.goto("/search")
    page.get_by_label("Search for").select_option("person")
    page.get_by_label("Query").fill("Proba")
    page.unroute("**/search.js*")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_test_id("result-count")).to_contain_text("found")
    expect(page.get_by_label("Query")).to_have_value("Proba")


def test_a_warning_moves_no_button_from_under_a_click(page):
    page.get_by_role("button", name="New incident").click()
    page.get_by_label("Address").fill("1 Probe Lane")
    cancel = page.get_by_role("button", name="Cancel")
    before = cancel.bounding_box()
    page.get_by_label("Caller").focus()
    expect(page.get_by_test_id("hazard").locator("visible=true")).to_contain_text("dog")
    after = cancel.bounding_box()
    middle = before["y"] + before["height"] / 2
    assert after["y"] < middle < after["y"] + after["height"]
