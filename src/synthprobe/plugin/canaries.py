"""Canaries: journeys against a target of our own that must fail, or must pass, through the same path as all others.

When the one that must fail does not, an expectation somewhere no longer sees anything, and nothing green can be
believed. The one that must pass also asks for hosts that are not allowed, and must be refused.
`synthprobe run` takes one that must fail in turn, slot by slot.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from synthprobe import loopback
from synthprobe.errors import ConfigurationError, ExpectationError, TargetError
from synthprobe.journey.api import Api
from synthprobe.journey.steps import step
from synthprobe.records.journey import Journey
from synthprobe.targets.guardrails import may_reach
from synthprobe.targets.target import Target, sends_by_egress_proxy
from synthprobe.verdict.judge import MUST_FAIL, MUST_PASS, OPEN_WALL

_PAGE = "<!doctype html><title>Canary</title><h1>alive</h1><button>Save</button>"


_PATIENCE_S = 15.0
"""Seconds each act of a canary may take, whatever the target's limits are: a busy machine is not a blind one."""
_PATIENCE_MS = _PATIENCE_S * 1000
_PLACES = tuple(f"127.91.7.{number}" for number in range(1, 255))
_NOBODY = "http://synthprobe-canary.invalid/"
"""A name that no resolver knows: what answers for it is a proxy, and who says so is not the wall."""


class _Answers(loopback.Handler):
    """A tiny system: it works, or is broken in a known way."""

    def do_GET(self) -> None:
        status, kind, body = {
            "/healthy": (200, "application/json", json.dumps({"state": "alive"}).encode()),
            "/error": (500, "text/plain", b"broken on purpose"),
            "/wrong": (200, "application/json", json.dumps({"state": "dead"}).encode()),
            "/error-page": (200, "text/html", b"<h1>Something went wrong</h1>"),
        }.get(self.path, (404, "text/plain", b""))
        self.answer(status, body, {"Content-Type": kind})


@pytest.fixture
def canary_url() -> Iterator[str]:
    """Address of the system the canaries look at."""
    with loopback.served(_Answers) as url:
        yield url


@pytest.fixture
def canary_api(canary_url: str, open_api: Callable[[Target], Api]) -> Api:
    """An API session there."""
    return open_api(Target(name="canary", base_url=canary_url, timeout_s=_PATIENCE_S))


class NoEntry:
    """A place at which nothing may arrive; each arrival is counted."""

    def __init__(self, host: str) -> None:
        self.arrived = 0
        self._socket = socket.create_server((host, 0))
        self.url = f"http://{host}:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        with suppress(OSError):  # closed at the canary's end
            while True:
                self._socket.accept()[0].close()
                self.arrived += 1

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def no_entry(target: Target) -> Iterator[NoEntry]:
    """A place of this machine that the target's guardrails do not allow."""
    host = next(host for host in _PLACES if not may_reach(target, f"http://{host}/"))
    place = NoEntry(host)
    yield place
    place.close()


def _walled_api(api: Api, no_entry: NoEntry) -> None:
    for url in (no_entry.url, _NOBODY):
        try:
            api.get(url)
        except ConfigurationError:
            continue
        except TargetError as error:
            outcome = error.kind
        else:
            outcome = "an answer"
        _holds(False, f"An API session asked for {url}, which is not allowed: {outcome} instead of a refusal.")
    _holds(not no_entry.arrived, f"An API session reached {no_entry.url}, which is not allowed.")


def _walled_page(page: Any, no_entry: NoEntry, target: Target) -> None:
    from playwright.sync_api import Error

    from synthprobe.browser.egress_proxy import WALLED

    for url in (no_entry.url, _NOBODY):
        try:
            page.goto(url, timeout=_PATIENCE_MS)
            outcome = "an answer"
        except Error as refusal:
            outcome = str(refusal).splitlines()[0]
            if "net::" not in outcome:
                raise  # the browser, not the wall
        walled = WALLED if sends_by_egress_proxy(target) else WALLED[:1]
        _holds(
            any(text in outcome for text in walled),
            f"A page asked for {url}, which is not allowed: {outcome} instead of a refusal.",
        )
    _holds(not no_entry.arrived, f"A page reached {no_entry.url}, which is not allowed.")


def _holds(wall: bool, why: str) -> None:
    if not wall:
        raise ExpectationError(why, OPEN_WALL)


def _healthy(api: Api) -> None:
    with step("a healthy answer passes"):
        api.get("/healthy").expect(200).json_has(state="alive")


def test_pass_api(canary_api: Api, new_api: Callable[[], Api], no_entry: NoEntry) -> None:
    """A healthy answer passes, and what is not allowed is refused."""
    _healthy(canary_api)
    with step("an API session is refused other hosts"):
        _walled_api(new_api(), no_entry)


def test_pass_page(canary_api: Api, new_api: Callable[[], Api], no_entry: NoEntry, page: Any, target: Target) -> None:
    """A healthy page passes, and what is not allowed is refused."""
    from playwright.sync_api import expect

    _healthy(canary_api)
    with step("an API session is refused other hosts"):
        _walled_api(new_api(), no_entry)
    with step("a healthy page passes"):
        page.set_content(_PAGE, timeout=_PATIENCE_MS)  # an address of ours may be none the target allows
        expect(page.get_by_text("alive")).to_be_visible(timeout=_PATIENCE_MS)
    with step("a page is refused other hosts"):
        _walled_page(page, no_entry, target)


def test_fail_status(canary_api: Api) -> None:
    """A server error must be seen."""
    canary_api.get("/error").expect(200)


def test_fail_value(canary_api: Api) -> None:
    """A wrong value must be seen."""
    canary_api.get("/wrong").expect(200).json_has(state="alive")


def test_fail_error_page(canary_api: Api) -> None:
    """An error page sent as a success must be seen."""
    canary_api.get("/error-page").expect(200).json_has(state="alive")


def test_fail_assertion() -> None:
    """A plain assertion that does not hold must be seen."""
    state = "dead"
    assert state == "alive", f"the state is {state}, alive was expected"


def test_fail_page(page: Any) -> None:
    """Text missing on a page must be seen."""
    from playwright.sync_api import expect

    page.set_content(_PAGE, timeout=_PATIENCE_MS)
    expect(page.get_by_text("this is not there")).to_be_visible(timeout=300)


def choose(names: list[str], slot: int, *, browser: bool) -> dict[str, Journey]:
    """The canaries of a run."""
    failing = [name for name in names if name.startswith("test_fail") and (browser or name != "test_fail_page")]
    passing = "test_pass_page" if browser else "test_pass_api"
    chosen = {passing: MUST_PASS, failing[slot % len(failing)]: MUST_FAIL}
    return {name: Journey(id=id, node_id=f"canary::{name}", title=id.replace("-", " ")) for name, id in chosen.items()}
