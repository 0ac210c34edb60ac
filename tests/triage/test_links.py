"""One cause is one incident, two causes are two: by what the failures of a run have in common, and by nothing less."""

import pytest
from msgspec.structs import replace
from verdicts import NOW, verdict_of

from synthprobe.firstline.naming import named_alone
from synthprobe.records.evidence import Answer, Facts, PageSeen, ServerTiming
from synthprobe.records.finding import Contradiction, Finding, Sought, Wait
from synthprobe.records.result import Degradation, Failure, Run, Step
from synthprobe.records.verdict import Verdict
from synthprobe.triage.facts import facts_for
from synthprobe.triage.shared_evidence import requests_of
from synthprobe.words import explanation

RUN = Run(id="r", target="t", base_url="http://t", slot=0, started_at=NOW)
ABSENT = Finding(
    contradiction=Contradiction(about="locator", expected="Locator expected to be visible", got=""),
    sought=Sought(locator='locator("#row")', sight="absent", within_s=5.0),
)


def answer(method, path, status=200, by="api", step="the step", **more):
    return Answer(by=by, method=method, path=path, status=status, step=step, **more)


def logged_in(account):
    return answer("POST", "/session", step="log in", credentials="password", account=account)


def broken(
    name, *answers, checks="", message="Locator expected to be visible", finding=None, errors=(), pages=(), builds=()
):
    failure = Failure(kind="expectation", ours=False, message=message, detail="", step="the step", finding=finding)
    return verdict_of(
        name,
        Step(title="the step", started_at=NOW, duration_s=1.0, status="failed", checks=checks),
        cause=message.partition("\n")[0],
        owner="desk",
        failure=failure,
        facts=Facts(answers=answers, page_errors=errors, pages=pages, builds=builds),
    )


def incidents(*journeys):
    """The journeys of each incident, and each journey's class, of a run."""
    named = named_alone(Verdict(run=RUN, journeys=journeys, finished_at=NOW), ())
    classes = {judgement.journey.id: judgement.triage for judgement in named.verdict.journeys}
    return sorted(sorted((*incident.journeys, *incident.blocked)) for incident in named.incidents), classes


def grants(account="anna"):
    return broken(
        "rights", logged_in(account), answer("GET", "/me"), checks="grant", message="the rights differ by ['read']"
    )


def test_who_misses_something_as_an_account_that_lacks_rights_shows_the_same_incident():
    missing = broken("list", logged_in("anna"), answer("GET", "/rows", by="page", resource="fetch"), finding=ABSENT)
    found, classes = incidents(grants(), missing)
    assert found == [["list", "rights"]]
    assert (classes["rights"].cause_class, classes["list"].candidate) == ("config", "unknown"), "it may be another one"
    assert (classes["list"].elsewhere, "Possible cause" in classes["list"].why) == ("rights", True)
    other = broken("list", logged_in("berta"), answer("GET", "/rows", by="page", resource="fetch"), finding=ABSENT)
    assert incidents(grants(), other)[0] == [["list"], ["rights"]]


def test_a_page_that_asks_for_what_is_wrong_shows_the_same_incident():
    wrong = broken("addresses", answer("GET", "/place"), checks="sentinel", message="it lies in the other town")
    page = broken("form", answer("GET", "/place", by="page", resource="fetch"), finding=ABSENT)
    assert incidents(wrong, page)[0] == [["addresses", "form"]]
    page = broken("form", answer("GET", "/people", by="page", resource="fetch"), finding=ABSENT)
    assert incidents(wrong, page)[0] == [["addresses"], ["form"]]


def test_no_journey_is_told_of_itself_as_of_another_one():
    both = [
        broken(name, answer("GET", "/place"), message=name, finding=Finding(contradiction=Contradiction(
            about="fields", expected="", got=got, method="GET", url="http://t/place", status=200
        )))
        for name, got in (("a", "town: got None"), ("b", "position: got 0, 0"))
    ]  # fmt: skip
    found, causes = incidents(*both)
    assert found == [["a", "b"]]
    assert (causes["a"].elsewhere, causes["b"].elsewhere) == ("b", "")


def test_a_step_that_asks_for_what_is_wrong_beside_other_things_shows_the_same_incident():
    wrong = broken("addresses", answer("GET", "/place"), checks="sentinel", message="it lies in the other town")
    both = [answer("PATCH", "/rows/7"), answer("GET", "/place"), answer("GET", "/rows/7")]
    moved = broken("move", *both, checks="read-after-write", message="it stayed where it was")
    assert incidents(wrong, moved)[0] == [["addresses", "move"]]
    moved = broken("move", both[0], both[2], checks="read-after-write", message="it stayed where it was")
    assert incidents(wrong, moved)[0] == [["addresses"], ["move"]]


