"""Facts: the evidence of an attempt in short, for those who judge it, and the little of it that a card shows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from html import unescape

from synthprobe.hooks import AnswerSource, load_plugins
from synthprobe.records.address import path_of
from synthprobe.records.evidence import (
    DIALOG,
    MANY_QUERIES,
    SLOW_MS,
    Age,
    Answer,
    ConsoleMessage,
    Dialog,
    Exchange,
    Facts,
    NetworkRequest,
    NodeCount,
    PageSeen,
    SeenRequest,
)
from synthprobe.records.plain_text import without_markup
from synthprobe.records.result import Step, walk_steps
from synthprobe.targets.addresses import host_of, is_of_site, other_place

KEPT = 40
_REASON = 200
_REFUSED = re.compile("connection.?refused", re.IGNORECASE)
_NO_ANSWER_WANTED = ("ERR_ABORTED", "ERR_BLOCKED_BY_")
"""The browser ended these requests itself, or our own wall did: they say nothing of the target."""

_BESIDE = {"image", "stylesheet", "font", "media", "script", "manifest"}
"""What a page is made of: where it came well, it tells less than what the page asked and was answered."""

_PLACE = re.compile(r"https?://[^\s()]+")
_ERROR_PART = re.compile(
    r"<h[1-6]\b[^>]*>[^<]*\b[45]\d\d\b|<\w+\b[^>]*\b(?:class|id)=[\"'][^\"'>]*\berror\b", re.IGNORECASE
)
"""Where a page tells of an error: a heading with its status, or what the page itself calls one."""
_LATEST = datetime.max.replace(tzinfo=UTC)


def facts_of(
    exchanges: Sequence[Exchange],
    requests: Sequence[NetworkRequest],
    console: Sequence[ConsoleMessage],
    ages: Sequence[Age] = (),
    *,
    broken: str = "",
    steps: Sequence[Step] = (),
    pages: Sequence[PageSeen] = (),
    site: str = "",
    describe: Callable[[Mapping[str, str]], AnswerSource] | None = None,
) -> Facts:
    """Shorten the evidence of an attempt. What goes in is redacted already, so what comes out is.

    ``site`` is an address of the target: what pages ask of other sites, and errors of their scripts, are not its own.
    """
    describe = describe or load_plugins().describe_answer
    dated = [
        (exchange.started_at, _asked(exchange, describe(exchange.response_headers), site)) for exchange in exchanges
    ]
    dated += [
        (request.at or _LATEST, _browsed(request, _step_at(request.at, steps) if request.at else broken, site))
        for request in requests
        if request.status or not _is_unwanted(request)
    ]
    answers = _without_waiting([answer for _, answer in sorted(dated, key=lambda pair: pair[0])])
    errors = [
        message.text.strip().splitlines()[0][:_REASON]
        for message in console
        if message.kind == "page error" and message.text.strip() and not _elsewhere(_thrown_at(message.text), site)
    ]
    return Facts(
        answers=tuple(_kept(answers, broken)),
        nodes=tuple(
            NodeCount(node=node, answers=len(node_answers), broken=sum(answer.status >= 500 for answer in node_answers))
            for node in sorted({answer.node for answer in answers if answer.node})
            for node_answers in [[answer for answer in answers if answer.node == node]]
        ),
        builds=tuple(sorted({answer.build for answer in answers if answer.build})),
        page_errors=tuple(dict.fromkeys(errors)),
        ages=tuple(ages),
        pages=tuple(pages),
        dialogs=tuple(
            Dialog(kind=message.kind.removeprefix(DIALOG), text=message.text[:_REASON])
            for message in console
            if message.kind.startswith(DIALOG) and broken.startswith(_step_at(message.at, steps))
        ),
    )


def usual_facts(
    exchanges: Sequence[Exchange],
    requests: Sequence[NetworkRequest],
    console: Sequence[ConsoleMessage],
    *,
    site: str = "",
    describe: Callable[[Mapping[str, str]], AnswerSource] | None = None,
) -> Facts | None:
    """What was refused, broken or thrown in an attempt that passed all the same, and where credentials were sent."""
    facts = facts_of(exchanges, requests, console, site=site, describe=describe)
    odd = tuple(answer for answer in facts.answers if not answer.is_well or answer.credentials == "password")
    return Facts(answers=odd, page_errors=facts.page_errors) if odd or facts.page_errors else None


def with_pending(recorded: Iterable[NetworkRequest], pending: Sequence[NetworkRequest]) -> list[NetworkRequest]:
    """Recorded requests and those that have no answer; what was under way when recording ended was answered later."""
    unanswered = {(request.method, request.url): request for request in pending}
    kept = [
        request
        for request in recorded
        if request.status or request.error or (request.method, request.url) in unanswered
    ]
    known = {(request.method, request.url) for request in kept if not request.status}
    return [*kept, *(pending_request for request, pending_request in unanswered.items() if request not in known)]


def _without_waiting(answers: Sequence[Answer]) -> list[Answer]:
    """Leave out the connections that were refused until the same request was answered: a start was waited for."""
    came = {(a.method, a.host, a.path): number for number, a in enumerate(answers) if a.is_well}
    return [
        answer
        for number, answer in enumerate(answers)
        if answer.status
        or not _REFUSED.search(answer.reason)
        or came.get((answer.method, answer.host, answer.path), -1) < number
    ]


def _kept(answers: Sequence[Answer], broken: str) -> list[Answer]:
    """Of the answers that tell something and those of the broken step the worthiest, in their order."""
    ranked: list[tuple[int, int]] = []
    seen = set[tuple[str, ...]]()
    for number, answer in enumerate(answers):
        if _tells(answer) or (answer.step and broken.startswith(answer.step)):
            alike = (answer.step, answer.by, answer.method, answer.path, str(answer.status), answer.credentials)
            ranked.append((_rank(answer, is_repeated=alike in seen), number))
            seen.add(alike)
    return [answers[number] for number in sorted(number for _, number in sorted(ranked)[:KEPT])]


def _rank(answer: Answer, *, is_repeated: bool) -> int:
    """Refused, unanswered or slow is first, then what else was asked, then the same again, then assets that came."""
    if answer.resource in _BESIDE:
        return 1 if not answer.is_well else 5 if _tells(answer) else 6
    if is_repeated:
        return 3 if _tells(answer) else 4
    return 0 if _tells(answer) else 2


def _tells(answer: Answer) -> bool:
    odd = not answer.is_well or answer.duration_ms >= SLOW_MS or answer.credentials == "password"
    odd = odd or any(part.calls >= MANY_QUERIES for part in answer.server_timing)
    odd = odd or (answer.content_type == "text/html" and answer.resource in {"script", "fetch", "xhr"})
    return odd or answer.content_type == "text/event-stream"  # whether updates were promised at all


def _is_unwanted(request: NetworkRequest) -> bool:
    return any(text in request.error for text in _NO_ANSWER_WANTED)


def _step_at(at: datetime, steps: Sequence[Step]) -> str:
    """The innermost step that was open at a time."""
    open_then = [
        path
        for path, step in walk_steps(steps)
        if not step.vital and step.started_at <= at <= step.started_at + timedelta(seconds=step.duration_s)
    ]
    return open_then[-1] if open_then else ""


def _asked(exchange: Exchange, source: AnswerSource, site: str) -> Answer:
    headers = {name.lower(): value for name, value in exchange.response_headers.items()}
    age = headers.get("age", "")
    return Answer(
        by="api",
        method=exchange.method,
        path=path_of(exchange.url),
        status=exchange.status,
        step=exchange.step,
        node=source.node,
        build=source.build,
        content_type=headers.get("content-type", "").split(";")[0].strip(),
        duration_ms=exchange.duration_ms,
        age_s=float(age) if age.isdecimal() else 0.0,
        server_timing=exchange.server_timing,
        reason=exchange.error[:_REASON] or (_refusal(exchange.response_body) if exchange.status >= 400 else ""),
        credentials=exchange.credentials,
        account=exchange.account,
        host=other_place(exchange.url, site),
        operation=exchange.operation,
        stated=exchange.stated,
    )


def _browsed(request: NetworkRequest, step: str, site: str) -> Answer:
    return Answer(
        by="page",
        method=request.method,
        path=path_of(request.url),
        status=request.status,
        step=step,
        node=request.node,
        build=request.build,
        content_type=request.content_type,
        duration_ms=request.duration_ms,
        server_timing=request.server_timing,
        reason="" if request.status and _is_unwanted(request) else request.error[:_REASON],
        resource=request.resource_type,
        credentials=request.credentials,
        account=request.account,
        operation=request.operation,
        stated=request.stated,
        phases=request.phases,
        host=other_place(request.url, site),
    )


def _elsewhere(url: str, site: str) -> str:
    """The host of an address that is of another site; empty where it is the target's, or not known."""
    return host_of(url) if host_of(site) and not is_of_site(url, site) else ""


