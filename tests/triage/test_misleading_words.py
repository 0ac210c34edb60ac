"""Words and neighbours that look like a cause and are none: what triage says was observed, or it says less."""

import pytest
from msgspec.structs import replace
from verdicts import NOW, verdict_of

from synthprobe.records.evidence import Answer, Facts, PageSeen
from synthprobe.records.finding import Contradiction, Finding, Refusal, Sought
from synthprobe.records.incident import Triage
from synthprobe.records.result import Failure, Run
from synthprobe.records.verdict import Verdict
from synthprobe.triage.causes import triage, triage_together
from synthprobe.triage.facts import Peer, TriageFacts, facts_for
from synthprobe.triage.usual import request_of
from synthprobe.words import contradicted, explanation, refused

RUN = Run(id="r", target="t", base_url="http://t.invalid", slot=1, started_at=NOW)


def judgement_with(id, outcome, *answers):
    """What a run says of a journey with these answers."""
    broke = Failure(kind="expectation", ours=False, message="it was not so", detail="", step="ask")
    return verdict_of(id, outcome=outcome, failure=broke if outcome == "failed" else None, facts=Facts(answers=answers))


def alone(judged):
    return Verdict(run=RUN, journeys=(judged,), finished_at=NOW)


def answered(method="GET", path="/", status=200, duration_ms=20.0, reason="", **more):
    known = {"by": "api", "step": "ask", **more}
    return Answer(method=method, path=path, status=status, duration_ms=duration_ms, reason=reason, **known)


def facts(answer, kind="expectation", **more):
    return TriageFacts(outcome="failed", kind=kind, step="ask", evidence=Facts(answers=(answer,)), **more)


@pytest.mark.parametrize("path", ["/authors/9", "/authorities/9", "/catalogin/9", "/blog/insights"])
def test_a_word_that_holds_another_is_no_log_in(path):
    found = triage(facts(answered(path=path, status=403, reason="suspended series")))
    assert (found.candidate, found.rule) == ("config", "forbidden")
    assert "account" not in found.why
    assert "log-in" not in found.why


@pytest.mark.parametrize("path", ["/api/login", "/-/login", "/door", "/authors"])
def test_a_log_in_is_where_a_password_was_sent_and_never_a_word_in_a_path(path):
    refused = answered("POST", path, 403, reason="this account is suspended", credentials="password")
    found = triage(facts(refused))
    assert (found.candidate, found.rule) == ("user", "account-state")
    assert triage(facts(replace(refused, credentials=""))).rule == "forbidden"


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("Benutzername oder Kennwort ist falsch.", "account-refused"),
        ("Ungültige Zugangsdaten", "account-refused"),
        ("Identifiants invalides", "account-refused"),
        ("Usuario o contraseña incorrectos", "account-refused"),
        ("Gebruikersnaam of wachtwoord is onjuist", "account-refused"),
        ("Ihr Konto wurde gesperrt", "account-state"),
        ("Votre compte est désactivé", "account-state"),
        ("Die Verbindung zum Anmeldeserver ist fehlgeschlagen", "nothing-fits"),
        ("Échec de la connexion au serveur", "nothing-fits"),
        ("Zu viele fehlgeschlagene Versuche", "nothing-fits"),
        ("Ungültige Anfrage", "nothing-fits"),
    ],
)
def test_a_log_in_is_refused_in_other_languages_too_and_a_server_that_is_away_is_none(words, rule):
    refused = answered("POST", "/tuer", 401, reason=words, credentials="password")
    assert triage(facts(refused)).rule == rule
    assert triage(facts(replace(refused, credentials=""))).rule not in {"account-refused", "account-state"}


def test_a_slow_list_is_no_slow_log_in_and_a_slow_write_proves_no_lock():
    slow_list = triage(facts(answered(path="/authors", duration_ms=1600.0), kind="deadline"))
    assert "log-in" not in slow_list.why
    search = triage(facts(answered("POST", "/search", duration_ms=1600.0), kind="deadline"))
    assert "lock" not in search.why
    assert "POST /search" in search.why


@pytest.mark.parametrize("status", [521, 522, 525, 526, 530])
def test_an_edge_that_gets_no_answer_from_the_target_shows_no_error_of_its_code(status):
    found = triage(facts(answered(path="/", status=status)))
    assert (found.cause_class, found.rule) == ("infra", "unreachable")


@pytest.mark.parametrize(
    ("status", "reason"),
    [(520, ""), (502, "OVER_QUERY_LIMIT: daily request quota exceeded"), (503, "the licence of this site has ended")],
)
def test_what_a_gateway_does_not_understand_or_somebody_used_up_is_not_unreachable(status, reason):
    found = triage(facts(answered(path="/", status=status, reason=reason)))
    assert found.cause_class == "unknown"
    assert f"GET / was answered {status}" in found.why


