"""Signals that ask a run to end are noted and shorten what is still to be done: the verdict is written all the same."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from synthprobe.deadlines import end_within

ENDS_WITHIN_S: dict[int, float] = {signal.SIGINT: 6.0, signal.SIGTERM: 3.0}
"""Seconds in which a run does all that is left when a signal asks it to end; a second less than is promised."""

if hasattr(signal, "SIGHUP"):
    ENDS_WITHIN_S[signal.SIGHUP] = 6.0

_asked: set[int] | None = None


@contextmanager
def signals() -> Iterator[set[int]]:
    """Note signals instead of obeying them at once; inside another such block it is the same one."""
    global _asked
    if _asked is not None or threading.current_thread() is not threading.main_thread():
        yield set() if _asked is None else _asked
        return
    asked = _asked = set()

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
        _asked = None
        for number, handler in before.items():
            signal.signal(number, handler)
