"""What the dispatch centre's journeys share: who logs in, and the synthetic incident each one works on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from synthprobe import Api, Secret, TestData, freshness, step


@dataclass(frozen=True)
class Caller:
    """A synthetic caller: no real person, no real address."""

    name: str = "Proba, Synthia"
    address: str = "1 Probe Lane"
    lat: float = 47.612
    lng: float = -122.288
    hazard: str = "Aggressive dog"


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.fixture
def log_in(secrets: Mapping[str, Secret]) -> Callable[[Page, str], Page]:
    """Log a user in on a page and wait for the live board."""

    def log_in(page: Page, user: str) -> Page:
        page.goto("/login")
        page.get_by_label("User name").fill(user)
        page.get_by_label("Password").fill(secrets[user].reveal())
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url("**/board")
        return page

    return log_in


@pytest.fixture
def dispatcher(page: Page, log_in: Callable[[Page, str], Page]) -> Page:
    """The first dispatcher, at the board."""
    with step("dispatcher 1 logs in"):
        return log_in(page, "dispatcher1")


@pytest.fixture
def follows() -> Callable[[Page], bool]:
    """Whether a board hears what is new. One that does not is stale, and what it would be told need not be awaited."""

    def follows(board: Page) -> bool:
        live = board.get_by_test_id("live")
        expect(live).not_to_have_text("connecting")
        expect(live).to_have_text(re.compile("^(live|stale: .*)$"), timeout=13_000)  # it says stale after 11 s
        heard_at = live.get_attribute("data-heard-at") or ""
        return not freshness("newest update on the board", heard_at, limit="10s").stale

    return follows


@pytest.fixture
def second_dispatcher(new_context: Callable[[], BrowserContext], log_in: Callable[[Page, str], Page]) -> Page:
    """Another dispatcher, at another desk."""
    with step("dispatcher 2 logs in"):
        return log_in(new_context().new_page(), "dispatcher2")


@pytest.fixture
def supervisor(new_context: Callable[[], BrowserContext], log_in: Callable[[Page, str], Page]) -> Page:
    """The supervisor, at a board of another role."""
    with step("the supervisor logs in"):
        return log_in(new_context().new_page(), "supervisor")


def session(api: Api, user: str, secret: Secret) -> Api:
    answer = api.post("/api/login", json={"username": user, "password": secret.reveal()}).expect(200)
    api.session.headers["Authorization"] = f"Bearer {answer.json_has('token').json['token']}"
    return api


@pytest.fixture
def sign_in(new_api: Callable[[], Api], secrets: Mapping[str, Secret]) -> Callable[[str], Api]:
    """An API session of a user."""
    return lambda user: session(new_api(), user, secrets[user])


@pytest.fixture
def desk(sign_in: Callable[[str], Api]) -> Api:
    """The API as dispatcher 1, to read what a page should show."""
    with step("read access for dispatcher 1"):
        return sign_in("dispatcher1")


@pytest.fixture
def watch(sign_in: Callable[[str], Api]) -> Api:
    """The API as the supervisor: an independent reader."""
    with step("read access for the supervisor"):
        return sign_in("supervisor")


@pytest.fixture
def sent(desk: Api, new_incident: Callable[..., str]) -> Iterator[Callable[[str], str]]:
    """Send a synthetic unit to a new incident; its number. The unit is free again afterwards."""
    units: list[str] = []

    def send(unit: str) -> str:
        number = new_incident()
        units.append(unit)
        desk.post(f"/api/incidents/{number}/assign", json={"unit": unit}).expect(200)
        return number

    yield send
    for unit in units:
        desk.post(f"/api/units/{unit}/status", json={"status": "Cleared"})


@pytest.fixture
def unit_log(desk: Api) -> Callable[[str], list[dict]]:
    """What is told of a unit, oldest first and without gaps."""

    def read(unit: str) -> list[dict]:
        answer = desk.get(f"/api/units/{unit}/history").expect(200)
        return answer.json_rows("history", key="at", has=("kind", "text"), once=False)

    return read


@pytest.fixture
def activity() -> Callable[[Api], list[dict]]:
    """What happened last, the newest first."""

    def read(reader: Api) -> list[dict]:
        answer = reader.get("/api/activity").expect(200)
        return answer.json_rows("events", key="id", has=("kind", "text", "at"), order=("-id",))

    return read


@pytest.fixture
def marker(desk: Api, testdata: TestData) -> str:
    """What the description of an incident must hold that a journey enters at a board; it is removed at the end."""
    return testdata.token("incident", api=desk)


@pytest.fixture
def new_incident(desk: Api, testdata: TestData, caller: Caller) -> Callable[..., str]:
    """Create a synthetic incident over the API, removed at the journey's end; its number."""

    def create(**fields: object) -> str:
        def take_call(token: str) -> str:
            answer = desk.post(
                "/api/incidents",
                json={
                    "type": "Welfare check",
                    "priority": 3,
                    "address": caller.address,
                    "caller": caller.name,
                    "description": f"Synthetic transaction, no action needed {token}",
                    "client_token": token,
                    "synthetic": True,
                    **fields,
                },
            ).expect(201)
            return answer.json_has("number").json["number"]

        return testdata.create("incident", take_call, api=desk)

    return create
