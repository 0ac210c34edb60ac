"""A journey as others write it, read by mypy and pyright and never run. Lines that must be refused end with WRONG.

mypy reads it in `make check`, and refuses an ignored line that it has nothing against.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect
from pytest_playwright.pytest_playwright import CreateContextCallback

from synthprobe import (
    Api,
    NewApi,
    OpenApi,
    Plan,
    Redactor,
    Response,
    Secret,
    Secrets,
    Target,
    TestData,
    Work,
    eventually,
    fix,
    freshness,
    step,
)
from synthprobe.hooks import AnswerSource, hookimpl


@pytest.fixture
def desk(new_api: NewApi, secrets: Secrets) -> Api:
    api: Api = new_api()
    secret: Secret = secrets["dispatcher"]
    api.post("/api/login", json={"user": "dispatcher", "password": secret.reveal()}).expect(200)
    return api


@step("open the board", budget="3s")
def open_board(page: Page) -> str:
    page.goto("/")
    return page.title()


@pytest.mark.journey(owner="desk", severity="critical", budget="20s")
@pytest.mark.mutates("incident")
def test_a_call_is_stored(
    page: Page, desk: Api, testdata: TestData, open_api: OpenApi, target: Target, redactor: Redactor
) -> None:
    title: str = open_board(page)
    redactor.add(title)

    def take_call(token: str) -> str:
        return str(desk.post("/api/incidents", json={"client_token": token}).expect(201).json["number"])

    number: str = testdata.create("incident", take_call, api=desk)
    with step("the incident is stored", budget="2s", checks="read-after-write"):
        answer: Response = desk.get(f"/api/incidents/{number}", timeout="2s").expect(200).json_has(status="Active")
        seen: str = eventually(lambda: answer.text, within="2s")
    with step("the board is fresh"):
        freshness("the board", datetime.now(UTC), limit="30s")
        expect(page.get_by_text(seen)).to_be_visible()
    open_api(target).get("/").expect(200, 304)


def test_two_desks(new_context: CreateContextCallback) -> None:
    with step("the second desk is open"):
        new_context().new_page().goto("/")


@fix("clear-cache", title="Clear", roles=("desk",), writes=("POST /cache",), irreversible="none")
def clear_cache(work: Work) -> Plan | None:
    return Plan(seen="old", steps=("clear",), touches=("cache",))


@hookimpl
def synthprobe_describe_answer(headers: dict[str, str]) -> AnswerSource:
    return AnswerSource(node=headers.get("x-served-by", ""), build="")


def refused(api: Api, secrets: Secrets, new_api: NewApi) -> None:
    api.get("/").expect("200")  # type: ignore[arg-type]  # WRONG
    assert secrets["dispatcher"].reveal() + 1  # type: ignore[operator]  # WRONG
    new_api("other").get("/")  # type: ignore[call-arg]  # WRONG
    eventually(lambda: True)  # type: ignore[call-arg]  # WRONG
    step(budget="3s")  # type: ignore[call-arg]  # WRONG
    api.fetch("/")  # type: ignore[attr-defined]  # WRONG
