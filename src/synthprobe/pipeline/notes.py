"""Sentences beside a verdict: what goes wrong after it, and which third parties were not reached."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeVar

from synthprobe.errors import SynthprobeError, refused_by_machine
from synthprobe.records.verdict import Verdict

R = TypeVar("R")


class Noted(AbstractContextManager[None, bool]):
    """Lets no error of the block cost the verdict: it becomes a note."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        if isinstance(error, SynthprobeError | OSError):
            self._notes.append(refused_by_machine(error) if isinstance(error, OSError) else str(error))
        elif isinstance(error, Exception):
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._notes.append(
                f"A part of what follows a run broke off ({type(error).__name__}: {error}, in {where.name}); the rest "
                "was done. This is a fault of synthprobe; please report it."
            )
        return isinstance(error, Exception)


def read_or(otherwise: R, notes: list[str], read: Callable[..., R], *given: object) -> R:
    """What a function gives, and something else where it breaks off, which is noted."""
    with Noted(notes):
        return read(*given)
    return otherwise


def third_parties(verdict: Verdict) -> list[str]:
    """The list of hosts that were asked for in vain, so that somebody decides on each; nothing when there are none."""
    asked = Counter(
        host for judgement in verdict.journeys if judgement.results for host in judgement.results[-1].refused_hosts
    )
    if not asked:
        return []
    listed = ", ".join(f"{host} ({count} {'journey' if count == 1 else 'journeys'})" for host, count in asked.items())
    return [
        f"Hosts that were asked for and not reached, as they are not allowed: {listed}. What a journey needs belongs "
        "into allowed_hosts of the target; what users do without belongs into blocked_hosts, and is not listed then."
    ]
