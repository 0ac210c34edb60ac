"""A second attempt waits for a hiccup to pass; what a second attempt has met again is none, and is not waited for."""

import subprocess
import sys

import msgspec
import pytest

from synthprobe.records.verdict import Verdict

DELAY_S = 2

JOURNEYS = """
import pytest

@pytest.mark.parametrize("path", ["/a", "/b", "/c"])
def test_down(api, path):
    api.get(path).expect(200)

@pytest.mark.parametrize("words", ["the till is empty", "the till is empty", "the door is shut"], ids="def")
def test_words(target, words):
    assert not target.base_url, words
"""


@pytest.fixture(scope="module")
def waited(tmp_path_factory, new_project):
    project = new_project(tmp_path_factory.mktemp("second"))
    settings = project.root / "synthprobe.toml"
    settings.write_text(f"second_attempt_delay_s = {DELAY_S}\n{settings.read_text()}")
    project.journeys(JOURNEYS)
    done = subprocess.run(
        [sys.executable, "-m", "synthprobe", "run"],
        cwd=project.root, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    (path,) = (project.root / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    verdict = msgspec.json.decode(path.read_bytes(), type=Verdict)
    assert {judgement.outcome for judgement in verdict.journeys} == {"failed"}, done.stdout + done.stderr
    attempts = {judgement.journey.id[-3:]: judgement.results for judgement in verdict.journeys}
    return {name: (second.started_at - first.started_at).total_seconds() for name, (first, second) in attempts.items()}


@pytest.mark.parametrize("name", ["[/a]", "[d]", "[f]"], ids=["no answer", "an assertion", "another assertion"])
def test_the_first_journey_that_fails_in_a_way_is_waited_for(waited, name):
    assert waited[name[-3:]] >= DELAY_S


@pytest.mark.parametrize("name", ["[/b]", "[/c]", "[e]"])
def test_journeys_that_fail_in_the_same_way_are_tried_again_at_once(waited, name):
    assert waited[name[-3:]] < DELAY_S


def test_a_shared_fixture_that_ends_the_process_is_why_each_of_its_journeys_is_unknown(project):
    project.journeys("""
import pytest

@pytest.fixture(scope="module")
def app():
    try:
        open("/nowhere/proxy")
    except OSError:
        raise SystemExit(1)

@pytest.mark.parametrize("number", range(3))
def test_app(app, number):
    assert not app
""")
    ran = project.run()
    broken = {(result.outcome, result.failure.ours, result.failure.message) for result in ran.all_results}
    assert [(outcome, ours) for outcome, ours, _ in broken] == [("unknown", True)], ran.output
    assert "/nowhere/proxy" in next(iter(broken))[2]