def test_who_shows_a_cause_of_its_own_joins_nobody_by_a_common_account():
    error = broken("list", logged_in("anna"), answer("GET", "/rows", 500), message="expected: status 200")
    assert incidents(grants(), error)[0] == [["list"], ["rights"]]


def test_a_log_in_that_was_accepted_joins_nothing():
    judgement = broken("a", logged_in("anna"), finding=ABSENT)
    other = broken("b", logged_in("berta"), message="Locator expected to have text 'x'", finding=ABSENT)
    assert incidents(judgement, other)[0] == [["a"], ["b"]]


def test_a_refused_account_and_the_rights_it_lacks_are_one_incident():
    refused = broken(
        "save",
        logged_in("anna"),
        answer("POST", "/rows", 403, reason="Your role may not do that."),
        finding=Finding(
            contradiction=Contradiction(
                about="status", expected="status 200", got="status 403", method="POST", url="http://t/rows", status=403
            )
        ),
    )
    assert incidents(grants(), refused)[0] == [["rights", "save"]]
    assert incidents(grants("berta"), refused)[0] == [["rights"], ["save"]]


def test_a_page_of_errors_instead_of_data_is_one_incident_through_the_api_and_on_a_page():
    html = {"status": 200, "content_type": "text/html"}
    url = "http://t/rows/7"
    api = broken(
        "api",
        answer("GET", "/rows/7", **html),
        finding=Finding(
            contradiction=Contradiction(
                about="json", expected="a JSON body", got="<html>", method="GET", url=url, status=200
            )
        ),
    )
    page = broken(
        "page",
        answer("GET", "/rows/7", by="page", resource="fetch", **html),
        errors=("Unexpected token '<', \"<html>\" is not valid JSON",),
        finding=ABSENT,
    )
    assert incidents(api, page)[0] == [["api", "page"]]


@pytest.mark.parametrize(
    ("checks", "finding", "answers", "rule"),
    [
        ("rule", ABSENT, (), "nothing-fits"),
        ("rule", None, (), "rule"),
        ("sentinel", ABSENT, (), "sentinel"),
    ],
)
def test_what_is_not_there_was_not_computed_wrongly(checks, finding, answers, rule):
    _, classes = incidents(broken("a", *answers, checks=checks, finding=finding))
    assert classes["a"].rule == rule


def test_a_change_that_a_page_was_refused_in_an_earlier_step_is_why_it_is_not_stored():
    refused = answer("POST", "/rows", 401, by="page", resource="fetch", step="press save", credentials="cookie")
    lost = broken(
        "save",
        answer("POST", "/log-in", 303, by="page", resource="document", step="log in", credentials="password"),
        refused,
        answer("GET", "/rows/7"),
        checks="read-after-write",
        message="it is stored as before",
        errors=("Error: Log in first.",),
    )
    _, classes = incidents(lost)
    assert (classes["save"].candidate, classes["save"].rule) == ("config", "session-lost")
    read = replace(refused, method="GET")
    facts = replace(lost.results[0].facts, answers=(read, answer("GET", "/rows/7")))
    judgement = replace(lost, results=(replace(lost.results[0], facts=facts),))
    assert incidents(judgement)[1]["save"].candidate != "infra"
    assert incidents(judgement)[1]["save"].rule != "script-error"


def test_what_an_author_supposed_gives_way_to_what_another_journey_shows():
    order = broken("order", logged_in("anna"), checks="rule", message="the order is [2, 1]")
    assert incidents(order)[1]["order"].candidate == "code"
    found, classes = incidents(grants(), order)
    assert found == [["order", "rights"]]
    assert (classes["order"].candidate, classes["order"].elsewhere) == ("unknown", "rights")


def test_what_is_wrong_in_one_way_is_one_incident_wherever_it_is_shown():
    zero = "it lies at 0, 0"
    assert incidents(broken("a", message=zero), broken("b", message=f"of b: {zero}"))[0] == [["a", "b"]]
    account = broken("log", logged_in("anna"), checks="account", message="the log names berta")
    other = broken("desk", logged_in("anna"), checks="account", message="at the desk is berta")
    assert incidents(account, other)[0] == [["desk", "log"]]
    other = broken("desk", logged_in("carl"), checks="account", message="at the desk is berta")
    assert incidents(account, other)[0] == [["desk"], ["log"]]