def _thrown_at(stack: str) -> str:
    """The address of the script in which an error arose, by the first line of its stack that names one."""
    found = _PLACE.search(stack)
    return found[0] if found else ""


def _refusal(body: str) -> str:
    with suppress(ValueError):
        data = json.loads(body)
        if isinstance(data, dict):
            return " ".join(_texts(data))[:_REASON]
    if not body.lstrip().startswith("<"):
        return " ".join(body.split())[:_REASON]
    words, telling = without_markup(body), _ERROR_PART.search(body)
    if len(words) > _REASON and telling:  # a page with its menu says why where it tells of the error
        words = without_markup(body[telling.start() :])
    return unescape(words)[:_REASON]


def _texts(content: object) -> Iterator[str]:
    """Each text of an answer, those of a list apart."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        yield from (text for value in content.values() for text in _texts(value))
    elif isinstance(content, list):
        yield from filter(None, ["; ".join(" ".join(_texts(part)) for part in content)])


ROWS = 5
"""Requests around the failure, and lines of the console."""

_LINE = 200
_TELLING = ("page error", "error", "warning")


def waterfall(
    exchanges: Sequence[Exchange], requests: Sequence[NetworkRequest], begun_at: datetime, broken_at: datetime
) -> tuple[SeenRequest, ...]:
    """The requests around a failure, in their order: around the last that was refused or broke, else the last ones."""
    rows = sorted(_rows(exchanges, requests, begun_at), key=lambda row: row.after_s)
    rows = [row for row in rows if row.after_s <= (broken_at - begun_at).total_seconds()]
    odd = [place for place, row in enumerate(rows) if row.error or row.status >= 400]
    middle = odd[-1] if odd else len(rows) - 1
    first = max(min(middle - ROWS // 2, len(rows) - ROWS), 0)
    return tuple(rows[first : first + ROWS])


def _rows(
    exchanges: Sequence[Exchange], requests: Sequence[NetworkRequest], begun_at: datetime
) -> Iterator[SeenRequest]:
    for asked in exchanges:
        after_s = (asked.started_at - begun_at).total_seconds()
        yield SeenRequest(
            method=asked.method, path=path_of(asked.url) or "/", status=asked.status, error=asked.error[:_LINE],
            after_s=after_s, duration_s=asked.duration_ms / 1000,
        )  # fmt: skip
    for sent in requests:
        if sent.at is not None and sent.at >= begun_at:
            after_s = (sent.at - begun_at).total_seconds()
            yield SeenRequest(
                method=sent.method, path=path_of(sent.url) or "/", status=sent.status, error=sent.error[:_LINE],
                after_s=after_s, duration_s=max(sent.duration_ms, 0.0) / 1000,
            )  # fmt: skip


def console_lines(messages: Sequence[ConsoleMessage]) -> tuple[str, ...]:
    """What pages said that tells most: uncaught errors first, then errors and warnings."""
    ranked_messages = sorted((m for m in messages if m.kind in _TELLING), key=lambda m: (_TELLING.index(m.kind), m.at))
    lines = (f"{m.kind}: {next(iter(m.text.strip().splitlines()), '')[:_LINE]}" for m in ranked_messages)
    return tuple(dict.fromkeys(lines))[:ROWS]
