"""What a page showed, waited for and was refused is a fact of the attempt, without what was typed into it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from synthprobe import loopback
from synthprobe.records.evidence import Facts
from synthprobe.triage.bearing import bearing
from synthprobe.triage.causes import triage
from synthprobe.triage.facts import TriageFacts

PAGE = b"""<html><title>Door</title><body><h1>Welcome</h1><p role=alert>Two of three doors are open</p>
<form method=post action=/door><label>Name <input name=user></label>
<label>Password <input type=password name=password></label><button>Sign in</button></form>
<a href=/hang>Next page</a><script src=/main.js></script><script>fetch('/strange'); fetch('/said')
setTimeout(() => {throw Error('no part 4711 of Kestrel-Meadow_77')})</script></body></html>"""
JOURNEYS = """
import os, pytest
from playwright.sync_api import expect
from synthprobe import step
LAST = "fetch('/Bearer').then(answer => answer.status)"

def open_door(page):
    with step("open"):
        page.goto("/")
        page.wait_for_load_state("networkidle")
        page.get_by_label("Name").fill("a-name-nobody-knows")
        page.get_by_label("Password").fill("Kestrel-Meadow_77")

def test_renamed(page):
    open_door(page)
    with step("log in"):
        for kind in ("Basic", "Bearer"):
            page.evaluate("kind => fetch('/' + kind, {headers: {Authorization: kind + ' d2FyZGVuOg=='}})", kind)
        page.evaluate("fetch('/rows', {method: 'POST', body: JSON.stringify({query: 'query OpenDoors { doors }'})})")
        page.evaluate("fetch('/call', {method: 'POST', body: JSON.stringify([{id: 1, method: 'rows.read', params: []}, "
            "{id: 2, method: 'rows.lock', params: []}])})")
        page.evaluate("address => fetch(address).catch(() => location.hash = '/rows/17?of=a')", os.environ["ELSEWHERE"])
        page.evaluate("confirm('All doors?')")
        page.evaluate("new Promise(done => {new WebSocket(`ws://${location.host}/live`).onerror = () => done()})")
        page.evaluate("setInterval(() => fetch('/often'), 50)")
        page.get_by_role("button", name="Log in").click(timeout=500)

def test_hanging(page):
    open_door(page)
    with step("go on"):
        page.get_by_role("link", name="Next page").click(no_wait_after=True)
        expect(page.get_by_text("Here you are")).to_be_visible(timeout=500)

def test_passing(page):
    open_door(page)
    with step("log in"):
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/inside")
        assert page.evaluate(LAST) == 401

@pytest.fixture(scope="module")
def desk(browser, base_url):
    context = browser.new_context(base_url=base_url)
    yield context.new_page()
    context.close()

def test_idle():
    with step("count the files"):
        assert os.listdir(".")

def test_shared(desk):
    desk.goto("/inside")
    assert desk.evaluate(LAST) == 401

def test_routed(page):
    page.route("**/made", lambda route: route.fulfill(status=500))
    page.route("**/cut", lambda route: route.abort())
    page.route("**/Basic", lambda route: route.fulfill(response=route.fetch()))
    page.route("**/altered", lambda route: route.fulfill(response=route.fetch(), status=503))
    page.goto("/")
    for path in ("Basic", "altered", "made", "cut"):
        page.evaluate("path => fetch('/' + path).then(a => a.text()).catch(() => 0)", path)
    page.wait_for_load_state("networkidle")
    assert not os.environ.get("CLOSED"), "it is closed"
