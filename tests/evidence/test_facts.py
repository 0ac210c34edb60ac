"""The evidence in short: what triage needs, and no more."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from synthprobe.evidence.exchanges import credentials_sent, record_exchange
from synthprobe.evidence.facts import KEPT, facts_of
from synthprobe.evidence.redaction import Redactor
from synthprobe.records.evidence import ConsoleMessage, Exchange, NetworkRequest

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def exchange(path="/api/x", status=200, step="save", body="", took=5.0, **headers):
    return Exchange(
        step=step,
        method="GET",
        url=f"http://t{path}?q=1",
        request_headers={},
        request_body="",
        status=status,
        response_headers={name.replace("_", "-"): value for name, value in headers.items()},
        response_body=body,
        started_at=NOW,
        duration_ms=took,
    )


def test_a_connection_that_was_waited_for_until_it_came_is_no_evidence():
    refused, came, broke = replace(exchange("/", 0), error="Connection refused"), exchange("/"), exchange("/rows", 500)
    known = {
        order: [(answer.path, answer.status) for answer in facts_of(asked, [], [], broken="save").answers]
        for order, asked in (("waited", [refused, refused, came, broke]), ("gone", [came, refused, broke]))
    }
    assert known == {"waited": [("/", 200), ("/rows", 500)], "gone": [("/", 200), ("/", 0), ("/rows", 500)]}


def test_refused_and_slow_answers_and_those_of_the_broken_step_are_kept():
    asked = [
        exchange("/early", step="log in"),
        exchange(
            "/inside", step="save › read", Age="12", X_Node="a", X_Build="7", Content_Type="text/html; charset=utf-8"
        ),
        exchange("/slow", step="log in", took=1500),
        exchange("/no", 403, step="log in", body='{"error": "Your role may not do that."}'),
    ]
    browsed = [
        NetworkRequest(method="POST", url="http://t/b", status=500, duration_ms=9, resource_type="fetch", node="b")
    ]
    facts = facts_of(asked, browsed, [], broken="save › read › deeper")
    assert {answer.path: answer.by for answer in facts.answers} == {
        "/slow": "api",
        "/no": "api",
        "/b": "page",
        "/inside": "api",
    }
    inside = next(answer for answer in facts.answers if answer.path == "/inside")
    assert (inside.age_s, inside.content_type, inside.build) == (12, "text/html", "7")
    assert next(answer.reason for answer in facts.answers if answer.status == 403) == "Your role may not do that."
    assert [(n.node, n.answers, n.broken) for n in facts.nodes] == [("a", 1, 0), ("b", 1, 1)]


def test_of_a_refusal_in_html_the_words_are_kept_and_not_the_markup():
    page = "<html><head><title>Gone</title><style>b {}</style></head><body><h1>No space</h1><p>left on /srv</p><img"
    menu = f"<html><ul>{'<li>Home</li>' * 60}</ul><h2>404</h2><p>It&#39;s gone</p></html>"
    zones = f"<html><select>{'<option>Africa/Accra</option>' * 60}</select>"
    boxed = f"{zones}<p>{'Home ' * 60}</p><div class='page error-box'><h1>Something broke</h1></div></html>"
    bodies = {
        page: "No space left on /srv",
        menu: "404 It's gone",
        f"{zones}<p>Gone</p></html>": "Gone",
        boxed: "Something broke",
        "<nav><a>Home</a></nav><main>Come back later</main><footer>Imprint</footer>": "Come back later",
        "<header><a>Home</a></header><header><h1>Closed</h1></header></nav>until noon": "Closed until noon",
        "<nav>Home</nav>": "Home",
        "<d:error/>": "<d:error/>",
        "a < b": "a < b",
    }
    facts = facts_of([exchange(f"/{n}", 500, body=body) for n, body in enumerate(bodies)], [], [], broken="save")
    assert [answer.reason for answer in facts.answers] == [*bodies.values()]


def test_page_errors_are_told_apart_from_the_console_and_the_size_is_bounded():
    messages = [
        ConsoleMessage(kind=kind, text=text, location="", page="", at=NOW)
        for kind, text in [("page error", "ReferenceError: q\n at x.js"), ("error", "noise"), ("page error", "")]
    ]
    facts = facts_of([exchange(status=500)] * 200, [], messages)
    assert facts.page_errors == ("ReferenceError: q",)
    assert len(facts.answers) == KEPT


def test_a_journey_that_fails_leaves_its_facts_and_what_its_step_checks(project):
    project.journeys(
        """
from synthprobe import step

def test_it(api):
    with step("read it", checks="sentinel", role="dispatcher"):
        api.get("/x")
