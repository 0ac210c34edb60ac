"""A class is named by rules that were right on systems nobody here wrote, and by evidence that bears on the failure."""

import importlib
import re
import runpy
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from verdicts import verdict_of

from synthprobe.errors import ExpectationError
from synthprobe.evidence.facts import facts_of
from synthprobe.firstline.naming import named_alone
from synthprobe.firstline.runbook import Matches, Runbook
from synthprobe.journey.response import Response
from synthprobe.records.evidence import (
    Age,
    Answer,
    ConsoleMessage,
    Exchange,
    Facts,
    NetworkRequest,
    PageSeen,
    ServerTiming,
)
from synthprobe.records.finding import Contradiction, Finding, Refusal, Sought, Wait
from synthprobe.records.result import Failure, Run, Step
from synthprobe.records.verdict import Verdict
from synthprobe.triage.causes import triage
from synthprobe.triage.facts import Peer, TriageFacts
from synthprobe.triage.sureness import SCORED, sure_of
from synthprobe.words import explanation

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUM = Contradiction(
    about="fields", expected="a sum", got="sum: expected 119, got 100", method="GET", url="http://t/bill", status=200
)
SHOWN = Contradiction(
    about="locator", expected="Locator expected to have text '119'", got="100", locator='get_by_test_id("sum")'
)


def asked(path, status=200, by="api", **more):
    return Answer(by=by, method="GET", path=path, status=status, step="the step", **more)


def failed(*answers, wrong=SUM, checks="", **seen):
    evidence = Facts(answers=answers, **seen)
    finding = Finding(contradiction=wrong)
    return TriageFacts(
        outcome="failed", kind="expectation", step="the step", checks=checks, finding=finding, evidence=evidence
    )


@pytest.mark.parametrize(("script", "name"), [("foreign_failures", "KNOWN"), ("foreign_portals", "FAILURES")])
def test_on_the_failures_of_other_systems_that_were_at_hand_no_class_is_wrong(capsys, monkeypatch, script, name):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    failures = runpy.run_path(str(ROOT / "benchmarks" / f"{script}.py"))[name]
    sums, _ = importlib.import_module("foreign_failures").score(failures)
    assert (sums["wrong"], sums["not told"]) == (0, 0), capsys.readouterr().out
    assert sums["named"] >= 4


