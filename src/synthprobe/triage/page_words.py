"""What a page says when a journey broke, in its own words: warnings first, then complaints, headings and texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from synthprobe.records.evidence import PageSeen, text_of
from synthprobe.records.plain_text import without_markup
from synthprobe.triage.facts import TriageFacts
from synthprobe.words import cut_to, element

NAMED = re.compile(r'^(?P<role>[a-z]+)(?: "(?P<name>(?:[^"\\]|\\.)*)")?(?P<rest>.*)$')
"""A line of an outline: the role of what stands there, and its name."""
WORDS = {"alert", "status", "heading", "paragraph", "text", "strong", "listitem", "dialog"}
"""Roles whose text is what a page says."""
_MARKED = {"alert", "dialog", "status"}
_PIECES = {"text", "strong", "emphasis", "code"}
"""What a sentence falls into, of which a part is set off."""
_COMPLAINS = re.compile(
    r"\b(can(no|'|’)?t|can not|could ?n[o'’]t|unable|must|invalid|required|missing|denied|forbidden|fail(s|ed)|wrong"
    r"|expired|exceed(s|ed)|locked|refused|unavailable"
    r"|not (be|found|allowed|authori[sz]ed|permitted|available|valid))\b",
    re.IGNORECASE,
)
"""English words of a complaint: the weakest sign, and none of a line that stands there when the page is well, too."""
NO_RIGHT = re.compile(r"\b(denied|forbidden|not (allowed|authori[sz]ed|permitted))\b", re.IGNORECASE)
"""English words by which somebody may not do or see something."""
_IN_QUOTES = re.compile(r"""(['"])(.+?)(?<!\\)\1""")
QUOTED = 120
"""Characters of a text that are quoted."""
FEW = 3
"""Texts, or lines that are new, that a page is told by at most."""
SENTENCE = 4
"""Words from which a text of a page is more than the site's name or a link."""
_BESIDE = 2  # lines of an outline from a control to what is said of it
_PLAIN = 2  # the rank of a page's words from which they warn of nothing
_LABEL = 4  # that of words which stand on a link, a button or a field


def bare(text: str) -> str:
    """A text as it is quoted: short, and without markup and the signs of an icon font."""
    return cut_to(QUOTED, "".join(filter(str.isprintable, without_markup(text))).strip())


def shown_words(f: TriageFacts, like: re.Pattern[str]) -> str:
    """Words of a page that fit a pattern."""
    return next((words for words in spoken(f) if like.search(words)), "")


def quoted(f: TriageFacts) -> str:
    """What the page says of it: words in which it complains, however many, otherwise its first ones."""
    is_known = any(page.unusual is not None for page in f.evidence.pages[-1:])  # what complains stands first then
    complaint = "" if is_known else next((words for words in spoken(f) if _COMPLAINS.search(words)), "")
    return in_quotes([complaint] if complaint else _first_words(f))


def in_quotes(words: Sequence[str]) -> str:
    """Some texts, each in quotation marks."""
    return ", ".join(f'"{bare(text)}"' for text in words)


def spoken(f: TriageFacts) -> list[str]:
    """The page's own words: what it warns of first, then what it says is wrong, then headings, then texts."""
    return [words for _, words in _ranked(f)]


def _first_words(f: TriageFacts) -> list[str]:
    """What a page says first: what it warns of, or its first headings, of which one is often the site's name.

    One heading is told with the first text beside it.
    """
    ranked = _ranked(f)
    headings = [words for rank, words in ranked if rank == _PLAIN]
    if ranked and ranked[0][0] > _PLAIN:  # a sentence says more than a word
        whole = (words for rank, words in ranked if rank < _LABEL and len(words.split()) >= SENTENCE)
        return [next(whole, ranked[0][1])]
    if not headings or ranked[0][0] != _PLAIN:
        return with_text(ranked[0][1], f) if ranked else []
    return headings[:FEW] if len(headings) > 1 else [words for _, words in ranked[:2]]


def with_text(words: str, f: TriageFacts) -> list[str]:
    """What a page complains of; a heading says less than the text below it, so that one is told too."""
    texts = [(role, text) for role, text, _ in sentences(f.evidence.pages[-1].outline) if role in WORDS]
    below = (
        text
        for (role, above), (next_role, text) in pairwise(texts)
        if (role, above) == ("heading", words) and next_role != "heading" and len(text.split()) >= SENTENCE
    )
    return [words, *list(below)[:1]]


def _ranked(f: TriageFacts) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    for page in f.evidence.pages[-1:]:
        found += [(0, words) for words in page.warnings]
        telling = _telling(page, f)
        rest, labels = _without_labels(page.outline)
        for role, words, lines in sentences(rest):
            if role in WORDS and any(map(str.isalnum, words)):  # an icon's glyph is none
                is_new = page.unusual is None or not lines.isdisjoint(page.unusual)
                rank = 0 if is_new and role in _MARKED else 2 if role == "heading" else 3
                complains = not lines.isdisjoint(telling) or (is_new and _COMPLAINS.search(words))
                found.append((min(rank, 1) if complains and len(words) <= QUOTED else rank, words))
        found += [(_LABEL, words) for words in labels]
    return sorted(found, key=lambda pair: pair[0])


def _telling(page: PageSeen, f: TriageFacts) -> set[str]:
    """Lines that a page shows only now: each where it is else as it always is, otherwise those beside the control.

    The control is the one that was looked for, or a field that the page calls invalid.
    """
    unusual = page.unusual or ()
    if len(unusual) <= FEW:
        return set(unusual)
    name = element(f.finding.sought.locator)[1] if f.finding.sought else ""
    signs = ("[invalid]", f'"{name}"' if name else "[invalid]")
    controls = [number for number, line in enumerate(page.outline) if any(sign in line for sign in signs)]
    beside = {line for at in controls for line in page.outline[max(at - _BESIDE, 0) : at + _BESIDE + 1]}
    return beside.intersection(unusual)


def _without_labels(outline: Sequence[str]) -> tuple[list[str], list[str]]:
    """Lines without texts that are the name of what stands before them, or a part of that; and those texts."""
    rest: list[str] = []
    labels: list[str] = []
    control = ""
    for line in outline:
        role = line.partition(" ")[0].partition(":")[0]
        if role == "text" and (words := text_of(line)) and words in control:
            labels.append(words)
            continue
        rest.append(line)
        named = NAMED.match(line)
        if role != "img":
            control = named["name"] or "" if named and role not in WORDS else ""
    return rest, labels


def sentences(outline: Sequence[str]) -> Iterator[tuple[str, str, set[str]]]:
    """The role and the words of each line, and the line; the pieces of a sentence are one."""
    lines = [(line.partition(" ")[0].partition(":")[0], line) for line in outline]
    for in_pieces, group in groupby(lines, key=lambda pair: pair[0] in _PIECES):
        pieces = [(role, text_of(line), {line}) for role, line in group]
        whole = " ".join(words for _, words, _ in pieces)
        yield from [("text", whole, set[str]().union(*(line for *_, line in pieces)))] if in_pieces else pieces


def complaints(f: TriageFacts) -> list[str]:
    """What a page warns of, or says that is missing, wrong or not allowed."""
    return [words for rank, words in _ranked(f) if rank < _PLAIN]


def quoted_complaints(f: TriageFacts) -> list[str]:
    """What a target says is wrong or not allowed, as the journey's own message quotes it."""
    pieces = [words for _, words in _IN_QUOTES.findall(f.authors_words.strip().partition("\n")[0])]
    return [words for words in pieces if _COMPLAINS.search(words)]
