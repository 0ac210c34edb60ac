"""What a page complains of is said, and joins journeys: its words, where they stand, and what was on the way to it."""

import pytest
from msgspec.structs import replace
from test_page_and_api import LET_IN, incidents, missed, named, refused, step, with_answer
from verdicts import verdict_of

from synthprobe.records.evidence import Answer, Facts, PageSeen
from synthprobe.records.finding import Contradiction, Finding
from synthprobe.records.result import Degradation, Failure
from synthprobe.words import explanation

LONG = ('heading "Depot" [level=1]', *("link",) * 9, 'heading "New row" [level=2]')


def explained(*journeys):
    """What is said of the first."""
    (first, *_) = named(*journeys).verdict.journeys
    return explanation(first.triage)


def test_what_a_page_complains_of_is_what_the_api_is_refused_for():
    page = missed("page", *LONG, "listitem: Gate cannot be blank", before=(LET_IN,))
    assert incidents(page, refused("api", "POST", "/rows", 422, reason="Name is short; Gate cannot be blank")) == [
        ["api", "page"]
    ]
    assert incidents(page, refused("api", "POST", "/rows", 422, reason="Name is short")) == [["api"], ["page"]]
    warned = missed("page", *LONG, 'status: "Request failed with status code 504"')
    assert incidents(warned, refused("api", "GET", "/rows", 504)) == [["api", "page"]]
    assert incidents(warned, refused("api", "GET", "/rows", 404)) == [["api"], ["page"]]


def test_a_complaint_is_said_before_headings_and_of_those_more_than_the_sites_name():
    sought = 'get_by_role("heading", name="Probe 24")'
    assert 'says "Gate cannot be blank"' in explained(
        missed("page", *LONG, "listitem: Gate cannot be blank", locator=sought)
    )
    assert 'says "Depot", "New row"' in explained(missed("page", *LONG))
    late = (*LONG, "text: Your order is complete Reference 18")
    assert explained(missed("page", *late, locator='get_by_text("order is complete")')).endswith("it came later.")
    exactly = missed("page", *late, locator='get_by_text("order is complete", exact=True)')
    assert "came later" not in explained(exactly)
    excuse = ('heading "Something went wrong" [level=1]', "paragraph: The store is closed.", "paragraph: Go home.")
    assert 'says "Something went wrong", "The store is closed."' in explained(missed("page", *LONG, *excuse))
    links = [f'link "Place {number}"' for number in range(4)]
    locator = 'get_by_role("link", name="Spare radio")'
    assert 'says "Depot", "New row"' in explained(missed("page", *LONG, *links, locator=locator)), (
        "many links tell nothing"
    )
    assert 'has link "Place 0"' in explained(missed("page", *LONG, links[0], locator=locator))


def test_a_label_or_an_icon_is_not_what_a_page_says():
    bar = (
        'link "timeline Overview":',
        'img "timeline"',
        "text: Overview",
        'textbox "Find a rota"',
        "text: Find a rota",
    )
    empty = ("text: Rotas", 'img "search"', "text: No rotas There are none for today.")
    locator = 'get_by_role("link", name=re.compile(r"^Night"))'
    assert explained(missed("page", *bar, *empty, locator=locator)) == (
        'link /^Night/ was not there after 5 s; the page /desk says "No rotas There are none for today.".'
    )
    assert 'says "Overview"' in explained(missed("page", *bar, locator=locator)), "there is nothing else"
    link = ('link "Read more about the rota":', "text: Read more about the rota")
    assert 'says "Rotas"' in explained(missed("page", *link, 'img "search"', "text: Rotas", locator=locator))
    icon = ('img "latest rota"', "text: The rota is being written.")
    assert 'says "The rota is being written."' in explained(
        missed("page", *icon, locator='get_by_text("Latest rota of today")')
    )


def test_of_a_chain_what_is_not_there_is_compared_and_not_what_stands_around_it():
    def instead(*outline, within="grid"):
        locator = f'get_by_role("{within}", name="Stock").get_by_role("row", name="Spare radio").get_by_role("button")'
        return explained(missed("page", *LONG, *outline, locator=locator))

    rows = ('row "Anchor 4"', 'row "Rope 7"')
    assert 'has row "Anchor 4", "Rope 7"' in instead('grid "Stock":', *rows)
    assert "came later" not in instead('grid "Stock":', *rows, "button")
    assert 'has row "Spare radios"' in instead('grid "Stock":', *rows, 'row "Spare radios"')
    assert 'has grid "Stocks"' in instead('grid "Stocks":', *rows), "the outermost is not there"


