"""J1 and J6: the board is there, it is live, and units are where it says they are."""

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, step


@pytest.mark.journey(
    id="live-board", owner="dispatch-desk", severity="blocker", runbook="live-board", uses_per_day=300, budget="20s"
)
def test_a_dispatcher_sees_a_live_board(page: Page, log_in, desk: Api):
    """A dispatcher logs in and sees a live board"""
    with step("log in", budget="3s"):
        log_in(page, "dispatcher1")
    with step("the board shows open incidents and units", budget="3s"):
        expect(page.get_by_test_id("incidents").locator("tr[data-incident]").first).to_be_visible()
        expect(page.get_by_test_id("units").locator("tr[data-unit]").first).to_be_visible()
    with step("the most urgent incident stands first"):
        rows = page.get_by_test_id("incidents").locator("tr[data-incident]")
        priorities = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.priority))")
        assert priorities == sorted(priorities), f"priorities on the board are {priorities}, 1 was expected first"
    with step("the number of active incidents matches the list"):
        expect(page.get_by_test_id("stat-active")).to_have_text(str(rows.count()))
    with step("live updates arrive", budget="3s"):
        expect(page.get_by_test_id("live")).to_have_text("live")


@pytest.mark.journey(
    id="unit-positions", owner="fleet-desk", severity="critical", runbook="unit-positions", uses_per_day=5000
)
def test_units_on_the_map_are_where_they_are(dispatcher: Page, desk: Api):
    """Units on the map are fresh, and where the API says"""
    with step("the map shows every unit the API knows"):
        units = {unit["id"]: unit for unit in desk.get("/api/units").expect(200).json["units"]}
        markers = dispatcher.locator("g.unit[data-unit]")
        expect(markers).to_have_count(len(units))
    with step("positions of moving units are fresh", budget="2s"):
        newest = max(unit["fix_at"] for unit in units.values())
        desk.freshness("newest unit position", newest, limit="60s")
