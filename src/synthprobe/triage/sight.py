"""What is known where no rule knows the class, and the sentences that rules share: each with its figures."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

from synthprobe.records.evidence import Answer, PageSeen, text_of
from synthprobe.targets.addresses import origin_of
from synthprobe.triage.facts import Peer, TriageFacts, is_change, is_not_opened
from synthprobe.triage.fingerprint import is_bare
from synthprobe.triage.log_in_words import OF_ACCOUNT, OF_LOG_IN
from synthprobe.triage.page_words import (
    FEW,
    NAMED,
    QUOTED,
    SENTENCE,
    WORDS,
    bare,
    complaints,
    in_quotes,
    quoted,
    sentences,
    spoken,
    with_text,
)
from synthprobe.words import contradiction, element, first_line, looked_for, shown_ms

_ASSETS = {"script": "script", "stylesheet": "stylesheet", "font": "font"}
_FIELDS = {"textbox", "searchbox", "combobox", "listbox", "spinbutton", "slider", "checkbox", "radio", "switch"}
_FORBIDS = ("csp", "mixed-content", "corp-", "coep-", "coop-")
"""What a browser calls its reasons: the site's Content-Security-Policy, HTTP in HTTPS, isolation of origins."""
_LINK = re.compile(r"(?<=\))\.(?=get_by_|locator\()")
"""What stands between two locators of a chain, of which each is looked for in the one before."""
_NO_ANSWER = {
    "refused": "refused the connection",
    "dns": "has a name that could not be resolved",
    "tls": "made no TLS connection",
    "no connection": "could not be connected to",
    "deadline": "did not answer in time",
}
_NOT_WHOLE = "gave no whole answer"
LOOP = "net::ERR_TOO_MANY_REDIRECTS"
_LIKE, _LIKE_OTHERS = 0.5, 0.8


def answered(a: Answer, *, quote: bool = True) -> str:
    """A request and its answer, with what the answer says."""
    where = f"{a.method} {a.host}{a.place}"
    if is_blocked(a):
        return f"{where} was not loaded, the browser forbids it ({a.reason})"
    if is_not_opened(a):
        return f"{where} could not be opened ({a.reason})"
    if not a.status and a.reason == LOOP:
        return f"{where} was redirected without end"
    if not a.status:
        return f"{where} ended with {a.reason}" if a.reason.startswith("net::") else f"{where} was not answered"
    if a.stated:
        named = f"the error {a.stated.code}" if a.stated.code else "an error"
        words = f' ("{bare(a.stated.message)}")' if quote and a.stated.message else ""
        return f"{where} was answered {a.status} with {named}{words}"
    if a.status < 400 and a.reason:
        how = f" ({a.reason})" if a.reason.startswith("net::") else ""
        return f"{where} was answered {a.status} and could not be read whole{how}"
    quotation = (
        f' ("{bare(a.reason)}")' if quote and a.reason and a.status >= 400 and not a.reason.startswith("net::") else ""
    )
    return f"{where} was answered {a.status}{quotation}"


def is_blocked(a: Answer) -> bool:
    """Whether the browser did not ask for it, since a rule that the site or the browser has forbids it."""
    return not a.status and a.reason.startswith(_FORBIDS)


def refused(f: TriageFacts, a: Answer) -> str:
    """That a request was refused, with the words of the page that came instead."""
    if f.led_away and not a.status and a.path == f.led_away.path:
        led = answered(f.led_away, quote=False)
        if a.reason == LOOP:
            return f"{led}, and so on without end."
        return f"{led}, and the address that it leads to gave no answer ({a.reason})."
    if f.finding.refusal and f.finding.refusal.kind == "protocol" and (a.method, a.path or "/") == f.asked:
        why = f" ({bare(f.finding.refusal.reason)})" if f.finding.refusal.reason else ""
        if not a.status:
            return f"{a.method} {a.host}{a.place}: the connection broke before the answer was complete{why}."
        return f"{a.method} {a.host}{a.place} was answered {a.status} and could not be read whole{why}."
    if a.status >= 400 and f.finding.refusal and (a.method, a.path or "/") == f.asked:
        return f"{answered(a, quote=False)} and could not be read whole."
    words = quoted(f) if _is_shown(f, a) else ""
    return f"{answered(a)}, and the page {f.evidence.pages[-1].place} says {words}." if words else f"{answered(a)}."


def words_of(f: TriageFacts, a: Answer) -> str:
    """What an answer that refuses says: its first words, and those of the page that it is."""
    stated = (a.stated.code, a.stated.message) if a.stated else ()
    return " ".join((a.reason, *stated, *(spoken(f) if _is_shown(f, a) else ())))


def _is_shown(f: TriageFacts, a: Answer) -> bool:
    """Whether an answer is the page that was seen when the journey broke."""
    shown = [page.path.partition("#")[0] for page in f.evidence.pages[-1:]]
    return a.resource == "document" and bool(a.status) and (a.path or "/") in shown