def test_a_control_of_another_name_is_told_where_it_did_not_stand_there_before():
    def instead(*unusual, sought="Lager", exact=""):
        controls = ('button "\uf0c0 Bestände"', *(f'button "Knopf {number}"' for number in range(4)))
        outline = dict.fromkeys((*LONG, *controls, *unusual))
        page = missed("page", *outline, locator=f'get_by_role("button", name="{sought}"{exact})')
        facts = page.results[-1].facts
        known = (replace(facts.pages[-1], unusual=unusual),)
        return explained(replace(page, results=(replace(page.results[-1], facts=replace(facts, pages=known)),)))

    assert 'has button "Bestände", which was not seen when it was last well' in instead('button "\uf0c0 Bestände"')
    assert 'has button "Bestände"' in instead('button "\uf0c0 Bestände"', sought="Knopfreihe"), (
        "a new one before one alike"
    )
    assert "Bestände" not in instead()
    assert "Bestände" not in instead('button "\uf0c0 Bestände"', "alert: Zu viele Anfragen"), (
        "it complains of something"
    )
    assert r'has button "\uf0c0 Bestände"' in instead(sought="Bestände", exact=", exact=True"), (
        "the sign is the difference"
    )


def test_a_page_that_shows_another_value_is_told_with_what_it_warns_of_only_now():
    def beside(warnings, unusual):
        counted = Contradiction(about="locator", expected="Locator expected to have text '7 Posten'", got="0 Posten")
        page = PageSeen(path="/lager", outline=LONG, warnings=warnings, unusual=unusual)
        failure = Failure(
            kind="expectation",
            ours=False,
            message=counted.expected,
            detail="",
            step="look",
            finding=Finding(contradiction=counted),
        )
        return explained(
            verdict_of("count", step("look", "failed"), failure=failure, cause="0", facts=Facts(pages=(page,)))
        )

    warning = "Der Bestand konnte nicht gelesen werden"
    assert f'The page /lager says "{warning}"' in beside((warning,), (f"alert: {warning}",))
    assert warning not in beside((warning,), None), "it may stand there always"
    assert "says" not in beside((), ())


def test_a_page_of_a_refusal_says_why_and_not_the_sites_name():
    page = missed("page", *LONG, "paragraph: You are not authorized to access this page.", before=(LET_IN,))
    page = with_answer(
        page, Answer(by="page", method="GET", path="/desk", status=403, step="look", resource="document")
    )
    assert 'says "You are not authorized to access this page."' in explained(page)


def test_who_is_refused_the_page_on_which_something_is_made_shows_what_refuses_the_api_to_make_it():
    page = missed("page", *LONG, before=(LET_IN,), mutates=("row",))
    page = with_answer(page, Answer(by="page", method="GET", path="/new", status=403, step="look", resource="document"))
    assert incidents(page, refused("api", "POST", "/rows", 422, mutates=("row",))) == [["api", "page"]]
    assert incidents(page, refused("api", "POST", "/rows", 422, mutates=("note",))) == [["api"], ["page"]]


def test_where_nobody_can_change_anything_it_is_one_incident_with_a_log_in_and_is_not_called_code():
    log_in = with_answer(missed("page", *LONG), replace(LET_IN, status=500, step="look"))
    changes = [
        refused(name, "POST", f"/{name}", status, reason=name) for name, status in (("rows", 500), ("notes", 507))
    ]
    reads = replace(refused("reads", "GET", "/reads", 200), outcome="passed")
    assert incidents(log_in, *changes, reads) == [["notes", "page", "rows"]]
    found = named(log_in, *changes, reads).verdict.journeys
    assert "code" not in {judgement.triage.candidate for judgement in found if judgement.outcome == "failed"}
    apart = [["notes"], ["page"], ["rows"]]
    changed = replace(refused("changed", "POST", "/works", 201, mutates=("work",)), outcome="passed")
    assert incidents(log_in, *changes, changed) == apart, "somebody changed something"
    assert incidents(*changes, reads) == [["notes"], ["rows"]], "two are few"


def test_one_record_is_in_one_place_in_whatever_format_and_by_the_name_of_its_kind():
    assert incidents(refused("one", "GET", "/rows/17.json", 404), refused("all", "POST", "/rows.json", 404)) == [
        ["all", "one"]
    ]
    page = missed("page", path="/desk/duties", checks="sentinel")
    assert incidents(page, refused("api", "GET", "/items/duties/1", 404, checks="sentinel")) == [["api", "page"]]
    assert incidents(page, refused("api", "GET", "/items/notices/1", 404, checks="sentinel")) == [["api"], ["page"]]


def refused_log_in(name, words):
    sent = replace(LET_IN, status=200, step="look")
    return with_answer(missed(name, f"text: {words}", *("link",) * 9, asks=True), sent)


