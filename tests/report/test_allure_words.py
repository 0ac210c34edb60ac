"""What the author of a suite told Allure stands, in its own folder too, and is known wherever journeys are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from synthprobe.pipeline import read_verdict

SUITE = """
import allure, pytest
from synthprobe import step

@allure.title("Checkout with {card}")
@allure.severity(allure.severity_level.BLOCKER)
@allure.feature("Checkout")
@allure.label("owner", "shop-desk")
@allure.link("https://example.org/spec", name="spec")
@pytest.mark.parametrize("card", ["visa", "amex"])
def test_checkout(api, card):
    '''What the docstring says'''
    with allure.step("outer"), step("middle"), allure.step("inner"):
        api.get("/healthz").expect(200)

def test_dynamic(api):
    allure.dynamic.title("A title made while it runs")
    allure.dynamic.severity("critical")
    allure.dynamic.tag("night")
    allure.dynamic.parameter("env", "theirs")
    with step("look"):
        allure.attach("the order was on hold", "state of the order", allure.attachment_type.TEXT)
        api.get("/api/me").expect(200)

@allure.severity("minor")
@allure.title("Told to Allure")
@pytest.mark.journey(severity="critical", title="Told to us", owner="desk")
def test_both(api):
    api.get("/healthz").expect(200)

@pytest.mark.parametrize("number", [1, 2])
def test_many(api, number):
    api.get("/healthz").expect(200)

@allure.severity("catastrophic")
def test_plain(api):
    '''Only a docstring'''
    allure.global_attach("the shop is closed", "of the run", allure.attachment_type.TEXT)
    print("so far so good")
    api.get("/healthz").expect(200)
"""

ORDINARY = """
import allure

def test_ordinary():
    with allure.step("count"):
        assert 1 + 1 == 2
