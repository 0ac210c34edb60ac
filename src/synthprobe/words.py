"""Sentences, made last: how findings are said to people. Nothing reads them back; whoever judges reads the findings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import shorten

from synthprobe.records.address import path_of
from synthprobe.records.figures import shown_above, shown_durations
from synthprobe.records.finding import Contradiction, Finding, Refusal, Skew, Sought, Throttled, Wait
from synthprobe.records.incident import Triage, Worth
from synthprobe.records.result import Degradation, Failure, Outcome
from synthprobe.records.verdict import Vote

CLOCKS_AGREE_S = 2.0
"""Seconds two clocks may differ by before it is worth a word."""

_WIDTH = 80
_GOT = 160
_BESIDE = 2
_WHICH = r"(?:\.(?:first|last|nth\(-?\d+\)))?$"
_PATTERN = r"""re\.compile\(r?"(?P<pattern>(?:[^"\\]|\\.)*)"[^()]*\)"""
_LOCATOR = re.compile(rf"""^get_by_(\w+)\("(?P<first>[^"]*)"(?:, name="(?P<name>[^"]*)")?[^()]*\){_WHICH}""")
_BY_PATTERN = re.compile(rf"""^get_by_(\w+)\((?:"(?P<role>\w+)", name=)?{_PATTERN}[^()]*\){_WHICH}""")
_KINDS = {
    "label": "field",
    "placeholder": "field",
    "text": "text",
    "title": "title",
    "alt_text": "picture",
    "test_id": "element",
}
_VERBS: dict[Outcome, str] = {
    "failed": "fails from",
    "degraded": "is not well enough from",
    "passed": "passes from",
    "unknown": "could not be looked at from",
    "skipped": "is skipped from",
}
_UNDER_GOT = "\n          "


def cut_to(limit: int, text: str) -> str:
    """A text of at most so many characters, cut between two words where it has any."""
    kept = text[: limit - 2]
    return text if len(text) <= limit else f"{kept.rpartition(' ')[0] or kept} …"


def contradicted(found: Contradiction, *, repeat: str, throttled: Throttled | None = None) -> str:
    """What was expected of an answer, what was got, and the request that can be repeated."""
    got = found.got.replace("\n", _UNDER_GOT) if found.about in {"fields", "schema"} else found.got
    text = (
        f"{found.method} {found.url} → {found.status}\nexpected: {found.expected}\ngot:      {got}\nrepeat:   {repeat}"
    )
    if throttled is not None:
        text += f"\nThe target asks to be tried again after {throttled.after} (Retry-After)."
    return text


def refused(found: Refusal) -> str:
    """Why a request was not answered."""
    where = f"{found.method} {found.url}".strip()
    if found.kind == "tls":
        return f"{where}: {found.certificate or 'The TLS connection was not made.'} ({found.reason})"
    if found.kind == "machine":
        return f"{where} was not sent, as this machine refused it: {found.reason}. Look at its limits, memory and disk."
    if found.kind == "dns":
        return f"{where}: the host's name could not be resolved."
    if found.kind == "refused":
        return f"{where}: the connection was refused; nothing listens at that address."
    if found.kind == "redirects":
        return f"{where} was redirected without end."
    if found.kind == "protocol" and found.status:
        return f"{where} was answered {found.status} and could not be read whole: {found.reason}."
    if found.kind == "protocol":
        return f"{where}: the connection broke before the answer was complete: {found.reason}."
    if found.phase == "connecting":
        tried = f" (tried {', '.join(found.tried)})" if found.tried else ": its name was not resolved"
        return f"{where}: no connection was made within {found.within_s:g} s{tried}."
    if found.phase == "handshake":
        return f"{where}: the TLS handshake was not finished within {found.within_s:g} s."
    if found.kind == "no connection" and not found.within_s:
        return f"{where}: no connection was made in time."
    if found.kind == "deadline":
        limit = f"within {found.within_s:g} s" if found.within_s else "in the time that its client waits"
        return f"{where} was not answered in full {limit}."
    return f"{where} could not be sent: {found.reason}."


def ahead(found: Skew) -> str:
    """That a time lies in the future."""
    when = f"comes from {found.ahead_s:.0f} s in the future"
    return f"The {found.what} {when}: a clock is wrong, or a time zone.{clocks(found.clock_s)}"


def age(what: str, age_s: float, limit_s: float, clock_s: float) -> str:
    """How old something is, and may be."""
    shown = shown_above(age_s, limit_s) if age_s > limit_s else f"{max(age_s, 0):.0f}"
    return f"The {what} is {shown} s old, the limit is {limit_s:g} s.{clocks(clock_s)}"


