"""One cause is seen by a page and by the API in two ways: the same words, status, place, record, or thing to make."""

import pytest
from msgspec.structs import replace
from verdicts import NOW, verdict_of

from synthprobe.firstline.naming import named_alone
from synthprobe.records.evidence import Answer, Facts, PageSeen
from synthprobe.records.finding import Contradiction, Finding, Refusal, Sought
from synthprobe.records.result import Degradation, Failure, Run, Step
from synthprobe.records.verdict import Verdict
from synthprobe.words import explanation

RUN = Run(id="r", target="t", base_url="http://t", slot=0, started_at=NOW)
EXCUSE = "<html><title>Sorry</title><h1>We are having a moment</h1></html>"
LET_IN = Answer(
    by="page", method="POST", path="/door", status=302, step="log in", resource="document", credentials="password"
)


def step(title, status="passed", checks=""):
    return Step(title=title, started_at=NOW, duration_s=1.0, status=status, checks=checks)


def refused(name, method, path, status, *, got="", reason="", about="status", before=(), checks="", mutates=(), **more):
    """A journey of the API that was not answered as it expects."""
    wrong = Contradiction(about=about, expected="", got=got, method=method, url=f"http://t{path}", status=status)
    failure = Failure(
        kind="expectation", ours=False, message=name, detail="", step="work", finding=Finding(contradiction=wrong)
    )
    answer = Answer(by="api", method=method, path=path, status=status, step="work", reason=reason, **more)
    facts = Facts(answers=(*before, answer))
    return verdict_of(name, step("work", "failed", checks), failure=failure, mutates=mutates, facts=facts, cause=name)


def missed(
    name, *outline, path="/desk", before=(), locator='locator("#row")', checks="", mutates=(), asks=False, **more
):
    """A journey of the browser that did not see on a page what it looked for."""
    finding = Finding(
        contradiction=Contradiction(about="locator", expected="Locator expected to be visible", got=""),
        sought=Sought(locator=locator, sight="absent", within_s=5.0),
    )
    failure = Failure(
        kind="expectation",
        ours=False,
        message="Locator expected to be visible",
        detail="",
        step="look",
        finding=finding,
    )
    opened = Answer(by="page", method="GET", path=path, status=200, step="open", resource="document", **more)
    facts = Facts(
        answers=(*before, opened), pages=(PageSeen(path=path, outline=outline or ("main:",) * 9, asks_password=asks),)
    )
    steps = (*(step(answer.step) for answer in before), step("look", "failed", checks))
    return verdict_of(name, *steps, failure=failure, mutates=mutates, facts=facts, cause=name)


def with_answer(shown, answer):
    """The same journey, where one more request was answered."""
    (result,) = shown.results
    facts = replace(result.facts, answers=(*result.facts.answers, answer))
    return replace(shown, results=(replace(result, facts=facts),))


def passed(name):
    return verdict_of(name, step("work"), outcome="passed", facts=Facts())


def incidents(*journeys):
    """The journeys of each incident of a run."""
    return sorted(sorted((*incident.journeys, *incident.blocked)) for incident in named(*journeys).incidents)


def named(*journeys):
    return named_alone(Verdict(run=RUN, journeys=journeys, finished_at=NOW), ())


@pytest.mark.parametrize(("about", "status"), [("status", 200), ("json", 200), ("status", 400)])
def test_an_excuse_that_a_page_shows_and_the_api_gets_is_one_incident(about, status):
    page = missed("page", 'heading "We are having a moment" [level=1]')
    reason = EXCUSE if status >= 400 else ""
    api = refused("api", "GET", "/rows", status, got=EXCUSE, about=about, reason=reason, content_type="text/html")
    assert incidents(page, api) == [["api", "page"]]
    other = EXCUSE.replace("We are having a moment", "This hall is closed for ever")
    api = refused("api", "GET", "/rows", status, got=other, about=about, reason=reason and other)
    assert incidents(page, api) == [["api"], ["page"]]


def test_the_name_of_a_site_whose_pages_are_short_joins_nothing():
    pages = [
        missed(name, 'heading "Shop" [level=1]', f"paragraph: The {name} of today", path=f"/{name}") for name in "ab"
    ]
    assert incidents(*pages) == [["a"], ["b"]]


def test_a_page_that_shows_a_gateways_status_is_as_what_was_answered_so():
    page = missed("page", 'heading "504 Gateway Time-out" [level=1]', "separator", "text: nginx/1.22.1")
    assert incidents(page, refused("api", "GET", "/rows", 504)) == [["api", "page"]]
    assert incidents(page, refused("api", "GET", "/rows", 404)) == [["api"], ["page"]]