def test_a_rule_is_in_doubt_where_another_journey_got_a_wrong_answer_to_the_same_request():
    sums = broken("sums", answer("GET", "/rows"), checks="rule", message="the sum is 35, there are 0")
    rows = broken("rows", answer("GET", "/rows"), message="0 rows, 30 or more were expected")
    assert incidents(sums)[1]["sums"].candidate == "code"
    assert incidents(sums, rows)[1]["sums"].candidate == "unknown"
    assert "code" in {
        diagnosis.candidate for diagnosis in incidents(sums, broken("x", answer("GET", "/y")))[1].values()
    }


def test_what_a_journey_asked_for_and_expected_shows_no_failure_beside_what_was_contradicted():
    expected = answer("POST", "/rows", 400, duration_ms=3000.0)
    other = answer("PATCH", "/rows", 403, by="page", resource="fetch")
    wrong = Contradiction(
        about="status", expected="status 400", got="status 401", method="GET", url="http://t/x", status=401
    )
    journey = broken("a", expected, other, answer("GET", "/x", 401), finding=Finding(contradiction=wrong))
    facts = facts_for(journey, Verdict(run=RUN, journeys=(journey,), finished_at=NOW))
    assert requests_of(facts) == ("GET /x", "GET /x answered 401", "PATCH /rows", "PATCH /rows answered 403")


def test_what_an_author_declared_is_in_doubt_as_well():
    sent = broken("sent", answer("GET", "/rows/7"), checks="delivery", message="the message waits")
    read = broken("read", answer("GET", "/rows/7"), message="the address is a date")
    assert incidents(sent)[1]["sent"].candidate == "infra"
    assert {diagnosis.candidate for diagnosis in incidents(sent, read)[1].values()} == {"unknown"}


def test_a_stream_that_brings_something_elsewhere_is_not_silent():
    stream = answer("GET", "/stream", by="page", step="", content_type="text/event-stream", resource="eventsource")
    silent = broken("one", stream, checks="live", finding=ABSENT)
    assert incidents(silent)[1]["one"].rule == "stream-silent"
    heard = broken("other", stream, message="another thing")
    live = Step(title="it is heard", started_at=NOW, duration_s=1.0, status="passed", checks="live")
    heard = replace(heard, results=(replace(heard.results[0], steps=(live, *heard.results[0].steps)),))
    assert incidents(silent, heard)[1]["one"].rule == "nothing-fits"
    stale = Degradation(kind="stale", step="it is heard", message="The newest update is 12 s old.")
    old = replace(heard, results=(replace(heard.results[0], degradations=(stale,)),))
    assert incidents(silent, old)[1]["one"].rule == "stream-silent", "old updates are no updates"


def test_a_fixed_record_that_is_gone_is_one_incident_through_the_api_and_on_a_page():
    def missed(name, *answers, found=None, **more):
        return broken(name, *answers, checks="sentinel", finding=found and Finding(**found), **more)

    def absent(locator, expected="Locator expected to be visible"):
        wrong = Contradiction(about="locator", expected=expected, got="", locator=locator)
        return {"contradiction": wrong, "sought": Sought(locator=locator, sight="absent", within_s=5.0)}

    record = missed("api", answer("GET", "/notes/Escalation"), message="the note is empty")
    link = missed("page", found=absent('get_by_role("link", name="Escalation")'))
    row = missed("search", found=absent('locator("#found")', "Locator expected to contain text 'Escalation'"))
    assert incidents(record, link, row)[0] == [["api", "page", "search"]]
    other = missed("page", found=absent('get_by_role("link", name="Handbook")'), message="Handbook is not visible")
    assert incidents(record, other)[0] == [["api"], ["page"]], "two records that are gone are two"
    undeclared = broken("page", finding=Finding(**absent('get_by_role("link", name="Escalation")')))
    assert incidents(record, undeclared)[0] == [["api"], ["page"]], "whose author does not say that it is always there"

    people = missed("api", answer("GET", "/search"), message="nobody is found")
    fetched = answer("GET", "/search", by="page", resource="fetch")
    page = missed("page", fetched, found=absent('locator("#person")'))
    assert incidents(people, page)[0] == [["api", "page"]]
    more = missed(
        "page", fetched, answer("GET", "/units", by="page", resource="fetch"), found=absent('locator("#person")')
    )
    assert incidents(people, more)[0] == [["api"], ["page"]], "a page that asked for two things may miss the other one"