"""


def results(folder) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    written = [json.loads(path.read_text()) for path in folder.glob("*-result.json")]
    for result in sorted(written, key=lambda written_result: written_result["start"]):
        found.setdefault(result["name"], []).append(result)
    return found


def labels(result, name) -> list[str]:
    return [label["value"] for label in result["labels"] if label["name"] == name]


@pytest.fixture(scope="module")
def ran(new_project, one_centre, tmp_path_factory):
    project = new_project(tmp_path_factory.mktemp("words"))
    project.configure(one_centre.url)
    project.journeys(SUITE)
    (project.root / "test_plain.py").write_text(ORDINARY)
    (project.root / "theirs").mkdir()
    (project.root / "theirs" / "old-result.json").write_text("{}")
    return project.run("journeys", "test_plain.py", "--alluredir=theirs", "--clean-alluredir", "-n", "2")


@pytest.fixture(scope="module")
def theirs(ran):
    return {name: found[-1] for name, found in results(ran.folder.parent / "theirs").items()}


def test_the_folder_of_alluredir_gets_the_judged_journeys_and_allures_own_results_of_ordinary_tests(ran, theirs):
    ordinary = theirs["test_ordinary"]
    assert ([step["name"] for step in ordinary["steps"]], labels(ordinary, "ALLURE_ID")) == (["count"], [])
    journeys = {name: result for name, result in theirs.items() if result is not ordinary}
    assert set(journeys) == {
        "Checkout with visa",
        "Checkout with amex",
        "A title made while it runs",
        "Told to Allure",
        "many [1]",
        "many [2]",
        "Only a docstring",
    }
    assert {result["name"]: result for result in ran.allure()} == journeys
    assert theirs["A title made while it runs"]["status"] == "failed"
    assert all(result["parameters"][-1]["value"] == "'demo'" for result in journeys.values())


def test_decorators_and_dynamic_words_stand_once(theirs):
    visa = theirs["Checkout with visa"]
    assert (labels(visa, "severity"), labels(visa, "owner"), labels(visa, "feature")) == (
        ["blocker"],
        ["shop-desk"],
        ["Checkout"],
    )
    assert [link["name"] for link in visa["links"]] == ["spec"]
    outer = visa["steps"][0]
    assert (outer["name"], outer["steps"][0]["name"], outer["steps"][0]["steps"][0]["name"]) == (
        "outer",
        "middle",
        "inner",
    )
    dynamic = theirs["A title made while it runs"]
    assert (labels(dynamic, "severity"), labels(dynamic, "tag")) == (["critical"], ["night"])
    assert {parameter["name"]: parameter["value"] for parameter in dynamic["parameters"]} == {
        "env": "'theirs'",
        "target": "'demo'",
    }
    assert labels(theirs["Told to Allure"], "severity") == ["minor"]
    plain = theirs["Only a docstring"]
    assert (labels(plain, "severity"), [piece["name"] for piece in plain["attachments"]]) == (
        ["catastrophic"],
        ["stdout"],
    )


def test_what_is_attached_to_the_run_as_a_whole_is_there(ran):
    (written,) = (ran.folder.parent / "theirs").glob("*-globals.json")
    (piece,) = json.loads(written.read_text())["attachments"]
    assert (written.parent / piece["source"]).read_text() == "the shop is closed"


def test_journeys_are_known_by_those_words_unless_the_marker_names_them(ran):
    known = {result.journey.title: (result.journey.severity, result.journey.owner) for result in ran.results.values()}
    assert known == {
        "Checkout with visa": ("blocker", "shop-desk"),
        "Checkout with amex": ("blocker", "shop-desk"),
        "A title made while it runs": ("critical", ""),
        "Told to us": ("critical", "desk"),
        "many [1]": ("normal", ""),
        "many [2]": ("normal", ""),
        "Only a docstring": ("normal", ""),
    }


def test_a_supervised_run_keeps_nested_steps_attachments_and_both_attempts(project, centre):
    project.configure(centre.url)
    text = (project.root / "synthprobe.toml").read_text()
    (project.root / "synthprobe.toml").write_text(f"second_attempt_delay_s = 0\n{text}")
    (project.root / "pytest.ini").write_text("[pytest]\naddopts = --alluredir=theirs --clean-alluredir\n")
    project.journeys(SUITE)
    command = [sys.executable, "-m", "synthprobe", "run", "journeys/test_it.py::test_dynamic"]
    done = subprocess.run(
        command,
        cwd=project.root,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )
    assert done.returncode == 1, done.stdout + done.stderr
    (run,) = (project.root / ".synthprobe" / "runs" / "demo").iterdir()
    theirs = project.root / "theirs"
    (attempts,) = results(theirs).values()
    assert len(attempts) == 2
    (piece,) = attempts[-1]["steps"][0]["attachments"]
    assert (piece["name"], (theirs / piece["source"]).read_text()) == ("state of the order", "the order was on hold")
    (judged,) = read_verdict(run / "verdict.json").journeys
    assert judged.journey.title == "A title made while it runs"


def test_a_folder_of_alluredir_that_cannot_be_made_costs_no_verdict(project):
    project.journeys("def test_it(target):\n    assert target.name == 'demo'\n")
    ran = project.run("--alluredir=synthprobe.toml/theirs")
    assert (ran.code, ran.results["test_it"].outcome) == (0, "passed"), ran.output
    assert "synthprobe.toml/theirs" in "".join(ran.output.split())


SHARED = """
import allure, pytest

@pytest.fixture(scope="session")
def database():
    with allure.step("start it"):
        pass
    yield 1
    allure.attach("bye", name="closing")
"""


@pytest.mark.parametrize("order", [("test_plain.py", "journeys"), ("journeys", "test_plain.py")])
def test_a_fixture_that_ordinary_tests_and_journeys_share_is_told_where_it_was_set_up(project, order):
    (project.root / "conftest.py").write_text(SHARED)
    (project.root / "test_plain.py").write_text("def test_ordinary(database):\n    assert database\n")
    project.journeys(
        "def test_with(target, database):\n    assert target\n\ndef test_without(target):\n    assert target\n"
    )
    project.run(*order, "--alluredir=theirs")
    tests = {result["uuid"]: name for name, found in results(project.root / "theirs").items() for result in found}
    assert sorted(tests.values()) == ["test_ordinary", "with", "without"]
    found = [json.loads(path.read_text()) for path in (project.root / "theirs").glob("*-container.json")]
    (shared,) = [
        container for container in found if any(before["name"] == "database" for before in container["befores"])
    ]
    assert [tests[child] for child in shared["children"]] == ["test_ordinary" if order[0] != "journeys" else "with"]
    assert [step["name"] for step in shared["befores"][0]["steps"]] == ["start it"]
    assert [attachment["name"] for after in shared["afters"] for attachment in after.get("attachments", ())] == [
        "closing"
    ]
    assert all("attachments" not in result for found in results(project.root / "theirs").values() for result in found)