def test_what_waits_for_its_page_in_vain_hangs_with_the_calls_that_do():
    def waits(name, path, answer):
        timeout = Failure(
            kind="timeout", ours=False, message="Page.goto: Timeout 10000ms exceeded.", detail="", step=""
        )
        facts = Facts(answers=(Answer(by="page", method="GET", path=path, step="", resource="document", **answer),))
        return verdict_of(name, failure=timeout, facts=facts, cause=timeout.message)

    board, desk = (waits(path, f"/{path}", {"status": 0}) for path in ("board", "desk"))
    lost = Refusal(kind="deadline", method="POST", url="http://t/call", phase="answer", within_s=10.0)
    deadline = Failure(kind="deadline", ours=False, message="late", detail="", step="", finding=Finding(refusal=lost))
    call = Answer(by="api", method="POST", path="/call", status=0, step="", operation="Rota", duration_ms=10_000.0)
    api = verdict_of("call", failure=deadline, facts=Facts(answers=(call,)), cause="late")
    assert incidents(board, desk, api) == [["board", "call", "desk"]]
    (alone,) = named(board).verdict.journeys
    assert "Timeout" not in explanation(alone.triage)
    (alone,) = named(api).verdict.journeys
    assert explanation(alone.triage).count("POST /call#Rota was not answered") == 1
    assert explanation(alone.triage).count("POST /call") == 1
    for otherwise in ({"reason": "net::ERR_EMPTY_RESPONSE"}, {"host": "door.example"}):
        assert incidents(board, waits("rota", "/rota", {"status": 0, **otherwise})) == [["board"], ["rota"]]


def test_what_is_refused_of_one_record_and_of_all_is_refused_in_one_place():
    judgement = refused("one", "GET", "/rows/17", 404)
    assert incidents(judgement, refused("all", "POST", "/rows", 404)) == [["all", "one"]]
    assert incidents(judgement, refused("all", "POST", "/rows", 403)) == [["all"], ["one"]]
    assert incidents(judgement, refused("all", "POST", "/notes", 404)) == [["all"], ["one"]]


def test_answers_that_break_off_in_one_place_are_one_incident_whatever_their_status():
    def cut(name, path, status):
        lost = Refusal(
            kind="protocol", method="GET", url=f"http://t{path}", status=status, reason="the connection broke"
        )
        finding = Finding(refusal=lost)
        failure = Failure(kind="protocol", ours=False, message=name, detail="", step="work", finding=finding)
        answer = Answer(by="api", method="GET", path=path, status=status, step="work", reason="broken off")
        return verdict_of(name, step("work", "failed"), failure=failure, facts=Facts(answers=(answer,)), cause=name)

    assert incidents(cut("one", "/rows/17", 200), cut("wrong", "/rows", 400)) == [["one", "wrong"]]
    assert incidents(cut("one", "/rows/17", 200), cut("wrong", "/notes", 400)) == [["one"], ["wrong"]]


def test_who_gets_no_further_after_the_log_in_shows_what_refuses_the_api_to_make_the_same():
    api = refused("api", "POST", "/rows", 422, mutates=("row",))
    assert incidents(missed("page", before=(LET_IN,), mutates=("row",)), api) == [["api", "page"]]
    apart = [["api"], ["page"]]
    assert incidents(missed("page", before=(LET_IN,), mutates=("note",)), api) == apart, "another thing is made"
    assert incidents(missed("page", before=(LET_IN,)), api) == apart, "it makes nothing"
    assert incidents(missed("page", before=(LET_IN,), mutates=("row",), asks=True), api) == apart, "it is not let in"
    assert incidents(missed("page", before=(LET_IN,), mutates=("row",), checks="sentinel"), api) == apart
    forbids = Answer(by="page", method="GET", path="/new", status=403, step="look", resource="fetch")
    own = with_answer(missed("page", before=(LET_IN,), mutates=("row",)), forbids)
    assert incidents(own, api) == apart, "it shows a cause of its own"
    worked = Answer(by="page", method="GET", path="/list", status=200, step="list", resource="document")
    assert incidents(missed("page", before=(LET_IN, worked), mutates=("row",)), api) == apart, "it did something before"


def test_a_fixed_record_is_one_by_its_page_its_request_and_its_title():
    by_page = missed("page", path="/wiki/Duty_rota", checks="sentinel")
    by_api = refused("api", "GET", "/v1/page/Duty_rota", 404, checks="sentinel")
    by_title = missed("search", path="/find.php", locator='get_by_role("link", name="Duty rota")', checks="sentinel")
    assert incidents(by_page, by_api, by_title) == [["api", "page", "search"]]
    other = missed("other", path="/find.php", locator='get_by_role("link", name="Spare parts")', checks="sentinel")
    assert incidents(by_page, by_title, other) == [["other"], ["page", "search"]]


