"""Waiting for what must become true, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from synthprobe import words
from synthprobe.errors import ConfigurationError, ExpectationError
from synthprobe.records.finding import Finding, Wait
from synthprobe.records.journey import duration_s

T = TypeVar("T")


def eventually(
    check: Callable[[], T],
    *,
    within: str | float,
    every: str | float = "200ms",
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> T:
    """Try a check again and again until it holds, or the deadline has passed.

    A check holds when it raises no ``AssertionError`` and does not return ``False``. Any other exception
    is an error in the check itself and ends the waiting at once.

    Args:
        check: what must hold.
        within: how long it may take, for example ``"2s"``; never overshot by a pause.
        every: pause between two attempts.
        clock: monotonic seconds; replaced in tests.
        pause: waits some seconds; replaced in tests.

    Returns:
        What the check returned.

    Raises:
        ExpectationError: at the deadline, with the number of attempts and the distinct failures seen.
        ConfigurationError: when a duration is none.

    Example:
        >>> eventually(lambda: "ready", within="1s")
        'ready'
    """
    try:
        limit, interval = duration_s(within), duration_s(every)
    except ValueError as error:
        raise ConfigurationError(f"eventually() cannot wait: {error}") from None
    began = clock()
    attempts = 0
    failures: dict[str, int] = {}
    while True:
        attempts += 1
        last: AssertionError | None = None
        try:
            value = check()
            if value is not False:
                return value
            reason = "the check returned False"
        except AssertionError as error:
            # pytest adds its own comparison below the author's sentence
            reason = str(error).split("\nassert ")[0].strip() or "an assertion without a message"
            last = error.with_traceback(None)
        failures[reason] = failures.get(reason, 0) + 1
        left = limit - (clock() - began)
        if left <= 0:
            wait = Wait(within_s=limit, attempts=attempts, reason=reason, seen=tuple(failures.items()))
            raise ExpectationError(words.waited(wait), finding=Finding(wait=wait), last=last) from None
        pause(min(interval, left))
