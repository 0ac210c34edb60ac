"""Checks whose failure goes nowhere: caught, dropped, never run, or true whatever the target says."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from synthprobe import loopback, pipeline

JOURNEYS = """
import asyncio, contextlib, functools, time, unittest
from unittest import mock
import pytest

def ok(api): return api.get("/").json()["ok"]

def test_suppressed(api):
    with contextlib.suppress(Exception):
        api.get("/down").expect(200)

def test_caught(api):
    try: assert ok(api)
    except: print("what a pity")

def test_finally(api):
    try: assert ok(api)
    finally: return

def test_soft(api):
    wrong = []
    for number in range(2):
        try: assert number < 5
        except AssertionError as error: wrong.append(error)
    assert not wrong

def test_kept_and_never_read(api):
    wrong = []
    for path in ("/down", "/"):
        try: api.get(path).expect(200)
        except AssertionError as error: wrong.append(error)

def test_counted_and_never_read(api):
    wrong = 0
    try: assert ok(api)
    except AssertionError: wrong += 1

def test_retried(api):
    for number in range(3):
        try:
            assert number == 2
            break
        except AssertionError: time.sleep(0)

def test_only_if_it_is_there(api):
    try:
        assert ok(api)
        api.get("/")
    except AssertionError: pass

def test_never_called(api):
    ok(api)
    def check():
        assert ok(api)

def test_lambda_never_called(api):
    check = lambda: api.get("/down").expect(200)
    ok(api)

def test_map(api):
    map(lambda path: api.get(path).expect(200), ["/down"])

def test_generator_never_run(api):
    checks = (api.get(path).expect(200) for path in ["/down"])
    ok(api)

def test_lazy(api):
    assert filter(None, [ok(api)])

def test_dict(api):
    assert {"ok": ok(api)}

def test_or_true(api):
    assert ok(api) or True

def test_itself(api):
    got = ok(api)
    assert got == got

def test_any_length(api):
    assert len(api.get("/").json()["rows"]) >= 0

def test_gathered(api):
    async def check(): assert ok(api)
    async def main(): await asyncio.gather(check(), return_exceptions=True)
    asyncio.run(main())

def test_unawaited(api):
    async def check(): assert ok(api)
    later = check()
    assert later

def test_unawaited_of_a_library(api):
    ok(api)
    asyncio.sleep(1)

def test_callback(api):
    def check(): assert ok(api)
    async def main():
        asyncio.get_running_loop().call_soon(check)
        await asyncio.sleep(0)
    asyncio.run(main())

def test_answer(api):
    assert api.get("/down")

def test_good_answer(api):
    assert api.get("/")

def test_unseen(api):
    api.get("/down")

def test_seen(api):
    assert api.get("/down").status == 500

def test_gone_already(api):
    api.delete("/gone")
    api.get("/").expect(200)

def test_lacks_a_module(api):
    pytest.importorskip("no_module_of_this_name")

def test_may_lack_a_module(api):
    pytest.importorskip("no_module_of_this_name", reason="only where the printer stands")

def safe(function):
    @functools.wraps(function)
    def run(*given, **named):
        try:
            return function(*given, **named)
        except Exception:
            print("what a pity")
    return run

@safe
def test_decorated(api):
    assert ok(api)

@safe
def is_well(api):
    assert ok(api)

def test_decorated_part(api):
    is_well(api)

def timed(function):
    @functools.wraps(function)
    def run(*given, **named):
        try:
            return function(*given, **named)
        finally:
            print("it took long")
    return run

@timed
def test_timed(api):
    api.get("/").expect(200)

@contextlib.contextmanager
def tolerant():
    try:
        yield
    except AssertionError:
        print("never mind")

def test_tolerated(api):
    with tolerant():
        assert ok(api)

class Quiet:
    def __enter__(self): ...
    def __exit__(self, *broken): return True

def test_quiet(api):
    with Quiet():
        assert ok(api)

