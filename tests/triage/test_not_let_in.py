"""Who is not let in, and for what: one account, everybody as the server breaks, or nobody at all."""

from msgspec.structs import replace
from test_page_and_api import LET_IN, incidents, missed, named, passed, refused, with_answer

from synthprobe.records.evidence import Answer


def shown(status):
    """A page without the row that is always there, whose data was answered so."""
    asked = Answer(by="page", method="GET", path="/api/rows", status=status, step="look", resource="xhr")
    return with_answer(missed("page", checks="sentinel", locator='get_by_role("row", name="season")'), asked)


def candidate(*journeys):
    return named(*journeys).verdict.journeys[0].triage.candidate


def test_nothing_is_said_of_a_record_where_its_page_did_not_get_what_it_shows():
    for status in (200, 404):
        assert candidate(shown(status), passed("other")) == "data"
    for status in (504, 400, 0):
        assert candidate(shown(status), passed("other")) == "unknown"


def test_accounts_that_are_refused_all_at_once_while_the_server_breaks_are_not_to_blame():
    def log_in(name, account):
        credentials = {"reason": "Invalid credentials", "credentials": "password", "account": account}
        return refused(name, "POST", "/token", 401, **credentials)

    broken = refused("list", "GET", "/rows", 500)
    assert candidate(log_in("read", "ann"), log_in("write", "ben"), broken) == "unknown"
    assert candidate(log_in("read", "ann"), log_in("write", "ann"), broken) == "user", "one account, and another cause"
    assert candidate(log_in("read", "ann"), log_in("write", "ben")) == "user", "nothing else breaks"


def test_who_was_let_in_and_whose_page_does_not_answer_shares_no_refused_log_in():
    def signing_in(name, *after, status):
        sent = replace(LET_IN, status=status, step="look", host="id.t")
        journey = missed(name, 'alert: "Wrong password"', path="/door", locator='get_by_role("button", name="User")')
        (result,) = journey.results
        pages = result.facts.pages if status == 401 else ()
        return replace(
            journey, results=(replace(result, facts=replace(result.facts, answers=(sent, *after), pages=pages)),)
        )

    rows = Answer(by="page", method="GET", path="/api/me", status=200, step="look", resource="xhr")
    refused_one, slow = signing_in("ann", status=401), signing_in("ben", rows, status=303)
    assert incidents(refused_one, slow) == [["ann"], ["ben"]]
    assert incidents(refused_one, signing_in("ben", status=401)) == [["ann", "ben"]]