def test_who_is_locked_is_a_stranger_with_a_token_as_well_and_who_sent_a_wrong_password_may_not_be():
    key = refused("api", "POST", "/rows", 401, credentials="token")
    assert incidents(refused_log_in("page", "Your account is locked"), key) == [["api", "page"]]
    assert incidents(refused_log_in("page", "Invalid password"), key) == [["api"], ["page"]]

    (page, api) = named(refused_log_in("page", "Your account is locked"), key).verdict.journeys
    assert {"account is locked" in explanation(judgement.triage) for judgement in (page, api)} == {True}, (
        "it says more than a 401"
    )
    gate = Answer(by="page", method="GET", path="/desk", status=401, step="look", resource="document")
    assert incidents(with_answer(missed("page", *LONG), gate), key) == [["api", "page"]]


def test_a_page_of_a_record_that_was_made_otherwise_is_what_the_api_is_answered_otherwise():
    seen = {"path": "/rows/17", "before": (LET_IN,), "locator": 'get_by_role("heading", name="Probe 24")'}
    page = missed("page", *LONG, mutates=("row",), **seen)
    api = refused("api", "GET", "/rows/18.json", 200, about="fields", got="{}")
    assert incidents(page, api) == [["api", "page"]]
    assert incidents(missed("page", *LONG, **seen), api) == [["api"], ["page"]]
    assert incidents(page, refused("api", "GET", "/notes/18.json", 200, about="fields")) == [["api"], ["page"]]


def test_nobody_logged_in_where_every_log_in_was_refused_and_its_words_are_said_once():
    words = explained(*(refused_log_in(name, "Invalid user or password") for name in ("a", "b")))
    assert "logged in there" not in words
    assert words.count("Invalid user or password") == 1
    words = explained(refused_log_in("page", "Your account is locked"))
    assert ("asks for a password again" in words, words.count("account is locked")) == (True, 1)
    sent_back = missed("page", *LONG, 'link "Forgot"', locator='get_by_role("link", name="My rows")', asks=True)
    facts = sent_back.results[0].facts
    pages = (replace(facts.pages[0], unusual=('link "Forgot"',)),)
    sent_back = replace(sent_back, results=(replace(sent_back.results[0], facts=replace(facts, pages=pages)),))
    assert "asks for a password again" in explained(with_answer(sent_back, replace(LET_IN, step="look")))
    assert "asks for a password again" not in explained(sent_back), "nobody has logged in"


def test_a_sentence_of_which_a_part_is_set_off_is_read_whole():
    pieces = ('strong: "Error:"', "text: The password you entered for the user name", "strong: robin")
    sent = replace(LET_IN, status=200, step="look")

    def page(*outline):
        return with_answer(missed("page", 'heading "Depot"', *outline, "textbox", asks=True), sent)

    (refusal,) = named(page(*pieces, "text: is incorrect.")).verdict.journeys
    assert (refusal.triage.rule, refusal.triage.candidate) == ("account-refused", "user")
    assert "Error: The password you entered for the user name robin is incorrect." in explanation(refusal.triage)
    (apart,) = named(page(*pieces, "paragraph: is incorrect.")).verdict.journeys
    assert apart.triage.candidate == "unknown"


def test_an_error_of_everything_that_is_asked_is_not_called_code():
    broken = [refused(name, "GET", f"/{name}", 500) for name in ("a", "b", "c")]
    classes = [judgement.triage.candidate for judgement in named(*broken).verdict.journeys]
    assert classes == ["unknown"] * 3
    (broken_journey, *_) = named(*broken[:2], replace(broken[2], outcome="passed")).verdict.journeys
    assert broken_journey.triage.candidate == "code"


def made(name, path, *, failed):
    asked = Answer(by="page", method="POST", path=path, status=302, step="make", resource="document", duration_ms=5200)
    if failed:
        message = "Locator.click: Timeout 6000ms exceeded."
        failure = Failure(kind="timeout", ours=False, message=message, detail="", step="make")
        how = {"failure": failure, "cause": message}
    else:
        slow = Degradation(kind="over budget", step="make", message="too slow")
        how = {"outcome": "degraded", "degradations": (slow,), "cause": "too slow"}
    took = replace(step("make", "failed" if failed else "passed"), duration_s=6.5)
    return verdict_of(name, took, facts=Facts(answers=(asked,)), mutates=("row",), **how)


@pytest.mark.parametrize("failed", [True, False])
def test_what_takes_long_to_be_made_is_one_incident_and_the_request_that_took_it_is_named(failed):
    first = made("page", "/desk/rows", failed=failed)
    assert incidents(first, made("api", "/rows", failed=False)) == [["api", "page"]]
    assert "POST /desk/rows took 5.2 s" in explained(first)


