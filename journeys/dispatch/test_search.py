"""J7: a person, a plate and an address are found, at once and on every server."""

from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from synthprobe import Api, eventually, step

FIELDS = {
    "person": ("name", "born"),
    "vehicle": ("plate", "owner"),
    "incident": ("number", "type", "address", "status"),
    "address": ("address", "town", "lat", "lng"),
}
"""What every record that is found has, by its kind."""


def found_by(desk: Api, kind: str, query: str) -> list[dict]:
    """What a search finds."""
    key, *others = FIELDS[kind]
    answer = desk.get("/api/search", params={"kind": kind, "q": query}).expect(200)
    return answer.json_rows("results", key=key, has=others, at_least=0, once=False)


def places_of(desk: Api, address: str) -> list[dict]:
    """Where an address may be."""
    answer = desk.get("/api/geocode", params={"q": address}).expect(200)
    return answer.json_rows("results", key="address", has=("lat", "lng"), once=False)


@pytest.mark.journey(
    id="records-search", owner="records", severity="critical", runbook="records-search", uses_per_day=2600
)
@pytest.mark.mutates("incident")
def test_a_person_and_a_plate_are_found(desk: Api, new_incident):
    """A person, a plate and the newest incident are found"""
    with step("run a person", budget="2s", checks="sentinel"):
        people = found_by(desk, "person", "Proba")
        assert [p for p in people if (p["name"], p["born"]) == ("Proba, Synthia", "1990-01-01")], (
            f"the sentinel person is missing, got {people}"
        )
    with step("run a plate", budget="2s", checks="sentinel"):
        cars = found_by(desk, "vehicle", "SYN 001")
        assert len(cars) <= 1, f"one plate is {len(cars)} cars: {cars}"
        assert [c for c in cars if (c["plate"], c["owner"]) == ("SYN 001", "Proba, Synthia")], (
            f"the sentinel plate is missing, got {cars}"
        )
    with step("a new incident is found at once", budget="4s", checks="read-after-write"):
        for _ in range(2):  # whoever searched before must not be shown what they saw then
            desk.get("/api/search", params={"kind": "incident", "q": "HV"}).expect(200)
        number = new_incident()

        def found() -> None:
            rows = found_by(desk, "incident", number)
            assert [row for row in rows if row["number"] == number], f"{number} is not among {len(rows)} results"

        eventually(found, within="2s")
    with step("and again, whichever server answers"):
        for _ in range(3):
            found()
    with step("every word that is asked for counts", budget="4s", checks="rule"):
        for kind, query in (
            ("person", "Proba, Synthia"),
            ("person", "Proba, Nobody"),
            ("address", "100 Main Street, M"),
        ):
            rows = found_by(desk, kind, query)
            others = [row for row in rows if query.lower() not in str(row.get("name") or row.get("address")).lower()]
            assert not others, f"{kind} {query!r} finds {others[0]}"
            assert bool(rows) == ("Nobody" not in query), f"{kind} {query!r} finds {len(rows)} records"
    with step("what is found says what the record says", budget="4s"):
        found = desk.get("/api/search", params={"kind": "incident", "q": "HV-26-0029"}).expect(200)
        rows = found.json_rows("results", key="number", has=("type", "address", "status"))
        for row in rows[:2]:
            desk.get(f"/api/incidents/{row['number']}").expect(200).json_has(**row)
    with step("all that begin so are found, the newest first", checks="rule"):
        found.json_rows("results", key="number", order=("-number",))
        counted = [int(row["number"].rpartition("-")[2]) for row in rows]
        gaps = sorted({*range(min(counted), max(counted))} - {*counted})
        assert not gaps, f"between {min(counted)} and {max(counted)} these are not found: {gaps}"


@pytest.mark.journey(id="search-page", owner="records", severity="normal", runbook="search-page", uses_per_day=2600)
def test_the_search_page_finds_a_person(dispatcher: Page):
    """The search page finds a person by name"""
    with step("open the search"):
        dispatcher.get_by_role("link", name="Search").click()
    with step("run a person", budget="2500ms", checks="sentinel"):
        dispatcher.get_by_label("Query").fill("Proba")
        with dispatcher.expect_response("**/api/search?*"):
            dispatcher.get_by_role("button", name="Search").click()
        expect(dispatcher.get_by_test_id("results")).to_contain_text("Proba, Synthia")
    with step("the count is that of the rows", checks="rule"):
        rows = dispatcher.get_by_test_id("results").locator("tr").count()
        expect(dispatcher.get_by_test_id("result-count")).to_have_text(f"{rows} found")


@pytest.mark.journey(
    id="address-lookup", owner="records", severity="critical", runbook="address-lookup", uses_per_day=4200
)
def test_an_address_lies_in_its_town(desk: Api, caller):
    """An address lies where it is, also when two towns have the street"""
    towns = {"Harborview": (47.60, -122.30), "Millbrook": (47.75, -122.10)}
    with step("the fixture's address is where it was surveyed", budget="2s", checks="sentinel"):
        place, *more = places_of(desk, caller.address)
        assert not more, f"it is known {1 + len(more)} times: {[place, *more]}"
        assert abs(place["lat"] - caller.lat) + abs(place["lng"] - caller.lng) < 0.002, f"it lies at {place}"
        assert place.get("town") == "Harborview", f"its town is {place.get('town')!r}"
    with step("a street of two towns is offered in both", checks="sentinel"):
        places = places_of(desk, "100 Main Street")
        assert {place.get("town") for place in places} == set(towns), f"got {places}"
        assert len(places) == len(towns), f"a place is offered twice: {places}"
        names = [place["address"] for place in places]
        assert names == sorted(names), f"the order is {names}"
        for place in places:
            lat, lng = towns[place["town"]]
            assert abs(place["lat"] - lat) + abs(place["lng"] - lng) < 0.15, f"{place} is not in its town"
            assert place["town"] in place["address"], f"the address of {place['town']} is {place['address']!r}"
    with step("the search finds the same places", checks="sentinel"):
        found = desk.get("/api/search", params={"kind": "address", "q": "100 Main Street"}).expect(200)
        others = [place for place in found.json_rows("results", key="address") if place not in places]
        assert not others, f"the search finds {others}, the look-up {places}"
    with step("an address has its known dangers and no others'", budget="2s", checks="sentinel"):
        for address, danger in ((caller.address, caller.hazard), ("100 Main Street, Harborview", "")):
            hazards = desk.get("/api/hazards", params={"addr": address}).expect(200).json_has("hazards").json["hazards"]
            right = [danger] == [hazard[: len(danger)] for hazard in hazards] if danger else not hazards
            assert right, f"{address}: expected to contain text {danger!r}, got {hazards}"


@pytest.mark.journey(id="lookouts", owner="records", severity="normal", runbook="lookouts", uses_per_day=150)
def test_lookouts_can_be_read(desk: Api):
    """Lookouts are there to read"""
    with step("read the lookouts", budget="2s", checks="sentinel"):
        answer = desk.get("/api/bolos").expect(200)
        bolos = answer.json_rows("bolos", key="text", has=("at",))
        assert all(bolo["text"].strip() and bolo["at"][:2] == "20" for bolo in bolos), f"one is unreadable: {bolos}"
        late = [bolo for bolo in bolos if datetime.fromisoformat(bolo["at"]) > answer.server_now + timedelta(seconds=5)]
        assert not late, f"they come from the future: {late}"
