"""A test that cannot have failed has proved nothing: it is unknown in words, and so is what the probe lacks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from synthprobe import pipeline

JOURNEYS = '''
import unittest, pytest

async def helper(): pass

def test_returns():
    return 1 == 2

def test_returns_a_coroutine():
    return helper()

async def test_coroutine():
    assert False

def test_nothing(tmp_path):
    """Only a sentence."""

def test_comparison(tmp_path):
    state = "dead"
    if state:
        state == "alive"

def test_not_called(tmp_path):
    from playwright.sync_api import expect
    expect.set_options(timeout=1)
    pytest.approx(3).__eq__

def test_tuple():
    assert (1 == 2, "one is two")

@pytest.mark.xfail(strict=True, reason="repaired next week")
def test_strict_xfail():
    assert 1 == 1

@pytest.mark.xfail(reason="repaired next week")
def test_xfail():
    assert 1 == 2

class TestCase(unittest.TestCase):
    def test_case_returns(self):
        return self.id() == ""

    def test_case(self):
        self.assertTrue(self.id())

def test_sound():
    with pytest.raises(ZeroDivisionError):
        1 / 0 == 2

def test_subtest(subtests):
    with subtests.test("first"):
        assert 1 == 2
'''

EXPECTED = {
    "test_returns": ("unknown", "It returned False, and nothing looks at what a test returns"),
    "test_returns_a_coroutine": ("unknown", "It returned a value of type coroutine"),
    "test_coroutine": ("unknown", "Its body never ran: it is declared with `async def`"),
    "test_nothing": ("unknown", "It looks at nothing: its body calls and asserts nothing"),
    "test_comparison": ("unknown", "compares and drops the answer: `state == 'alive'`. Write `assert` before it."),
    "test_not_called": ("unknown", "names an expectation and does not call it: `pytest.approx(3).__eq__`"),
    "test_tuple": ("unknown", "asserts a tuple, which always holds"),
    "test_strict_xfail": ("unknown", "marked as expected to fail and passed: [XPASS(strict)] repaired next week"),
    "test_xfail": ("skipped", "It is expected to fail: repaired next week"),
    "test_case_returns": ("unknown", "It returned False"),
    "test_case": ("passed", ""),
    "test_sound": ("passed", ""),
    "test_subtest": ("failed", "1 == 2"),
}


def test_a_test_that_cannot_have_failed_is_never_passed_f85(project):
    project.journeys(JOURNEYS)
    ran = project.run()
    assert ran.results.keys() == EXPECTED.keys()
    for name, (outcome, words) in EXPECTED.items():
        result = ran.results[name]
        assert (result.outcome, words in result.cause) == (outcome, True), (name, result.outcome, result.cause)
    assert {ran.results[name].failure.kind for name, (outcome, _) in EXPECTED.items() if outcome == "unknown"} == {
        "journey error"
    }


PAGE = "def test_page(page):\n    page.set_content('<h1>here</h1>')\n    assert page.title() == ''\n"
CHANGED = "from playwright.sync_api import BrowserType\ndel BrowserType.launch\n"


@pytest.mark.parametrize(
    ("missing", "conftest", "kind", "words"),
    [
        pytest.param({"PATH": "/none"}, "", "browser", "No browser was found on this machine", id="F86 browser"),
        pytest.param({"PLAYWRIGHT_NODEJS_PATH": "/none/node"}, "", "browser", "/none/node", id="F86 driver"),
        pytest.param({}, CHANGED, "probe error", "'launch'", id="F86 an interface that changed"),
    ],
)
def test_what_the_probe_lacks_is_unknown_in_journeys_and_canaries(project, missing, conftest, kind, words):
    project.journeys(PAGE)
    (project.root / "journeys" / "conftest.py").write_text(conftest)
    settings = project.root / "synthprobe.toml"
    settings.write_text("second_attempts = 0\n" + settings.read_text())
    done = subprocess.run(
        [sys.executable, "-m", "synthprobe", "run"],
        cwd=project.root,
        env={**os.environ, "PLAYWRIGHT_BROWSERS_PATH": str(project.root / "none"), **missing},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    folder = pipeline.newest_run(project.root, ".synthprobe")
    verdict = pipeline.read_verdict(folder / "verdict.json")
    assert (done.returncode, verdict.blind) == (3, ""), done.stdout
    (one,) = verdict.journeys
    assert one.outcome == "unknown"
    assert one.cause.startswith(f"{kind}: ")
    failure = one.results[-1].failure
    assert words in failure.message
    assert "synthprobe doctor" in failure.message
    canaries = [result for result in pipeline.read_results(folder) if result.journey.id.startswith("canary")]
    assert "unknown" in {result.outcome for result in canaries}