def over_budget(title: str, took_s: float, budget_s: float, *, is_score: bool = False) -> str:
    """That a step or a journey took too long."""
    if is_score:
        return f'"{title}" is {shown_above(took_s, budget_s, digits=2)}, its budget is {budget_s:g}.'
    return f'"{title}" took {shown_above(took_s, budget_s, digits=1)} s, its budget is {budget_s:g} s.'


def degradation(found: Degradation, journey: str) -> str:
    """In which way a step was not well enough, with its figures, as short as a telephone shows it."""
    if found.limit_s is None or found.measured_s is None:
        return found.message
    step = found.step.rpartition(" › ")[2]
    where = "" if step == journey else f'"{step}" '
    limit, measured = shown_durations(found.limit_s, found.measured_s, is_score=found.is_score)
    if found.kind == "above baseline":
        return f"{where}{limit} → {measured}"
    measured, limit = shown_durations(found.measured_s, found.limit_s, is_score=found.is_score)
    bound = f"budget {limit}" if found.kind == "over budget" else f"limit {limit}"
    return f"{where}{measured}, {bound}" if found.kind == "over budget" else f"{where}{measured} old, {bound}"


def seen_from(votes: Sequence[Vote]) -> str:
    """From where a journey fails and from where it passes; nothing when fewer than two locations were asked."""
    if len(votes) < 2:
        return ""
    by_verb: dict[str, list[str]] = {}
    for vote in votes:
        by_verb.setdefault(_VERBS[vote.outcome], []).append(vote.location)
    return ", ".join(f"{verb} {listed(by_verb[verb])}" for verb in _VERBS.values() if verb in by_verb)


def listed(names: Sequence[str], *, most: int = 0) -> str:
    """Names as a person lists them; with ``most``, of so many the rest is only counted."""
    if 0 < most < len(names):
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def counted(number: int, noun: str) -> str:
    """A number with its noun: ``1 run``, ``3 runs``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def clocks(clock_s: float) -> str:
    """That two clocks differ; nothing when they agree."""
    return f" The target's clock differs from ours by {clock_s:+.0f} s." if abs(clock_s) > CLOCKS_AGREE_S else ""


def waited(found: Wait) -> str:
    """What was waited for in vain, and what was seen instead."""
    seen = "".join(f"\n  {count} × {text}" for text, count in found.seen) if len(found.seen) > 1 else ""
    return f"{_waited(found)}{found.reason}" + (f"\nSeen:{seen}" if seen else "")


def cause(failure: Failure) -> str:
    """The cause of a failure in one line, as a tired person reads it in an alert, a title or a list."""
    first = _cause(failure)
    if not failure.beside:
        return first
    more = f"; {len(failure.beside) - _BESIDE} more" if len(failure.beside) > _BESIDE else ""
    return f"{first.rstrip('.')}; also: {'; '.join(text.rstrip('.') for text in failure.beside[:_BESIDE])}{more}."


def whole_message(failure: Failure) -> str:
    """All that a failure says, with what was raised together with it."""
    return "\n".join((failure.message.strip(), *(f"Also: {text}" for text in failure.beside)))


def _cause(failure: Failure) -> str:
    found = failure.finding
    if found is not None and found.sought is not None and failure.kind in {"expectation", "timeout"}:
        return looked_for(found.sought)
    is_expectation = failure.kind in {
        "expectation",
        "throttled",
    }  # elsewhere the message says more than what was expected
    if not is_expectation or found is None or found.contradiction is None:
        return first_line(failure.message, found)
    return (_waited(found.wait) if found.wait else "") + contradiction(found.contradiction)


def first_line(message: str, found: Finding | None) -> str:
    """The first line of a message, with what it announces by a colon, and what Playwright's log says was under way."""
    line, *rest = [part.strip() for part in message.splitlines() if part.strip()] or [""]
    while line.endswith(":") and rest:
        announced, *rest = rest[-1:] if rest[0].startswith("Traceback (most recent call last)") else rest
        line = f"{line} {announced.lstrip('-*• ')}"
    under_way = found.under_way if found else ""
    if found and found.client and found.client not in line:
        under_way = f"{found.client} waited for an answer"
    return f"{line.rstrip('.')} ({under_way})" if under_way else line


def contradiction(found: Contradiction) -> str:
    """A contradiction in one line, without host, body and request."""
    got = found.got.partition("\n")[0].strip()
    if found.about in {"locator", "page"}:
        what = f"{named(found.locator)} {found.expected.removeprefix('Locator ')}" if found.locator else found.expected
        return f"{what}, got {repr(shorten(got, _WIDTH, placeholder=' …')) if got else 'nothing'}"
    where = f"{found.method} {path_of(found.url) or '/'}"
    if found.asked_url:
        where = f"{path_of(found.asked_url) or '/'} led to {where}"
    which = f"{where}, which" if found.asked_url else where
    if found.about == "status":
        return f"{which} was answered {found.status}, {found.expected} was expected"
    if found.about == "fields":  # what was got names the field, and what was expected of it
        return f"{which} was answered with {got}"
    return f"{where}: {found.expected} was expected, got {shorten(got, _GOT, placeholder=' …')}"


