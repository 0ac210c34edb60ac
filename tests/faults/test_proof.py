"""A test that cannot have failed has proved nothing: it is unknown in words, and so is what the probe lacks."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from synthprobe import pipeline

JOURNEYS = '''
import datetime, sys, time
import unittest, pytest, requests
from playwright.sync_api import expect
from synthprobe import step

async def helper(): pass

def compares(text):
    text == "alive"

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

def test_negation(tmp_path):
    not tmp_path.exists()

def test_both(tmp_path):
    tmp_path.exists() and tmp_path.name == "x"

def test_helper(tmp_path):
    compares(tmp_path.name)

def test_text(tmp_path):
    assert tmp_path.is_file() or "it is a folder"

def test_function(tmp_path):
    def check():
        return tmp_path.is_file()
    assert check

def test_lambda(tmp_path):
    check = lambda: tmp_path.is_file()
    assert check

def test_unawaited(tmp_path):
    async def check():
        return tmp_path.is_file()
    assert check()

def rows():
    assert 1 == 2
    yield

def test_generator_that_is_not_run(tmp_path):
    rows()

def test_name_of_a_function_given_anew(tmp_path):
    rows = [tmp_path.name]
    assert rows

def test_identity(tmp_path):
    state = tmp_path.name
    assert state is not "dead"

def test_status_that_is_not_asked(tmp_path):
    answer = requests.Response()
    answer.raise_for_status

def test_job_of_an_executor():
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor() as pool:
        pool.submit(lambda: next(rows()))

def test_job_that_is_asked():
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor() as pool:
        assert "1 == 2" in str(pool.submit(lambda: next(rows())).exception())

def test_skip_where_it_broke():
    try:
        assert 1 == 2
    except AssertionError:
        pytest.skip("not today")

def test_unknown_fixture(boards):
    assert boards

@pytest.fixture
def shop():
    return "https://shop.example"

@pytest.fixture(scope="session")
def till(shop):
    return f"{shop}/till"

def test_fixture_of_a_wider_scope(till):
    assert till

def test_generator(tmp_path):
    assert (path.is_file() for path in [tmp_path])

class Page:
    def get_by_text(self, text): return self
    def is_visible(self): return False

def test_element(tmp_path):
    assert Page().get_by_text("Welcome")

def test_dropped_element(tmp_path):
    Page().get_by_text("Welcome")

def test_dropped_question(tmp_path):
    Page().is_visible()

def test_uncalled_question(tmp_path):
    assert Page().is_visible

def test_step_that_is_not_entered(tmp_path):
    step("look")

def test_replaced(tmp_path):
    assert 1 == 2

def test_called_a_skip(tmp_path):
    assert 1 == 2

def test_taken_away_at_its_call(tmp_path):
    assert 1 == 2

def test_taken_away_from_its_report(tmp_path):
    assert 1 == 2

class GaveUp(Exception): pass

def test_wrapped_by_a_library(tmp_path):
    try:
        assert 1 == 2
    except AssertionError as error:
        raise GaveUp from error

@pytest.fixture
def frozen(monkeypatch):
    """As freezegun does: names of modules are other classes and functions meanwhile."""
    class Frozen(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(2020, 1, 1, tzinfo=tz)
    for module in [module for name, module in list(sys.modules.items()) if name.startswith("synthprobe.")]:
        for name in [name for name, value in vars(module).items() if value is datetime.datetime]:
            monkeypatch.setattr(module, name, Frozen)
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)

def test_of_frozen_time(frozen, tmp_path):
    with step("wait"):
        assert tmp_path.exists()

tries = []

def test_tried_again_within_its_report(tmp_path):
    tries.append(1)
    assert len(tries) == 2

@pytest.fixture
def skips_at_its_end():
    yield
    pytest.skip("nothing to tidy")

def test_skip_after_failure(skips_at_its_end):
    assert 1 == 2

def test_skip_after_success(skips_at_its_end):
    assert 1 == 1

@pytest.mark.parametrize("row", [])
def test_of_no_rows(row):
    assert row

def test_caught_step(tmp_path):
    try:
        with step("compare"):
            assert 1 == 2, "the board is empty"
    except AssertionError:
        pass

def test_step_tried_again(tmp_path):
    for number in (1, 2):
        try:
            with step("compare"):
                assert number == 2
        except AssertionError:
            pass

def test_tuple():
    assert (1 == 2, "one is two")

@pytest.mark.xfail(strict=True, reason="repaired next week")
def test_strict_xfail():
    assert 1 == 1

@pytest.mark.xfail(reason="repaired next week")
def test_xfail():
    assert 1 == 2

class TestDjango(unittest.TestCase):
    """As Django does: what it runs is not what pytest put there."""

    def run(self, result=None):
        fresh = type(self)(self._testMethodName)
        return unittest.TestCase.run(fresh, result)

    def test_elsewhere(self):
        self.assertTrue(self.id())

class TestCase(unittest.TestCase):
    def test_case_returns(self):
        return self.id() == ""

    def test_case(self):
        self.assertTrue(self.id())

    def test_case_fails(self):
        self.assertEqual(1, 2)

    @unittest.expectedFailure
    def test_case_passes_unexpectedly(self):
        self.assertTrue(self.id())

    @unittest.expectedFailure
    def test_case_fails_as_expected(self):
        self.assertFalse(self.id())

    def test_case_skips(self):
        raise unittest.SkipTest("not on Sundays")

def test_asks_for_a_name_that_an_answer_has_not(target):
    from synthprobe.journey.response import Response
    assert Response(None, {}, b"").url

def test_sound():
    with pytest.raises(ZeroDivisionError):
        1 / 0 == 2

def test_subtest(subtests):
    with subtests.test("first"):
        assert 1 == 2
'''

CONFTEST = """
import pytest

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    return True if pyfuncitem.name == "test_replaced" else None

