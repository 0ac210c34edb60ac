"""Journeys that meet the same unusual thing are one incident, wherever each was when it met it."""

import pytest
from msgspec.structs import replace
from test_page_and_api import LET_IN, incidents, missed, named, passed, refused, with_answer

from synthprobe.records.evidence import Answer
from synthprobe.records.finding import Contradiction, Finding, Refusal
from synthprobe.records.result import Failure
from synthprobe.words import explanation

SETUP = (
    'heading "Welcome" [level=1]',
    *(f"text: Tell us about part {part} of your new desk" for part in "abc"),
    'button "Go"',
)


def opened(path, status=200, **more):
    return Answer(by="page", method="GET", path=path, status=status, step="look", resource="document", **more)


def sought(name, *outline, path, **more):
    return missed(name, *outline, path=path, locator=f'get_by_role("heading", name="{name}")', **more)


def test_a_page_to_which_everybody_is_led_is_one_incident():
    def led(name, *, by="GET", status=302):
        page = sought(name, f"text: {name}", *SETUP, path="/setup")
        return with_answer(with_answer(page, replace(opened(f"/{name}", status), method=by)), opened("/setup"))

    api = refused("api", "GET", "/setup", 200)
    asked = Answer(by="api", method="POST", path="/rows", status=302, step="work")
    (result,) = api.results
    facts = replace(result.facts, answers=(asked, *result.facts.answers))
    api = replace(api, results=(replace(result, facts=facts),))
    assert incidents(led("hours"), led("board")) == [["board", "hours"]]
    assert incidents(led("hours"), led("board"), api) == [["api", "board", "hours"]]
    apart = [["board"], ["hours"]]
    assert incidents(led("hours", status=200), led("board", status=200)) == apart
    assert incidents(led("hours", by="POST"), led("board", by="POST")) == apart, "so a form ends"


def test_a_page_that_stands_at_every_address_is_one_incident_and_pages_that_differ_are_not():
    board = sought("board", *SETUP, path="/board")
    assert incidents(board, sought("hours", *SETUP, path="/hours")) == [["board", "hours"]]
    assert incidents(board, sought("hours", *SETUP, "text: open", path="/hours")) == [["board"], ["hours"]]


def test_an_address_that_is_masked_is_judged_by_what_is_left_of_it():
    def unreachable(name):
        journey = refused(name, "GET", f"/{name}", 0)
        finding = Finding(refusal=Refusal(kind="refused", url="http://[masked]@t:1/"))
        failure = Failure(kind="request", ours=False, message=name, detail="", step="work", finding=finding)
        return replace(journey, results=(replace(journey.results[0], failure=failure),))

    assert incidents(unreachable("a"), unreachable("b")) == [["a", "b"]]


def test_two_headers_that_one_answer_lacks_are_two_incidents_and_one_that_two_miss_is_one():
    def lacking(name, header):
        journey = refused(name, "GET", "/", 200, about="header")
        (result,) = journey.results
        wrong = replace(result.failure.finding.contradiction, expected=f"header {header}")
        failure = replace(result.failure, finding=Finding(contradiction=wrong))
        return replace(journey, results=(replace(result, failure=failure),))

    careless = lacking("a", "referrer-policy"), lacking("b", "referrer-policy")
    assert incidents(*careless, lacking("c", "x-frame-options")) == [["a", "b"], ["c"]]


def test_a_place_where_nothing_listens_is_the_same_for_a_log_in_and_for_a_file():
    def sent(reason):
        return replace(LET_IN, status=0, step="look", reason=reason)

    file = with_answer(
        sought("file", *SETUP, "text: file", path="/files"), opened("/files", 0, reason="net::ERR_FAILED")
    )
    file = with_answer(file, opened("/files", 0, reason="net::ERR_CONNECTION_REFUSED"))
    for reason, wanted in {
        "net::ERR_CONNECTION_REFUSED": [["file", "page"]],
        "net::ERR_FAILED": [["file"], ["page"]],
    }.items():
        page = with_answer(sought("page", *SETUP, "text: page", path="/door"), sent(reason))
        assert incidents(page, file) == wanted


def test_what_breaks_off_after_a_long_wait_is_as_what_a_gateway_gave_up():
    gave_up = refused("api", "GET", "/rows", 504)
    for waited, wanted in {10_000.0: [["api", "page"]], 100.0: [["api"], ["page"]]}.items():
        answer = opened("/board", reason="net::ERR_INCOMPLETE_CHUNKED_ENCODING", duration_ms=waited)
        assert incidents(with_answer(sought("page", *SETUP, path="/board"), answer), gave_up) == wanted


