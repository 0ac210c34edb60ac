"""Where the cause lies, by evidence alone: made facts of half-broken states, and the rule that must fire."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from synthprobe.errors import ExpectationError
from synthprobe.evidence.exchanges import server_timing
from synthprobe.journey.freshness import measure_freshness
from synthprobe.records.evidence import Age, Answer, Facts, NodeCount, ServerTiming
from synthprobe.records.finding import Contradiction, Finding, Refusal
from synthprobe.records.journey import Journey
from synthprobe.records.result import Degradation, Failure, Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe.triage.causes import triage
from synthprobe.triage.facts import Peer, TriageFacts, facts_for
from synthprobe.triage.rules import RULES

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def answer(path="/api/units", status=200, method="GET", by="api", **more):
    return Answer(by=by, method=method, path=path, status=status, **more)


def spent(**ms):
    return tuple(ServerTiming(name=name, duration_ms=duration) for name, duration in ms.items())


def failed(
    *answers,
    message="it was not so",
    kind="expectation",
    checks="",
    role="",
    peers=(),
    passed=(),
    finding=None,
    **facts,
):
    return TriageFacts(
        finding=finding or Finding(),
        outcome="failed",
        kind=kind,
        message=message,
        step="the step",
        checks=checks,
        role=role,
        peers=peers,
        passed_steps=passed,
        evidence=Facts(answers=answers, **facts),
    )


def slow(*answers, kind="over budget", **facts):
    weak = (Degradation(kind=kind, step="the step", message="too slow"),)
    return TriageFacts(outcome="degraded", step="the step", degradations=weak, evidence=Facts(answers=answers, **facts))


def ahead(seconds):
    """What a time so far in the future is found to be."""
    with pytest.raises(ExpectationError) as contradicted:
        measure_freshness("it", NOW + timedelta(seconds=seconds), limit="60s", now=NOW)
    return contradicted.value.finding


NO_JSON = Finding(contradiction=Contradiction(about="json", expected="a JSON body", got="text/html: <html>"))
UNKNOWN_ISSUER = Finding(refusal=Refusal(kind="tls", certificate="Its certificate has expired, or is not valid yet."))

SPLIT = (NodeCount(node="a", answers=6, broken=0), NodeCount(node="b", answers=5, broken=3))
OLD, FRESH = Age(what="unit 1", age_s=400, limit_s=60), Age(what="unit 2", age_s=3, limit_s=60)
QUICK = answer("/api/search", duration_ms=20, server_timing=spent(db=4, app=2))

STATES = {
    "a frozen feed": (slow(kind="stale", ages=(OLD,)), "dependency", "feed-stale"),
    "one dead device": (slow(kind="stale", ages=(OLD, FRESH)), "infra", "one-source-stale"),
    "a device's clock ahead": (failed(finding=ahead(731)), "data", "clock-ahead"),
    "ages in the wrong zone": (failed(finding=ahead(7201)), "code", "whole-hours"),
    "confirmed and not stored": (failed(checks="read-after-write"), "code", "read-after-write"),
    "wrong order": (failed(checks="rule"), "code", "rule"),
    "a silent stream": (
        failed(answer("/stream", by="page", content_type="text/event-stream"), checks="live"),
        "infra",
        "stream-silent",
    ),
    "a silent stream, by its age": (
        replace(
            slow(
                answer("/stream", by="page", content_type="text/event-stream"),
                kind="stale",
                ages=(Age(what="newest update on the board", age_s=12, limit_s=10),),
            ),
            checks="live",
        ),
        "infra",
        "stream-silent",
    ),
    "updates that never begin": (failed(checks="live"), "infra", "live"),
    "an error page as a page's data": (
        failed(checks="sentinel", page_errors=("Unexpected token '<', \"<html>\" is not valid JSON",)),
        "code",
        "not-json",
    ),
    "a danger that a broken page does not show": (
        failed(checks="sentinel", page_errors=("ReferenceError: x is not defined",)),
        "code",
        "script-error",
    ),
    "a stream that leaves a role out": (
        failed(checks="live", role="dispatcher", passed=(("live", "admin"),)),
        "config",
        "role-split",
    ),
    "the same in another journey": (
        failed(
            checks="live",
            role="dispatcher",
            peers=(Peer(journey="x", outcome="passed", steps=(("live", "admin", True),)),),
        ),
        "config",
        "role-split",
    ),
    "a slow query": (
        slow(answer("/api/search", duration_ms=3000, server_timing=spent(db=2900, app=9))),
        "code",
        "slow-query",
    ),
    "a server that cannot reach its store": (
        failed(answer("/api/x", 500, reason="connection to cache:6379 refused")),
        "infra",
        "lacks-resource",
    ),
    "a script that the page's own rules forbid": (
        failed(answer("/main.js", 0, by="page", resource="script", reason="csp"), kind="timeout"),
        "config",
        "blocked-by-policy",
    ),
    "a page in the place of a script": (
        failed(
            answer("/main.js", by="page", resource="script", content_type="text/html"),
            kind="timeout",
            page_errors=("SyntaxError: Unexpected token '<'",),
        ),
        "infra",
        "missing-script",
    ),
    "a script that begins as a page does": (
        failed(kind="timeout", page_errors=("SyntaxError: Unexpected token '<'",)),
        "infra",
        "missing-script",
    ),
    "a query for each row": (
        slow(answer(server_timing=server_timing('db;dur=300;desc="n=120"'), duration_ms=1200)),
        "code",
        "many-queries",
    ),
    "a locked database": (
        slow(answer("/api/x", method="POST", status=201, duration_ms=4000, server_timing=spent(db=3900, app=1))),
        "infra",
        "slow-writes",
    ),
    "no free worker": (slow(answer(duration_ms=23000, server_timing=spent(db=3, app=60))), "infra", "queueing"),
    "a slow directory": (
        slow(
            answer(
                "/api/login",
                method="POST",
                duration_ms=4000,
                server_timing=spent(db=4, app=3990),
                credentials="password",
            ),
            answer("/api/login", method="POST", status=401, duration_ms=4000),
            QUICK,
        ),
        "dependency",
        "slow-log-in",
    ),
    "a slow directory that is named": (
        slow(answer("/login", method="POST", duration_ms=4000, server_timing=spent(auth=3990, app=2))),
        "dependency",
        "slow-upstream",
    ),
    "a cache kept too long": (failed(answer("/api/search", age_s=90)), "config", "cached"),
    "an error page with 200": (
        failed(answer("/api/x", content_type="text/html"), finding=NO_JSON),
        "code",
        "not-json",
    ),
    "an import that lost a record": (failed(checks="sentinel"), "data", "sentinel"),
    "an answer a page waits for in vain": (
        failed(
            kind="timeout",
            checks="sentinel",
            message='Page.expect_response: Timeout 5000ms exceeded while waiting for event "response"',
        ),
        "unknown",
        "nothing-fits",
    ),
    "a place in another town": (failed(checks="invariant"), "data", "invariant"),
    "zero, zero": (failed(checks="invariant", message="it lies at (0.0, 0.0)"), "dependency", "null-island"),
    "zero, zero, in a record": (
        failed(checks="sentinel", message="it lies at {'lat': 0.0, 'lng': 0.0}"),
        "dependency",
        "null-island",
    ),
    "updates that reach another journey": (
        failed(checks="live", peers=(Peer(journey="x", outcome="passed", steps=(("live", "", True),)),)),
        "unknown",
        "nothing-fits",
    ),
    "an upstream that is named": (
        failed(answer(status=503, reason="geocoder unavailable")),
        "dependency",
        "upstream-named",
    ),
    "a dead button": (
        failed(kind="timeout", page_errors=("ReferenceError: x is not defined",)),
        "code",
        "script-error",
    ),
    "a certificate": (failed(kind="tls", finding=UNKNOWN_ISSUER), "config", "certificate"),
    "one bad node": (failed(answer(status=500, node="b"), nodes=SPLIT), "infra", "node-split"),
    "half a deployment": (failed(answer("/static/a.js", 404, by="page"), builds=("1", "2")), "infra", "two-builds"),
    "two builds and nothing refused": (failed(builds=("1", "2")), "infra", "two-releases"),
    "a lost grant": (
        failed(answer(status=403, method="POST", reason="Your role may not do that.")),
        "config",
        "forbidden",
    ),
    "a missing control": (failed(kind="timeout", checks="grant"), "config", "grant"),
    "a flag": (failed(checks="setting"), "config", "setting"),
    "a filter of one's own": (failed(checks="preference"), "user", "preference"),
    "another one's terminal": (failed(checks="account"), "user", "account-declared"),
    "a locked account": (
        failed(answer("/api/login", 401, "POST", reason="Account locked", credentials="password")),
        "user",
        "account-state",
    ),
    "an account that alone is refused": (
        failed(
            answer("/login", 401, "POST", by="page", credentials="password"),
            kind="timeout",
            peers=(Peer(journey="x", outcome="passed", let_in=("/login",)),),
        ),
        "user",
        "account-refused",
    ),
    "a role that may no longer log on to its unit": (
        failed(
            answer("/api/units/U-1/logon", 403, "POST", reason="Your role unit may not do that."),
            peers=(Peer(journey="x", outcome="passed"),),
        ),
        "config",
        "forbidden",
    ),
    "a control that is gone": (
        failed(
            kind="timeout",
            role="crew",
            peers=(Peer(journey="x", outcome="failed", role="crew", forbidden="POST /x: your role may not."),),
        ),
        "config",
        "control-missing",
    ),
    "a lost session": (
        failed(answer("/api/incidents", 401, "POST", reason="Log in first.", credentials="cookie")),
        "config",
        "session-lost",
    ),
    "a token that is refused": (
        failed(answer("/api/incidents", 401, "POST", reason="Log in first.", credentials="token")),
        "config",
        "token-refused",
    ),
    "a request that hangs": (
        failed(answer("/slow", 0, by="page", resource="document"), kind="timeout"),
        "infra",
        "never-answered",
    ),
    "a page without its script": (
        failed(answer("/main.js", 404, by="page", resource="script"), kind="timeout"),
        "infra",
        "missing-script",
    ),
    "a dead worker": (failed(checks="delivery"), "infra", "delivery"),
    "a refused connection": (failed(kind="refused"), "infra", "unreachable"),
    "an error everywhere": (failed(answer(status=500)), "code", "server-error"),
    "no evidence": (failed(), "unknown", "nothing-fits"),
}


@pytest.mark.parametrize("state", STATES)
def test_each_state_is_classed_by_the_rule_that_fits(state):
    facts, cause, rule = STATES[state]
    found = triage(facts)
    assert (found.candidate, found.rule) == (cause, rule)
    assert found.why.endswith((".", '"', ")", "is not defined")), found.why
    assert found.runner_up != found.cause_class


def test_every_rule_has_a_state_that_fires_it():
    fired = {rule for _, _, rule in STATES.values()} | {"probe-at-fault", "not-believed", "new-build"}
    assert fired - {"nothing-fits"} == {rule for _, rule, _ in RULES}


def test_a_probe_that_cannot_be_believed_says_nothing_of_the_target():
    facts = TriageFacts(outcome="unknown", ours=True, kind="credentials", evidence=Facts(answers=(answer(status=500),)))
    found = triage(facts)
    assert (found.cause_class, found.rule, found.runner_up) == ("probe", "probe-at-fault", "")
    ended = triage(replace(facts, kind="journey error"))
    assert (ended.cause_class, ended.sure) == ("probe", "medium"), "what the journey met with may have ended it"
    late = triage(replace(facts, kind="deadline", evidence=Facts()))
    assert (late.cause_class, late.sure) == ("unknown", "low"), "what it waited for may be the target"
    lacking = answer("/site.css", 404, by="page", resource="stylesheet")
    for met in (Facts(answers=(lacking,)), Facts(page_errors=("ReferenceError: cart is not defined",))):
        sentence = triage(replace(facts, kind="journey error", evidence=met)).why
        assert "/site.css" in sentence or "cart is not defined" in sentence, "what is known is not hidden"
        assert "nothing is known" not in sentence
    assert "fault" not in ended.why


@pytest.mark.parametrize(("status", "rule"), [(401, "token-refused"), (403, "forbidden")])
def test_a_refusal_that_a_step_expected_and_got_is_no_cause(status, rule):
    refused = answer("/api/incidents", status, "POST", credentials="token", step="nothing is shown to strangers")
    assert triage(failed(refused)).rule == "nothing-fits"
    assert triage(failed(replace(refused, step="the step"))).rule == rule


def test_a_new_build_is_only_a_hint_and_the_runner_up_is_named():
    facts = failed(answer(status=403))
    found = triage(replace(facts, build="2", last_passed_build="1"))
    assert (found.cause_class, found.runner_up) == ("config", "code")
    assert found.runner_up_why == "It passed with build 1 and fails with 2."


def test_facts_come_from_the_last_attempt_that_did_not_pass_and_from_the_neighbours():
    step = Step(
        title="the warning is shown",
        status="failed",
        started_at=NOW,
        duration_s=1,
        checks="sentinel",
        role="dispatcher",
    )
    broken = Failure(kind="expectation", ours=False, message="no warning", detail="", step=step.title)
    first, second = (
        Result(
            run_id="r",
            target="t",
            journey=Journey(id=id, node_id=id, title=id),
            attempt=1,
            outcome="failed",
            started_at=NOW,
            duration_s=1,
            steps=(step,),
            failure=broken,
            facts=Facts(nodes=SPLIT),
            build="7",
        )
        for id in ("a", "b")
    )
    journeys = tuple(JourneyVerdict(journey=r.journey, outcome="failed", results=(r,)) for r in (first, second))
    run = Verdict(
        run=Run(id="r", target="t", base_url="http://t", slot=1, started_at=NOW), journeys=journeys, finished_at=NOW
    )
    facts = facts_for(journeys[0], run)
    assert (facts.checks, facts.role, facts.build, facts.step) == ("sentinel", "dispatcher", "7", step.title)
    assert facts.nodes == (
        NodeCount(node="a", answers=12, broken=0),
        NodeCount(node="b", answers=10, broken=6),
    )
    assert facts_for(JourneyVerdict(journey=first.journey, outcome="unknown", cause="no result"), run).ours


def test_a_stale_step_inside_another_is_the_step_that_tells():
    inner = Step(title="it hears what is new", status="passed", started_at=NOW, duration_s=12, checks="live")
    outer = Step(title="the other board", status="passed", started_at=NOW, duration_s=12, steps=(inner,))
    result = Result(
        run_id="r",
        target="t",
        journey=Journey(id="a", node_id="a", title="a"),
        attempt=1,
        outcome="degraded",
        started_at=NOW,
        duration_s=12,
        steps=(outer,),
        degradations=(Degradation(kind="stale", step=f"{outer.title} › {inner.title}", message="It is 12 s old."),),
    )
    judgement = JourneyVerdict(journey=result.journey, outcome="degraded", results=(result,))
    run = Verdict(
        run=Run(id="r", target="t", base_url="http://t", slot=1, started_at=NOW), journeys=(judgement,), finished_at=NOW
    )
    assert facts_for(judgement, run).checks == "live"