def test_left_where_it_broke(api):
    try:
        assert ok(api)
    except AssertionError:
        return

def close_banner(api):
    try:
        assert ok(api)
    except AssertionError:
        return
    api.get("/down").expect(200)

def test_left_as_there_is_nothing_to_do(api):
    close_banner(api)
    api.get("/").expect(200)

def note():
    global noted
    noted = 1 == 2

def test_kept_for_others(api):
    note()
    assert api.get("/").status == 200 and not noted

def test_left_early(api):
    if api.target.name != "another":
        return
    assert ok(api)

def test_not_entered(api):
    if api.target.name == "another":
        assert ok(api)

def test_answer_that_nobody_reads(api):
    good = ok(api) == True

def test_of_a_mock(api):
    api.get("/").expect(200)
    seen = mock.Mock()
    seen.assert_called

def test_end_of_a_generator(api):
    def rows():
        yield
        assert ok(api)
    def walked():
        try:
            yield
        finally:
            assert ok(api)
    next(walked())

class TestOfUnittest(unittest.TestCase):
    def test_begun(self):
        self.assertRaises(ValueError)

    def test_text(self):
        self.assertTrue("ok", "not ok")

class TestThatForgets(unittest.TestCase):
    def run(self, result=None):
        return result

    def test_not_run(self):
        self.assertEqual(1, 2)
"""
UNKNOWN = {
    "test_suppressed": "suppresses what `api.get('/down').expect(200)` would say",
    "test_kept_and_never_read": "catches what `api.get(path).expect(200)` would say, and goes on",
    "test_counted_and_never_read": "catches what `assert ok(api)` would say, and goes on",
    "test_caught": "catches what `assert ok(api)` would say, and goes on",
    "test_finally": "leaves by `finally`, which drops the failure of `assert ok(api)`",
    "test_never_called": "defines check, which holds a check, and never runs it",
    "test_lambda_never_called": "defines check, which holds a check, and never runs it",
    "test_map": "makes what runs only when it is called or iterated over",
    "test_generator_never_run": "defines checks, which holds a check, and never runs it",
    "test_lazy": "asserts what filter() makes, which always holds",
    "test_dict": "asserts a dict that is not empty, which always holds",
    "test_or_true": "asserts what is true by itself, which always holds",
    "test_itself": "asserts a value of itself, or a length of any size, which always holds",
    "test_any_length": "asserts a value of itself, or a length of any size, which always holds",
    "test_gathered": "drops the errors that it gathers",
    "test_unawaited": "was made and never awaited",
    "test_unawaited_of_a_library": "A coroutine 'sleep' was made and never awaited",
    "test_blank": "It ended before it asked the target anything: page stands in its body",
    "test_request_of_a_page": "/down was answered with 500, and nothing looked at the answer",
    "test_unseen": "/down was answered with 500, and nothing looked at the answer",
    "test_decorated": "The decorator of test_decorated() catches what `function(*given, **named)` would say",
    "test_decorated_part": "The decorator of is_well() catches what `function(*given, **named)` would say",
    "test_tolerated": "suppresses what `assert ok(api)` would say",
    "test_quiet": "suppresses what `assert ok(api)` would say",
    "test_left_where_it_broke": "catches what `assert ok(api)` would say, and goes on",
    "test_left_early": "It ended before it asked the target anything: api stands in its body",
    "test_not_entered": "It ended before it asked the target anything: api stands in its body",
    "test_answer_that_nobody_reads": "compares and drops the answer: `ok(api) == True`",
    "test_of_a_mock": "names an expectation and does not call it: `seen.assert_called`",
    "test_begun": "begins an expectation or a step and does not go on",
    "test_text": "asserts a text, which always holds",
    "test_not_run": "Its body never ran",
}
FAILED = {
    "test_callback": "assert False",
    "test_answer": "/down → 500",
    "test_end_of_a_generator": "assert False",
    "test_exposed": "assert 3 == 4",
}
PAGES = """
from playwright.sync_api import expect
from synthprobe import step

