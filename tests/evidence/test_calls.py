"""What is asked of an address that many operations share, and an error that an answer of status 200 states."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import reduce

import pytest

from synthprobe.evidence.calls import call_of
from synthprobe.evidence.exchanges import record_exchange
from synthprobe.evidence.facts import facts_of
from synthprobe.evidence.redaction import Redactor

ASKED = {"jsonrpc": "2.0", "id": 7, "method": "stock.read", "params": [5]}
SOAP = '<s:Envelope xmlns:s="http://s"><s:Body><s:Fault>{}</s:Fault></s:Body></s:Envelope>'
STATED = {
    "JSON-RPC": ({"id": 7, "error": {"code": -32000, "message": "No stock"}}, ("-32000", "No stock")),
    "its data": (
        {"error": {"code": 200, "message": "Server Error", "data": {"name": "AccessError", "message": "Not yours"}}},
        ("200", "Server Error: Not yours"),
    ),
    "a list": ({"error": ["UserError", ["Not yours", None]]}, ("UserError", "Not yours")),
    "GraphQL": (
        {"data": None, "errors": [{"message": "Not yours", "path": ["a"], "extensions": {"code": "FORBIDDEN"}}]},
        ("FORBIDDEN", "Not yours"),
    ),
    "by field": ({"errors": {"gate": ["is required"]}}, ("", "gate: is required")),
    "a word": ({"ok": False, "error": "channel_not_found"}, ("channel_not_found", "")),
    "OAuth's": ({"error": "invalid_scope", "error_description": "No such scope"}, ("invalid_scope", "No such scope")),
    "success": ({"success": False, "message": "It has ended"}, ("", "It has ended")),
    "JSend": ({"status": "error", "code": 42, "message": "It has ended"}, ("42", "It has ended")),
    "SOAP 1.1": (SOAP.format("<faultcode>s:Server</faultcode><faultstring>None</faultstring>"), ("s:Server", "None")),
    "SOAP 1.2": (
        SOAP.format("<s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason><s:Text>None</s:Text></s:Reason>"),
        ("s:Sender", "None"),
    ),
}  # fmt: skip


def body(answer):
    return (answer if isinstance(answer, str) else json.dumps(answer)).encode()


@pytest.mark.parametrize("way", STATED)
def test_an_error_is_known_in_whatever_way_it_is_stated(way):
    answer, (code, message) = STATED[way]
    assert call_of("", json.dumps(ASKED), body(answer)) == ("stock.read", True, code, message)


@pytest.mark.parametrize(
    "answer",
    [
        {"jsonrpc": "2.0", "id": 7, "result": {"error": {"code": 1}}, "error": None},
        {"data": {"rows": []}, "errors": []},
        {"ok": True, "error": ""},
        {"status": "ok", "errors": None, "success": True},
        {"status": "open", "error": 0},
        [{"error": {"code": 1}}],
        {"home": "Home", "errors": {"forbidden": {"title": "Access denied", "text": "You may not do this."}}},
        "<p>Fault</p>",
        '{"error": {"code": 1',
        "",
    ],
)
def test_what_states_no_error_is_none(answer):
    assert call_of("", json.dumps(ASKED), body(answer)) == ("stock.read", False, "", "")


GRAPHQL = {"query": "query Rota($day: Date!) { rotaOrError(day: $day) { __typename } }"}
MISSING = {"__typename": "RotaNotFoundError", "message": "No rota"}
OLD = [{"__typename": "StepFailed", "error": {"__typename": "PythonError", "message": "of yesterday"}}]


@pytest.mark.parametrize(
    ("data", "stated"),
    [
        ({"rotaOrError": MISSING}, ("RotaNotFoundError", "No rota")),
        ({"rota": {"__typename": "Rota"}, "posts": {"__typename": "ForbiddenError"}}, ("ForbiddenError", "")),
        ({"rota": {"posts": [{"gateOrLoadError": MISSING}]}}, ("RotaNotFoundError", "No rota")),
        ({"save": {"rota": None, "userErrors": [{"field": ["day"], "message": "No such day"}]}}, ("", "No such day")),
        ({"save": {"errors": [{"code": "TAKEN", "message": "It is taken"}]}}, ("TAKEN", "It is taken")),
    ],
)
def test_an_error_that_graphql_gives_in_the_place_of_data_is_one(data, stated):
    assert call_of("", json.dumps(GRAPHQL), body({"data": data})) == ("Rota", True, *stated)
    assert not call_of("", json.dumps({"find": "rota"}), body({"data": data})).is_error, "it is not GraphQL"


DEEP = reduce(lambda inner, _: {"rotaOrError": inner}, range(12), MISSING)


@pytest.mark.parametrize(
    "data", [{"rota": {"errors": [], "log": OLD}}, {"errors": {"count": 3}}, {"rota": None}, [1], {"rota": DEEP}]
)
def test_what_data_of_graphql_tells_of_errors_is_none(data):
    assert not call_of("", json.dumps(GRAPHQL), body({"data": data, "typename": "Error"})).is_error


@pytest.mark.parametrize("ids", [("first", "second"), (None, None)], ids=["by its id", "by its place"])
def test_of_a_batch_the_operation_is_named_that_went_wrong(ids):
    asked = [{**ASKED, "id": name, "method": method} for name, method in zip(ids, ("a.read", "b.lock"), strict=True)]
    answers = [{"id": ids[0], "result": 1}, {"id": ids[1], "error": {"code": 9, "message": "Locked"}}]
    given = answers[::-1] if ids[0] else answers
    assert call_of("", json.dumps(asked), body(given)) == ("b.lock", True, "9", "Locked")


@pytest.mark.parametrize(
    ("url", "sent", "operation"),
    [
        ("http://t/?_task=stock&_action=lock&_row=17", "", "stock.lock"),
        ("http://t/ajax.php?id=4", "action=save_row&id=4&do=2", "save_row"),
        ("http://t/rpc?action=call", json.dumps(ASKED), "stock.read"),
        ("http://t/list?transaction=x&action=17&op=a%20b&do=%3Cb%3E", "", ""),
        ("http://t/list?action=" + "a" * 60, "", ""),
        ("http://t/notes", json.dumps({"action": "save"}), ""),
        (
            "http://t/graphql",
            json.dumps({"query": "query Rota($day: Date!) { rotaOrError(day: $day) { id } }"}),
            "Rota",
        ),
        ("http://t/graphql", json.dumps({"query": "query ($day: Date!) {\n  rota(day: $day) { id } }"}), "rota"),
        ("http://t/graphql", json.dumps({"query": "mutation { saved: saveRota { id } }"}), "saveRota"),
        ("http://t/graphql", json.dumps({"query": "{ posts { id } }"}), "posts"),
        ("http://t/search", json.dumps({"query": "radio posts"}), ""),
    ],
)
def test_what_a_front_controller_is_told_to_do_is_the_operation(url, sent, operation):
    assert call_of(url, sent).operation == operation


def asked(answer, redactor, status=200):
    return record_exchange(
        redactor, step="work", method="POST", url="http://t/rpc", request_headers={}, request_body=json.dumps(ASKED),
        started_at=datetime(2026, 1, 1, tzinfo=UTC), duration_ms=5.0, traceparent="", status=status,
        response_body=body(answer),
    )  # fmt: skip


def test_it_is_redacted_as_the_answer_is_and_a_refusal_says_it_by_its_status():
    redactor = Redactor()
    redactor.add("Kestrel-Meadow_77", "desk")
    (stated,) = facts_of(
        [asked({"error": {"code": 1, "message": "Kestrel-Meadow_77 is wrong"}}, redactor)], [], [], broken="work"
    ).answers
    assert "Kestrel" not in stated.stated.message
    assert stated.stated.message.endswith(" is wrong")
    assert asked({"error": {"code": 1, "message": "wrong"}}, redactor, status=400).stated is None
