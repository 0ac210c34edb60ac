"""J1 and J6: the board is there, it is live and complete, and units are where it says they are."""

from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, Response, eventually, step

AREA = (47.5, 47.85, -122.45, -121.9)
"""Where this centre's incidents and units can be: from and to latitude, from and to longitude."""
MOVING = ("lat", "lng", "speed", "fix_at", "recv_at", "age_s")
"""What changes of a unit while it drives."""


UNIT = ("agency", "primary", "secondary", "version", "synthetic", *MOVING)
"""What every unit has in the list of units."""


def units_of(answer: Response) -> list[dict]:
    """The list of units, complete and in its order."""
    return answer.expect(200).json_rows("units", key="id", has=UNIT, order=("id",))


def real(incidents: list[dict]) -> list[str]:
    """Numbers of incidents that no journey makes and removes meanwhile."""
    return [incident["number"] for incident in incidents if not incident["synthetic"]]


def in_area(unit: dict) -> bool:
    south, north, west, east = AREA
    return south <= unit["lat"] <= north and west <= unit["lng"] <= east


def expect_true_ages(answer: Response, units: list[dict]) -> None:
    """Each unit's age is that of its position, by the clock of the server that says it."""
    for unit in units:
        age = (answer.server_now - datetime.fromisoformat(unit["fix_at"])).total_seconds()
        assert abs(unit["age_s"] - age) < 5, f"{unit['id']} is shown as {unit['age_s']} s old, it is {age:.0f} s"


def expect_measured_before_received(units: list[dict]) -> None:
    for unit in units:
        fix, received = (datetime.fromisoformat(unit[name]) for name in ("fix_at", "recv_at"))
        assert fix <= received + timedelta(seconds=2), f"{unit['id']}: measured {fix}, received {received}"


def expect_fresh(desk: Api, units: list[dict]) -> None:
    for unit in units:
        desk.freshness(f"position of {unit['id']}", unit["fix_at"], limit="60s" if unit["speed"] else "300s")


def texts(page: Page, table: str) -> list[list[str]]:
    """The rows of a table as a person reads them."""
    rows = page.get_by_test_id(table).locator("tbody tr")
    return rows.evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim()))")


@pytest.mark.journey(
    id="live-board", owner="dispatch-desk", severity="blocker", runbook="live-board", uses_per_day=300, budget="20s"
)
def test_a_dispatcher_sees_a_live_board(page: Page, log_in, watch: Api, follows, activity):
    """A dispatcher logs in and sees a live board"""
    with step("log in", budget="3s"):
        log_in(page, "dispatcher1")
    with step("the board shows units", budget="3s"):
        expect(page.get_by_test_id("units").locator("tr[data-unit]").first).to_be_visible()
    rows = page.get_by_test_id("incidents").locator("tr[data-incident]")
    with step("the board shows every open incident the supervisor can read, in that order"):

        def complete() -> None:
            there = real(watch.get("/api/incidents").expect(200).json_rows("incidents", key="number", at_least=0))
            shown = rows.evaluate_all("rows => rows.map(row => row.dataset.incident)")
            assert [number for number in shown if number in there] == there, f"{there} was expected, got {shown}"

        eventually(complete, within="3s")
    with step("each row says what its record says", checks="rule"):

        def true_to_record() -> None:
            listed = watch.get("/api/incidents").expect(200).json_rows("incidents", key="number", at_least=0)
            want = {incident["number"]: written(incident) for incident in listed if not incident["synthetic"]}
            wrong = [(row, want[row[1]]) for row in texts(page, "incidents") if row[1] in want and row != want[row[1]]]
            assert not wrong, f"the board shows {wrong[0][0]}, {wrong[0][1]} was expected"

        eventually(true_to_record, within="3s")
    with step("so does each unit's", checks="rule"):

        def units_true() -> None:
            listed = [unit for unit in units_of(watch.get("/api/units")) if not unit["synthetic"]]
            want = sorted([unit["id"], unit["secondary"], unit["incident"] or "–"] for unit in listed)
            ids = {unit["id"] for unit in listed}
            shown = [row[:3] for row in texts(page, "units") if row[0] in ids]
            assert shown == want, f"the board shows {shown}, {want} was expected"

        eventually(units_true, within="3s")
    with step("the most urgent incident stands first", checks="rule"):
        priorities = rows.evaluate_all("rows => rows.map(row => Number(row.dataset.priority))")
        assert priorities == sorted(priorities), f"priorities on the board are {priorities}, 1 was expected first"
    with step("the number of active incidents matches the list", checks="rule"):

        def counted() -> None:
            count, header = page.evaluate(
                "() => [document.querySelectorAll('tr[data-incident]').length, "
                "Number(document.querySelector('[data-testid=stat-active]').textContent)]"
            )
            assert count == header, f"the header counts {header}, the list has {count}"

        eventually(counted, within="2s")
    with step("so do those that wait for a unit, and the units that are free", checks="rule"):
        count, header = page.evaluate(
            "() => [[...document.querySelectorAll('tr[data-incident]')].filter(row => !row.cells[5].innerText).length, "
            "Number(document.querySelector('[data-testid=stat-pending]').textContent)]"
        )
        assert count == header, f"the header counts {header} that wait, the list has {count}"

        def free() -> None:
            units = [unit for unit in units_of(watch.get("/api/units")) if not unit["synthetic"]]
            green, header = page.evaluate(
                "() => [[...document.querySelectorAll('g.unit')].filter(g => g.querySelector('[fill=\"#4cc38a\"]'))"
                ".map(g => g.dataset.unit), Number(document.querySelector('[data-testid=stat-available]').textContent)]"
            )
            assert header == len(green), f"the header counts {header} free units, the map shows {len(green)} green"
            wrong = {unit["id"] for unit in units if (unit["id"] in green) != (unit["primary"] == "Available")}
            assert not wrong, f"the colour of {sorted(wrong)} on the map is not that of their status"

        eventually(free, within="5s")
    with step("the board says whose it is, and its clock goes", checks="rule"):
        expect(page.locator(".who")).to_contain_text("dispatcher1 · dispatcher")

        def clock() -> None:
            behind = page.evaluate(
                "() => { const [h, m, s] = document.querySelector('[data-testid=clock]').textContent.split(':');"
                "const now = new Date(); const day = 86400;"
                "const at = now.getUTCHours() * 3600 + now.getUTCMinutes() * 60 + now.getUTCSeconds();"
                "return (at - (+h * 3600 + +m * 60 + +s) + day) % day; }"
            )
            assert behind <= 3, f"the clock is {behind} s behind"

        eventually(clock, within="3s")
    with step("live updates arrive", checks="live"):
        if not follows(page):
            return
    with step("what happened is in the activity, the newest first"):
        newest, *_ = activity(watch)
        listed = page.get_by_test_id("activity").locator("li")
        expect(listed.filter(has_text=newest["text"]).filter(has_text=newest["at"][11:19]).first).to_be_visible()
        order = [f"{event['at'][11:19]} {event['text']}" for event in activity(watch)]
        shown = listed.all_inner_texts()
        places = [order.index(text) for text in shown if order.count(text) == shown.count(text) == 1]
        assert places == sorted(places), f"the order is {places}"