NOT_FOUND = "404 Not Found door/1.22.1"


def test_who_stands_before_the_application_and_finds_nothing_is_one_incident_for_pages_and_api():
    page = missed("page", 'heading "404 Not Found" [level=1]', "separator", "text: door/1.22.1", path="/hours")
    api = refused("api", "POST", "/rows", 404, reason=NOT_FOUND, content_type="text/html")
    assert incidents(page, api) == [["api", "page"]]
    assert incidents(page, refused("api", "POST", "/rows", 404, reason=NOT_FOUND, content_type="application/json")) == [
        ["api"],
        ["page"],
    ], "it is said of one record"


@pytest.mark.parametrize("path", ["/notes", "/v1/files"])
def test_words_are_the_same_whatever_was_asked_for(path):
    words = {"content_type": "text/html", "reason": "Cannot GET /rows"}
    other = words | {"reason": f"Cannot GET {path}"}
    assert incidents(refused("a", "GET", "/rows", 404, **words), refused("b", "GET", path, 404, **other)) == [
        ["a", "b"]
    ]
    other["reason"] = "Cannot GET the moon"
    assert incidents(refused("a", "GET", "/rows", 404, **words), refused("b", "GET", path, 404, **other)) == [
        ["a"],
        ["b"],
    ]


def test_who_is_let_in_nowhere_is_one_incident():
    rows = refused("rows", "POST", "/rows", 403)
    assert incidents(rows, refused("notes", "GET", "/notes", 403)) == [["notes", "rows"]]
    apart = [["notes"], ["rows"]]
    assert incidents(rows, refused("notes", "GET", "/notes", 403, reason="The hall is closed")) == apart
    assert incidents(rows, refused("notes", "GET", "/notes", 405)) == apart


def test_who_was_let_in_and_is_asked_again_has_lost_its_session():
    key = refused("api", "GET", "/rows", 401, credentials="token")
    assert incidents(sought("page", *SETUP, path="/door", before=(LET_IN,), asks=True), key) == [["api", "page"]]
    assert incidents(sought("page", *SETUP, path="/door", before=(LET_IN,)), key) == [["api"], ["page"]]


def test_a_page_that_says_nothing_shows_what_it_asked_for_where_another_journey_was_answered_otherwise():
    api = refused("api", "GET", "/rows", 200, about="fields", got="[]")
    page = sought("page", *SETUP, path="/board")
    data = Answer(by="page", method="GET", path="/rows", status=200, step="look", resource="fetch")
    both = (with_answer(page, data), api)
    assert incidents(*both) == [["api", "page"]]
    (first, _) = named(*both).verdict.journeys
    assert "GET /rows" in explanation(first.triage)
    apart = [["api"], ["page"]]
    assert incidents(with_answer(page, replace(data, path="/notes")), api) == apart
    refuses = replace(data, path="/notes", status=409)
    assert incidents(with_answer(with_answer(page, data), refuses), api) == apart, "it shows a cause of its own"


def test_a_socket_that_is_refused_is_one_incident_of_the_pages_that_need_it_and_is_said():
    def needing(name, reason):
        socket = Answer(
            by="page", method="GET", path="/push", status=0, step="look", resource="websocket", reason=reason
        )
        return with_answer(sought(name, *SETUP, f"text: {name}", path=f"/{name}"), socket)

    refusal = "Error during WebSocket handshake: Unexpected response code: 502"
    both = [needing(name, refusal) for name in ("board", "desk")]
    assert incidents(*both) == [["board", "desk"]]
    assert "GET /push could not be opened" in explanation(named(*both).verdict.journeys[0].triage)
    left = "WebSocket is closed before the connection is established."
    assert incidents(*(needing(name, left) for name in ("board", "desk"))) == [["board"], ["desk"]]


def test_who_asks_with_a_password_where_nothing_is_found_is_not_kept_at_the_log_in():
    sent = replace(LET_IN, status=200, step="look")
    door = with_answer(sought("page", *SETUP, path="/door", asks=True), sent)
    for status, wanted in {404: [["api"], ["page"]], 403: [["api", "page"]]}.items():
        assert incidents(door, refused("api", "POST", "/rows", status, credentials="password")) == wanted


def test_a_fixed_record_that_the_api_asks_for_by_number_and_a_page_by_name_is_one_where_no_other_is_missing():
    by_number = refused("api", "GET", "/rows/1", 404, checks="sentinel")
    by_name = sought("Spare radio", *SETUP, path="/find", checks="sentinel")
    assert incidents(by_number, by_name) == [["Spare radio", "api"]]
    other = sought("Gate key", *SETUP, "text: key", path="/look", checks="sentinel")
    assert incidents(by_number, by_name, other) == [["Gate key"], ["Spare radio"], ["api"]]
    assert incidents(refused("api", "GET", "/rows/1", 404), by_name) == [["Spare radio"], ["api"]]


