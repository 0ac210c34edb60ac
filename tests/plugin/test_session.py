"""Journeys are ordinary pytest tests; each attempt leaves a result, and evidence when it did not pass."""

import json

import pytest

JOURNEYS = """
import pytest
from playwright.sync_api import Page, expect
from synthprobe import step

@pytest.mark.journey(id="board", owner="desk", severity="critical", runbook="board-down", budget="30s")
def test_board(page: Page):
    with step("open the log-in page"):
        page.goto("/login")
    with step("log in"):
        page.get_by_label("User name").fill("dispatcher1")
        page.get_by_label("Password").fill("wrong-Password-77")
        page.evaluate("console.error('the board is sad')")
        page.get_by_role("button", name="Log in").click()
    with step("see the board"):
        with step("its title"):
            expect(page).to_have_title("Board", timeout=300)

def test_health(api):
    with step("health"):
        api.get("/healthz").expect(200).json_has(status="ok")

def test_users(api):
    with step("who am I"):
        api.get("/api/me", headers={"Authorization": "Bearer planted-token-4711"}).expect(200)

def test_two(page, new_context):
    page.goto("/login")
    other = new_context().new_page()
    other.goto("/login")
    assert False, "on purpose"

def test_nowhere(page):
    assert False, "on purpose"
"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory, new_project, one_centre):
    made = new_project(tmp_path_factory.mktemp("session"))
    made.configure(one_centre.url)
    made.journeys(JOURNEYS)
    return made.run("-n", "2")


def test_a_failed_journey_leaves_its_broken_step_picture_trace_and_requests(ran):
    assert ran.code == 1, ran.output
    board = ran.results["board"]
    assert (board.outcome, board.failure.kind, board.failure.step) == (
        "failed",
        "expectation",
        "see the board › its title",
    )
    assert [step.title for step in board.steps] == ["open the log-in page", "log in", "see the board"]
    kinds = {piece.kind for piece in board.evidence}
    assert {"trace", "screenshot", "console", "network", "timings", "repeat"} <= kinds
    for piece in board.evidence:
        assert (ran.folder / piece.path).stat().st_size == piece.size > 0
    console = next(piece for piece in board.evidence if piece.kind == "console")
    assert "the board is sad" in (ran.folder / console.path).read_text()
    network = next(piece for piece in board.evidence if piece.kind == "network")
    assert " 401 " in f" {(ran.folder / network.path).read_text()}"
    assert ran.results["test_health"].outcome == "passed"
    assert ran.results["test_health"].evidence == ()
    assert not list((ran.folder / "evidence").glob("journeys-test_it.test_health*"))


def test_an_api_journey_shows_the_request_that_can_be_repeated_without_its_token(ran):
    users = ran.results["test_users"]
    assert "expected: status 200" in users.failure.message
    assert "curl -sS -i -X GET" in users.failure.message
    exchanges = next(piece for piece in users.evidence if piece.kind == "exchanges")
    text = (ran.folder / exchanges.path).read_text()
    assert "server: db" in text
    assert "traceparent: 00-" in text
    assert not [name for name, content in ran.bytes_written() if b"planted-token-4711" in content]


def test_allure_gets_nested_steps_labels_identity_and_evidence(ran):
    (result,) = [made for made in ran.allure() if made["name"] == ran.results["board"].journey.title]
    labels = {(label["name"], label["value"]) for label in result["labels"]}
    assert {("severity", "critical"), ("owner", "desk"), ("ALLURE_ID", "board")} <= labels
    assert [step["name"] for step in result["steps"]] == ["open the log-in page", "log in", "see the board"]
    assert [step["name"] for step in result["steps"][2]["steps"]] == ["its title"]
    assert "application/vnd.allure.playwright-trace" in {piece["type"] for piece in result["attachments"]}
    assert {"name": "env", "value": "'demo'"} in result["parameters"]


def test_allure_gets_fixtures_that_broke_or_did_something_and_no_others(project, centre):
    project.configure(centre.url)
    project.journeys(
        "import allure, pytest\n"
        "@pytest.fixture\ndef quiet():\n    return 1\n"
        "@pytest.fixture(scope='module')\ndef telling():\n    with allure.step('open the gate'):\n        yield\n"
        "    allure.attach('4711', 'key', allure.attachment_type.TEXT)\n"
        "@pytest.fixture\ndef broken():\n    raise ValueError('no gate')\n"
        "def test_a(api, quiet, telling):\n    with allure.step('look'):\n        pass\n"
        "def test_b(quiet, broken):\n    pass\n"
        "def test_c(telling):\n    pass\n"
    )
    ran = project.run()
    containers = {container["befores"][0]["name"]: container for container in ran.allure("container")}
    assert {name: container["befores"][0]["status"] for name, container in containers.items()} == {
        "telling": "passed",
        "broken": "broken",
    }
    named = {result["uuid"]: result for result in ran.allure()}
    assert [named[child]["name"] for child in containers["telling"]["children"]] == ["a", "c"]
    assert [step["name"] for step in containers["telling"]["befores"][0]["steps"]] == ["open the gate"]
    assert [piece["name"] for piece in containers["telling"]["afters"][0]["attachments"]] == ["key"]
    assert [
        [step["name"] for step in result.get("steps", ())] for result in named.values() if result["name"] == "a"
    ] == [["look"]]


def test_secrets_are_in_nothing_that_is_written_or_printed(project, centre):
    project.configure(centre.url, '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    project.journeys(
        """
