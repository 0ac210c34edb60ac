"""A Playwright that a journey or its project starts itself is held and recorded, however it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "faults"))
from two_hosts import two_hosts  # isort: skip

JOURNEYS = """
import os, unittest
import pytest
from playwright.sync_api import expect, sync_playwright

def test_beside(page, playwright):
    page.goto("/fixture")
    other = playwright.chromium.launch()
    own = other.new_page()
    own.goto(URL + "/beside")
    assert own.title() == "another"

@pytest.fixture(scope="session")
def shared():
    with sync_playwright() as own:
        browser = own.chromium.launch()
        yield browser
        browser.close()

def test_shared_first(shared):
    page = shared.new_context().new_page()
    page.goto(URL + "/shared")
    assert page.title() == "another"

def test_shared_next(shared):
    page = shared.new_page()
    page.goto(URL + "/next")
    assert page.title() == "allowed"
    page.context.close()

def test_block():
    with sync_playwright() as own:
        page = own.chromium.launch().new_page()
        page.goto(URL + "/block")
        assert page.title() == "another"

def test_astray():
    with sync_playwright() as own:
        own.chromium.launch().new_page().goto(BAD)
        assert not BAD

class Case(unittest.TestCase):
    def setUp(self):
        self.own = sync_playwright().start()
        self.browser = self.own.chromium.launch()
        self.page = self.browser.new_page()

    def tearDown(self):
        self.browser.close()
        self.own.stop()

    def test_case(self):
        self.page.goto(URL + "/case")
        self.assertEqual(self.page.title(), "another")

    def test_well(self):
        self.page.goto(URL + "/well")
        self.assertEqual(self.page.title(), "allowed")
"""


@pytest.fixture(scope="module")
def ran(new_project, tmp_path_factory):
    with two_hosts() as (allowed, forbidden):
        project = new_project(tmp_path_factory.mktemp("own"))
        project.configure(allowed.url)
        project.journeys(f"URL, BAD = {allowed.url!r}, {forbidden.url!r}\n{JOURNEYS}")
        run = project.run("-p", "no:randomly")
        run.arrived = forbidden.arrived
        yield run


def result_of(ran, name):
    (found,) = [result for result in ran.all_results if result.journey.id.endswith(name)]
    return found


def test_what_passes_without_us_passes(ran):
    outcomes = {result.journey.id.rpartition("test_")[2]: result.outcome for result in ran.all_results}
    failing = dict.fromkeys(("shared_first", "block", "beside", "case"), "failed")
    assert outcomes == {**failing, "shared_next": "passed", "well": "passed", "astray": "unknown"}
    assert not [note for result in ran.all_results for note in result.notes if "fault of synthprobe" in note]


@pytest.mark.parametrize("name", ["shared_first", "block", "beside", "case"])
def test_what_was_seen_when_it_broke_is_kept(ran, name):
    result = result_of(ran, f"test_{name}")
    assert {piece.kind for piece in result.evidence} >= {"screenshot", "trace"}
    asked = f"/{name.partition('_')[0]}"
    assert asked in {page.path for page in result.facts.pages}


def test_it_goes_nowhere_else(ran):
    assert not ran.arrived
    assert "allowed_hosts" in result_of(ran, "test_astray").failure.message


LATE = """
from playwright.sync_api import expect

def test_late(page):
    page.goto("/fixture")
    page.evaluate("() => setTimeout(() => document.body.append('late'), 3000)")
    expect(page.get_by_text("late")).to_be_visible()
"""


@pytest.mark.parametrize(("own", "outcome"), [("", "failed"), ("expect.set_options(timeout=30_000)", "passed")])
def test_expectations_wait_as_long_as_the_project_says(project, own, outcome):
    (project.root / "conftest.py").write_text(f"from playwright.sync_api import expect\n{own}\n")
    with two_hosts() as (allowed, _):
        project.configure(allowed.url)  # which lets an action wait for two seconds
        project.journeys(LATE)
        (result,) = project.run().all_results
        assert result.outcome == outcome, result.cause


def test_a_page_of_another_host_is_told_with_its_host(project):
    with two_hosts() as (shop, _), two_hosts() as (door, _):
        place = door.url.removeprefix("http://")
        project.configure(shop.url, 'allowed_hosts = ["127.0.0.1"]')
        project.journeys(
            "from playwright.sync_api import expect\n"
            "def test_led(page):\n"
            f"    page.goto('/to?url={door.url}/log-in')\n"
            "    expect(page.get_by_role('heading', name='Orders')).to_be_visible()\n"
        )
        ran = project.run()
    (result,) = ran.all_results
    assert f"page {place}/log-in says" in ran.output, ran.output
    assert (result.outcome, result.facts.pages[-1].host) == ("failed", place)


def test_no_page_is_opened_without_the_guardrails_that_a_bad_secret_keeps_from_being_made(project):
    project.configure(
        "http://127.0.0.1:9",
        '[targets.demo.proxy]\naddress = "http://127.0.0.1:9"\nuser = "u"\nsecret = "way"\n'
        '[targets.demo.secrets]\nway = "env:WAY"\n',
    )
    project.journeys("def test_first(page):\n    page.goto('/')\ndef test_next(page):\n    page.goto('/')\n")
    command = [sys.executable, "-m", "synthprobe", "run", "--json"]
    done = subprocess.run(
        command, cwd=project.root, capture_output=True, text=True, timeout=250, env={**os.environ, "WAY": "short"}
    )
    causes = [judged["cause"] for judged in json.loads(done.stdout)["journeys"]]
    assert len(causes) == 2
    assert all("credentials" in cause and "is shorter than" in cause for cause in causes), causes
