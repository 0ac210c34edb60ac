"""How long a command may still take: each part of it has one total deadline, and a signal to end shortens all of them.

No timeout of a socket bounds a call: a peer that sends a byte now and then outlives every one of them. So what waits
for somebody else is done in a thread of its own, and given up when its time is over.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from synthprobe.errors import SynthprobeError

T = TypeVar("T")

_LOOK_S = 0.05
_ends = math.inf
_asked = False


class OverdueError(SynthprobeError):
    """Something did not end within its total deadline, and was given up."""


def end_within(seconds: float) -> None:
    """Shorten everything that is still to be done in this process, which was asked to end; never lengthens it."""
    global _asked, _ends
    _asked, _ends = True, min(_ends, time.monotonic() + seconds)


@contextmanager
def all_within(seconds: float) -> Iterator[None]:
    """Give everything that is done meanwhile one total deadline."""
    global _ends
    before, _ends = _ends, min(_ends, time.monotonic() + seconds)
    try:
        yield
    finally:
        if not _asked:
            _ends = before


def is_ending() -> bool:
    """Whether this process was asked to end."""
    return _asked


def left_s(most_s: float, *, spare_s: float = 0.0) -> float:
    """Seconds something may take."""
    return max(0.0, min(most_s, _ends - spare_s - time.monotonic()))


def within(most_s: float, subject: str, call: Callable[[], T], *, spare_s: float = 0.0) -> T:
    """Do something that may never end."""
    began, results, errors = time.monotonic(), list[T](), list[BaseException]()

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    while thread.is_alive():
        left = min(most_s - (time.monotonic() - began), left_s(most_s, spare_s=spare_s))
        if left <= 0:
            raise OverdueError(f"{subject} did not answer within {time.monotonic() - began:.1f} s, and was given up.")
        thread.join(min(left, _LOOK_S))
    if errors:
        raise errors[0]
    return results[0]


_ENDS_WITHIN_S = {"SIGINT": 6.0, "SIGTERM": 3.0, "SIGHUP": 6.0}
ENDS_WITHIN_S: dict[int, float] = {getattr(signal, n): s for n, s in _ENDS_WITHIN_S.items() if hasattr(signal, n)}
"""Seconds in which a run does all that is left when a signal asks it to end; a second less than is promised."""

_noted: set[int] | None = None


@contextmanager
def signals() -> Iterator[set[int]]:
    """Note signals instead of obeying them at once, so that a verdict is written; it may stand within another one.

    A noted signal is obeyed at the end of the outermost one.
    """
    global _noted
    if _noted is not None or threading.current_thread() is not threading.main_thread():
        yield set() if _noted is None else _noted
        return
    asked = _noted = set()

    def ask(number: int, _: object) -> None:
        asked.add(number)
        end_within(ENDS_WITHIN_S[number])

    before = {number: signal.getsignal(number) for number in ENDS_WITHIN_S}
    for number in ENDS_WITHIN_S:
        if before[number] != signal.SIG_IGN:  # nohup keeps a run alive
            signal.signal(number, ask)
    try:
        yield asked
    finally:
        _noted = None
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt


def unwind_when_asked() -> None:
    """Let a signal to end raise `KeyboardInterrupt`: what was begun is undone, and no second signal cuts that short."""

    lost: set[int] = set()

    def unwind(number: int, _: object) -> None:
        if not _asked or left_s(math.inf) == 0 or number in lost:
            lost.discard(number)
            end_within(ENDS_WITHIN_S[number])
            raise KeyboardInterrupt(number)

    def raise_anew(dropped: sys.UnraisableHookArgs) -> None:
        error = dropped.exc_value  # Python drops what is raised in a callback of its own, or in `__del__`
        if isinstance(error, KeyboardInterrupt) and error.args:
            lost.add(error.args[0])
            threading.Timer(_LOOK_S, os.kill, (os.getpid(), error.args[0])).start()
        else:
            before(dropped)

    before, sys.unraisablehook = sys.unraisablehook, raise_anew
    for number in ENDS_WITHIN_S:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, unwind)