def test_what_was_waited_for_less_long_than_writes_take_is_as_slow_as_they_are():
    def took(method, path, ms, step="the step"):
        timing = (ServerTiming(name="db", duration_ms=ms - 50),)
        return answer(method, path, duration_ms=ms, server_timing=timing, step=step)

    def delivery(ms):
        wait = Finding(wait=Wait(within_s=3.0, attempts=9, reason="the message waits"))
        changed = [took("POST", "/rows", ms, step="send it"), answer("GET", "/rows/7")]
        return broken("told", *changed, checks="delivery", message="the message waits", finding=wait)

    late = Degradation(kind="over budget", step="the step", message="It took 7 s.", measured_s=7.0, limit_s=5.0)
    out = broken("out", took("POST", "/log-in", 2100.0), took("GET", "/log-out", 3600.0))
    slow = replace(out.results[0], outcome="degraded", failure=None, degradations=(late,))
    out = replace(out, outcome="degraded", results=(slow,))
    found, classes = incidents(delivery(4000.0), out)
    assert found == [["out", "told"]]
    assert {diagnosis.rule for diagnosis in classes.values()} == {"slow-writes"}
    found, classes = incidents(delivery(1200.0), out)
    assert (found, classes["told"].rule) == ([["out"], ["told"]], "delivery")
    assert classes["out"].rule != "slow-query", "a read that waits where changes wait has no slow query of its own"


def test_half_a_deployment_is_one_incident_whichever_script_is_missing_and_also_where_journeys_pass_by_luck():
    def met(name, script, **more):
        missing = answer("GET", f"/{script}.js", 404, by="page", resource="script", step="open it")
        return broken(name, missing, builds=("12", "13"), **more)

    waits = Contradiction(about="locator", expected="Locator expected to have text 'live'", got="connecting")
    board = met("board", "board", checks="live", finding=Finding(contradiction=waits), message="it is connecting")
    search, shop = met("search", "search", finding=ABSENT), broken("shop", builds=("12", "13"), message="two releases")
    lucky = met("lucky", "board")
    passed = replace(lucky.results[0], outcome="passed", failure=None)
    lucky = replace(lucky, outcome="passed", results=(passed,))
    found, classes = incidents(board, search, shop, lucky)
    assert found == [["board", "search", "shop"]]
    assert classes["board"].rule == "two-builds"
    own = broken("own", answer("GET", "/rows", 500), builds=("12",), message="status 500")
    assert incidents(board, own)[0] == [["board"], ["own"]]


def test_a_limit_and_a_door_that_refuses_are_one_incident_whatever_was_asked():
    limited = [broken(name, answer("GET", f"/{name}", 429)) for name in ("orders", "stock")]
    assert incidents(*limited)[0] == [["orders", "stock"]]
    large = broken("form", answer("POST", "/form", 413, by="page", resource="document"), finding=ABSENT)
    assert incidents(large, broken("api", answer("PUT", "/rows/1", 413)))[0] == [["api", "form"]]
    page = broken("home", answer("GET", "/home", 401, by="page", resource="document"))
    api = broken("orders", answer("GET", "/orders", 401, credentials="password"))
    assert incidents(page, api)[0] == [["home", "orders"]]


def test_the_words_of_a_refusal_join_other_requests_and_a_log_in_that_is_refused_on_a_page_joins_the_api():
    def refused(name, path, status, reason, method="POST"):
        asked = answer(method, path, status, reason=reason, credentials="password")
        wrong = Contradiction(
            about="status", expected="200", got="no", method=method, url=f"http://t{path}", status=status
        )
        return broken(name, asked, finding=Finding(contradiction=wrong), message=f"{path} is refused")

    closed = [refused(name, f"/{name}", 400, "The ledger is closed.") for name in ("orders", "bills")]
    assert incidents(*closed)[0] == [["bills", "orders"]]
    gone = [refused(name, f"/{name}", 404, "It could not be found.", "GET") for name in ("orders", "bills")]
    assert incidents(*gone)[0] == [["bills"], ["orders"]], "two records that are gone are two"

    asks = PageSeen(
        path="/in", outline=('heading "Invalid login"', *(f'link "{n}"' for n in range(4))), asks_password=True
    )
    sent = answer("POST", "/in", 302, by="page", resource="document", credentials="password")
    page = broken("page", sent, finding=ABSENT, pages=(asks,))
    assert incidents(page, refused("api", "/rows", 401, "Invalid login"))[0] == [["api", "page"]]