@pytest.mark.parametrize(("asks", "together"), [(True, [["board", "desk"]]), (False, [["board"], ["desk"]])])
def test_who_is_let_in_in_the_step_that_breaks_is_not_kept_at_the_log_in(asks, together):
    sent = replace(LET_IN, step="look")
    both = [
        with_answer(
            missed(name, *LONG, f"text: {name}", path=f"/{name}", locator=f'locator("#{name}")', asks=asks), sent
        )
        for name in ("board", "desk")
    ]
    assert incidents(*both) == together


def test_what_one_account_may_not_do_is_one_incident_by_basic_and_on_a_page():
    page = missed("page", *LONG, before=(replace(LET_IN, account="warden"),))
    page = with_answer(page, Answer(by="page", method="GET", path="/new", status=403, step="look", resource="document"))
    for account, wanted in {"warden": [["api", "page"]], "porter": [["api"], ["page"]]}.items():
        api = refused("api", "POST", "/rest/rows", 403, credentials="password", account=account)
        assert incidents(api, page) == wanted


COMPLAINTS = {
    "German": ("Das Tor darf nicht leer sein", "Neuer Eintrag", "Tor"),
    "Spanish": ("La puerta no puede estar vacía", "Fila nueva", "Puerta"),
    "Japanese": ("門を入力してください", "新しい行", "門"),
}


@pytest.mark.parametrize("language", COMPLAINTS)
def test_a_complaint_is_known_in_any_language_by_its_role_its_field_or_as_it_stands_there_only_now(language):
    complaint, heading, field = COMPLAINTS[language]
    form = (f'heading "{heading}" [level=1]', f'textbox "{field}"', f"text: {complaint}", *("link",) * 9)
    crowd = tuple(f"text: {heading} {'I' * number}" for number in range(1, 6))
    api = refused("api", "POST", "/rows", 422, reason=complaint)
    sought = {"locator": 'get_by_role("heading", name="Probe 24")'}

    def joined(*outline, **seen):
        page = missed("page", *outline, **sought)
        (result,) = page.results
        shown = (replace(result.facts.pages[0], **seen),)
        page = replace(page, results=(replace(result, facts=replace(result.facts, pages=shown)),))
        assert (complaint in explained(page)) == (incidents(page, api) == [["api", "page"]])
        return complaint in explained(page)

    assert joined(*form, warnings=(complaint,)), "marked by the page, or beside a field that it calls invalid"
    assert joined(f'alert: "{complaint}"', *form[:2], *form[3:])
    assert joined(*form, unusual=(form[2],))
    assert not joined(*form, unusual=()), "what always stands there is none"
    assert not joined(*form), "where nothing is known of that it is a text as any"
    assert not joined(*form, *crowd, unusual=(form[2], *crowd)), "another page says many new things"
    invalid = (form[0], f"{form[1]} [invalid]", *form[2:])
    assert joined(*invalid, *crowd, unusual=(form[2], *crowd)), "but what stands beside the control is of it"


def test_english_words_of_a_complaint_are_none_where_they_always_stand():
    words = "paragraph: A name must be given"
    assert "must be given" in explained(missed("page", *LONG, words))
    page = missed("page", *LONG, words)
    (result,) = page.results
    shown = (replace(result.facts.pages[0], unusual=()),)
    page = replace(page, results=(replace(result, facts=replace(result.facts, pages=shown)),))
    assert "must be given" not in explained(page)


def test_a_page_is_quoted_with_what_it_did_not_say_when_all_was_well():
    def seen(*unusual):
        (result,) = missed("page", *LONG, *unusual).results
        shown = (replace(result.facts.pages[0], unusual=unusual),)
        return explained(replace(page, results=(replace(result, facts=replace(result.facts, pages=shown)),)))

    page = missed("page", *LONG)
    assert "Depot" in explained(page)
    assert "Depot" not in seen()
    assert "says nothing" not in seen()
    rows = tuple(f"listitem: Crate {number}" for number in range(4))
    assert 'says "Crate 0", "Crate 1"' in seen(*rows)


def test_the_page_of_another_host_that_gave_no_answer_in_an_earlier_step_is_why_nothing_is_there():
    """The door that a click leads to is another system's: the click was well, and what it asked for never came."""
    door = Answer(
        by="page", method="GET", path="/authorize", status=0, step="open", resource="document", host="id.t:9914",
        reason="net::ERR_CONNECTION_REFUSED",
    )  # fmt: skip
    lost = with_answer(missed("lost", "text:", path="/", locator='get_by_label("User name")'), door)
    assert "GET id.t:9914/authorize ended with net::ERR_CONNECTION_REFUSED" in explained(lost)
    assert "says nothing" not in explained(lost)
    assert "id.t" not in explained(with_answer(missed("shown", *LONG), door)), "a frame of a page that is there"
    opened = replace(door, path="/desk", host="", status=200, reason="")
    assert "id.t" not in explained(with_answer(lost, opened)), "it was asked for again and came"