def test_a_page_that_goes_round_in_circles_was_answered_each_time():
    loop = answered(by="page", resource="document", status=0, reason="net::ERR_TOO_MANY_REDIRECTS")
    found = triage(facts(loop, kind="timeout"))
    assert (found.cause_class, found.rule) == ("unknown", "nothing-fits")
    assert "GET / was redirected without end" in found.why
    refusal = Refusal(kind="redirects", url="https://t.invalid/")
    led = replace(loop, status=302, reason="")
    led_on = facts(led, kind="redirects", finding=Finding(refusal=refusal))
    why = triage(replace(led_on, evidence=Facts(answers=(led, loop)))).why
    assert "GET / was answered 302, and so on without end" in why, "each of them was an answer"


def test_a_stream_that_a_page_is_refused_is_told_and_its_end_is_not():
    stream = answered(by="page", path="/live", resource="eventsource", status=400)
    assert "GET /live was answered 400" in triage(facts(stream)).why
    assert "/live" not in triage(facts(replace(stream, status=0))).why


def test_a_request_without_an_answer_proves_nothing_of_the_servers_workers():
    found = triage(facts(answered(path="/hang", status=0, duration_ms=10_000.0), kind="deadline"))
    assert "worker" not in found.why
    assert "GET /hang was not answered" in found.why
    assert found.candidate == "infra"


@pytest.mark.parametrize(
    "reason",
    [
        "Service Unavailable Service temporary unavailable due to overloading or maintenance, please retry later.",
        "503 Service Temporarily Unavailable nginx",
        "Service Unavailable: the service is temporarily unavailable",
    ],
)
def test_what_every_server_says_of_a_status_names_no_other_system(reason):
    found = triage(facts(answered(status=503, reason=reason)))
    assert found.rule == "unreachable"
    named = triage(facts(answered(status=503, reason=f"{reason} The payment service is down.")))
    assert (named.candidate, named.rule) == ("dependency", "upstream-named")


@pytest.mark.parametrize("asked", ["/shop/provider/7", "/upstream/health", "/third-party/keys"])
def test_a_word_in_the_address_that_was_asked_for_names_no_other_system(asked):
    url = f"http://shop.invalid{asked}"
    wrong = Contradiction(about="status", expected="status 200", got="status 404: no row", method="GET", url=url)
    silent = Refusal(kind="refused", method="GET", url=url)
    for found in (Finding(contradiction=wrong), Finding(refusal=silent)):
        kind = "refused" if found.refusal else "expectation"
        text = refused(silent) if found.refusal else contradicted(wrong, repeat=f"curl {url}")
        diagnosis = triage(TriageFacts(outcome="failed", kind=kind, message=text, finding=found))
        assert diagnosis.rule in {"unreachable", "nothing-fits"}


def test_a_gate_that_refuses_everybody_says_nothing_of_others_who_got_in():
    gate = answered("POST", "/door", 403, reason="Forbidden", credentials="password")
    alone = triage(facts(gate, peers=(Peer(journey="catalogue", outcome="passed"),)))
    assert alone.candidate == "config"
    assert alone.why.endswith('POST /door was answered 403 ("Forbidden").')
    wrong = replace(gate, status=401, reason="Wrong password")
    other = triage(facts(wrong, peers=(Peer(journey="catalogue", outcome="passed", let_in=("/door",)),)))
    assert (other.candidate, other.rule) == ("user", "account-refused")
    assert "Another journey of the run logged in there" in explanation(other)


@pytest.mark.parametrize("check", ["sentinel", "read-after-write", "rule", "grant", "delivery"])
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_server_error_is_never_what_the_author_declared(check, status):
    broke = Contradiction(about="status", expected="status 200", got=f"status {status}", status=status)
    found = triage(facts(answered(status=status), checks=check, finding=Finding(contradiction=broke)))
    assert (found.candidate, found.rule) in {("code", "server-error"), ("infra", "unreachable")}
    assert f"was answered {status}" in found.why


@pytest.mark.parametrize(
    "page", ["<html><h1>502 Bad Gateway</h1><hr>nginx</html>", "HTTP Error 503. The service is unavailable."]
)
def test_the_page_of_a_gateway_names_no_other_system(page):
    found = triage(facts(answered(status=503, reason=page)))
    assert (found.candidate, found.rule) == ("infra", "unreachable")


