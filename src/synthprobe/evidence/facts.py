"""Facts: the evidence of an attempt in short, for those who judge it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from synthprobe.hooks import AnswerSource, load_plugins
from synthprobe.records.address import path_of
from synthprobe.records.evidence import (
    MANY_QUERIES,
    SLOW_MS,
    Age,
    Answer,
    ConsoleMessage,
    Exchange,
    Facts,
    NetworkRequest,
    NodeCount,
)

KEPT = 40
_REASON = 200


def facts_of(
    exchanges: Sequence[Exchange],
    requests: Sequence[NetworkRequest],
    console: Sequence[ConsoleMessage],
    ages: Sequence[Age] = (),
    *,
    broken: str = "",
    describe: Callable[[Mapping[str, str]], AnswerSource] | None = None,
) -> Facts:
    """Shorten the evidence of an attempt. What goes in is redacted already, so what comes out is."""
    describe = describe or load_plugins().describe_answer
    answers = [_asked(one, describe(one.response_headers)) for one in exchanges] + [_browsed(one) for one in requests]
    telling = [one for one in answers if _tells(one)]
    inside = [one for one in answers if one.step and broken.startswith(one.step) and one not in telling]
    errors = [
        one.text.strip().splitlines()[0][:_REASON] for one in console if one.kind == "page error" and one.text.strip()
    ]
    return Facts(
        answers=tuple((telling + inside)[:KEPT]),
        nodes=tuple(
            NodeCount(node=node, answers=len(its), broken=sum(one.status >= 500 for one in its))
            for node in sorted({one.node for one in answers if one.node})
            for its in [[one for one in answers if one.node == node]]
        ),
        builds=tuple(sorted({one.build for one in answers if one.build})),
        page_errors=tuple(dict.fromkeys(errors)),
        ages=tuple(ages),
    )


def _tells(one: Answer) -> bool:
    odd = one.status >= 400 or one.status == 0 or one.duration_ms >= SLOW_MS
    odd = odd or any(part.calls >= MANY_QUERIES for part in one.server_timing)
    return odd or one.content_type == "text/event-stream"  # whether updates were promised at all


def _asked(one: Exchange, source: AnswerSource) -> Answer:
    headers = {name.lower(): value for name, value in one.response_headers.items()}
    age = headers.get("age", "")
    return Answer(
        by="api",
        method=one.method,
        path=path_of(one.url),
        status=one.status,
        step=one.step,
        node=source.node,
        build=source.build,
        content_type=headers.get("content-type", "").split(";")[0].strip(),
        duration_ms=one.duration_ms,
        age_s=float(age) if age.isdecimal() else 0.0,
        server_timing=one.server_timing,
        reason=one.error[:_REASON] or (_refusal(one.response_body) if one.status >= 400 else ""),
    )


def _browsed(one: NetworkRequest) -> Answer:
    return Answer(
        by="page",
        method=one.method,
        path=path_of(one.url),
        status=one.status,
        node=one.node,
        build=one.build,
        content_type=one.content_type,
        duration_ms=one.duration_ms,
        server_timing=one.server_timing,
        reason=one.error[:_REASON],
    )


def _refusal(body: str) -> str:
    with suppress(ValueError):
        said = json.loads(body)
        if isinstance(said, dict):
            return " ".join(_texts(said.values()))[:_REASON]
    return " ".join(body.split())[:_REASON]


def _texts(values: Iterable[object]) -> Iterable[str]:
    return (value for value in values if isinstance(value, str))