def test_a_rule_is_as_sure_as_it_was_right_on_systems_that_are_not_ours(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = importlib.import_module("first_sight")
    assert benchmark.scored() == SCORED, "print the table anew: python benchmarks/first_sight.py"
    today = benchmark.by_system(list(benchmark.situations()))["all"]
    assert (today["wrong"], today["not so"]) == (0, 0)
    assert today["named"] >= 50


def test_what_a_page_says_is_quoted_once(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    benchmark = importlib.import_module("first_sight")
    named = [judgement for situation in benchmark.situations() for judgement in situation.named()]
    quoted = [re.findall(r'"[^"]{6,}"', explanation(judgement.triage, judgement.cause)) for judgement in named]
    assert any(quoted), "the set holds pages with words"
    assert [words for words in quoted if len(words) > len(set(words))] == []


def test_a_rule_that_has_not_earned_it_says_what_is_known_and_which_class_may_be_next():
    found = triage(failed(asked("/bill"), checks="rule"))
    assert (found.cause_class, found.rule, found.runner_up) == ("unknown", "rule", "code")
    assert found.why == "GET /bill was answered with sum: expected 119, got 100."
    assert "computes" in found.runner_up_why
    assert triage(failed(asked("/bill", 403), wrong=None)).cause_class == "config"
    let_in = Contradiction(about="status", expected="status 403", got="status 200", method="GET", url="http://t/bill")
    assert triage(failed(asked("/bill"), wrong=let_in, checks="rule")).runner_up != "code", "nothing was computed"


@pytest.mark.parametrize(
    "beside",
    [
        {"answers": (asked("/settings", age_s=41.0),)},
        {"answers": (asked("/other", 403),)},
        {
            "answers": (
                asked("/bill", server_timing=(ServerTiming(name="db", duration_ms=1900.0),), duration_ms=2000.0),
            )
        },
        {"answers": (asked("/a.js", 404, by="page", resource="script"),), "wrong": SHOWN},
        {"answers": (asked("/collect", 0, by="page", resource="fetch", reason="csp"),), "wrong": SHOWN},
        {"page_errors": ("ReferenceError: x is not defined",), "wrong": SHOWN},
    ],
    ids=["another answer's age", "another refusal", "time", "a script", "a policy", "an error of the page"],
)
def test_what_happened_beside_a_wrong_value_points_at_no_class(beside):
    found = triage(failed(*beside.pop("answers", ()), **beside))
    assert (found.candidate, found.rule) == ("unknown", "nothing-fits")
    assert "119" in found.why


@pytest.mark.parametrize(
    ("status", "method", "points"), [(404, "GET", "data"), (402, "GET", "unknown"), (404, "POST", "unknown")]
)
def test_a_refusal_is_not_what_an_author_declared_of_a_record(status, method, points):
    wrong = Contradiction(about="status", expected="200", got="no", method=method, url="http://t/bill", status=status)
    assert triage(failed(wrong=wrong, checks="sentinel")).candidate == points
    assert triage(failed(wrong=wrong, checks="rule")).candidate == "unknown"
    field = msgspec.structs.replace(wrong, about="fields", expected="a sum", got="sum is missing")
    answer = msgspec.structs.replace(asked("/bill", status), method=method)
    assert triage(failed(answer, wrong=field, checks="sentinel")).candidate == points


@pytest.mark.parametrize(
    ("body", "misshapen"),
    [('{"sum": 100}', False), ('{"sum": 100.5}', False), ('{"sum": null}', True), ('{"sum": "1"}', True), ("[]", True)],
)
def test_a_field_of_another_kind_says_nothing_of_its_value(body, misshapen):
    exchange = Exchange(
        step="", method="GET", url="http://t/bill", request_headers={}, request_body="", status=200,
        response_headers={}, response_body=body, started_at=NOW, duration_ms=1.0,
    )  # fmt: skip
    with pytest.raises(ExpectationError) as contradicted:
        Response(exchange, {}, body.encode()).json_has(sum=119)
    wrong = contradicted.value.finding.contradiction
    assert wrong.misshapen is misshapen
    assert triage(failed(wrong=wrong, checks="sentinel")).candidate == ("unknown" if misshapen else "data")
    for also in ({"sum": 119, "ended": None}, {"sum": None}):  # a value that is there where none should be speaks
        with pytest.raises(ExpectationError) as contradicted:
            Response(exchange, {}, b'{"sum": 7, "ended": "today"}').json_has(**also)
        assert not contradicted.value.finding.contradiction.misshapen


def test_two_clocks_of_different_kinds_are_no_sources_of_one_feed():
    ages = (Age(what="rates", age_s=900, limit_s=60), Age(what="newest order", age_s=4, limit_s=60))
    assert triage(failed(wrong=None, ages=ages)).candidate != "infra"


def test_a_gateway_that_answers_others_well_is_not_unreachable():
    lone = failed(asked("/bill", 504), wrong=None)
    others = [Peer(journey="other", outcome=outcome) for outcome in ("failed", "passed")]
    assert triage(lone).candidate == "infra"
    assert triage(msgspec.structs.replace(lone, peers=tuple(others[:1]))).candidate == "infra"
    found = triage(msgspec.structs.replace(lone, peers=tuple(others)))
    assert found.candidate == "unknown"
    assert "504" in found.why
    elsewhere = Peer(journey="queue", outcome="passed", asked_target=False)
    found = triage(msgspec.structs.replace(lone, peers=(others[0], elsewhere)))
    assert found.candidate == "infra", "who does not ask the target does not know whether it answers"


def test_what_a_page_of_an_error_says_is_read_as_its_answer():
    page = PageSeen(path="/bill", outline=('text: "TimeoutError: Unable to get database connection"',))
    found = triage(failed(asked("/bill", 500, by="page", resource="document"), wrong=None, pages=(page,)))
    assert (found.candidate, found.rule) == ("infra", "lacks-resource")
    closed = PageSeen(path="/bill", outline=('heading "Error establishing a database connection" [level=1]',))
    found = triage(failed(asked("/bill", 500, by="page", resource="document"), wrong=None, pages=(closed,)))
    assert found.rule == "lacks-resource", "WordPress"
    frozen = asked("/bill", 500, reason="ERROR: cannot execute INSERT in a read-only transaction")
    assert triage(failed(frozen, wrong=None)).rule == "lacks-resource"
    full = failed(asked("/bill", 507), wrong=None)
    assert triage(full).rule == "lacks-resource", "507 is no space by its number"


def test_of_a_script_that_is_missing_the_error_that_follows_is_not_told():
    refused = asked("/jquery.js", 429, by="page", resource="script")
    facts = failed(refused, wrong=None, page_errors=("ReferenceError: jQuery is not defined",))
    assert "/jquery.js was answered 429" in triage(facts).why
    assert "jQuery is not defined" not in triage(facts).why


def test_a_step_that_ran_out_of_time_says_what_the_page_then_showed():
    page = PageSeen(path="/bill", outline=('heading "504 Gateway Time-out" [level=1]',))
    facts = failed(asked("/bill"), wrong=None, pages=(page,))
    found = triage(msgspec.structs.replace(facts, kind="timeout", message="Locator.click: Timeout 5000ms exceeded."))
    assert "504 Gateway Time-out" in found.why


@pytest.mark.parametrize("check", ["sentinel", "invariant", "rule", "read-after-write", "grant", "setting", "delivery"])
def test_what_an_author_declared_is_repeated_and_nothing_is_concluded(check):
    found = triage(failed(asked("/bill"), checks=check))
    assert (found.cause_class == "unknown") == (sure_of(check) == "low"), "a class is named where it is earned"
    why, seen = (found.runner_up_why, found.why) if found.cause_class == "unknown" else (found.why, "")
    assert why.removesuffix(seen).strip().endswith(".")
    assert not {"wrong", "wrongly", "breaks", "not", "differently"} & set(why.partition(".")[0].split())


@pytest.mark.parametrize(
    "finding",
    [
        Finding(
            contradiction=Contradiction(about="status", expected="", got="", method="GET", url="/bill", status=429)
        ),
        Finding(refusal=Refusal(kind="protocol", method="GET", url="/bill", status=429)),
    ],
)
def test_what_a_step_was_refused_as_it_expects_is_not_told_beside_the_answer_that_broke_it(finding):
    evidence = Facts(answers=(asked("/rows", 500), asked("/bill", 429)))
    found = triage(TriageFacts(outcome="failed", kind="status", step="the step", finding=finding, evidence=evidence))
    assert found.candidate == "unknown"
    assert "GET /bill was answered 429" in found.why
    assert "/rows" not in found.why


def test_a_request_that_got_no_answer_in_the_end_contradicts_nothing_that_an_author_declared():
    lost = Refusal(kind="protocol", method="GET", url="/bill", reason="the connection broke")
    waited = Wait(within_s=2.0, attempts=9, reason="the connection broke")
    found = triage(
        msgspec.structs.replace(failed(asked("/bill", 0), checks="setting"), finding=Finding(refusal=lost, wait=waited))
    )
    assert found.candidate == "unknown"
    assert all(part in found.why for part in ("GET /bill", lost.reason))


def test_a_script_of_another_site_is_named_with_its_host_and_points_at_no_class():
    lost = NetworkRequest(
        method="GET", url="https://cdn.other.invalid/w.js", status=503, duration_ms=9.0, resource_type="script"
    )
    thrown = "TypeError: x is undefined\n    at https://cdn.other.invalid/w.js:1:7"
    console = ConsoleMessage(kind="page error", text=thrown, location="", page="p", at=NOW)
    own = ConsoleMessage(
        kind="page error", text="Error: own\n    at https://www.t.invalid/a.js:1:7", location="", page="p", at=NOW
    )
    facts = facts_of((), (lost,), (console, own), broken="the step", site="https://t.invalid")
    assert (facts.answers[0].host, facts.page_errors) == ("cdn.other.invalid", ("Error: own",))
    sought = Finding(sought=Sought(locator='get_by_role("button", name="Save")', sight="absent", within_s=5.0))
    found = triage(TriageFacts(outcome="failed", kind="timeout", finding=sought, evidence=Facts(answers=facts.answers)))
    assert (found.candidate, found.rule) == ("unknown", "nothing-fits")
    assert "cdn.other.invalid/w.js was answered 503" in found.why


def test_the_projects_own_page_names_the_class_that_both_point_at_for_all_who_see_it():
    step = Step(title="the step", status="failed", started_at=NOW, duration_s=1, checks="rule")

    def judged(name, message):
        broke = Failure(
            kind="expectation", ours=False, message=message, detail="", step="the step",
            finding=Finding(contradiction=SUM),
        )  # fmt: skip
        return verdict_of(name, step, failure=broke)

    run = Run(id="r", target="t", base_url="http://t", slot=1, started_at=NOW)
    both = (judged("bills", "the sum is wrong"), judged("books", "the books differ"))
    verdict = Verdict(run=run, journeys=both, finished_at=NOW)

    def named(page_class):
        page = Runbook(
            id="sums", title="Sums are wrong", owner="o", audience="first-line", severity="normal",
            cause_class=page_class, path="sums.md", body="",
            matches=Matches(knows=({"rule": "rule", "message": "the sum is wrong"},)), last_exercised=None,
        )  # fmt: skip
        named = named_alone(verdict, [page])
        (incident,) = named.incidents
        assert {judgement.triage.cause_class for judgement in named.verdict.journeys} == {incident.triage.cause_class}
        return incident.runbook, incident.triage.cause_class, incident.triage.sure

    assert named("code") == ("sums", "code", "medium")
    assert named("data") == ("sums", "unknown", "low")