"""
    )
    (result,) = project.run().results.values()
    assert [(answer.path, answer.status) for answer in result.facts.answers] == [("/x", 0)]
    assert (result.steps[0].checks, result.steps[0].role) == ("sentinel", "dispatcher")


def test_a_check_nobody_knows_is_refused_and_the_nearest_is_named(project):
    project.journeys("from synthprobe import step\n\ndef test_it():\n    with step('x', checks='sentinal'): pass\n")
    (result,) = project.run().results.values()
    assert "Did you mean 'sentinel'?" in result.failure.message
    assert result.outcome == "unknown"


def test_of_a_refusal_in_json_every_text_is_kept_and_those_of_a_list_apart():
    bodies = {
        '{"errors": ["Gate cannot be blank", "Name is short"]}': "Gate cannot be blank; Name is short",
        '{"errors": [{"message": "No right", "extensions": {"code": "FORBIDDEN"}}]}': "No right FORBIDDEN",
        '{"error": {"code": 7, "message": "It is closed"}}': "It is closed",
        '{"errors": []}': "",
    }
    facts = facts_of([exchange(f"/{n}", 422, body=body) for n, body in enumerate(bodies)], [], [], broken="save")
    assert [answer.reason for answer in facts.answers] == [*bodies.values()]


def browsed(path, resource, status=200, took=1.0, **how):
    return NetworkRequest(
        method="GET", url=f"http://t{path}", status=status, duration_ms=took, resource_type=resource, **how
    )


CROWDS = {
    "pictures": [browsed(f"/{number}.png", "image") for number in range(KEPT + 5)],
    "slow chunks": [browsed(f"/{number}.js", "script", took=3000) for number in range(KEPT + 5)],
    "missing chunks": [browsed(f"/{number}.js", "script", 404) for number in range(KEPT + 5)],
    "polls": [browsed("/news", "fetch") for _ in range(KEPT + 5)],
    "refused polls": [browsed("/news", "fetch", 401) for _ in range(KEPT + 5)],
}


@pytest.mark.parametrize("crowd", CROWDS)
def test_what_was_refused_or_asked_is_kept_before_what_a_page_is_made_of_or_repeats_and_in_its_order(crowd):
    refused = [browsed("/rows", "xhr", 403), browsed("/log-in", "fetch", credentials="password")]
    asked = [browsed("/desk", "document"), browsed("/live", "websocket", 101), browsed("/list", "fetch")]
    facts = facts_of([exchange("/rest")], [*CROWDS[crowd], *asked, *refused], [], broken="save")
    paths = [answer.path for answer in facts.answers]
    assert len(paths) == KEPT
    wanted = [*(["/desk", "/live", "/list"] if crowd != "missing chunks" else []), "/rows", "/log-in"]
    assert [path for path in paths if path in wanted] == wanted
    assert CROWDS[crowd][0].url.endswith(paths[1] if crowd != "missing chunks" else paths[0]), "the first of a crowd"
    assert ("/rest" in paths) == (crowd != "missing chunks"), "what is missing says more than what came well"


@pytest.mark.parametrize(
    ("name", "known_by"),
    [
        ("X-Some-API-Key", "token"),
        ("Private-Token", "token"),
        ("X-CSRF-Token", ""),
        ("Accept", ""),
        ("Cookie", "cookie"),
    ],
)
def test_a_key_in_a_header_of_its_own_is_a_token(name, known_by):
    assert credentials_sent({name: "n7Qd02k1"}, "", "") == known_by


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ('{"id": 1, "method": "model.sale.read", "params": [[7]]}', "/rpc#model.sale.read"),
        ('{"operationName": "Rows", "query": "{ rows { id } }"}', "/rpc#Rows"),
        ('{"query": " mutation AddRow($name: String) { add(name: $name) }"}', "/rpc#AddRow"),
        ('{"query": "spare radio"}', "/rpc"),
        ('{"method": "cash", "amount": 7}', "/rpc"),
        ('{"method": "two words <b>", "params": []}', "/rpc"),
        ('["method", "params"]', "/rpc"),
        ('{"method": ', "/rpc"),
        ("method=a&params=b", "/rpc"),
    ],
)
def test_what_is_asked_for_at_an_address_that_serves_many_operations_is_known(body, place):
    asked = record_exchange(
        Redactor(),
        step="save",
        method="POST",
        url="http://t/rpc",
        request_headers={},
        request_body=body,
        started_at=NOW,
        duration_ms=1,
        traceparent="",
        status=500,
    )
    (answer,) = facts_of([asked], [], []).answers
    assert answer.place == place
