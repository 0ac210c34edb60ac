"""Canaries: journeys against a target of our own that must fail, or must pass, through the same path as all others.

When the one that must fail does not, an expectation somewhere no longer sees anything, and nothing green can be
believed. `synthprobe run` takes one that must fail in turn, slot by slot.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from synthprobe.model.journey import Journey
from synthprobe.probes.api import Api
from synthprobe.probes.steps import step
from synthprobe.targets.target import Target
from synthprobe.verdict.judge import MUST_FAIL, MUST_PASS

_PAGE = "<!doctype html><title>Canary</title><h1>alive</h1><button>Save</button>"


class _Answers(BaseHTTPRequestHandler):
    """A tiny system: it works, or is broken in a known way."""

    def do_GET(self) -> None:
        """Answer by path."""
        status, kind, body = {
            "/healthy": (200, "application/json", json.dumps({"state": "alive"}).encode()),
            "/error": (500, "text/plain", b"broken on purpose"),
            "/wrong": (200, "application/json", json.dumps({"state": "dead"}).encode()),
            "/error-page": (200, "text/html", b"<h1>Something went wrong</h1>"),
        }.get(self.path, (404, "text/plain", b""))
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def canary_url() -> Iterator[str]:
    """Address of the system the canaries look at."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def canary_api(canary_url: str, open_api: Callable[[Target], Api]) -> Api:
    """An API session there."""
    return open_api(Target(name="canary", base_url=canary_url, timeout_s=2))


def _healthy(api: Api) -> None:
    with step("a healthy answer passes"):
        api.get("/healthy").expect(200).json_has(state="alive")


def test_pass_api(canary_api: Api) -> None:
    """A healthy answer passes."""
    _healthy(canary_api)


def test_pass_page(canary_api: Api, page: Any) -> None:
    """A healthy page passes."""
    from playwright.sync_api import expect

    _healthy(canary_api)
    with step("a healthy page passes"):
        page.set_content(_PAGE)  # an address of ours may be none the target allows
        expect(page.get_by_text("alive")).to_be_visible()


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

    page.set_content(_PAGE)
    expect(page.get_by_text("this is not there")).to_be_visible(timeout=300)


def choose(names: list[str], slot: int, *, browser: bool) -> dict[str, Journey]:
    """The canaries of a run.

    Args:
        names: names of the canary tests.
        slot: the run's slot, by which the one that must fail is taken in turn.
        browser: whether the run opens a browser.

    Returns:
        The journey's record by the test's name.
    """
    failing = [name for name in names if name.startswith("test_fail") and (browser or name != "test_fail_page")]
    passing = "test_pass_page" if browser else "test_pass_api"
    chosen = {passing: MUST_PASS, failing[slot % len(failing)]: MUST_FAIL}
    return {name: Journey(id=id, node_id=f"canary::{name}", title=id.replace("-", " ")) for name, id in chosen.items()}