from synthprobe import step
def test_leak(page, api, secrets):
    value = secrets["user"].reveal()
    with step(f"use {value}"):
        page.goto("/login?x=" + value)
        page.get_by_label("User name").fill(value)
        page.evaluate("value => console.log(value)", value)
        api.post("/api/login", json={"username": "x", "password": value})
        print("printed", value)
        assert value == "something else", value
"""
    )
    planted = "pl'an\"ted\\ é+/= 20261123"
    ran = project.run("-n", "2", environ={"PLANTED": planted})
    assert ran.results["test_leak"].outcome == "failed"
    for form in (planted, json.dumps(planted)[1:-1]):
        assert form not in ran.output
        assert not [name for name, content in ran.bytes_written() if form.encode() in content]
    from synthprobe.evidence.redaction import Redactor

    redactor = Redactor()
    redactor.add(planted)
    assert not [name for name, content in ran.bytes_written() if redactor.residual(content)]


def test_xdist_workers_share_one_run(ran):
    assert set(ran.results) == {"board", "test_health", "test_users", "test_two", "test_nowhere"}
    assert {path.stem for path in (ran.folder / "journal").iterdir()} <= {"gw0", "gw1"}


def test_a_slow_step_degrades_and_does_not_fail(project, centre):
    project.configure(centre.url)
    project.journeys(
        'from synthprobe import step\ndef test_slow(api):\n    with step("health", budget="1ms"):\n'
        '        api.get("/healthz"); api.get("/readyz")\n'
    )
    ran = project.run()
    slow = ran.results["test_slow"]
    assert (ran.code, slow.outcome) == (0, "degraded")
    assert "its budget is 0.001 s" in slow.cause
    assert {piece.kind for piece in slow.evidence} == {"exchanges", "timings", "repeat"}


def test_each_attempt_keeps_its_own_evidence(project, centre):
    project.configure(centre.url)
    project.journeys("def test_me(api):\n    api.get('/api/me').expect(200)\n")
    ran = project.run("--reruns", "1")
    assert sorted(path.name for path in (ran.folder / "evidence").glob("journeys-test_it.test_me-*/*")) == ["1", "2"]


def test_journeys_run_without_pytest_s_terminal(project):
    project.journeys("def test_sum():\n    assert sum([1, 2]) == 4\n")
    assert project.run("-p", "no:terminal").results["test_sum"].outcome == "failed"


@pytest.mark.parametrize("first", ["synthprobe.plugin", "pytest_playwright.pytest_playwright"])
def test_contexts_are_recorded_whatever_order_the_plugins_load_in(project, centre, first):
    project.configure(centre.url)
    project.journeys("def test_x(page):\n    page.goto('/login')\n    assert False, 'on purpose'\n")
    second = {"synthprobe.plugin": "pytest_playwright.pytest_playwright"}.get(first, "synthprobe.plugin")
    options = [option for name in (first, second, "allure_pytest.plugin") for option in ("-p", name)]
    ran = project.run(*options, environ={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    assert "trace" in {piece.kind for piece in ran.results["test_x"].evidence}, ran.output


def test_a_second_user_in_a_second_context_is_recorded_as_well(ran):
    kinds = [piece.kind for piece in ran.results["test_two"].evidence]
    assert (kinds.count("trace"), kinds.count("screenshot")) == (2, 2)


def test_a_page_that_went_nowhere_leaves_its_evidence_too(ran):
    result = ran.results["test_nowhere"]
    assert result.outcome == "failed"
    assert {"trace", "screenshot", "repeat"} <= {piece.kind for piece in result.evidence}
    assert result.notes == ()


def test_evidence_that_cannot_be_written_does_not_cost_the_result(project, centre):
    project.configure(centre.url)
    project.journeys(
        "import pathlib, shutil\ndef test_x(api):\n    folder = pathlib.Path('run/evidence')\n"
        "    shutil.rmtree(folder); folder.write_text('a file, not a folder')\n    api.get('/api/me').expect(200)\n"
    )
    result = project.run().results["test_x"]
    assert (result.outcome, result.evidence) == ("failed", ())
    assert "Some evidence could not be kept" in result.notes[0]


def test_journeys_of_one_group_never_run_at_the_same_time(project, centre):
    project.configure(centre.url)
    project.journeys(
        "import os, pathlib, pytest\n"
        "held = pathlib.Path(__file__).with_name('held')\n"
        "@pytest.mark.parametrize('n', range(6))\n"
        "@pytest.mark.xdist_group('SYN-01')\n"
        "def test_alone(api, n):\n"
        "    os.close(os.open(held, os.O_CREAT | os.O_EXCL))\n"
        "    for _ in range(5):\n        api.get('/healthz').expect(200)\n"
        "    held.unlink()\n"
    )
    ran = project.run("-n", "3", "--dist", "load")
    assert ran.code == 0, ran.output


def test_an_attempt_leads_to_its_trace_at_the_target(project, centre):
    project.configure(centre.url, 'trace_url = "https://traces.example/find?id={trace_id}"\n')
    project.journeys("def test_health(api):\n    api.get('/healthz').expect(200)\n    assert False, 'on purpose'\n")
    ran = project.run()
    result = ran.results["test_health"]
    address = f"https://traces.example/find?id={result.trace_id}"
    assert result.backend_trace == address
    exchanges = next(piece for piece in result.evidence if piece.kind == "exchanges")
    assert f"traceparent: 00-{result.trace_id}-" in (ran.folder / exchanges.path).read_text()
    (shown,) = ran.allure()
    links = {link["name"]: link["url"] for link in shown["links"]}
    assert links["Backend trace"] == address
