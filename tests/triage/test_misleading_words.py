"""Words and neighbours that look like a cause and are none: what triage says was observed, or it says less."""

import pytest

from synthprobe.records.evidence import Answer, Facts
from synthprobe.records.finding import Contradiction, Finding, Refusal
from synthprobe.records.incident import Triage
from synthprobe.triage.causes import triage, triage_together
from synthprobe.triage.facts import TriageFacts
from synthprobe.words import contradicted, refused


def answered(method="GET", path="/", status=200, duration_ms=20.0, reason=""):
    return Answer(by="api", method=method, path=path, status=status, duration_ms=duration_ms, reason=reason, step="ask")


def facts(answer, kind="expectation", **more):
    return TriageFacts(outcome="failed", kind=kind, step="ask", evidence=Facts(answers=(answer,)), **more)


@pytest.mark.parametrize("path", ["/authors/9", "/authorities/9", "/catalogin/9", "/blog/insights"])
def test_a_word_that_holds_another_is_no_log_in(path):
    found = triage(facts(answered(path=path, status=403, reason="suspended series")))
    assert (found.cause_class, found.rule) == ("config", "forbidden")
    assert "account" not in found.why
    assert "log-in" not in found.why


@pytest.mark.parametrize("path", ["/api/login", "/-/login", "/log_in/", "/auth/token", "/oauth/authorize", "/session"])
def test_a_path_that_ends_in_a_log_in_is_one(path):
    found = triage(facts(answered("POST", path, 403, reason="this account is suspended")))
    assert (found.cause_class, found.rule) == ("user", "account-state")


def test_a_slow_list_is_no_slow_log_in_and_a_slow_write_proves_no_lock():
    slow_list = triage(facts(answered(path="/authors", duration_ms=1600.0), kind="deadline"))
    assert "log-in" not in slow_list.why
    search = triage(facts(answered("POST", "/search", duration_ms=1600.0), kind="deadline"))
    assert "lock" not in search.why
    assert "POST /search" in search.why


def test_a_request_without_an_answer_proves_nothing_of_the_servers_workers():
    found = triage(facts(answered(path="/hang", status=0, duration_ms=10_000.0), kind="deadline"))
    assert "worker" not in found.why
    assert "GET /hang was never answered" in found.why


@pytest.mark.parametrize("asked", ["/shop/provider/7", "/upstream/health", "/third-party/keys"])
def test_a_word_in_the_address_that_was_asked_for_names_no_other_system(asked):
    url = f"http://shop.invalid{asked}"
    wrong = Contradiction(about="status", expected="status 200", got="status 404: no row", method="GET", url=url)
    silent = Refusal(kind="refused", method="GET", url=url)
    for found in (Finding(contradiction=wrong), Finding(refusal=silent)):
        kind = "refused" if found.refusal else "expectation"
        text = refused(silent) if found.refusal else contradicted(wrong, repeat=f"curl {url}")
        said = triage(TriageFacts(outcome="failed", kind=kind, message=text, finding=found))
        assert said.rule in {"unreachable", "nothing-fits"}


@pytest.mark.parametrize("rule", ["forbidden", "account-state", "account-refused"])
def test_a_refusal_of_one_request_explains_no_journey_that_did_not_ask_for_it(rule):
    refused = Triage(cause_class="config", rule=rule, why="GET /authors/9 is refused with 403.", sure="medium")
    silent = Triage(cause_class="unknown", rule="nothing-fits", why="Nothing points at one class.", sure="low")
    assert triage_together({"author": refused, "orders": silent})["orders"] == silent