def missing_assets(f: TriageFacts) -> list[Answer]:
    """Scripts, stylesheets and fonts that a page asked for and did not get."""
    return [a for a in f.evidence.answers if a.resource in _ASSETS and not a.is_well]


def _is_script(a: Answer) -> bool:
    return not a.content_type or a.content_type.endswith(("script", "json", "wasm"))


def asset(a: Answer) -> str:
    """That something a page is made of is missing."""
    return f"The page's {_ASSETS[a.resource]} is missing: {answered(a)}."


def took(a: Answer, f: TriageFacts) -> str:
    """How long an answer took, of which time, and for what."""
    is_part = a.step and f.took_s * 1000 > a.duration_ms
    whole = f" of the step's {shown_ms(f.took_s * 1000)}" if is_part else ""
    parts = [f"{name} {shown_ms(ms)}" for name, ms in sorted(a.phases.items(), key=lambda p: -p[1]) if ms >= 50]
    parts += [f"{part.name} {shown_ms(part.duration_ms)} by the server's word" for part in a.server_timing]
    spent = f" ({', '.join(parts[:4])})" if parts else ""
    return f"{a.method} {a.place} took {shown_ms(a.duration_ms)}{whole}{spent}."


def known(f: TriageFacts) -> str:
    """What was seen, where nothing says which class it is."""
    return " ".join(dict.fromkeys(_sights(f)))


def _sights(f: TriageFacts) -> Iterator[str]:
    yield from _element(f)
    for dialog in f.evidence.dialogs:
        text = f': "{bare(dialog.text)}"' if dialog.text else ""
        yield f"The page opened a dialog ({dialog.kind}){text}."
    here = [*filter(f.is_here, f.evidence.answers)] or f.evidence.answers  # the whole journey may be what was slow
    slowest = max(here, key=lambda a: a.duration_ms, default=None)
    if slowest is not None and slowest.status and (not f.kind or f.only_slow):
        yield took(slowest, f)
    if not f.kind:
        return
    if f.finding.refusal and f.finding.refusal.certificate:
        yield f.finding.refusal.certificate
        return
    if f.is_elsewhere and f.finding.refusal:
        where = origin_of(f.finding.refusal.url) or bare(next(iter(f.message.strip().splitlines()), "")).rstrip(".")
        yield f"{where}, which is not known to be the target, {_NO_ANSWER.get(f.finding.refusal.kind, _NOT_WHOLE)}."
        return
    for a in refusals(f):
        yield refused(f, a)
    looked = [peer for peer in f.peers if peer.outcome not in {"unknown", "skipped"}]
    if any(a.status >= 500 for a in refusals(f)) and looked:
        yield _how_wide(looked)
    for a in [a for a in f.new if f.is_here(a)][:1]:
        yield f"{answered(a)}; journeys that pass meet it, too, but no earlier run of this one that passed did."
    if f.finding.throttled:
        yield f"The target asks to be tried again after {f.finding.throttled.after} (Retry-After)."
    for a in missing_assets(f)[:2]:
        yield asset(a)
    for a in [a for a in f.evidence.answers if a.resource == "script" and a.status == 200 and not _is_script(a)][:1]:
        yield f"The page's script came as {a.content_type}: {answered(a)}."
    explained = any(a.resource == "script" for a in missing_assets(f)) or any(map(is_change, refusals(f)))
    if f.script_errors and not explained:
        yield f"A script of the page broke: {f.script_errors[0].rstrip('.')}."
    wrong = f.finding.contradiction
    if wrong and wrong.about != "status" and (wrong.method or not f.finding.sought):
        yield f"{contradiction(wrong).rstrip('.')}."
        yield from _warned_beside(f)
    elif f.asked and refusals(f):
        return  # the message says the same of that request
    elif f.kind and not f.finding.sought and not wrong and (f.message or f.finding.wait):
        if here and (is_bare(f.message) or (f.kind == "protocol" and f.is_here(here[-1]))) and not refusals(f):
            yield f"{answered(here[-1])}."
        is_told = any(a.resource == "document" for a in refusals(f))
        shown = quoted(f) if f.kind == "timeout" and not is_told else ""
        message = bare(first_line(f.message, f.finding)).rstrip(".: ")
        waited = f.kind == "timeout" and not shown
        if not any(_is_in(a, message) or (waited and not a.status) for a in refusals(f)):
            yield f"{message}; the page {f.evidence.pages[-1].place} says {shown}." if shown else f"{message}."


def _is_in(a: Answer, message: str) -> bool:
    """Whether a message says what an answer does."""
    words = a.stated.message if a.stated else a.reason
    return bool(words) and words in message


def _warned_beside(f: TriageFacts) -> Iterator[str]:
    """What a page that shows another value warns of, where it is known that it does so only now."""
    for page in f.evidence.pages[-1:]:
        if page.unusual is not None and page.warnings:
            yield f'The page {page.place} says "{bare(page.warnings[0])}".'