def test_an_error_that_most_journeys_meet_is_one_incident_and_no_error_of_the_code():
    def broken(name, path):
        return refused(name, "GET", path, 500, reason="Internal Server Error")

    page = with_answer(sought("page", *SETUP, path="/board"), opened("/board", 500))
    few = [page, broken("rows", "/rows"), broken("notes", "/notes")]
    most = [*few, broken("people", "/people")]
    names = sorted(journey.journey.id for journey in most)
    assert incidents(*most, passed("a"), passed("b")) == [names]
    assert incidents(*most, *map(passed, "abcd")) == [[name] for name in names], "half are not most"
    assert incidents(*few, passed("a")) == [["notes"], ["page"], ["rows"]], "three may be three"

    def sentences(*journeys):
        return [explanation(judgement.triage) for judgement in named(*journeys).verdict.journeys if judgement.triage]

    assert not any("May be code" in words for words in sentences(*most, passed("a")))
    assert all("May be code" in words for words in sentences(*few, *map(passed, "abcd")))


def test_a_refusal_that_every_journey_meets_is_one_incident_on_pages_and_by_the_api():
    def judged(status, *others, heading="Unknown host"):
        page = sought("page", f'heading "{heading}" [level=1]', *SETUP, path="/board")
        page = with_answer(page, opened("/board", status))
        api = (
            refused(name, "GET", f"/{name}", 400, reason=f"Unknown host asked for {name}") for name in ("a", "b", "c")
        )
        return incidents(page, *api, *others)

    assert judged(400) == [["a", "b", "c", "page"]]
    assert judged(422) == [["a", "b", "c"], ["page"]]
    assert judged(400, heading="Broken form") == [["a", "b", "c"], ["page"]]
    assert judged(400, passed("d")) == [["a"], ["b"], ["c"], ["page"]], "somebody is let through"


def test_who_misses_the_same_after_the_log_in_of_one_account_is_one_incident():
    def sent_back(name, account="vera", link="My rows"):
        shown = missed(name, *SETUP, f"text: {name}", path=f"/{name}", locator=f'get_by_role("link", name="{link}")')
        return with_answer(shown, replace(LET_IN, step="look", account=account))

    assert incidents(sent_back("a"), sent_back("b")) == [["a", "b"]]
    assert incidents(sent_back("a"), sent_back("b", account="nora")) == [["a"], ["b"]]
    assert incidents(sent_back("a"), sent_back("b", link="My notes")) == [["a"], ["b"]]


def test_a_request_for_another_record_is_not_said_to_be_the_same():
    api = refused("api", "GET", "/rows/2", 200, got="nothing")
    for path, wanted in {"/rows/1": "like GET /rows/1", "/rows/2": "asked GET /rows/2 too"}.items():
        page = with_answer(sought("page", *SETUP, path="/board"), opened(path))
        words = [explanation(j.triage) for j in named(page, api).verdict.journeys if j.journey.id == "page"]
        assert [wanted in words[0], "<" in words[0]] == [True, False], words


def test_a_page_and_the_api_that_show_the_same_other_time_of_a_fixed_record_are_one_incident():
    def shows(name, checks="sentinel", **wrong):
        journey = missed(name, *SETUP, path=f"/{name}", checks=checks)
        (result,) = journey.results
        failure = replace(
            result.failure, finding=Finding(**wrong), message=wrong.pop("message", result.failure.message)
        )
        return replace(journey, results=(replace(result, failure=failure),))

    def page(got, **more):
        expected = "row expected to contain text '10:30'"
        return shows("page", contradiction=Contradiction(about="locator", expected=expected, got=got), **more)

    def api(message):
        (result,) = shows("api").results
        return replace(shows("api"), results=(replace(result, failure=replace(result.failure, message=message)),))

    assert incidents(page("15:00 to 15:40, crane seven"), api("15:00:00")) == [["api", "page"]]
    assert incidents(page("15:00 to 15:40, crane seven"), api("16:00:00")) == [["api"], ["page"]]
    assert incidents(page("15:00", checks=""), api("15:00:00")) == [["api"], ["page"]], "not of a fixed record"
    made_at = {"id": 7, "name": "crane seven", "made": "2026-11-28T15:00:00", "changed": "2026-11-28T16:00:00"}
    assert incidents(page("15:00"), api(f"{made_at} of a crane")) == [["api"], ["page"]], "a record has many times"