"""


REFUSED = {f"/{kind}": (401, b"who?") for kind in ("Basic", "Bearer")}
SAID = {"/said": (200, b'{"ok": false, "error": "too_early"}')}
CALLED = b'[{"id": 1, "result": []}, {"id": 2, "error": {"code": -32001, "message": "Row 17 is locked"}}]'


class Door(loopback.Handler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    ended = threading.Event()

    def do_GET(self) -> None:
        if self.path == "/hang":
            self.ended.wait(60)
            self.close_connection = True
            return
        if self.path == "/often":
            self.ended.wait(0.2)
        kinds = {"/main.js": (404, b"no"), "/strange": (401, b"who?"), **REFUSED, **SAID, "/": (200, PAGE)}
        status, body = kinds.get(self.path, (200, b"<h1>Inside</h1>"))
        self._answer(status, body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/call":
            self._answer(200, CALLED)
        else:
            self._answer(303, b"", Location="/inside")

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "text/html", "Content-Length": str(len(body))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def results(new_project, tmp_path_factory) -> Iterator[dict[str, object]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    project = new_project(tmp_path_factory.mktemp("door"))
    project.configure(f"http://127.0.0.1:{server.server_port}")
    project.journeys(JOURNEYS)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        elsewhere = f"http://127.0.0.1:{deaf.getsockname()[1]}/prices"
        ran = project.run(environ={"ELSEWHERE": elsewhere})
    yield (
        {"elsewhere": elsewhere}
        | {result.journey.title: result for result in ran.all_results}
        | {
            "routed and closed": project.run("-k", "routed", environ={"CLOSED": "1"}, folder="closed").results[
                "test_routed"
            ]
        }
    )
    Door.ended.set()
    server.shutdown()
    server.server_close()


def test_what_was_looked_for_and_what_stands_there_are_known(results):
    broken = results["renamed"]
    sought = broken.failure.finding.sought
    assert (sought.locator, sought.sight, sought.within_s) == ('get_by_role("button", name="Log in")', "absent", 0.5)
    assert broken.cause == 'button "Log in" was not there after 0.5 s'
    (page,) = broken.facts.pages
    assert (page.path, page.asks_password) == ("/#/rows/<id>", True)
    assert {'button "Sign in"', "alert: Two of three doors are open"} <= set(page.outline)
    assert "a-name-nobody-knows" not in "".join(page.outline), "what was typed stays out"


def test_answers_of_a_page_have_their_step_their_kind_and_their_phases(results):
    answers = {answer.path: answer for answer in results["renamed"].facts.answers}
    script, strange = answers["/main.js"], answers["/strange"]
    assert (script.status, script.resource, script.step) == (404, "script", "open")
    assert (strange.status, strange.resource, strange.credentials) == (401, "fetch", "")
    assert "wait" in script.phases
    assert [answers[path].credentials for path in ("/Basic", "/Bearer")] == ["password", "token"]
    assert answers["/rows"].operation == "OpenDoors"


def test_a_request_that_is_never_answered_is_a_fact(results):
    hanging = next(answer for answer in results["hanging"].facts.answers if answer.path == "/hang")
    assert (hanging.method, hanging.status, hanging.resource, hanging.step) == ("GET", 0, "document", "go on")
    asked = [answer for answer in results["renamed"].facts.answers if answer.path == "/often"]
    assert {answer.status for answer in asked} == {200}, (
        "what was sent a moment before the journey broke is no such fact"
    )


def test_what_is_refused_in_a_journey_that_passes_is_kept_beside_where_a_password_was_sent(results):
    passed = results["passing"]
    assert passed.outcome == "passed"
    known = [(answer.method, answer.path, answer.status, answer.credentials) for answer in passed.facts.answers]
    assert ("POST", "/door", 303, "password") in known
    assert [answer.account for answer in passed.facts.answers if answer.credentials] == ["a-name-nobody-knows"]
    assert {("GET", "/strange", 401, ""), ("GET", "/main.js", 404, "")} <= set(known)
    assert passed.facts.pages == ()
    assert ("GET", "/Bearer", 401, "") in known, "it was sent last"
    assert [(answer.path, answer.status) for answer in results["shared"].facts.answers] == [("/Bearer", 401)]
    (stated,) = [answer.stated for answer in passed.facts.answers if answer.path == "/said"]
    assert stated.code == "too_early", "an error that is always stated is usual"


def test_it_is_known_of_a_journey_that_passes_whether_it_asked_the_target(results):
    asked = {name: results[name].asked_target for name in ("passing", "shared", "idle")}
    assert asked == {"passing": True, "shared": True, "idle": False}


def test_what_a_page_throws_is_known_of_a_journey_that_passes_too(results):
    (thrown,) = results["passing"].facts.page_errors
    assert thrown.startswith("Error: no part 4711 of ")
    assert "Kestrel" not in thrown, "the password that was typed is masked"
    assert results["renamed"].facts.page_errors == (thrown,)


@pytest.mark.parametrize("journey", ["routed", "routed and closed"])
def test_only_what_the_target_answered_is_a_fact_and_nothing_that_a_route_of_the_journey_did(results, journey):
    routed = results[journey]
    assert routed.outcome == ("passed" if journey == "routed" else "failed"), routed.cause
    seen = {answer.path for answer in routed.facts.answers}
    assert {"/made", "/cut", "/altered", "/Basic"} & seen == {"/Basic"}


def test_an_error_in_an_answer_that_was_well_by_its_status_is_a_fact_with_the_operation_of_a_batch(results):
    (call,) = [answer for answer in results["renamed"].facts.answers if answer.path == "/call"]
    assert (call.status, call.operation) == (200, "rows.lock")
    assert (call.stated.code, call.stated.message, call.is_well) == ("-32001", "Row 17 is locked", False)


def test_what_another_place_did_not_answer_is_named_with_its_host_and_port_and_is_not_the_targets(results):
    (asked,) = [answer for answer in results["renamed"].facts.answers if answer.path == "/prices"]
    assert f"http://{asked.host}/prices" == results["elsewhere"]
    facts = TriageFacts(outcome="failed", kind="timeout", evidence=Facts(answers=(asked,)), site="http://127.0.0.1:1")
    assert bearing(facts).evidence.answers == ()
    assert asked.host in triage(facts).why


def test_a_dialog_that_a_page_opened_and_a_stream_that_was_refused_are_told(results):
    facts = results["renamed"].facts
    assert [(dialog.kind, dialog.text) for dialog in facts.dialogs] == [("confirm", "All doors?")]
    (live,) = [answer for answer in facts.answers if answer.path == "/live"]
    why = triage(TriageFacts(outcome="failed", kind="timeout", message="late", step="log in", evidence=facts)).why
    assert all(part in why for part in ("confirm", "All doors?"))
    alone = Facts(answers=(live,))
    assert live.reason in triage(TriageFacts(outcome="failed", kind="timeout", step="log in", evidence=alone)).why
