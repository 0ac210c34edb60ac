"""The cause of a failure is told in words, without what only an engineer needs."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import Message
from io import BytesIO
from urllib.error import HTTPError, URLError

import msgspec
import pytest
import requests
from playwright.sync_api import Error, TimeoutError
from urllib3 import HTTPResponse, Retry
from urllib3.exceptions import MaxRetryError
from verdicts import NOW, verdict_of

from synthprobe.errors import ExpectationError
from synthprobe.evidence.failure import describe_failure, leak_failure
from synthprobe.journey.eventually import eventually
from synthprobe.journey.response import Response
from synthprobe.records.evidence import Exchange
from synthprobe.records.result import Failure, Run
from synthprobe.records.verdict import Verdict
from synthprobe.triage.causes import triage
from synthprobe.triage.facts import facts_for
from synthprobe.verdict.judge import judge_attempt

LEDGER = "http://ledger.invalid:8911"


def answered(status: int, body: str) -> Response:
    exchange = Exchange(
        step="",
        method="GET",
        url="http://centre.invalid:8911/api/units/SYN-01?at=now",
        request_headers={"Accept": "*/*"},
        request_body="",
        status=status,
        response_headers={"content-type": "application/json"},
        response_body=body,
        started_at=datetime(2026, 11, 2, tzinfo=UTC),
        duration_ms=812,
    )
    return Response(exchange, {"Content-Type": "application/json"}, body.encode())


@pytest.mark.parametrize(
    ("expectation", "cause"),
    [
        (
            lambda: answered(500, "boom").expect(200),
            "GET /api/units/SYN-01 was answered 500, status 200 was expected",
        ),
        (
            lambda: answered(200, '{"secondary": "Dispatched", "crew": []}').json_has(secondary="EnRoute", crew=[]),
            "GET /api/units/SYN-01 was answered with secondary: expected 'EnRoute', got 'Dispatched'",
        ),
        (
            lambda: answered(200, "<html>").json,
            "GET /api/units/SYN-01: a JSON body was expected, got application/json: <html>",
        ),
        (
            lambda: answered(200, "{}").has_header("age"),
            "GET /api/units/SYN-01: header age was expected, got no such header",
        ),
        (
            lambda: answered(200, "{}").within("500ms"),
            "GET /api/units/SYN-01: an answer within 500 ms was expected, got 812 ms",
        ),
    ],
    ids=["status", "json", "no json", "header", "within"],
)
def test_a_contradicted_answer_is_told_in_one_line(expectation, cause):
    with pytest.raises(ExpectationError) as contradicted:
        expectation()
    failure = describe_failure(contradicted.value, detail="", step="", phase="call")
    assert judge_attempt(failure, (), finished=False) == ("failed", cause)


def test_where_a_request_was_led_is_told_with_where_it_was_sent_and_so_is_an_empty_body():
    causes = []
    for body in ("", "<p>Log in"):
        response = answered(200, body)
        response.led_from("http://centre.invalid:8911/api/me?x=1")
        with pytest.raises(ExpectationError) as contradicted:
            response.json_has(a=1)
        failure = describe_failure(contradicted.value, detail="", step="", phase="call")
        causes.append(judge_attempt(failure, (), finished=False)[1])
    assert all("/api/me led to GET /api/units/SYN-01" in cause for cause in causes)
    assert "empty" in causes[0]


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("", ""),
        (
            "SYN-01 is stored as Dispatched, EnRoute was expected\nassert 1 == 2",
            "SYN-01 is stored as Dispatched, EnRoute was expected",
        ),
        (
            "Locator expected to be visible\nActual value: <element(s) not found>",
            "Locator expected to be visible, got '<element(s) not found>'",
        ),
        (
            "Locator expected to contain text 'EnRoute'\nActual value: " + "SYN-01 is InService  " * 9,
            "Locator expected to contain text 'EnRoute', got 'SYN-01 is InService SYN-01 is InService SYN-01 is "
            "InService SYN-01 is …'",
        ),
        (
            "Locator expected to contain text 'Paid'\nActual value: \n   Order FERRY\n\n   Pending\nCall log:\n  - x",
            "Locator expected to contain text 'Paid', got 'Order FERRY Pending'",
        ),
        ("Locator expected to be visible\nActual value: None", "Locator expected to be visible, got nothing"),
        ("GET http://t → 404", "GET http://t → 404"),
        ("Not within 2 s (11 attempts): it is late", "Not within 2 s (11 attempts): it is late"),
    ],
    ids=[
        "nothing",
        "a sentence",
        "a page",
        "a long text",
        "several lines",
        "no element",
        "an author's arrow",
        "an author's wait",
    ],
)
def test_what_cannot_be_put_shorter_stays(message, cause):
    failure = describe_failure(AssertionError(message), detail="", step="", phase="call")
    assert judge_attempt(failure, (), finished=False) == ("failed", cause or "AssertionError")


@pytest.mark.parametrize(
    ("check", "cause"),
    [
        (
            lambda: answered(500, "boom").expect(200),
            "Not within 0.01 s (1 attempts): GET /api/units/SYN-01 was answered 500, status 200 was expected",
        ),
        (
            lambda: _raise(AssertionError("Locator expected to be visible\nActual value: None")),
            "Not within 0.01 s (1 attempts): Locator expected to be visible, got nothing",
        ),
        (lambda: False, "Not within 0.01 s (1 attempts): the check returned False"),
    ],
    ids=["an answer", "a page", "no words"],
)
def test_what_was_waited_for_in_vain_is_told_with_its_wait(check, cause):
    clock = iter((0.0, 1.0))
    with pytest.raises(ExpectationError) as waited:
        eventually(check, within="10ms", clock=lambda: next(clock), pause=lambda _: None)
    failure = describe_failure(waited.value, detail="", step="", phase="call")
    assert judge_attempt(failure, (), finished=False) == ("failed", cause)


def test_a_failure_told_in_other_words_keeps_its_record_and_is_told_by_the_new_words():
    with pytest.raises(ExpectationError) as contradicted:
        answered(500, "boom").expect(200)
    failure = leak_failure(["a.zip"], describe_failure(contradicted.value, detail="", step="", phase="call"))
    assert failure.finding.contradiction.expected == "status 200"
    assert judge_attempt(failure, (), finished=False)[1].startswith("redaction: A secret was still in a.zip")


def _raise(error):
    raise error


def test_of_a_page_that_no_connection_was_made_for_the_address_is_known():
    error = Error("Page.goto: net::ERR_CERT_DATE_INVALID at https://shop.invalid/login\nCall log:\n  - x")
    refusal = describe_failure(error, detail="", step="", phase="call").finding.refusal
    assert (refusal.kind, refusal.url) == ("tls", "https://shop.invalid/login")


@pytest.mark.parametrize("why", ["NETWORK_CHANGED", "INTERNET_DISCONNECTED", "FILE_NO_SPACE", "OUT_OF_MEMORY"])
def test_what_the_browser_lacks_on_the_probes_machine_is_not_the_targets_fault(why):
    error = Error(f"Page.goto: net::ERR_{why} at https://shop.invalid/login\nCall log:\n  - x")
    failure = describe_failure(error, detail="", step="", phase="call")
    assert (failure.kind, failure.ours) == ("machine", True)


def by_requests():
    response = requests.Response()
    response.status_code, response.request = 404, requests.Request("GET", "http://shop.invalid/orders").prepare()
    response.raise_for_status()


def by_retries():
    retries = Retry(0, status_forcelist=[503]).increment
    answer = HTTPResponse(status=503)
    with pytest.raises(MaxRetryError) as used_up:
        retries("GET", "/orders", response=answer)
    raise requests.exceptions.RetryError(
        used_up.value, request=requests.Request("GET", "http://shop.invalid/orders").prepare()
    )


@pytest.mark.parametrize(
    ("given", "ours"),
    [
        ({"headers": {"X-Number": 5}}, True),
        ({"url": "shop.invalid/orders"}, True),
        ({"url": "http://127.0.0.1:9/"}, False),
    ],
)
def test_what_a_client_takes_from_no_journey_is_not_the_target_s_fault(given, ours):
    with pytest.raises(requests.RequestException) as raised:
        requests.get(**{"url": "http://127.0.0.1:9/", **given})
    failure = describe_failure(raised.value, detail="", step="", phase="call")
    assert (failure.kind == "journey error", failure.ours) == (ours, ours)


def no_json():
    response = requests.Response()
    response.raw = BytesIO(b"<html>")
    response.json()


@pytest.mark.parametrize(
    ("client", "outcome"),
    [
        (by_retries, ("expectation", "GET /orders was answered 503, a status below 400 was expected", 503)),
        (by_requests, ("expectation", "GET /orders was answered 404, a status below 400 was expected", 404)),
        (
            lambda: _raise(HTTPError("http://shop.invalid/orders", 500, "Broken", Message(), None)),
            ("expectation", "HTTP Error 500: Broken", 0),
        ),
        (lambda: _raise(URLError("refused")), ("request", "<urlopen error refused>", 0)),
        (lambda: _raise(requests.ReadTimeout("late")), ("timeout", "late", 0)),
        (
            no_json,
            (
                "expectation",
                "An answer is no JSON, as which the journey reads it: Expecting value: line 1 column 1 (char 0)",
                0,
            ),
        ),
    ],
    ids=[
        *("a status by retries", "a status by requests", "a status by urllib", "no connection", "no answer in time"),
        "no JSON",
    ],
)
def test_what_another_client_of_http_raises_is_the_target_s_and_an_answer_is_told_as_one(client, outcome):
    with pytest.raises(OSError) as raised:
        client()
    failure = describe_failure(raised.value, detail="", step="", phase="call")
    answer = failure.finding.contradiction if failure.finding else None
    assert (failure.kind, judge_attempt(failure, (), finished=False)[1], answer.status if answer else 0) == outcome


def refused_by_requests():
    raise requests.ConnectionError("refused", request=requests.Request("GET", f"{LEDGER}/x").prepare())


@pytest.mark.parametrize(
    ("client", "shown"),
    [
        (refused_by_requests, LEDGER),
        (lambda: _raise(Error(f"Page.goto: net::ERR_CONNECTION_REFUSED at {LEDGER}/x\nCall log:\n")), LEDGER),
        (
            lambda: _raise(Error(f"APIRequestContext.get: ECONNREFUSED\nLog:\n  - → GET {LEDGER}/x")),
            LEDGER,
        ),
        (lambda: _raise(URLError("refused")), ""),
    ],
    ids=["by requests", "by a page", "by a page's client", "by urllib, which names no address"],
)
def test_another_address_that_gives_no_answer_is_named_and_is_not_told_as_the_target(client, shown):
    with pytest.raises((OSError, Error)) as raised:
        client()
    judgement = verdict_of("a", failure=describe_failure(raised.value, detail="", step="", phase="call"))
    found = {
        site: triage(facts_for(judgement, Verdict(run=run_at(site), journeys=(judgement,), finished_at=NOW)))
        for site in ("http://shop.invalid", LEDGER)
    }
    elsewhere = found["http://shop.invalid"]
    assert (elsewhere.cause_class, elsewhere.runner_up) == ("unknown", "")
    assert shown in elsewhere.why
    assert (found[LEDGER].rule == "unreachable") == bool(shown)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("Failed to establish a new connection: [Errno 111] Connection refused", "refused"),
        ("Failed to resolve 'ledger.invalid' ([Errno -2] Name or service not known)", "dns"),
        ("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed", "tls"),
        ("it is what it is", "request"),
    ],
)
def test_by_which_way_another_client_was_given_no_answer_is_known_from_its_words(words, kind):
    error = requests.ConnectionError(words, request=requests.Request("GET", f"{LEDGER}/x").prepare())
    failure = describe_failure(error, detail="", step="", phase="call")
    assert (failure.kind, failure.finding.refusal.kind) == ("request", kind)


def test_a_page_that_quotes_an_error_of_a_browser_is_reached_and_a_tls_error_of_another_place_names_no_class():
    quoted = Error("Locator.click: Timeout 900ms exceeded.\nCall log:\n  - <p>net::ERR_CONNECTION_REFUSED</p>")
    assert describe_failure(quoted, detail="", step="", phase="call").kind == "journey error"
    error = Error(f"Page.goto: net::ERR_SSL_PROTOCOL_ERROR at {LEDGER.replace('http', 'https')}/x\nCall log:\n")
    judgement = verdict_of("a", failure=describe_failure(error, detail="", step="", phase="call"))
    verdict = Verdict(run=run_at(LEDGER), journeys=(judgement,), finished_at=NOW)
    assert triage(facts_for(judgement, verdict)).cause_class == "unknown"


LOGS = {
    "late": '\n=== logs ===\nwaiting for response "**/orders"\n===',
    "asked": "\nCall log:\n  - \u2192 GET http://shop.invalid/orders?key=4711\n    - accept: */*\n",
    "away": '\nCall log:\n  - waiting for get_by_role("button")\n    - locator resolved to <button>\n'
    "    - element is outside of the viewport\n",
    "new": '\nCall log:\n  - waiting for get_by_role("button")\n    - locator resolved to <button>\n'
    "    - element was detached from the DOM, retrying\n",
    "title": "\nActual value: Log in\nCall log:\n  - Expect",
}


@pytest.mark.parametrize(
    ("raised", "outcome", "parts"),
    [
        (TimeoutError("Page.expect_response: Timeout 300ms exceeded." + LOGS["late"]), "failed", ["**/orders"]),
        (TimeoutError('Page.goto: Timeout 300ms exceeded.\n  - navigating to "http://t/cart"'), "failed", ["/cart"]),
        (Error("APIRequestContext.get: read ECONNRESET" + LOGS["asked"]), "failed", ["/orders", "ECONNRESET"]),
        (TimeoutError("Locator.click: Timeout 300ms exceeded." + LOGS["away"]), "failed", ["button", "0.3 s"]),
        (TimeoutError("Locator.click: Timeout 300ms exceeded." + LOGS["new"]), "failed", ["button", "0.3 s"]),
        (AssertionError("Page title expected to be 'Orders'" + LOGS["title"]), "failed", ["'Orders'", "'Log in'"]),
        (Error("Page.goto: Download is starting\nCall log:\n"), "failed", ["Download"]),
    ],
    ids=["an answer", "a page", "a client", "outside", "replaced", "a title", "a download"],
)
def test_what_playwrights_log_says_beside_its_message_is_told(raised, outcome, parts):
    failure = describe_failure(raised, detail="", step="", phase="call")
    judged, cause = judge_attempt(failure, (), finished=False)
    assert judged == outcome
    assert [part for part in parts if part not in cause] == []
    assert "4711" not in cause


def test_a_page_that_cannot_be_reached_is_told_as_that_and_not_by_the_log():
    at = 'net::ERR_{} at https://t/cart\nCall log:\n  - navigating to "https://t/cart", waiting until "load"'
    refused = describe_failure(Error("Page.goto: " + at.format("CONNECTION_REFUSED")), detail="", step="", phase="call")
    assert refused.finding.refusal.kind == "refused"
    assert "navigating" not in judge_attempt(refused, (), finished=False)[1]
    unknown = describe_failure(Error("Page.goto: " + at.format("CERT_AUTHORITY_INVALID")), detail="", step="", phase="")
    assert unknown.finding.refusal.kind == "tls"
    assert "authority" in judge_attempt(unknown, (), finished=False)[1]


def test_a_file_that_is_not_there_is_missed_by_the_journey_and_not_by_the_probe(tmp_path):
    with pytest.raises(OSError) as missing:
        exec(compile("open(path)", "client", "exec"), {"__name__": "playwright.of_a_library", "path": tmp_path / "x"})
    failure = describe_failure(missing.value, detail="", step="", phase="call")
    assert (failure.kind, failure.ours) == ("journey error", True)


def test_of_a_long_error_of_the_journeys_own_code_its_end_is_kept():
    text = "the application did not start:\n" + "a line\n" * 40 + "ModuleNotFoundError: No module named 'till'"
    message = describe_failure(RuntimeError(text), detail="", step="", phase="setup").message
    assert "did not start" in message
    assert message.endswith("No module named 'till'")
    assert len(message.splitlines()) < 20


def run_at(site):
    return Run(id="r", target="t", base_url=site, slot=1, started_at=NOW)


def test_a_failure_of_an_older_version_is_classed_by_less_and_never_breaks_triage():
    older = b'{"kind": "tls", "ours": false, "message": "certificate has expired", "detail": "", "step": "log in"}'
    judged = verdict_of("j", failure=msgspec.json.decode(older, type=Failure))
    run = Run(id="r", target="t", base_url="http://t", slot=1, started_at=NOW)
    found = triage(facts_for(judged, Verdict(run=run, journeys=(judged,), finished_at=NOW)))
    assert (found.rule, found.why) == ("certificate", "The TLS connection to the target is not made.")


def test_a_download_of_playwright_that_is_missing_is_told_with_the_command_that_gets_it():
    missing = describe_failure(
        Error("BrowserType.launch: Executable doesn't exist at /cache/chromium/chrome"),
        detail="",
        step="",
        phase="call",
    )
    assert (missing.kind, missing.ours) == ("browser", True)
    assert "playwright install chromium" in missing.message.partition("BrowserType")[0]
    broken = describe_failure(
        Error("BrowserType.launch: Target page, context or browser has been closed"), detail="", step="", phase="call"
    )
    assert "synthprobe doctor --fix" in broken.message