@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    try:
        return (yield)
    except AssertionError:
        if item.name != "test_taken_away_at_its_call":
            raise

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    if item.name == "test_taken_away_from_its_report":
        call.excinfo = None
    report = yield
    if item.name == "test_tried_again_within_its_report" and report.failed and call.when == "call":
        item.ihook.pytest_runtest_teardown(item=item, nextitem=None)  # as pytest-retry does
        item._initrequest()
        item.ihook.pytest_runtest_setup(item=item)
        item.ihook.pytest_runtest_call(item=item)
        report.outcome, report.longrepr = "passed", None
    if item.name == "test_called_a_skip" and report.failed:
        report.outcome, report.longrepr = "skipped", (__file__, 1, "Skipped: flaky")
    return report
"""

EXPECTED = {
    "test_returns": ("unknown", "It returned False, and nothing looks at what a test returns"),
    "test_returns_a_coroutine": ("unknown", "It returned a value of type coroutine"),
    "test_coroutine": ("unknown", "Its body never ran: it is declared with `async def`"),
    "test_nothing": ("unknown", "It looks at nothing: its body calls and asserts nothing"),
    "test_comparison": ("unknown", "compares and drops the answer: `state == 'alive'`. Write `assert` before it."),
    "test_not_called": ("unknown", "names an expectation and does not call it: `pytest.approx(3).__eq__`"),
    "test_negation": ("unknown", "compares and drops the answer: `not tmp_path.exists()`"),
    "test_both": ("unknown", "compares and drops the answer: `tmp_path.exists() and tmp_path.name == 'x'`"),
    "test_helper": ("unknown", "of compares() compares and drops the answer: `text == 'alive'`"),
    "test_text": ("unknown", "asserts a text, which always holds"),
    "test_function": ("unknown", "asserts a function that is not called, which always holds: `assert check`"),
    "test_lambda": ("unknown", "asserts a function that is not called"),
    "test_unawaited": ("unknown", "asserts a coroutine that is not awaited"),
    "test_generator_that_is_not_run": ("unknown", "calls rows(), which runs only when it is awaited or iterated over"),
    "test_name_of_a_function_given_anew": ("passed", ""),
    "test_identity": ("unknown", "asserts that a value is another object than a text or number, which always holds"),
    "test_status_that_is_not_asked": ("unknown", "names an expectation and does not call it"),
    "test_job_of_an_executor": ("failed", "assert 1 == 2"),
    "test_job_that_is_asked": ("passed", ""),
    "test_skip_where_it_broke": ("skipped", "not today (it was skipped when this broke: assert 1 == 2)"),
    "test_unknown_fixture": ("unknown", "It asks for the fixture 'boards', and nothing here gives it"),
    "test_fixture_of_a_wider_scope": ("unknown", "The journey itself broke with Failed: ScopeMismatch"),
    "test_generator": ("unknown", "asserts a generator, which always holds"),
    "test_element": ("unknown", "asserts an element, which is there even where the page has none"),
    "test_dropped_element": ("unknown", "names an element and looks at nothing of it"),
    "test_dropped_question": ("unknown", "asks and drops the answer: `Page().is_visible()`"),
    "test_uncalled_question": ("unknown", "asserts a function that is not called, which always holds"),
    "test_step_that_is_not_entered": ("unknown", "begins an expectation or a step and does not go on"),
    "test_replaced": ("unknown", "Its body never ran: a plugin or a conftest.py took its place"),
    "test_called_a_skip": ("failed", "1 == 2"),
    "test_taken_away_at_its_call": ("failed", "1 == 2"),
    "test_taken_away_from_its_report": ("failed", "1 == 2"),
    "test_wrapped_by_a_library": ("failed", "1 == 2"),
    "test_of_frozen_time": ("passed", ""),
    "test_tried_again_within_its_report": ("passed", ""),
    "test_skip_after_failure": ("failed", "1 == 2"),
    "test_skip_after_success": ("passed", ""),
    "test_of_no_rows[NOTSET]": ("unknown", "Its list of parameters for row is empty"),
    "test_caught_step": ("unknown", 'The step "compare" broke, and its error was caught: the board is empty'),
    "test_step_tried_again": ("passed", ""),
    "test_tuple": ("unknown", "asserts a tuple, which always holds"),
    "test_strict_xfail": ("unknown", "marked as expected to fail and passed: [XPASS(strict)] repaired next week"),
    "test_xfail": ("skipped", "It is expected to fail: repaired next week"),
    "test_case_returns": ("unknown", "It returned False"),
    "test_case": ("passed", ""),
    "test_case_fails": ("failed", "1 != 2"),
    "test_case_passes_unexpectedly": ("unknown", "marked as expected to fail and passed"),
    "test_case_fails_as_expected": ("skipped", "It is expected to fail"),
    "test_case_skips": ("skipped", "not on Sundays"),
    "test_asks_for_a_name_that_an_answer_has_not": ("unknown", "An answer has no 'url'"),
    "test_elsewhere": ("passed", ""),
    "test_sound": ("passed", ""),
    "test_subtest": ("failed", "1 == 2"),
}


def test_a_test_that_cannot_have_failed_is_never_passed_f85(project):
    project.journeys(JOURNEYS)
    (project.root / "journeys" / "conftest.py").write_text(CONFTEST)
    ran = project.run()
    assert ran.results.keys() == EXPECTED.keys()
    for name, (outcome, words) in EXPECTED.items():
        result = ran.results[name]
        assert (result.outcome, words in result.cause) == (outcome, True), (name, result.outcome, result.cause)
    assert ran.results["test_case_skips"].cause == "not on Sundays"
    frozen = ran.results["test_of_frozen_time"]
    assert (frozen.started_at.year > 2020, frozen.steps[0].duration_s > 0, frozen.duration_s < 60) == (True,) * 3
    tries = [result for result in ran.all_results if result.journey.id.endswith("tried_again_within_its_report")]
    assert sorted((result.attempt, result.outcome) for result in tries) == [(1, "failed"), (2, "passed")]
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
        timeout=250,
        check=False,
    )
    folder = pipeline.newest_run(project.root, ".synthprobe")
    verdict = pipeline.read_verdict(folder / "verdict.json")
    assert (done.returncode, verdict.blind) == (3, ""), done.stdout
    (judgement,) = verdict.journeys
    assert judgement.outcome == "unknown"
    assert judgement.cause.startswith(f"{kind}: ")
    failure = judgement.results[-1].failure
    assert words in failure.message
    assert "synthprobe doctor" in failure.message
    canaries = [result for result in pipeline.read_results(folder) if result.journey.id.startswith("canary")]
    assert "unknown" in {result.outcome for result in canaries}
