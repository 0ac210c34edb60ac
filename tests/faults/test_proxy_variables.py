"""F71: variables that name a proxy open no door, and are named once by a run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from two_hosts import two_hosts

from synthprobe import loopback
from synthprobe.records.verdict import Verdict

JOURNEYS = """
from playwright.sync_api import expect

def test_page(page):
    page.goto("/page")
    expect(page.get_by_text("here")).to_be_visible()

def test_page_elsewhere(page):
    page.goto("http://elsewhere.example.org/page")

def test_another_browser(playwright):
    from synthprobe.browser.installation import find_browser
    browser = playwright.chromium.launch(executable_path=find_browser().path)
    browser.new_page().goto("http://elsewhere.example.org/browser")

def test_client(page):
    page.request.get("/page")
    page.request.get("http://elsewhere.example.org/client")

def test_api(api):
    api.get("/page").expect(200)
    api.session.get("http://elsewhere.example.org/api")
"""


@contextmanager
def proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that answers everything itself; its address, and what it was asked for."""
    asked: list[str] = []

    class Handler(loopback.Handler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.answer(200, b"here")

        do_POST = do_CONNECT = do_GET

    with loopback.served(Handler) as url:
        yield url, asked


def test_a_proxy_that_the_environment_names_is_asked_for_nothing_f71(project):
    with two_hosts() as (allowed, _), proxy() as (address, asked):
        project.configure(allowed.url)
        config = project.root / "synthprobe.toml"
        config.write_text("second_attempts = 0\n" + config.read_text())
        project.journeys(JOURNEYS)
        names = ("http_proxy", "HTTPS_PROXY", "ALL_PROXY")
        done = subprocess.run(
            [sys.executable, "-m", "synthprobe", "run", "-n", "0"],
            cwd=project.root,
            env={**os.environ, **dict.fromkeys(names, address), "no_proxy": ""},
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
        (path,) = project.root.glob(".synthprobe/runs/demo/*/verdict.json")
        verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    outcomes = {
        journey.journey.id.rsplit(".", 1)[-1]: (
            journey.outcome,
            journey.results[-1].failure.kind if journey.results[-1].failure else "",
        )
        for journey in verdict.journeys
    }
    astray = ("unknown", "configuration")
    assert outcomes == {
        "test_page": ("passed", ""),
        "test_page_elsewhere": astray,
        "test_another_browser": astray,
        "test_client": astray,
        "test_api": astray,
    }, done.stdout + done.stderr
    assert asked == []
    assert [note for note in verdict.notes if all(name in note for name in names)] != []
    assert len([note for note in verdict.notes if "proxy" in note]) == 1