def test_what_also_happens_where_a_journey_passes_is_no_evidence_as_often_as_it_does_there():
    stranger = answered(path="/settings", status=401, by="page", resource="xhr")
    let_in = answered("POST", "/token", credentials="password")
    lost = answered(path="/flows", status=401, by="page", resource="xhr")
    usual = {request_of(stranger): 1}

    def classed(*answers):
        result = judgement_with("flow", "failed", *answers)
        verdict = Verdict(run=RUN, journeys=(result, judgement_with("other", "passed", stranger)), finished_at=NOW)
        return triage(facts_for(result, verdict)).rule, triage(facts_for(result, alone(result), usual=usual)).rule

    assert classed(stranger) == ("nothing-fits", "nothing-fits")
    assert classed(stranger, let_in, stranger) == ("session-lost", "session-lost")
    assert classed(stranger, let_in, lost) == ("session-lost", "session-lost")
    assert (
        triage(
            facts_for(judgement_with("flow", "failed", stranger), alone(judgement_with("flow", "failed", stranger)))
        ).rule
        == "nothing-fits"
    )


def test_what_another_journey_asks_for_and_expects_is_usual_for_nobody_else():
    refused = answered("POST", "/door", 401, reason="Your password has expired.", credentials="password")
    broken = judgement_with("shift", "failed", refused)
    verdict = Verdict(
        run=RUN, journeys=(broken, judgement_with("strangers are refused", "passed", refused)), finished_at=NOW
    )
    assert triage(facts_for(broken, verdict)).rule == "account-state"


BUTTONS = ('heading "Welcome" [level=1]', 'textbox "Name"', 'button "Sign in"', 'button "Cancel"')
SAYS = {
    "renamed": (
        Sought(locator='get_by_role("button", name="Log in")', sight="absent", within_s=5.0),
        'button "Log in" was not there after 5 s; the page /door has button "Sign in".',
    ),
    "disabled": (
        Sought(locator='get_by_role("button", name="Sign in")', sight="disabled", within_s=5.0),
        'button "Sign in" was disabled for 5 s.',
    ),
    "covered": (
        Sought(locator='get_by_label("Name")', sight="covered", within_s=2.0, by='<div id="tour">'),
        'field "Name" was covered by <div id="tour"> for 2 s.',
    ),
    "inside another": (
        Sought(locator='get_by_role("button", name="Send").get_by_role("img").first', sight="absent", within_s=2.0),
        'get_by_role("button", name="Send").get_by_role("img").first was not there after 2 s; the page /door has '
        'button "Sign in", "Cancel".',
    ),
    "gone": (
        Sought(locator='locator("#price")', sight="absent", within_s=5.0),
        'locator("#price") was not there after 5 s; the page /door says "Welcome".',
    ),
}


@pytest.mark.parametrize("case", SAYS)
def test_where_no_class_is_known_it_is_said_what_was_looked_for_and_what_is_there(case):
    sought, reason = SAYS[case]
    seen = Facts(pages=(PageSeen(path="/door", outline=BUTTONS),))
    found = triage(TriageFacts(outcome="failed", kind="timeout", finding=Finding(sought=sought), evidence=seen))
    assert (found.cause_class, found.why) == ("unknown", reason)


def test_a_borrowed_cause_needs_something_that_was_seen_in_both_and_replaces_no_class():
    missing = answered(path="/main.js", status=404, by="page", resource="script")
    other = answered(path="/other", status=404)
    seen = {"a": facts(missing), "b": facts(missing), "c": facts(other)}
    sure = Triage(cause_class="infra", rule="missing-script", why="GET /main.js was answered 404.", sure="high")
    silent = Triage(cause_class="unknown", rule="nothing-fits", why="Nothing is known.", sure="low")
    found = triage_together({"a": sure, "b": silent, "c": silent}, seen)
    assert (found["a"], found["c"]) == (sure, silent)
    assert (found["b"].cause_class, found["b"].elsewhere) == ("unknown", "a")
    assert "Possible cause, as a shows GET /main.js was answered 404 too" in found["b"].why


def test_what_was_waited_for_outside_the_broken_step_is_no_part_of_its_time():
    slow = answered("POST", "/reset", duration_ms=8700.0, step="")
    late = TriageFacts(outcome="failed", kind="timeout", step="log in", took_s=10.9, evidence=Facts(answers=(slow,)))
    assert "POST /reset took 8.7 s." in triage(late).why
    within = replace(late, evidence=Facts(answers=(replace(slow, step="log in"),)))
    assert "POST /reset took 8.7 s of the step's 10.9 s." in triage(within).why


def test_of_many_refusals_the_error_of_the_server_is_told_first():
    refused = [answered("DELETE", f"/rows/{number}", 422) for number in range(3)]
    broke = answered("DELETE", "/rows/4", 500)
    tried = TriageFacts(outcome="failed", kind="expectation", step="ask", evidence=Facts(answers=(*refused, broke)))
    assert triage(tried).why.startswith("DELETE /rows/4 was answered 500")


def test_what_is_told_of_a_message_ends_as_a_sentence():
    ended = TriageFacts(outcome="failed", kind="expectation", message="404, 401 was expected: <No body>", step="ask")
    assert triage(ended).why.endswith("404, 401 was expected.")
