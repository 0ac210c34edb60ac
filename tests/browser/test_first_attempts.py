"""With ``evidence.snapshots = "second-attempt"`` a first attempt has all evidence but DOM snapshots."""

import json
import zipfile

import pytest

JOURNEYS = """
from playwright.sync_api import expect
import requests

def test_broken(page):
    page.goto("/login")
    page.get_by_label("User name").fill("nobody-in-particular")
    page.get_by_label("Password").fill("Und3clared-phrase")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("wrong")).to_be_visible()
    page.request.get("/healthz")
    expect(page.get_by_text("this is not there")).to_be_visible(timeout=100)

def test_recovered(page, tmp_path_factory):
    page.goto("/login")
    seen = tmp_path_factory.getbasetemp() / "seen"
    first = not seen.exists()
    seen.touch()
    assert not first, "it came once"

def test_handler(page):
    def check(response):
        assert not response.url.split("?")[0].endswith(".css"), "a handler broke"
    page.on("response", check)
    page.goto("/login")

def test_own_har(page, context, tmp_path):
    page.goto("/login?before")
    context.tracing.start_har(tmp_path / "own.har")
    page.goto("/login?meanwhile")
    context.tracing.stop_har()
    assert "meanwhile" in (tmp_path / "own.har").read_text()
    assert page.title() == "another", "broken as well"
"""


@pytest.fixture(scope="module")
def ran(new_project, one_centre, tmp_path_factory):
    project = new_project(tmp_path_factory.mktemp("first"))
    project.configure(one_centre.url, '[evidence]\nsnapshots = "second-attempt"\n')
    project.journeys(JOURNEYS)
    return project.run("--reruns", "1")


def attempts(ran, name):
    found = [result for result in ran.all_results if result.journey.id.endswith(name)]
    return sorted(found, key=lambda result: result.attempt)


def lines(ran, result):
    (trace,) = [piece.path for piece in result.evidence if piece.kind == "trace"]
    with zipfile.ZipFile(ran.folder / trace) as archive:
        named = {name: archive.read(name) for name in archive.namelist()}
    parsed = [json.loads(line) for name, content in named.items() if not name.startswith("resources/")
              and not name.endswith(".stacks") for line in content.splitlines()]  # fmt: skip
    return [entry for entry in parsed if isinstance(entry, dict)], named


def kinds(entries):
    return {entry["type"] for entry in entries}


def test_snapshots_begin_with_the_second_attempt(ran):
    first, second = attempts(ran, "test_broken")
    for result in (first, second):
        entries, _ = lines(ran, result)
        assert {"before", "after", "resource-snapshot"} <= kinds(entries)
        assert ("frame-snapshot" in kinds(entries)) == (result.attempt == 2)
        assert {piece.kind for piece in result.evidence} >= {"screenshot", "trace"}
        assert any("evidence.snapshots" in note for note in result.notes) == (result.attempt == 1)


def test_both_attempts_tell_the_same_requests_with_their_bodies(ran):
    def asked(result):
        entries, named = lines(ran, result)
        requests = [entry["snapshot"] for entry in entries if entry["type"] == "resource-snapshot"]
        bodies = [request["response"]["content"].get("_file", "") for request in requests]
        assert {body for body in bodies if body} <= set(named)
        exchanges = {(request["request"]["method"], request["request"]["url"].rpartition("/")[2],
                      request["response"]["status"]) for request in requests}  # fmt: skip
        return exchanges, sum(b"is wrong" in named.get(body, b"") for body in bodies)

    first, second = map(asked, attempts(ran, "test_broken"))
    assert ("POST", "login", 401) in first[0]
    assert first == second
    assert first[1] >= 1
    facts = [result.facts for result in attempts(ran, "test_broken")]
    answered = [
        [(answer.method, answer.path, answer.status, answer.content_type) for answer in each.answers] for each in facts
    ]
    assert answered[0] == answered[1]
    assert facts[0].pages == facts[1].pages


def test_what_was_typed_is_in_no_file_of_a_first_attempt(ran):
    first = attempts(ran, "test_broken")[0]
    _, named = lines(ran, first)
    assert b"Und3clared-phrase" not in b"".join(named.values())
    assert b"nobody-in-particular" not in named["trace.trace"]


def test_a_failure_that_came_once_says_why_snapshots_are_missing(ran):
    first, second = attempts(ran, "test_recovered")
    assert (first.outcome, second.outcome) == ("failed", "passed")
    assert any("A second attempt has them" in note for note in first.notes)


def test_an_assertion_in_a_handler_of_events_counts(ran):
    assert {(attempt.outcome, attempt.failure.kind) for attempt in attempts(ran, "test_handler")} == {
        ("failed", "expectation")
    }


def test_a_har_of_the_journeys_own_goes_first(ran):
    first = attempts(ran, "test_own_har")[0]
    assert "broken as well" in first.failure.message
    entries, _ = lines(ran, first)
    asked = [entry["snapshot"]["request"]["url"] for entry in entries if entry["type"] == "resource-snapshot"]
    assert any("before" in url for url in asked)


def test_another_value_is_refused_in_a_sentence(project):
    project.configure("http://127.0.0.1:9", '[evidence]\nsnapshots = "sometimes"\n')
    project.journeys("def test_it():\n    pass\n")
    ran = project.run()
    assert ran.code == 4
    assert "evidence.snapshots" in ran.output
    assert "second-attempt" in ran.output
