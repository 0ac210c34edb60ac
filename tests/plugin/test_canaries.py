"""The canaries of a run: one that must pass, and one that must fail, another in each slot."""

from __future__ import annotations

import re
import shutil

import pytest

from synthprobe import pipeline
from synthprobe.verdict.judge import exit_code

FAILING = ("status", "value", "error_page", "assertion", "page")
JOURNEY = "def test_it({fixture}):\n    pass\n"


@pytest.mark.parametrize(
    ("fixture", "passing", "failing"),
    [
        pytest.param("api", "test_pass_api", [name for name in FAILING if name != "page"], id="F75 api"),
        pytest.param("page", "test_pass_page", list(FAILING), id="F75 page"),
    ],
)
def test_each_way_to_fail_has_its_turn(project, centre, fixture, passing, failing):
    project.configure(centre.url)
    project.journeys(JOURNEY.format(fixture=fixture))
    seen = []
    for slot in range(7, 7 + len(failing)):
        options = ("--canaries", str(slot))
        if fixture == "page":
            (turn,) = re.findall(r"::test_fail_(\w+)", project.run("--collect-only", "-q", *options).output)
            if turn != "page":  # it needs no browser, and fails with a session of the API in the other case
                seen.append(turn)
                continue
        results = project.run(*options).results
        assert results["canary-must-pass"].outcome == "passed"
        assert results["canary-must-pass"].journey.node_id == f"canary::{passing}"
        assert results["canary-must-fail"].outcome == "failed"
        seen.append(results["canary-must-fail"].journey.node_id.removeprefix("canary::test_fail_"))
        shutil.rmtree(project.root / "run")
    assert sorted(seen) == sorted(failing)


def test_without_a_slot_there_are_no_canaries(project, centre):
    project.configure(centre.url)
    project.journeys(JOURNEY.format(fixture="api"))
    assert list(project.run().results) == ["test_it"]


SHOWS_NOTHING = """
import pytest

@pytest.fixture
def page(page):
    shown = page.set_content
    page.set_content = lambda html, **options: shown(html.replace("<h1", "<h1 hidden"), **options)
    return page
"""


def test_of_a_browser_that_shows_nothing_no_failure_is_believed(project, centre):
    project.configure(centre.url)
    project.journeys("def test_it(page):\n    page.goto('/healthz')\n    assert page.title() == 'another'\n")
    (project.root / "conftest.py").write_text(SHOWS_NOTHING)
    verdict = pipeline.judge(project.run("--canaries", "7").folder)
    assert [(journey.outcome, journey.cause[:6]) for journey in verdict.journeys] == [("unknown", "blind:")]
    assert exit_code(verdict) == 3
