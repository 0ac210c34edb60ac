"""Ordinary tests of a session in which journeys run too keep the manners of pytest and pytest-playwright."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from synthprobe import loopback

CONFTEST = """
import pytest
from synthprobe.browser.installation import find_browser

@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    found = find_browser()
    return {**browser_type_launch_args, **({"executable_path": str(found.path)} if found.path else {})}

@pytest.fixture(scope="session")
def shared_page(browser):
    page = browser.new_page()
    yield page
    page.close()
"""
ORDINARY = """
from playwright.sync_api import CDPSession, Route, expect

def test_its_address_is_its_own(page, base_url, pytestconfig):
    assert base_url == pytestconfig.getini("base_url")
    page.goto("/other")
    assert page.url == base_url + "/other"

def test_it_changes_what_it_likes(page, base_url):
    assert page.request.post(base_url + "/ordinary").status == 200
    page.goto(base_url)
    page.evaluate("() => fetch('/ordinary-page', {method: 'POST'}).then(answer => answer.text())")

def test_nothing_of_playwright_is_held(shared_page, playwright, base_url):
    shared_page.goto(base_url)
    assert expect._timeout == 7_000
    assert not hasattr(Route.fetch, "__wrapped__") and not hasattr(CDPSession.send, "__wrapped__")
    assert "synthprobe" not in shared_page.evaluate("() => navigator.userAgent")
    client = playwright.request.new_context(base_url=base_url)
    assert client.post("/ordinary-client").status == 200
"""
JOURNEYS = """
import pytest
from playwright.sync_api import Error

def test_it_is_held(page, shared_page, playwright, base_url, target):
    assert base_url == target.base_url
    page.goto("/journey")
    shared_page.goto(base_url)
    for client in (page.request, shared_page.request, playwright.request.new_context(base_url=base_url)):
        with pytest.raises(Exception, match="read-only"):
            client.post("/of-a-journey")
    with pytest.raises(Error, match="Failed to fetch"):
        shared_page.evaluate("() => fetch('/of-a-journey', {method: 'POST'})")
    with pytest.raises(Error, match="ERR_NAME_NOT_RESOLVED"):
        page.goto(base_url.replace("127.0.0.1", "localhost"))
"""


@pytest.fixture
def system() -> Iterator[tuple[str, list[str]]]:
    """The address of a system, and what was asked of it."""
    asked: list[str] = []

    class Answers(loopback.Handler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.headers['Host'].partition(':')[0]}{self.path}")
            self.answer(200, b"ok")

        def do_POST(self) -> None:
            self.do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=250, check=False, env=environ)
    return done.returncode, done.stdout + done.stderr


def test_browser_tests_before_and_after_journeys_are_not_held_and_journeys_are(tmp_path, system):
    address, asked = system
    write(
        tmp_path,
        {
            "pytest.ini": f"[pytest]\nbase_url = http://{address.replace('127.0.0.1', 'localhost')}\n",
            "conftest.py": "from playwright.sync_api import expect\nexpect.set_options(timeout=7_000)\n" + CONFTEST,
            "synthprobe.toml": f'[targets.demo]\nbase_url = "http://{address}"\nread_only = true\n',
            "a/test_before.py": ORDINARY,
            "journeys/test_it.py": JOURNEYS,
            "z/test_after.py": ORDINARY,
        },
    )
    code, output = run(tmp_path, "a", "journeys", "z")
    assert (code, "7 passed" in output) == (0, True), output
    posts = [line for line in asked if line.startswith("POST")]
    ordinary = ["POST localhost/ordinary", "POST localhost/ordinary-page", "POST localhost/ordinary-client"]
    assert posts == 2 * ordinary
    assert "GET 127.0.0.1/journey" in asked


@pytest.mark.parametrize(
    ("switched_off", "package"), [("playwright", "pytest-playwright"), ("allure_pytest", "allure-pytest")]
)
def test_a_plugin_that_journeys_need_is_missed_in_a_sentence(tmp_path, switched_off, package):
    write(
        tmp_path,
        {
            "synthprobe.toml": '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n',
            "journeys/test_it.py": "def test_it(target):\n    assert target\n",
            "tests/test_own.py": "def test_own():\n    pass\n",
        },
    )
    code, output = run(tmp_path, "journeys", "-p", f"no:{switched_off}")
    assert (code, f"Journeys need {package}, and it is switched off here (-p no:{switched_off}" in output) == (4, True)
    code, output = run(tmp_path, "tests", "-p", f"no:{switched_off}")
    assert (code, "1 passed" in output) == (0, True), output