def test_opened(page):
    with step("open the page"):
        page.goto("/down")

def test_blank(page):
    if not page:
        page.goto("/")

def test_request_of_a_page(page):
    page.request.get("/down")

def test_request_that_is_looked_at(page):
    assert page.request.get("/down").status == 500

def test_exposed(page):
    def tell(number): assert number == 4
    page.expose_function("tell", tell)
    page.goto("/")
    page.evaluate("tell(3).catch(() => 0)")

def test_looked_at(page):
    page.goto("/down")
    expect(page.locator("body")).to_contain_text("rows")
"""
LACKS = "import pytest\npytest.importorskip('no_module_of_this_name')\ndef test_it(): assert 1\n"
DOUBLED = "def check_twice(api):\n    assert 1 == 2\n\ndef check_twice(api):\n    assert 1 == 1\n"
HIDDEN = "class TestHidden:\n    def __init__(self): ...\n    def test_it(self): assert 1 == 2\n"


class _Target(loopback.Handler):
    """Says that it is not well, and has a path that is broken."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        body = json.dumps({"ok": False, "rows": []}).encode()
        self.answer({"/down": 500, "/gone": 404}.get(self.path, 200), body, {"Content-Type": "application/json"})

    def do_DELETE(self) -> None:
        self.do_GET()


@pytest.fixture(scope="module")
def target():
    with loopback.served(_Target) as url:
        yield url


def test_a_check_that_cannot_end_its_journey_is_never_passed_f85(project, target):
    project.configure(target)
    project.journeys(JOURNEYS)
    project.journeys(PAGES, "test_pages.py")
    project.journeys(LACKS, "test_lacking.py")
    results = project.run().results
    lacking = {name: results.pop(name) for name in ("test_lacks_a_module", "py")}
    assert {result.outcome for result in lacking.values()} == {"unknown"}
    for result in lacking.values():
        assert "A module that the journey needs is not installed on this machine: could not import" in result.cause
    assert results.pop("test_may_lack_a_module").cause == "only where the printer stands"
    for outcome, rows in (("unknown", UNKNOWN), ("failed", FAILED)):
        for name, words in rows.items():
            assert (results[name].outcome, words in results[name].cause) == (outcome, True), (name, results[name].cause)
    opened = results.pop("test_opened")
    assert (opened.outcome, "and the journey looks at nothing of that page" in opened.cause) == ("unknown", True)
    others = results.keys() - UNKNOWN.keys() - FAILED.keys()
    assert {name: results[name].cause for name in others if results[name].outcome != "passed"} == {}
    assert {results[name].failure.kind for name in UNKNOWN} == {"journey error"}


def test_a_name_that_is_given_twice_is_refused_f85(project, target):
    """In a project that names its tests in another way, too."""
    project.configure(target)
    (project.root / "pytest.ini").write_text("[pytest]\npython_functions = check_*\n")
    project.journeys(DOUBLED)
    ran = project.run()
    assert (ran.code, ran.folder.exists()) == (4, False)
    assert "test_it.py defines check_twice in line 1 and again in line 4: Python keeps the last one only" in ran.output


def test_what_pytest_does_not_collect_is_told_by_the_run_f85(project, target):
    project.configure(target)
    project.journeys(HIDDEN + "def test_well(api):\n    api.get('/').expect(200)\n")
    command = [sys.executable, "-m", "synthprobe", "run"]
    done = subprocess.run(command, cwd=project.root, env={**os.environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    verdict = pipeline.read_verdict(pipeline.newest_run(project.root, ".synthprobe") / "verdict.json")
    (note,) = [note for note in verdict.notes if "TestHidden" in note]
    assert "cannot collect test class 'TestHidden' because it has a __init__ constructor" in note