def shown_ms(ms: float) -> str:
    """Milliseconds as a person reads them."""
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def element(locator: str) -> tuple[str, str]:
    """What a locator looks for, as kind and name; the kind is empty where it is another language."""
    if found := _BY_PATTERN.match(locator):
        return found["role"] or _KINDS.get(found[1], "element"), ""
    found = _LOCATOR.match(locator)
    if found is None:
        return "", ""
    if found[1] == "role":
        return found["first"] or "", found["name"] or ""
    return _KINDS.get(found[1], "element"), found["first"] or ""


def looked_for(found: Sought) -> str:
    """That an element was not there, or could not be used."""
    what = named(found.locator)
    for_s = f" for {found.within_s:g} s" if found.within_s else ""
    after_s = f" after {found.within_s:g} s" if found.within_s else ""
    return {
        "absent": f"{what} was not there{after_s}",
        "hidden": f"{what} was not visible{for_s}",
        "disabled": f"{what} was disabled{for_s}",
        "covered": f"{what} was covered{f' by {found.by}' if found.by else ''}{for_s}",
        "moving": f"{what} did not stand still{for_s}",
        "outside": f"{what} stood outside of what can be seen of the page{for_s}",
        "replaced": f"{what} was replaced by the page again and again{for_s}",
    }[found.sight]


def named(locator: str) -> str:
    """An element by kind and name, or the pattern of it; by its locator where it has none."""
    kind, name = element(locator)
    if found := _BY_PATTERN.match(locator):
        return f"{kind} /{found['pattern']}/"
    return f'{kind} "{name}"' if kind and name else kind or locator


def page(runbook: str, general: str) -> str:
    """Which page fits a failure: only what knows it is called the runbook."""
    if runbook:
        return f"runbook: {runbook}"
    return f"no runbook knows it; general page: {general}" if general else "no page fits"


def incident_name(incident: str, cause: Triage | None, runbook: str, general: str) -> str:
    """An incident as every page, list and message names it: number, class of the cause, page."""
    named = cause_and_page(cause, runbook, general)
    return f"incident {incident}: {named}" if incident else named


def cause_and_page(cause: Triage | None, runbook: str, general: str) -> str:
    """The class of the cause, how sure it is, and the page."""
    return f"{f'{cause.cause_class} ({cause.sure})' if cause else 'unknown'}, {page(runbook, general)}"


def explanation(cause: Triage, beside: str = "") -> str:
    """Why a class is named; where none is, what is known, and which class it may be.

    What stands ``beside`` it already, the failure's own sentence, is not said again.
    """
    sentence = _explained(cause, beside)
    return f"As was seen of this incident: {sentence}" if sentence and cause.is_borrowed else sentence


def _explained(cause: Triage, beside: str) -> str:
    why = _beyond(cause.why, beside)
    if cause.cause_class != "unknown" or not cause.runner_up:
        return why
    because = _beyond(_beyond(cause.runner_up_why, cause.why), beside)
    return f"{why} May be {cause.runner_up}{f': {because}' if because else '.'}".lstrip()


def likely_cause(cause: Triage, beside: str = "") -> str:
    """The class of the cause, how sure it is, and why."""
    return f"{cause.cause_class}, confidence {cause.sure}: {explanation(cause, beside)}".removesuffix(": ")


def _beyond(text: str, beside: str) -> str:
    """What a text says that does not stand beside it."""
    known, bare = beside.strip().rstrip("."), text.strip().rstrip(".")
    if not known or known not in bare:
        return "" if bare in known else text
    before, _, after = text.partition(known)
    if after[:1].isspace() or before.rstrip()[-1:] not in {"", ".", ":", ";"}:  # it is a part of a sentence
        return text
    after = after.lstrip(" .;,")
    if before.rstrip().endswith(":"):
        before = f"{before.rstrip()[:-1]}."
    return f"{before.rstrip()} {after[:1].upper()}{after[1:]}".strip()


def runbook_mark(runbook: str, worth: Worth) -> str:
    """What somebody said of a runbook after use."""
    return f"The runbook {runbook or '(none)'}: {worth}."


def _waited(found: Wait) -> str:
    return f"Not within {found.within_s:g} s ({found.attempts} attempts): "
