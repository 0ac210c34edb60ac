"""Evidence by which journeys are seen to show one cause: the node, account, script, source, request or words.

Each is a line a person can read. What is generic ("Internal error", "Locator expected to be visible") joins nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from synthprobe.records.address import path_of
from synthprobe.records.evidence import MANY_QUERIES, Answer
from synthprobe.records.incident import Triage
from synthprobe.records.result import LOG_IN_AS
from synthprobe.targets.addresses import host_of
from synthprobe.triage.facts import EDGE, LIMITS, MANY, TriageFacts, is_change, is_kept_out
from synthprobe.triage.fingerprint import normalise
from synthprobe.triage.fixed_records import record_by
from synthprobe.triage.places import collection, contradicted_request, place_of
from synthprobe.triage.shown import (
    BETWEEN_TAGS,
    excuse,
    led_to,
    page_instead,
    shown_status,
    texts,
    warned_of,
    whole_page,
    words_of_refusal,
)
from synthprobe.triage.sight import words_of
from synthprobe.triage.timing import is_slow_write
from synthprobe.words import element, first_line, named

_ASSET = re.compile(r"\.(m?js|css)$", re.IGNORECASE)
_OF_A_PAGE = re.compile(r"^(Locator|Page|Frame|APIRequestContext|ElementHandle|Timeout|Error: )")
RIGHTS = {"grant", "forbidden", "control-missing"}
"""Rules by which an account may not do something."""
_GIVEN = {"null-island": "a position of 0, 0", "whole-hours": "times off by whole hours"}
"""Rules by which what the target was given is wrong in one way, wherever it is shown."""
_QUOTED = re.compile(r"""(['"])(.+?)\1""")
_NAME = re.compile(r"^(?=.*[^\W\d_])[^<>]{4,}$")  # a number or a placeholder names nothing
_FIGURE = re.compile(r"\d+[.:,]\d\d\b")  # a time of day, a price
_A_VALUE = 80
"""Signs of a text that is a value, and not a record with its dates."""
_PROGRAM = re.compile(r"\.(php|aspx?|jsp|cgi|html?)$", re.IGNORECASE)  # one that shows all records names none
_NO_CONNECTION = {"dns", "refused", "tls", "no connection"}
_NO_WAY = "no connection to {}"
_NOT_CONNECTED = re.compile(r"net::ERR_(CONNECTION_(REFUSED|TIMED_OUT)|NAME_NOT_RESOLVED|ADDRESS_UNREACHABLE|SSL|CERT)")
_NOT_LET = {401, 403, 405}  # who asks, or how, is not let in, whatever it is for
_ABSENT = {404, 410}  # said of one record, in the same words of each
_GATEWAY = EDGE | {502, 504}
_BY_GATEWAY = "answered {} by what stands before the application"
_CUT_OFF = "could not be read whole"
_GATEWAY_WAITED = _BY_GATEWAY.format(504)
_SLOW = "whatever is asked takes long"
_IN_VAIN_MS = 5000
"""From how long on a request that ended without an answer was waited for, and not refused at once."""
KEPT_OUT = "kept at the log-in"
"""Evidence of who got no further than where it logs in."""


def evidence_of(facts: TriageFacts, cause: Triage | None, identifiers: Mapping[str, str]) -> tuple[str, ...]:
    """What of a failure another journey may share; nothing when the probe failed, or nobody could tell by it.

    Where the node or the account is to blame, the requests that show it are not, so they are left out.
    """
    if facts.ours or (cause is not None and cause.cause_class == "probe"):
        return ()
    broken = _broken(facts)
    if whole := _nothing_answers(facts, broken) or _node(broken, cause) or _builds(facts, cause):
        return (whole, _SLOW) if whole == _GATEWAY_WAITED else (whole,)
    if door := _log_in(broken, facts, cause):
        everywhere = [*_refused_alike(facts), *(line for a in broken for line in _seen_anywhere(a, facts))]
        everywhere += [line for words in excuse(facts) for line in texts(words, shown_status(facts), identifiers)]
        account = _account_and_data(facts, cause)
        return (*door, *everywhere, *_kept_out(facts), *account, *_nothing_made(facts, silent=False))
    found = (
        *_kept_out(facts),
        *_refused_alike(facts),
        *_account_and_data(facts, cause),
        *(_fixed_record(facts, identifiers) if not any(a.status >= 500 or not a.status for a in broken) else ()),
        *_requests(broken, facts, cause, identifiers),
        *(_scripts(facts, identifiers) if not broken else ()),
        *led_to(facts, identifiers),
        *page_instead(facts, identifiers),
        *(f"old {normalise(a.what, identifiers)}" for a in facts.evidence.ages if a.age_s > a.limit_s),
        *(_time(facts, cause, identifiers) if not broken else ()),
    )
    warned = [*warned_of(facts, identifiers), *whole_page(facts, identifiers)]
    return tuple(dict.fromkeys((*found, *warned, *_nothing_made(facts, silent=not found))))


def requests_of(facts: TriageFacts) -> tuple[str, ...]:
    """The requests that show a failure: what was contradicted, refused, not answered, or slow; with the bad answer."""
    found, refused = facts.finding.contradiction, facts.finding.refusal
    named: list[str] = []
    if found and found.method:
        named += _asked(found.method, path_of(found.url) or "/", found.status)
    if refused and refused.method:
        named += _asked(refused.method, path_of(refused.url) or "/", 0)
    # beside the one that was contradicted, what a journey asked for itself was as it expected, slow or refused
    slow = facts.slow if facts.only_slow or not named else ()
    refusing = [a for a in facts.evidence.answers if a.status >= 400 and (a.by == "page" or not named)]
    telling = [*_broken(facts), *refusing, *slow]
    if not named and not telling:
        telling = [a for a in facts.unwanted if a.step]
    elif facts.degradations and not facts.kind:
        telling += [a for a in facts.evidence.answers if any(p.calls >= MANY_QUERIES for p in a.server_timing)]
    return tuple(dict.fromkeys([*named, *(line for a in telling for line in _asked(a.method, a.path, a.status))]))


def _asked(method: str, path: str, status: int) -> list[str]:
    asked = f"{method} {path}"
    return [asked] if 0 < status < 400 else [asked, f"{asked} answered {status}" if status else f"{asked} not answered"]


def says_which(message: str, kind: str) -> bool:
    """Whether a message is words for one failure, and not what a library says of any."""
    first = message.strip().partition("\n")[0]
    return kind not in {"timeout", "deadline"} and (not _OF_A_PAGE.match(first) or bool(re.search(r"'[^']+'", first)))


def _broken(facts: TriageFacts) -> list[Answer]:
    """Answers that broke it: of what was contradicted only that one, otherwise each that no page should get."""
    found = facts.finding.contradiction
    bad = [a for a in facts.unwanted if a.content_type != "text/event-stream" and _is_bad(a, facts)]
    if found is None or not found.method:
        return bad
    path = path_of(found.url) or "/"
    return [a for a in bad if (a.method, a.path) == (found.method, path)]


def _is_bad(a: Answer, facts: TriageFacts) -> bool:
    if a.status < 400 and not a.is_well:
        return "ERR_ABORTED" not in a.reason  # a page that is left ends its requests
    return a.status >= 500 or a.status in {403, 423, *LIMITS} or (a.status in {401, 404} and _matters(a, facts))


def _matters(a: Answer, facts: TriageFacts) -> bool:
    return bool(_ASSET.search(a.path)) if a.status == 404 else _asks_who(a, facts)


def _asks_who(a: Answer, facts: TriageFacts) -> bool:
    """Whether a request was a log-in, or a page that a browser was asked for its user's password for."""
    return a in facts.log_ins or (a.status == 401 and a.resource == "document")


def _nothing_answers(facts: TriageFacts, broken: list[Answer]) -> str:
    refusal = facts.finding.refusal
    if refusal and refusal.kind in _NO_CONNECTION and (host := host_of(refusal.url)):
        return _NO_WAY.format(host)
    statuses = [a.status for a in broken] or [shown_status(facts)]
    if gateway := next((status for status in statuses if status in _GATEWAY), 0):
        return _BY_GATEWAY.format(gateway)
    if limit := next((status for status in statuses if status in LIMITS), 0):
        return f"answered {limit}, whatever is asked"
    if _nobody_passes(facts):
        first = next((a for a in broken if a.status >= 500), None)
        return f"every journey is answered {first.status}" if first else ""
    return ""


def _nobody_passes(facts: TriageFacts) -> bool:
    return {peer.outcome for peer in facts.witnesses} - {"skipped", "unknown"} == {"failed"}


def _refused_alike(facts: TriageFacts) -> Iterator[str]:
    """How a journey is refused whatever is asked for, be it a page or the API: as every other one, or as most are.

    What is not there is said of one record, so it does not count.
    """
    refused = next((a for a in facts.unwanted if 400 <= a.status < 500 and a.status not in _ABSENT), None)
    if refused and len(facts.witnesses) >= MANY and _nobody_passes(facts):
        begins = " ".join(words_of(facts, refused).split()[:2])  # a page has more words, or says them in pieces
        yield f'every journey is refused, this one with {refused.status} "{begins}"'
    if facts.breaks_as_most:
        status = next(a.status for a in facts.unwanted if a.status >= 500)
        yield f"answered {status}, and most journeys with an error of the server"


def _node(broken: list[Answer], cause: Triage | None) -> str:
    if cause is None or cause.rule != "node-split":
        return ""
    bad = next((a.node for a in broken if a.status >= 500 and a.node), "")
    return f"node {bad}" if bad else ""


def _builds(facts: TriageFacts, cause: Triage | None) -> str:
    at_once = cause is not None and cause.rule in {"two-builds", "two-releases"}
    return f"builds {' and '.join(facts.evidence.builds)}" if at_once else ""


def _log_in(broken: list[Answer], facts: TriageFacts, cause: Triage | None) -> tuple[str, ...]:
    strangers = [a for a in facts.unwanted if a.status == 401 and a not in facts.log_ins]
    lost = cause is not None and cause.rule in {"session-lost", "account-refused"}
    if strangers and (lost or any(a.credentials == "token" for a in strangers)):
        return ("session lost",)
    refused = next((a for a in broken if _asks_who(a, facts)), None)
    got = f"answered {refused.status}" if refused and refused.status else "not answered"
    found = (f"{got} where a password is sent or asked for",) if refused else ()
    by_words = cause is not None and cause.rule in {"account-refused", "account-state"}
    # who is locked is a stranger by whatever way it asks, and so is who asks where a page wants a password first
    stranger = cause is not None and cause.rule == "account-state"
    stranger = stranger or (refused is not None and refused.status == 401 and refused not in facts.log_ins)
    return (*found, *(["log-in refused in words"] * by_words), *(["session lost"] * stranger))


def _kept_out(facts: TriageFacts) -> Iterator[str]:
    """Who is not let in, or is just logged in by the fixture for that."""
    by_fixture = facts.step.rpartition(" › ")[2].startswith(LOG_IN_AS)
    if facts.kind and (by_fixture or is_kept_out(facts.evidence, facts.step)):
        yield KEPT_OUT
    here = any(0 < a.status < 400 and a.step and facts.is_here(a) for a in facts.log_ins)
    sought = facts.finding.sought
    if here and facts.is_absent and sought and element(sought.locator)[1]:
        yield f"after the log-in of {facts.acting or 'somebody'} no {named(sought.locator)}"
    was_in = any(0 < a.status < 400 and a.step and not facts.step.startswith(a.step) for a in facts.log_ins)
    if facts.kind and was_in and any(page.asks_password for page in facts.evidence.pages[-1:]):
        yield "session lost"


def _account_and_data(facts: TriageFacts, cause: Triage | None) -> Iterator[str]:
    rule, account = cause.rule if cause else "", facts.acting
    if account and (rule in RIGHTS or rule == "account-declared"):
        yield f"what {account} may do" if rule in RIGHTS else f"account {account}"
    if rule in _GIVEN:
        yield _GIVEN[rule]


def _nothing_made(facts: TriageFacts, *, silent: bool) -> Iterator[str]:
    """What a journey makes by its author's word, where it was refused that, or got no further after its log-in."""
    refused = any(is_change(a) and a.status >= 400 and a.status != 401 for a in facts.unwanted)
    let_in = any(0 < a.status < 400 for a in facts.log_ins) and not any(p.asks_password for p in facts.evidence.pages)
    kept_out = any(a.resource == "document" and a.status >= 400 for a in facts.unwanted)
    stuck = (silent or kept_out) and let_in
    if facts.kind and facts.begins and not facts.checks and (refused or stuck):
        yield from (f"no {what} is made" for what in facts.mutates)


def _fixed_record(facts: TriageFacts, identifiers: Mapping[str, str]) -> Iterator[str]:
    """Of a record that is always there by its author's word: by which request it was asked for, and by which names."""
    if facts.checks != "sentinel":
        return
    known_by = sorted(
        [record_by(facts.checks, facts.finding), *(peer.record_by for peer in facts.peers if peer.record_by)]
    )
    if known_by == ["name", "number"]:
        yield "the fixed record that one journey knows by its number and one by its name"
    found, sought = facts.finding.contradiction, facts.finding.sought
    got = found.got if found and found.about == "locator" else first_line(facts.authors_words, facts.finding)
    for figure in dict.fromkeys(_FIGURE.findall(got) if len(got) <= _A_VALUE else ()):
        yield f"{figure} in the place of what a fixed record holds"
    request = contradicted_request(facts, identifiers) or _asked_by_page(facts, identifiers)
    place = collection(request.partition(" ")[2])
    if request and not _PROGRAM.search(request):
        yield f"a fixed record of {place}"
    by_value = found and found.about in {"locator", "fields"}
    expected = [text for _, text in _QUOTED.findall(found.expected)] if found and by_value else []
    shown = [page.path for page in facts.evidence.pages[-1:] if page.path != "blank"] if not request else []
    asked = [path.partition("#")[0] for path in (request, place)]
    paths = [unquote(path).rpartition("/")[2] for path in (*asked, *shown)]
    for name in (*paths, element(sought.locator)[1] if sought else "", *expected):
        if _NAME.match(name) and not _PROGRAM.search(name):
            yield f'the fixed record "{name.replace("_", " ")}"'


def _asked_by_page(facts: TriageFacts, identifiers: Mapping[str, str]) -> str:
    """The one request that a page got what it shows by, in the broken step; empty when there are several or none."""
    here = [a for a in facts.evidence.answers if a.by == "page" and a.step and facts.is_here(a) and a.status == 200]
    here = [a for a in here if a not in facts.log_ins]
    data = [a for a in here if a.resource in {"fetch", "xhr"}] or [a for a in here if a.resource == "document"]
    asked = {f"{a.method} {normalise(a.place, identifiers)}" for a in data}
    return asked.pop() if len(asked) == 1 else ""


def _requests(
    broken: list[Answer], facts: TriageFacts, cause: Triage | None, identifiers: Mapping[str, str]
) -> Iterator[str]:
    for a in broken:
        got = f"answered {a.status}" if a.status >= 400 else _CUT_OFF if a.status else "not answered"
        got = f"answered with the error {a.stated.code}" if a.stated else got
        yield f"{collection(normalise(f'{a.host}{a.place}', identifiers))} {got}"
        yield from words_of_refusal(a, identifiers)
        yield from _seen_anywhere(a, facts)
    for a in facts.unwanted:
        if a.status in _NOT_LET and facts.asked in {None, (a.method, a.path or "/")}:
            yield from [*words_of_refusal(a, identifiers)] or [f"whatever is asked for is answered {a.status}"]
    found, refusal = facts.finding.contradiction, facts.finding.refusal
    if refusal and refusal.status:
        yield f"{collection(normalise(path_of(refusal.url) or '/', identifiers))} {_CUT_OFF}"
    if broken:
        return
    if found is not None and found.method and found.about == "status":
        yield f"{collection(normalise(place_of(found, facts), identifiers))} answered {found.status}"
        answer = next((a for a in facts.unwanted if (a.path, a.status) == (path_of(found.url), found.status)), None)
        if answer and (answer.status not in _ABSENT or answer.content_type == "text/html"):
            yield from words_of_refusal(answer, identifiers)
    elif found is not None and found.method and found.about == "header":
        yield f"{normalise(place_of(found, facts), identifiers)} without {normalise(found.expected, identifiers)}"
    elif cause is not None and cause.rule in RIGHTS:
        pass  # it was answered as this account may, and others as they may
    elif contradicted := contradicted_request(facts, identifiers):
        yield f"{contradicted} answered otherwise than expected"
        if facts.checks != "sentinel":
            yield f"{collection(contradicted.partition(' ')[2])} answered otherwise than expected"
    if found is not None and found.method and found.status < 400 and BETWEEN_TAGS.search(found.got):
        yield from texts(found.got, 0, identifiers)  # a page where data should be
    wrong_kind = {
        f"{a.method} {normalise(a.place, identifiers)} answered with an HTML page"
        for a in facts.evidence.answers
        if facts.is_here(a) and a.status == 200 and a.content_type == "text/html" and a.resource != "document"
    }
    yield from sorted(wrong_kind)


def _seen_anywhere(a: Answer, facts: TriageFacts) -> Iterator[str]:
    """What is the same whatever was asked for."""
    waited_for = a.resource == "document" and not (a.status or a.reason or a.host)  # until the journey gave it up
    if a.status < 400 and not a.stated and (a.duration_ms >= _IN_VAIN_MS or waited_for):
        yield _SLOW  # a page is not told of a 504 that does not say who may read it
    if _NOT_CONNECTED.match(a.reason):
        yield _NO_WAY.format(host_of(f"http://{a.host}" if a.host else facts.site))
    if facts.is_refused_everywhere(a):
        yield "whatever is to be changed is refused"


def _scripts(facts: TriageFacts, identifiers: Mapping[str, str]) -> Iterator[str]:
    for error in facts.script_errors:
        yield f"script error {normalise(error, identifiers)}"


def _time(facts: TriageFacts, cause: Triage | None, identifiers: Mapping[str, str]) -> Iterator[str]:
    slow = facts.slow if facts.only_slow else facts.outlasting
    if any(map(is_slow_write, slow)):
        yield "slow-writes"
        return
    if cause is not None and cause.rule in {"queueing", "slow-log-in"}:
        yield cause.rule  # whatever was slow, it is slow for this
        return
    if facts.only_slow and (len({(a.method, a.path) for a in slow}) >= MANY or (slow and facts.is_slow_everywhere)):
        yield _SLOW
    if any(is_change(a) and a.credentials != "password" for a in slow):
        yield from (f"making a {what} takes long" for what in facts.mutates)
    for a in slow:
        yield f"{a.method} {normalise(a.place, identifiers)} slow"
        for part in a.server_timing:
            if part.name not in {"db", "query", "app", "total", "cache"} and part.duration_ms > a.duration_ms / 2:
                yield f"time spent in {part.name}"
