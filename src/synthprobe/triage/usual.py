"""What is usual where a journey passes: answers that were refused all the same, as counts over its passing runs."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from synthprobe.records.verdict import JourneyVerdict
from synthprobe.triage.facts import Request, usual_of

USUAL = "(usual answers)"
"""Stands in the place of a step's path in what is known of a journey."""

_SHARE = 0.1
_REMEMBERED = 200
_KEPT = 60


class _Seen(Struct, array_like=True):
    runs: int = 0
    answers: dict[str, tuple[int, int]] = {}  # in how many of them, and how often in one at most


def usual_answers(state: bytes | None) -> dict[Request, int]:
    """How often each answer came at most, of those that at least a tenth of the passing runs had."""
    seen = _read(state)
    return {
        (by, method, path, int(status)): most
        for request, (runs, most) in seen.answers.items()
        for by, method, path, status in [request.split(" ", 3)]
        if runs >= seen.runs * _SHARE
    }


def with_usual(state: bytes | None, judged: JourneyVerdict) -> bytes | None:
    """What is known after another run; nothing new when it did not pass at once."""
    if judged.outcome != "passed" or judged.intermittent or not judged.results:
        return state
    seen, now = _read(state), usual_of(judged.results[-1].facts)
    answers = dict(seen.answers)
    for (by, method, path, status), times in now.items():
        request = f"{by} {method} {path.replace(' ', '%20')} {status}"
        runs, most = answers.get(request, (0, 0))
        answers[request] = runs + 1, max(most, times)
    if not answers:
        return state
    runs = seen.runs + 1
    if runs > _REMEMBERED:
        runs, answers = runs // 2, {request: (n // 2, most) for request, (n, most) in answers.items() if n > 1}
    kept = sorted(answers.items(), key=lambda pair: -pair[1][0])[:_KEPT]
    return msgspec.msgpack.encode(_Seen(runs, dict(kept)))


def _read(state: bytes | None) -> _Seen:
    try:
        return msgspec.msgpack.decode(state, type=_Seen) if state else _Seen()
    except (ValueError, msgspec.DecodeError):
        return _Seen()  # of another version: it is counted anew