def test_pages_that_hold_next_to_nothing_are_one_incident_and_pages_that_work_are_not():
    def shown(name, *outline, **more):
        opened = answer("GET", f"/{name}", by="page", resource="document")
        return broken(name, opened, pages=(PageSeen(path=f"/{name}", outline=outline),), **more)

    sorry = 'heading "We are having a moment"'
    assert incidents(shown("orders", sorry), shown("stock", sorry))[0] == [["orders", "stock"]]
    assert incidents(shown("orders"), shown("stock"))[0] == [["orders", "stock"]]
    assert len(incidents(shown("orders", sorry), shown("stock"))[0]) == 2
    whole = [sorry, *(f'link "{n}"' for n in range(4))]
    assert len(incidents(shown("orders", *whole), shown("stock", *whole))[0]) == 2


def test_an_assertion_of_numbers_alone_joins_cases_of_one_test_and_no_two_tests():
    def bare(name, node_id, message="assert 2 == 3"):
        judgement = broken(name, answer("GET", f"/{name}"), message=message)
        journey = replace(judgement.journey, node_id=node_id)
        return replace(judgement, journey=journey, results=(replace(judgement.results[0], journey=journey),))

    cases = bare("a[1]", "a.py::test[1]"), bare("a[2]", "a.py::test[2]", "assert 2 == 4\n +  where 2 = len([1, 2])")
    other = bare("b", "b.py::test")
    for words in ("2 != 3", "AssertionError: False is not true"):  # as unittest says it
        assert incidents(bare("a", "a.py::test", words), bare("b", "b.py::test", words))[0] == [["a"], ["b"]]
    found, classes = incidents(*cases, other)
    assert found == [["a[1]", "a[2]"], ["b"]]
    assert "GET /b was answered 200" in classes["b"].why, "numbers say nothing, so what was asked is told"
    worded = [broken(name, message="the list is short\nassert 2 == 3") for name in ("a", "b")]
    assert incidents(*worded)[0] == [["a", "b"]]


def test_where_every_journey_that_could_look_is_answered_an_error_it_is_one_incident_and_each_says_what_it_saw():
    failing = [broken(name, answer("GET", f"/{name}", 500), message="assert 500 == 200") for name in ("a", "b")]
    blind = replace(broken("c"), outcome="unknown", results=(), cause="worker: it was killed")
    passing = replace(broken("d"), outcome="passed", results=(), cause="")
    together, classes = incidents(*failing, blind)
    assert [sorted(names) for names in together if "c" not in names] == [["a", "b"]]
    assert ("/a " in classes["a"].why, "/b " in classes["b"].why) == (True, True)
    assert incidents(*failing, passing)[0] == [["a"], ["b"]]


def test_the_words_of_one_page_are_not_those_of_another_that_was_refused():
    refused = answer("GET", "/status", 500, by="page", resource="document")
    for path, quoted in (("/status", True), ("/page", False)):
        seen = PageSeen(path=path, outline=('heading "Shop is closed" [level=1]',))
        _, classes = incidents(broken("two", refused, finding=None, message="it is not as it was", pages=(seen,)))
        assert ('says "Shop is closed"' in explanation(classes["two"])) == quoted, path


def test_what_another_journey_of_the_incident_shows_is_not_told_as_if_it_were_seen_here():
    message = "the total differs from what was ordered"
    found, classes = incidents(broken("a", answer("GET", "/x", 500), message=message), broken("b", message=message))
    assert found == [["a", "b"]]
    shown, borrowed = explanation(classes["a"]), explanation(classes["b"])
    assert borrowed.endswith(shown)
    assert borrowed != shown


def test_an_error_of_a_script_is_no_cause_beside_an_answer_that_was_contradicted():
    wrong = Contradiction(about="status", expected="200", got="no", method="GET", url="http://t/rows", status=401)
    refused = broken("api", answer("GET", "/rows", 401), finding=Finding(contradiction=wrong), errors=("Error: x",))
    found, classes = incidents(refused, broken("page", finding=ABSENT, errors=("Error: x",)))
    assert found == [["api"], ["page"]]
    assert "script" not in classes["api"].why


@pytest.mark.parametrize(("took_ms", "joined"), [(8100.0, [["api", "page"]]), (3.0, [["api"], ["page"]])])
def test_what_a_page_waited_for_in_vain_is_one_incident_with_what_a_gateway_gave_up(took_ms, joined):
    given_up = broken("api", answer("GET", "/stock", 504, duration_ms=8000.0))
    waited = answer("POST", "/form", 0, by="page", resource="fetch", reason="net::ERR_FAILED", duration_ms=took_ms)
    assert incidents(given_up, broken("page", waited))[0] == joined
