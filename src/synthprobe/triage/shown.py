"""Evidence by what is shown: the words of answers and pages, a page as a whole, and where a journey was led to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import pairwise

from synthprobe.records.evidence import Answer, text_of
from synthprobe.records.plain_text import without_markup
from synthprobe.triage.facts import TriageFacts, is_change
from synthprobe.triage.fingerprint import normalise
from synthprobe.triage.page_words import SENTENCE, complaints, quoted_complaints, spoken
from synthprobe.triage.places import collection
from synthprobe.words import element, named

_GENERIC = re.compile(r"\b(a|an|the|is|was|internal|server|error|bad|gateway|unexpected|unknown|failed)\b|\W|_|\d")
_NEXT_TO_NOTHING = 3
"""Lines of its outline that a page of an error or of an excuse has."""
_STATUS = re.compile(r"([45]\d\d)\b")
_SAYS_STATUS = re.compile(r"\bstatus(?: code)?:? ([45]\d\d)\b", re.IGNORECASE)
BETWEEN_TAGS = re.compile(r">([^<>]+)<")


def shown_status(facts: TriageFacts) -> int:
    """The status that a page of an error shows, or that a page warns of; 0 where it is another one."""
    shown = [_STATUS.match(words) for words in excuse(facts)]
    shown += [_SAYS_STATUS.search(words) for words in (complaints(facts) if facts.is_absent else ())]
    return next((int(found[1]) for found in shown if found), 0)


def excuse(facts: TriageFacts) -> list[str]:
    """The words of a page that holds next to nothing, in the place of what the journey looked for."""
    opened = any(a.resource == "document" for a in facts.evidence.answers)
    short = opened and all(len(page.outline) <= _NEXT_TO_NOTHING for page in facts.evidence.pages[-1:])
    pieces = spoken(facts) if short and facts.kind in {"expectation", "timeout"} else []
    telling = [words for words in (*pieces, " ".join(pieces)) if len(words.split()) >= SENTENCE or _STATUS.match(words)]
    return list(dict.fromkeys(telling))


def words_of_refusal(a: Answer, identifiers: Mapping[str, str]) -> Iterator[str]:
    """What an answer that refuses or states an error says, unless every server says so."""
    if a.status >= 400 or a.stated:
        yield from texts(without_place(a), a.status, identifiers)


def without_place(a: Answer) -> str:
    """What an answer says, without what was asked for."""
    words = a.stated.message if a.stated else a.reason
    return words.replace(a.path, "<path>") if a.path.strip("/") else words


def texts(text: str, status: int, identifiers: Mapping[str, str]) -> Iterator[str]:
    """What is said, of a page each sentence, as a browser shows it too; unless every server says so."""
    pieces = [piece for piece in BETWEEN_TAGS.findall(text) if len(piece.split()) >= SENTENCE]
    for piece in map(str.strip, pieces or without_markup(text).split("; ")):
        if _GENERIC.sub("", piece.casefold().replace(phrase(status), "")):
            yield f'the words "{normalise(piece, identifiers)}"'


def phrase(status: int) -> str:
    """What every server says of a status, in small letters."""
    try:
        return HTTPStatus(status).phrase.casefold()
    except ValueError:
        return "\0"


def led_to(facts: TriageFacts, identifiers: Mapping[str, str]) -> Iterator[str]:
    """Where a journey was sent instead of what it asked for; that a page goes on after a form was sent is usual."""
    here = [a for a in facts.evidence.answers if facts.is_here(a) and a.resource in {"", "document"}]
    for asked, given in pairwise(here):
        is_sent = 300 <= asked.status < 400 and given.by == asked.by and given.path != asked.path
        shown = facts.asked[1:] if facts.asked else [page.path.partition("#")[0] for page in facts.evidence.pages[-1:]]
        if is_sent and (asked.by == "api" or not is_change(asked)) and given.path in shown:
            yield f"led to {normalise(given.path, identifiers)}"


def page_instead(facts: TriageFacts, identifiers: Mapping[str, str]) -> Iterator[str]:
    """A page that holds next to nothing is none that the journey looked for."""
    opened = any(a.resource == "document" for a in facts.evidence.answers)
    for page in facts.evidence.pages[-1:]:
        if opened and len(page.outline) <= _NEXT_TO_NOTHING and facts.kind in {"expectation", "timeout"}:
            yield f"a page with {normalise(', '.join(page.outline), identifiers) or 'nothing'} and no more"
    sought = facts.finding.sought
    if sought and sought.sight == "absent" and element(sought.locator)[1]:
        for page in facts.evidence.pages[-1:]:
            path = normalise(page.place, identifiers)
            yield f"{path} without {normalise(named(sought.locator), identifiers)}"
            if facts.mutates and collection(path) != path:  # a record that it may have made
                yield f"{collection(path)} answered otherwise than expected"
    for words in excuse(facts):
        yield from texts(words, shown_status(facts), identifiers)


def whole_page(facts: TriageFacts, identifiers: Mapping[str, str]) -> Iterator[str]:
    """A page on which nothing is found that was looked for, known by all that it holds."""
    for page in facts.evidence.pages[-1:]:
        lines = [normalise(line, identifiers) for line in page.outline]
        title = next(filter(None, map(text_of, lines)), "")
        if facts.is_absent and len(lines) > _NEXT_TO_NOTHING and title:
            digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:8]
            yield f'a page that begins with "{title}", as a whole ({digest})'


def warned_of(facts: TriageFacts, identifiers: Mapping[str, str]) -> Iterator[str]:
    """What is said to be missing, wrong or not allowed: by a page, in the place of what was looked for, or the API."""
    for words in complaints(facts) if facts.is_absent else quoted_complaints(facts):
        yield from texts(words, 0, identifiers)