def written(incident: dict) -> list[str]:
    """An incident as its row on the board says it."""
    return [
        str(incident["priority"]), incident["number"], incident["type"], incident["address"],
        incident["status"], ", ".join(incident["units"]),
    ]  # fmt: skip


@pytest.mark.journey(id="board-consistent", owner="dispatch-desk", severity="critical", runbook="board-consistent")
def test_the_lists_of_the_board_agree(desk: Api):
    """Incidents and units on the board agree with each other"""
    with step("read both lists"):
        needed = ("status", "created_at", "client_token", "priority", "units", "synthetic")
        rows = desk.get("/api/incidents").expect(200).json_rows("incidents", key="number", has=needed, at_least=0)
        incidents = [row for row in rows if not row["synthetic"]]
        answer = desk.get("/api/units")
        every_unit = units_of(answer)
        units = [unit for unit in every_unit if not unit["synthetic"]]
    with step("each unit lies in this centre's area", checks="invariant"):
        for listed_unit in every_unit:
            assert in_area(listed_unit), f"{listed_unit['id']} is at {listed_unit['lat']}, {listed_unit['lng']}"
    with step("the lists say what each one's own record says", budget="3s"):
        for listed_unit in units[:: max(1, len(units) // 3)]:
            kept = {name: value for name, value in listed_unit.items() if name not in MOVING}
            own = desk.get(f"/api/units/{listed_unit['id']}").expect(200).json_has(*MOVING, **kept).json
            assert own["fix_at"] >= listed_unit["fix_at"], (
                f"{listed_unit['id']} was at {own['fix_at']}, listed with {listed_unit['fix_at']}"
            )
            assert in_area(own), f"{listed_unit['id']} is at {own['lat']}, {own['lng']}"
        for listed_unit in incidents[:: max(1, len(incidents) // 2)]:
            desk.get(f"/api/incidents/{listed_unit['number']}").expect(200).json_has(**listed_unit)
    with step("each age is the age of the position", checks="rule"):
        expect_true_ages(answer, every_unit)
    with step("no position was measured after it was received", checks="invariant"):
        expect_measured_before_received(every_unit)
    with step("the most urgent stands first, the longest waiting first among them", checks="rule"):
        order = [(incident["priority"], incident["created_at"]) for incident in incidents]
        assert order == sorted(order), f"the order is {order}"
    with step("no incident comes from the future, none is closed", checks="invariant"):
        latest = answer.server_now + timedelta(seconds=5)
        for listed_unit in incidents:
            assert datetime.fromisoformat(listed_unit["created_at"]) < latest, (
                f"{listed_unit['number']} was made {listed_unit['created_at']}"
            )
            assert listed_unit["status"] not in {"Closed", "Cancelled"}, (
                f"{listed_unit['number']} is {listed_unit['status']}"
            )
    with step("each has a type, a priority and an address, and lies in this centre's area", checks="invariant"):
        for listed_unit in incidents:
            assert all((listed_unit["type"], listed_unit["address"])), (
                f"{listed_unit['number']} has no type or no address: {listed_unit}"
            )
            assert listed_unit["priority"] in range(1, 6), (
                f"{listed_unit['number']} has the priority {listed_unit['priority']}"
            )
            assert listed_unit["lat"] is None or in_area(listed_unit), (
                f"{listed_unit['number']} lies at {listed_unit['lat']}, {listed_unit['lng']}"
            )
    with step("units and incidents name each other", checks="invariant"):
        by_incident = {(number, incident["number"]) for incident in incidents for number in incident["units"]}
        by_unit = {(unit["id"], unit["incident"]) for unit in units if unit["incident"]}
        assert by_incident == by_unit, f"only one side knows {sorted(by_incident ^ by_unit)}"
    with step("a unit at work is not available", checks="invariant"):
        idle = [unit["id"] for unit in units if unit["incident"] and unit["primary"] == "Available"]
        assert not idle, f"{idle} have an incident and are available"
    with step("positions are fresh, those of moving units above all", checks="freshness"):
        expect_fresh(desk, every_unit)


@pytest.mark.journey(
    id="unit-positions", owner="fleet-desk", severity="critical", runbook="unit-positions", uses_per_day=5000
)
@pytest.mark.mutates("unit")
def test_units_on_the_map_are_where_they_are(dispatcher: Page, desk: Api):
    """Units on the map are fresh, and where the API says"""
    with step("the map shows every unit the API knows"):
        answer = desk.get("/api/units")
        units = units_of(answer)
        expect(dispatcher.locator("g.unit[data-unit]")).to_have_count(len(units))
    with step("every position lies in this centre's area", checks="invariant"):
        for unit in units:
            assert in_area(unit), f"{unit['id']} is at {unit['lat']}, {unit['lng']}"
    with step("each stands on the map where its position is", checks="rule"):
        drawn = dispatcher.locator("g.unit[data-unit]").evaluate_all(
            "all => all.map(g => { const c = g.querySelector('circle'); return {id: g.dataset.unit, "
            "label: g.textContent.trim(), lat: +g.dataset.lat, lng: +g.dataset.lng, "
            "x: +c.getAttribute('cx'), y: +c.getAttribute('cy')}; })"
        )
        for marker in drawn:
            assert marker["label"] == marker["id"], f"{marker['id']} is labelled {marker['label']!r}"
        for along, across in (("lng", "x"), ("lat", "y")):
            first, last = (choose(drawn, key=lambda point: point[along]) for choose in (min, max))
            slope = (last[across] - first[across]) / (last[along] - first[along])
            assert (slope > 0) == (across == "x"), "the map is the wrong way round"
            for marker in drawn:
                off = abs(first[across] + slope * (marker[along] - first[along]) - marker[across])
                assert off < 1, f"{marker['id']} is drawn {off:.0f} px away from its {along}"
    with step("no position was measured after it was received", checks="invariant"):
        expect_measured_before_received(units)
    with step("the ages shown are the ages of the positions", checks="rule"):
        expect_true_ages(answer, units)
    with step("positions come in while a unit reports", checks="freshness"):
        before = next(unit for unit in units if unit["id"] == "SYN-04")
        lat = 47.632 if before["lat"] < 47.631 else 47.630
        reported_at = desk.get("/api/time").expect(200).json_has("now").json["now"]
        desk.post("/api/units/SYN-04/position", json={"lat": lat, "lng": -122.267}).expect(200)

        def newest() -> str:
            return max(unit["fix_at"] for unit in units_of(desk.get("/api/units")))

        with suppress(AssertionError):  # how old the newest one is says what it means
            eventually(lambda: newest() >= reported_at, within="6s")
        if desk.freshness("newest unit position", newest(), limit="4s").stale:
            return
    with step("the unit that reported has moved, on the map as well", budget="6s"):

        def arrived() -> None:
            got = desk.get("/api/units/SYN-04").expect(200).json_has("lat").json["lat"]
            assert got == lat, f"SYN-04 reported latitude {lat}, the centre has {got}"

        eventually(arrived, within="2s")
        expect(dispatcher.locator('g.unit[data-unit="SYN-04"]')).to_have_attribute("data-lat", str(lat))
    with step("positions are fresh, those of moving units above all", checks="freshness"):
        expect_fresh(desk, units_of(desk.get("/api/units")))