def _how_wide(peers: Sequence[Peer]) -> str:
    """How many of the others that looked met an error of the server where they broke, and how many passed.

    That none met one is not known: a client that is not recorded may have.
    """
    alike = sum(peer.meets_error for peer in peers if peer.outcome == "failed")
    passed, others = sum(peer.outcome == "passed" for peer in peers), len(peers)
    if alike:
        return f"{alike} of {others} other journeys met a server error too; {passed} passed."
    return f"{passed} of {others} other journeys passed."


def refusals(f: TriageFacts) -> list[Answer]:
    """Answers of the broken step that refuse, state an error or did not come whole."""
    refused = [a for a in f.unwanted if not a.is_well and a.resource not in _ASSETS]
    if asked := f.asked:  # what else the journey asked for itself was refused as it expects
        refused = [a for a in refused if a.by == "page" or (a.method, a.path or "/") == asked]
    return sorted(refused, key=lambda a: 400 <= a.status < 500)[:2]  # what a client may be refused is told last


def _element(f: TriageFacts) -> Iterator[str]:
    sought = f.finding.sought
    if sought is None:
        return
    yield f"{looked_for(sought)}{_instead(f)}."


def _instead(f: TriageFacts) -> str:
    """What stands on the page in the place of what was looked for."""
    sought = f.finding.sought
    if sought is None or sought.sight != "absent" or not f.evidence.pages:
        return ""
    page = f.evidence.pages[-1]
    if f.page_that_never_came or any(_is_shown(f, a) for a in refusals(f)):
        return ""  # its words are told with the answer that it is
    there = [found.groupdict() for line in page.outline if (found := NAMED.match(line))]
    standing = {(part["role"], part["name"]) for part in there}
    links = [element(f"{link.partition(').')[0].rstrip(')')})") for link in _LINK.split(sought.locator)]
    role, name = next((link for link in links if link not in standing), links[-1])  # of a chain what is there misses it
    alike = [
        (part["role"], part["name"])
        for part in there
        if part["name"] and (part["role"] == role or (role == "field" and part["role"] in _FIELDS))
    ]
    texts = [("text", words) for words in spoken(f)]
    others = [(r, n) for r, n in ((part["role"], part["name"]) for part in there) if n and r != "img"] + texts
    inexact = role == "text" and "exact=True" not in sought.locator and len(links) == 1
    if name and inexact and any(name.casefold() in words.casefold() for _, words in texts):
        return "; it came later"
    fresh = [n for r, n in alike if any(line.startswith(f'{r} "{n}"') for line in page.unusual or ())]
    is_as_ever = 2 * len(page.unusual or ()) <= len(page.outline)  # else it is another page, and all of it is new
    fresh = fresh if is_as_ever and len(fresh) <= FEW and not complaints(f) else []
    for candidates, like in ((alike, _LIKE_OTHERS if fresh else _LIKE), (others, _LIKE_OTHERS if alike else _LIKE)):
        names = difflib.get_close_matches(name, [n for _, n in candidates], n=1, cutoff=like) if name else []
        if names:
            kind = next(kind for kind, n in candidates if n == names[0])
            if (kind, names[0]) == (role, name) and len(links) == 1:
                return "; it came later"
            return f'; the page {page.place} has {kind} "{_legible(names[0], name)}"'
    warned = next(iter(complaints(f)), "")
    asks_again = page.asks_password and any(a in f.log_ins for a in f.unwanted)
    if asks_again and (not warned or _refuses_log_in(warned)):
        news = "" if warned else next((words for words in spoken(f) if len(words.split()) >= SENTENCE), "")
        also = f' and says "{bare(news)}"' if news and _is_new(news, page) else ""
        return f"; the page {page.place} asks for a password again{also}"  # what refuses is told with the log-in
    if fresh:
        named = " and ".join(f'"{_legible(n)}"' for n in fresh)
        return f"; the page {page.place} has {role} {named}, which was not seen when it was last well"
    if warned:
        return f"; the page {page.place} says {in_quotes(with_text(warned, f))}"
    if alike and len(alike) <= FEW:
        shown = ", ".join(f'"{_legible(n)}"' for _, n in alike)
        return f"; the page {page.place} has {role} {shown}"
    if page.unusual is not None and is_as_ever and texts:
        new = [words for role, words, lines in sentences(page.outline) if role in WORDS and lines & {*page.unusual}]
        says = f"says {in_quotes(new[:FEW])}" if new else "shows no other words than when the journey was well"
        return f"; the page {page.place} {says}"
    return f"; the page {page.place} says {quoted(f) or 'nothing'}"


def _is_new(words: str, page: PageSeen) -> bool:
    return any(words in text_of(line) for line in page.unusual or ())


def _legible(name: str, sought: str = "") -> str:
    """A name without the signs of an icon font, unless nothing else tells it from what was looked for."""
    bare = "".join(filter(str.isprintable, name)).strip()
    whole = "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in name)
    return (whole if bare == sought else bare)[:QUOTED]


def _refuses_log_in(words: str) -> bool:
    return bool(OF_ACCOUNT.search(words) or OF_LOG_IN.search(words))
