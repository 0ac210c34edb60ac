"""What is usual where a journey passes: answers that refuse and errors of pages, as counts over its passing runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.records.address import path_of
from synthprobe.records.decoding import from_msgpack
from synthprobe.records.evidence import Answer, Facts
from synthprobe.records.finding import Contradiction
from synthprobe.records.verdict import JourneyVerdict
from synthprobe.triage.fingerprint import normalise

USUAL = "(usual answers)"
"""Stands in the place of a step's path in what is known of a journey."""

_SHARE = 0.1
_REMEMBERED = 200
_KEPT = 60


class _Seen(Struct, array_like=True):
    runs: int = 0
    answers: dict[str, tuple[int, int]] = {}  # in how many of them, and how often in one at most


Occurrence = tuple[str, str, str, int]
"""Who asked, the method, the path and the status; of an error that a page throws, its words in the place of a path."""


def request_of(answer: Answer) -> Occurrence:
    """What makes two answers the same; of an error that is stated beside a good status, which one it is."""
    stated = answer.stated
    what = f"{answer.place} {stated.code or normalise(stated.message)}" if stated else answer.path
    return (answer.by, answer.method, what, answer.status)


def _thrown(error: str, identifiers: Mapping[str, str]) -> Occurrence:
    """What makes two errors of a page the same."""
    return ("page", "error", normalise(error, identifiers), 0)


def usual_of(facts: Facts | None, identifiers: Mapping[str, str] | None = None) -> dict[Occurrence, int]:
    """What was refused, broken or thrown in an attempt that passed, and how often."""
    if facts is None:
        return {}
    thrown = {_thrown(error, identifiers or {}) for error in facts.page_errors}
    return dict(Counter([*(request_of(a) for a in facts.answers if not a.is_well), *thrown]))


def harmless(facts: Facts | None) -> Facts | None:
    """The facts without errors and missing scripts: what breaks now hurts one journey and, by luck, not another."""
    answers = tuple(a for a in (facts.answers if facts else ()) if a.status < 500 and a.resource != "script")
    return replace(facts, answers=answers, page_errors=()) if facts else None


def without_usual(
    facts: Facts, usual: Mapping[Occurrence, int], wrong: Contradiction | None, identifiers: Mapping[str, str]
) -> Facts:
    """Leave out what also happens where a journey passes, as often as it does there; never what was contradicted."""
    left, kept = dict(usual), []
    contradicted = (wrong.method, path_of(wrong.url), wrong.status) if wrong and wrong.status else None
    for answer in facts.answers:
        if (answer.method, answer.path, answer.status) == contradicted:
            kept.append(answer)
        elif left.get(request_of(answer), 0) > 0:
            left[request_of(answer)] -= 1
        else:
            kept.append(answer)
    errors = tuple(error for error in facts.page_errors if not usual.get(_thrown(error, identifiers)))
    return replace(facts, answers=tuple(kept), page_errors=errors)


def usual_occurrences(state: bytes | None) -> dict[Occurrence, int]:
    """How often each came at most in passing runs; 0 where less than a tenth of them had it."""
    seen = _read(state)
    return {
        (by, method, path, int(status)): most if runs >= seen.runs * _SHARE else 0
        for written, (runs, most) in seen.answers.items()
        for by, method, rest in [written.split(" ", 2)]
        for path, _, status in [rest.rpartition(" ")]
    }


def with_usual(state: bytes | None, judged: JourneyVerdict, identifiers: Mapping[str, str]) -> bytes | None:
    """What is known after another run; nothing new when it did not pass at once."""
    if judged.outcome != "passed" or judged.intermittent or not judged.results:
        return state
    seen, now = _read(state), usual_of(judged.results[-1].facts, identifiers)
    answers = dict(seen.answers)
    for (by, method, path, status), times in now.items():
        written = f"{by} {method} {path} {status}"
        runs, most = answers.get(written, (0, 0))
        answers[written] = runs + 1, max(most, times)
    if not answers:
        return state or msgspec.msgpack.encode(seen)  # that nothing is refused is known, too
    runs = seen.runs + 1
    if runs > _REMEMBERED:
        runs, answers = runs // 2, {written: (n // 2, most) for written, (n, most) in answers.items() if n > 1}
    kept = sorted(answers.items(), key=lambda pair: -pair[1][0])[:_KEPT]
    return msgspec.msgpack.encode(_Seen(runs, dict(kept)))


def _read(state: bytes | None) -> _Seen:
    try:
        return from_msgpack(state, _Seen) if state else _Seen()
    except (ValueError, msgspec.DecodeError):
        return _Seen()  # of another version: it is counted anew
