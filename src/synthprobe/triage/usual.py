"""What is usual where a journey passes: answers that refuse and errors of pages, as counts over its passing runs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from synthprobe.records.verdict import JourneyVerdict
from synthprobe.triage.facts import Occurrence, usual_of

USUAL = "(usual answers)"
"""Stands in the place of a step's path in what is known of a journey."""

_SHARE = 0.1
_REMEMBERED = 200
_KEPT = 60


class _Seen(Struct, array_like=True):
    runs: int = 0
    answers: dict[str, tuple[int, int]] = {}  # in how many of them, and how often in one at most


def usual_occurrences(state: bytes | None) -> dict[Occurrence, int]:
    """How often each came at most, of those that at least a tenth of the passing runs had."""
    seen = _read(state)
    return {
        (by, method, path, int(status)): most
        for written, (runs, most) in seen.answers.items()
        for by, method, rest in [written.split(" ", 2)]
        for path, _, status in [rest.rpartition(" ")]
        if runs >= seen.runs * _SHARE
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
        return state
    runs = seen.runs + 1
    if runs > _REMEMBERED:
        runs, answers = runs // 2, {written: (n // 2, most) for written, (n, most) in answers.items() if n > 1}
    kept = sorted(answers.items(), key=lambda pair: -pair[1][0])[:_KEPT]
    return msgspec.msgpack.encode(_Seen(runs, dict(kept)))


def _read(state: bytes | None) -> _Seen:
    try:
        return msgspec.msgpack.decode(state, type=_Seen) if state else _Seen()
    except (ValueError, msgspec.DecodeError):
        return _Seen()  # of another version: it is counted anew