def test_a_log_in_that_is_answered_200_and_says_no_is_refused_by_the_api_as_on_a_page():
    words = "Incorrect username or password entered."
    api = verdict_of(
        "api",
        step("log in", "failed"),
        failure=Failure(kind="expectation", ours=False, message=f"{{'reason': '{words}'}}", detail="", step="log in"),
        facts=Facts(
            answers=(Answer(by="api", method="POST", path="/api", status=200, step="log in", credentials="password"),)
        ),
        cause="api",
    )
    sent = Answer(
        by="page", method="POST", path="/door", status=200, step="look", resource="document", credentials="password"
    )
    page = with_answer(missed("page", f"text: {words}", *("link",) * 9, asks=True), sent)
    found = named(page, api)
    assert incidents(page, api) == [["api", "page"]]
    assert {judgement.triage.candidate for judgement in found.verdict.journeys} == {"user"}


def test_a_target_that_answers_others_well_can_be_reached():
    gone = verdict_of(
        "page",
        step("look", "failed"),
        failure=Failure(kind="refused", ours=False, message="net::ERR_CONNECTION_REFUSED", detail="", step="look"),
        facts=Facts(),
        cause="page",
    )
    (alone,) = named(gone).verdict.journeys
    assert (alone.triage.rule, alone.triage.cause_class) == ("unreachable", "infra")
    beside = next(
        judgement for judgement in named(gone, passed("other")).verdict.journeys if judgement.journey.id == "page"
    )
    assert beside.triage.cause_class == "unknown"
    assert "cannot be reached" not in beside.triage.why


def test_a_target_that_is_slow_whatever_is_asked_is_one_incident_with_what_it_did_not_answer_in_time():
    def slow(*paths, name="slow"):
        degradation = Degradation(kind="over budget", step="work", message=f"too slow: {name}")
        answers = [
            Answer(by="page", method="GET", path=path, status=200, step="work", duration_ms=3000.0) for path in paths
        ]
        facts = Facts(answers=tuple(answers))
        return verdict_of(name, step("work"), outcome="degraded", degradations=(degradation,), facts=facts, cause=name)

    late = refused("late", "GET", "/rows", 504)
    assert incidents(late, slow("/", "/list", "/desk")) == [["late", "slow"]]
    assert incidents(late, slow("/", "/list")) == [["late"], ["slow"]]
    single = slow("/one", name="single")
    assert incidents(late, single) == [["late"], ["single"]], "it may be slow by itself"
    late = refused("late", "GET", "/rows", 504, duration_ms=8000.0)
    assert incidents(late, slow("/", "/list", "/desk"), single) == [["late", "single", "slow"]]


@pytest.mark.parametrize(("about", "status"), [("status", 400), ("fields", 200)])
def test_of_what_one_address_serves_only_the_same_operation_is_one_incident(about, status):
    def asked(name, operation):
        return refused(name, "POST", "/rpc", status, about=about, got=name, operation=operation)

    assert incidents(asked("made", "orders.read"), asked("listed", "orders.read")) == [["listed", "made"]]
    assert incidents(asked("made", "orders.read"), asked("listed", "stock.read")) == [["listed"], ["made"]]


def test_what_may_not_be_done_is_one_incident_where_a_page_shows_it_and_a_message_quotes_it():
    page = missed("page", r'heading "You are not allowed to access \"Shipment\"." [level=4]', checks="sentinel")
    (judgement,) = named(page).verdict.journeys
    assert judgement.triage.candidate == "unknown", "who may not see a record does not know whether it is there"
    assert '"You are not allowed to access "Shipment"."' in judgement.triage.why
    message = """shipment.read: ['UserError', ['You are not allowed to access "Shipment".', None]]"""
    failure = Failure(kind="expectation", ours=False, message=message, detail="", step="work")
    api = verdict_of("api", step("work", "failed"), failure=failure, cause=message, facts=Facts())
    assert incidents(page, api) == [["api", "page"]]
    failure = replace(failure, message=message.replace("Shipment", "Sale"))
    api = verdict_of("api", step("work", "failed"), failure=failure, cause=message, facts=Facts())
    assert incidents(page, api) == [["api"], ["page"]]


def test_what_stands_on_the_page_when_it_broke_came_later():
    (judgement,) = named(
        missed("page", 'link "Log out"', locator='get_by_role("link", name="Log out")')
    ).verdict.journeys
    assert judgement.triage.why.endswith("; it came later.")


@pytest.mark.parametrize(
    ("words", "candidate"), [("Connection refused by 127.0.0.1", "unknown"), ("no row is called Radio", "data")]
)
def test_what_cannot_be_read_for_want_of_a_store_says_nothing_of_a_fixed_record(words, candidate):
    failure = Failure(kind="expectation", ours=False, message=f"find: ['{words}', '']", detail="", step="work")
    checked = verdict_of("fixed", step("work", "failed", "sentinel"), failure=failure, cause=words, facts=Facts())
    (judgement,) = named(checked).verdict.journeys
    assert judgement.triage.candidate == candidate
