"""An error that an answer of status 200 states: how it is said, which class it may name, and what it joins."""

import pytest
from msgspec.structs import replace
from test_page_and_api import incidents, named, refused, step
from verdicts import verdict_of

from synthprobe.records.evidence import StatedError
from synthprobe.records.result import Failure
from synthprobe.words import explanation


def met(name, stated, *, ours=False, operation="stock.read"):
    """A journey that compares something by itself, after an answer that states an error."""
    failure = Failure(
        kind="journey error" if ours else "expectation", ours=ours, message="assert 0 == 5", detail="", step="work"
    )
    facts = refused(name, "POST", "/rpc", 200, operation=operation, stated=stated).results[0].facts
    outcome = "unknown" if ours else "failed"
    return verdict_of(
        name, step("work", "failed"), outcome=outcome, failure=failure, facts=facts, cause="assert 0 == 5"
    )


def test_its_words_are_told_once_and_whole_beside_a_message_that_is_the_same():
    journey = met("one", StatedError(code="RotaNotFoundError", message="No rota of today"))
    (result,) = journey.results
    failure = replace(result.failure, message="No rota of today")
    journey = replace(journey, results=(replace(result, failure=failure),), cause="No rota of today")
    (judgement,) = named(journey).verdict.journeys
    sentence = 'POST /rpc#stock.read was answered 200 with the error RotaNotFoundError ("No rota of today").'
    assert explanation(judgement.triage, judgement.cause) == sentence


@pytest.mark.parametrize("ours", [False, True], ids=["an expectation", "the journey's own error"])
def test_the_sentence_names_operation_code_and_words_whatever_broke_the_step(ours):
    (judgement,) = named(met("one", StatedError(code="-32000", message="No stock"), ours=ours)).verdict.journeys
    for part in ("POST /rpc#stock.read", "200", "-32000", '"No stock"'):
        assert part in judgement.triage.why
    assert judgement.triage.cause_class == ("probe" if ours else "unknown")
    assert "nothing is known" not in judgement.triage.why


@pytest.mark.parametrize(
    ("code", "cause"),
    [("FORBIDDEN", "config"), ("permission_denied", "config"), ("403", "config"), ("-32603", "unknown"),
     ("odoo.exceptions.AccessDenied", "unknown")],
)  # fmt: skip
def test_only_a_code_that_forbids_names_a_class(code, cause):
    (judgement,) = named(met("one", StatedError(code=code, message="No"))).verdict.journeys
    assert judgement.triage.cause_class == cause


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("Could not reach the worker. gRPC Error code: UNAVAILABLE", "infra"),
        ("<_InactiveRpcError: status = StatusCode.DEADLINE_EXCEEDED>", "infra"),
        ("could not connect to server: Connection refused", "infra"),
        ("Could not find the rota", "unknown"),
        ("You cannot contact this post", "unknown"),
        ("The rota is in read-only mode", "unknown"),
    ],
)
def test_what_the_server_says_that_it_lacks_itself_is_of_its_machines(message, cause):
    (judgement,) = named(met("one", StatedError(code="PythonError", message=message))).verdict.journeys
    assert judgement.triage.cause_class == cause


def test_the_same_error_of_one_operation_is_one_incident_and_another_is_not():
    stated = StatedError(code="-32000", message="No stock")
    assert incidents(met("one", stated), met("two", stated)) == [["one", "two"]]
    other = met("two", StatedError(code="-32001", message="No gate"), operation="gate.read")
    assert incidents(met("one", stated), other) == [["one"], ["two"]]
