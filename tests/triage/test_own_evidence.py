"""What a journey shows itself outranks what others show: a cause that is borrowed needs evidence that both share."""

import pytest
from msgspec.structs import replace
from test_links import ABSENT, NOW, RUN, answer, broken, incidents, logged_in
from verdicts import verdict_of

from synthprobe.firstline.naming import explain, name_incidents, named_alone
from synthprobe.records.evidence import PageSeen
from synthprobe.records.finding import Contradiction, Finding, Refusal
from synthprobe.records.verdict import Verdict
from synthprobe.verdict.isolation import Isolation
from synthprobe.words import explanation

FULL = "could not write: no space left on device"


def full(name, path):
    return broken(name, answer("POST", path, 500, reason=FULL), message=f"{path} was answered 500")


def quiet(name, *answers, message):
    return broken(name, *answers, message=message)


def test_a_class_is_borrowed_from_who_shares_evidence_and_not_from_who_is_joined_by_somebody_else():
    page = quiet("page", answer("POST", "/rows", 500), message="the total differs from what was ordered")
    third = quiet("third", message="the total differs from what was ordered")
    found, classes = incidents(full("api", "/rows"), page, third)
    assert found == [["api", "page", "third"]]
    assert {name: cause.cause_class for name, cause in classes.items()} == {
        "api": "infra", "page": "infra", "third": "unknown",
    }  # fmt: skip
    assert explanation(classes["page"]).startswith("As was seen of this incident: ")
    assert FULL not in explanation(classes["third"])


def test_what_a_journey_showed_before_is_not_told_of_what_it_shows_now():
    was = broken("orders", answer("GET", "/orders", 403, reason="Your role is not let in"), message="answered 403")
    now = broken("orders", answer("GET", "/orders", 500, reason="database is locked"), message="answered 500")
    silent = broken("orders", message="the list is empty")
    first = named_alone(Verdict(run=RUN, journeys=(was,), finished_at=NOW), ())

    def named(judgement):
        run = explain(Verdict(run=replace(RUN, id="next"), journeys=(judgement,), finished_at=NOW), (), Isolation())
        return name_incidents(run, (), first.incidents, {}, NOW, Isolation()).verdict.journeys[0]

    assert named(now).incident == named(silent).incident == first.incidents[0].id
    assert (named(now).triage.cause_class, named(silent).triage.cause_class) == ("unknown", "config")
    assert "database is locked" in explanation(named(now).triage)


def test_two_journeys_that_each_show_another_class_are_two_incidents_and_neither_takes_the_others():
    sent = {"credentials": "password", "account": "anna"}
    api = broken("api", answer("POST", "/posts", 403, reason="The API is restricted here", **sent))
    page = broken("page", answer("POST", "/log-in", 401, reason="Invalid password", **sent), finding=ABSENT)
    found, classes = incidents(api, page)
    assert found == [["api"], ["page"]], "each gets no further than its log-in"
    assert (classes["api"].cause_class, classes["page"].cause_class) == ("config", "user")


@pytest.mark.parametrize(("other", "is_reached"), [(404, True), (502, False), (429, False)])
def test_one_request_that_a_gateway_gives_up_is_no_target_that_is_down_where_it_answers_others(other, is_reached):
    wrong = Contradiction(about="status", expected="200", got="x", method="GET", url="http://t/rows", status=other)
    api = broken("api", answer("GET", "/rows", other), finding=Finding(contradiction=wrong))
    pages = [broken(name, answer("GET", "/list", 502, by="page", resource="document"), finding=ABSENT) for name in "ab"]
    _, classes = incidents(api, *pages)
    assert {classes[name].cause_class for name in "ab"} == ({"unknown"} if is_reached else {"infra"})
    assert "GET /list was answered 502" in explanation(classes["a"])


def test_an_address_to_which_the_target_leads_in_vain_is_not_the_target():
    def opened(name, *before):
        refusal = Finding(refusal=Refusal(kind="refused", url="http://t/rota"))
        gone = answer("GET", "/rota", 0, by="page", resource="document", reason="net::ERR_CONNECTION_REFUSED")
        judged = broken(name, *before, gone, message="Page.goto: net::ERR_CONNECTION_REFUSED", finding=refusal)
        return _of_kind(judged, "refused")

    led = answer("GET", "/rota", 301, by="page", resource="document")
    assert incidents(opened("a"))[1]["a"].cause_class == "infra"
    away = incidents(opened("a", led))[1]["a"]
    assert away.cause_class == "unknown"
    assert "GET /rota was answered 301, and the address that it leads to" in away.why


def _of_kind(judgement, kind):
    (result,) = judgement.results
    return replace(judgement, results=(replace(result, failure=replace(result.failure, kind=kind)),))


def test_what_one_account_is_given_otherwise_than_expected_joins_nobody_who_asks_for_the_same():
    asked = answer("POST", "/orders", operation="search")
    rights = broken("rights", logged_in("keeper"), asked, checks="grant", message="orders are not refused")
    order = broken("order", logged_in("anna"), asked, checks="rule", message="the total is 150")
    assert incidents(rights, order)[0] == [["order"], ["rights"]]


def test_a_server_error_says_how_many_others_met_one_and_how_many_passed():
    outline = ("text: \uf0e7", 'heading "Internal Server Error" [level=1]')
    pages = (PageSeen(path="/shop", outline=outline),)
    shop = broken("shop", answer("GET", "/shop", 500, by="page", resource="document"), finding=ABSENT, pages=pages)
    api = broken("api", answer("GET", "/orders", 500), message="no orders")
    late = broken("late", message="the total differs")
    well = verdict_of("well", outcome="passed")
    blind = verdict_of("blind", outcome="unknown")
    why = incidents(shop, api, late, well, blind)[1]["shop"].why
    assert 'the page /shop says "Internal Server Error". 1 of 3 other journeys met a server error too; 1 passed.' in why
    assert "1 of 2 other journeys passed." in incidents(shop, late, well)[1]["shop"].why
