"""Whose an error is: the target's, the probe's, the journey's own, or of one of whom it is not known."""

from __future__ import annotations

from smtplib import SMTPAuthenticationError

import httpx
import pytest
import requests
from psycopg.errors import UndefinedTable

from synthprobe.evidence.failure import describe_failure
from synthprobe.records.finding import Finding
from synthprobe.triage.causes import triage
from synthprobe.triage.facts import TriageFacts

CLOSED = "http://127.0.0.1:9/orders"


@pytest.mark.parametrize("error", [SMTPAuthenticationError(535, b"no"), UndefinedTable('relation "tills" is gone')])
def test_what_a_client_was_answered_blames_neither_probe_nor_target(error):
    wrapped = RuntimeError("the library's own words")
    wrapped.__cause__ = error
    for raised in (error, wrapped):
        failure = describe_failure(raised, detail="", step="", phase="call")
        assert (failure.kind, failure.ours) == ("journey error", True)
        assert type(error).__module__.partition(".")[0] in failure.message
        found = triage(TriageFacts(outcome="unknown", ours=True, kind=failure.kind, finding=failure.finding))
        assert found.cause_class == "unknown"


@pytest.mark.parametrize(
    ("client", "asked"),
    [
        (httpx, {"url": "shop.invalid/orders"}),
        (httpx, {"url": CLOSED, "headers": {"x": 7}}),
        (requests, {"url": "shop.invalid/orders"}),
        (requests, {"url": CLOSED, "headers": {"x": 7}}),
    ],
)
def test_what_a_client_refuses_to_send_is_no_answer_of_anybody(client, asked):
    with pytest.raises(Exception) as refused:
        client.get(**asked)
    failure = describe_failure(refused.value, detail="", step="", phase="call")
    found = triage(TriageFacts(outcome="unknown", ours=True, kind=failure.kind, finding=failure.finding or Finding()))
    assert (failure.kind, failure.finding, found.cause_class) == ("journey error", None, "probe")
