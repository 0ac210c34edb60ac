"""A failed expectation explains itself: expected, got, and the request to repeat."""

import json
from datetime import UTC, datetime

import pytest

from synthprobe import ConfigurationError, ExpectationError, Response
from synthprobe.records.evidence import Exchange


def answer(body: object, *, status: int = 200, duration_ms: float = 5.0) -> Response:
    text = body if isinstance(body, str) else json.dumps(body)
    exchange = Exchange(
        step="",
        method="GET",
        url="http://cad.example/api/x",
        request_headers={"Accept": "application/json"},
        request_body="",
        status=status,
        response_headers={},
        response_body=text,
        started_at=datetime.now(UTC),
        duration_ms=duration_ms,
    )
    return Response(exchange, {"Content-Type": "application/json", "X-Node": "a"}, text.encode())


def test_expectations_chain():
    unit = {"id": "SYN-01", "status": "Available", "at": {"town": "Harborview"}}
    response = (
        answer(unit).expect(200, 201).json_has(status="Available", at__town="Harborview").has_header("x-node", "a")
    )
    assert response.within("1s").json == response.json() == unit
    assert answer([unit]).json() == [unit]


@pytest.mark.parametrize(
    ("broken", "expected", "got"),
    [
        (lambda: answer({}, status=500).expect(200, 201), "status 200 or 201", "status 500"),
        (lambda: answer({"status": "Closed"}).json_has(status="Active"), "status='Active'", "got 'Closed'"),
        (lambda: answer({}).json_has(unit__id=1), "unit__id=1", "unit__id: expected 1, but it is missing"),
        (
            lambda: answer({"id": 0, "at": None}).json_has("id", "at"),
            "JSON with id, at",
            "at: expected a value, got None",
        ),
        (lambda: answer([1]).json_has("id", n=1), "JSON with id, n=1", "id: expected a value, but it is missing"),
        (lambda: answer("<html>Error</html>").json, "a JSON body", "<html>Error</html>"),
        (lambda: answer({}).has_header("ETag"), "header ETag", "no such header"),
        (lambda: answer({}, duration_ms=900).within("500ms"), "an answer within 500 ms", "900 ms"),
        (lambda: answer({"n": "x"}).json_matches({"properties": {"n": {"type": "integer"}}}), "schema", "$.n"),
    ],
)
def test_a_contradiction_shows_expected_got_and_the_request(broken, expected: str, got: str):
    with pytest.raises(ExpectationError) as caught:
        broken()
    text = str(caught.value)
    assert expected in text.split("got:")[0]
    assert got in text.split("got:")[1]
    assert "repeat:   curl -sS -i -X GET http://cad.example/api/x -H 'Accept: application/json'" in text


ROWS = {"data": {"units": [{"id": "A", "at": "x"}, {"id": "B", "at": 0}]}}


def test_a_complete_list_of_records_is_given_and_one_that_is_not_says_what_it_lacks():
    assert [row["id"] for row in answer(ROWS).json_rows("data__units", key="id", has=("at",), at_least=2)] == ["A", "B"]
    assert answer([]).json_rows(key="id", at_least=0) == []
    log = [{"at": "10:04", "text": "sent"}, {"at": "10:04", "text": "told"}]
    assert answer(log).json_rows(key="at", has=("text",), once=False) == log
    lacking = {
        "units: expected a list of records, got nothing": ({}, "units"),
        "the list: expected a list of records, got a record": (ROWS, ""),
        "the list: expected 1 or more, got 0": ([], ""),
        "id: expected 'A' once, got it 2 times": ([{"id": "A", "at": 1}, {"id": "A", "at": 2}], ""),
        "at of 'A': expected a value, got None": ([{"id": "A"}], ""),
        "and 2 more": ([{"id": id} for id in "ABCDE"], ""),
    }
    for message, (body, name) in lacking.items():
        with pytest.raises(ExpectationError) as caught:
            answer(body).json_rows(name, key="id", has=("at",))
        assert message in str(caught.value)
        assert caught.value.finding.contradiction.misshapen


@pytest.mark.parametrize(
    ("order", "values", "falls"),
    [
        (("due",), [1, 2, 2, 3.5], None),
        (("-due",), ["2026-03", "2026-02", "2026-02"], None),
        (("due",), ["2026-02", "2026-03", "2026-01"], ("'2026-01'", "'2026-03'")),
        (("-due",), [3, 1, 2], ("2", "1")),
        (("-due",), [3, 1, "2"], ("'2'", "1")),
    ],
)
def test_a_list_out_of_order_names_the_two_records_that_stand_wrong(order, values, falls):
    body = [{"id": f"T{place}", "due": value} for place, value in enumerate(values)]
    if falls is None:
        assert answer(body).json_rows(key="id", order=order) == body
        return
    with pytest.raises(ExpectationError) as caught:
        answer(body).json_rows(key="id", order=order)
    after, before = falls
    assert f"'T2' with due {after} before 'T1' with due {before}" in str(caught.value)
    assert not caught.value.finding.contradiction.misshapen


def test_of_records_without_a_key_or_what_orders_them_only_that_is_said():
    with pytest.raises(ExpectationError) as caught:
        answer([{"due": 2}, {"due": None}, {"id": "A", "due": 1}]).json_rows(key="id", order=("-due",))
    lines = caught.value.finding.contradiction.got.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["id of None", "id of None", "due of None"]


def test_a_later_field_of_an_order_counts_only_among_equals():
    def rows(*given):
        return answer([{"id": id, "level": level, "due": due} for id, level, due in given])

    rows(("A", 1, 5), ("B", 1, 4), ("C", 2, 9)).json_rows(key="id", order=("level", "-due"))
    with pytest.raises(ExpectationError, match="'B' with due 5 before 'A' with due 4"):
        rows(("A", 1, 4), ("B", 1, 5)).json_rows(key="id", order=("level", "-due"))


def test_who_asks_whether_a_field_is_there_is_answered_as_by_any_dict():
    body = answer({"units": [1, 2], "at": {"town": "x"}}).json
    assert (body.get("gone"), "gone" in body, body["units"][-1], body["units"][5:]) == (None, False, 2, [])
    reads = "The journey reads what the answer of GET /api/x does not have:"
    with pytest.raises(KeyError, match=rf"^{reads} field 'lat'; there is town\. Expect what must be there"):
        body["at"]["lat"]
    with pytest.raises(IndexError, match=rf"^{reads} item 2; there are 2\."):
        body["units"][2]
    with pytest.raises(TypeError, match=rf"^{reads} field 'id'; it is a list of 2\."):
        body["units"]["id"]


def test_who_looks_for_a_name_of_another_library_is_told_those_there_are():
    with pytest.raises(AttributeError) as error:
        answer({}).status_code  # noqa: B018
    assert {"'status_code'.", "status,", "json,", "expect,"} <= set(str(error.value).split())
    assert not hasattr(answer({}), "ok")


def test_a_wrong_schema_is_our_mistake_not_the_targets():
    with pytest.raises(ConfigurationError, match="wrong schema"):
        answer({}).json_matches({"type": "nonsense"})
