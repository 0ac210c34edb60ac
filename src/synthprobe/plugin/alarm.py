"""Keeps the journey's alarm from striking where it would cost more than the journey."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_TEARDOWN_S = 10.0


class TookTooLong(Exception):
    """Raised in the block when its seconds are over."""


@contextmanager
def own_time(seconds: float) -> Iterator[None]:
    """Give a block seconds of its own, apart from the journey's deadline.

    pytest-timeout's alarm covers the whole protocol of a test. In the body it ends the body; in a hook it would
    end pytest, and with it every journey not yet run. Here it waits; teardown then has at least ten seconds.

    Args:
        seconds: what the block may take.

    Yields:
        Nothing.

    Raises:
        TookTooLong: in the block, when they are over.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def strike(_number: int, _frame: FrameType | None) -> None:
        raise TookTooLong(f"It took longer than {seconds:g} s.")

    left, _ = signal.setitimer(signal.ITIMER_REAL, 0)
    handler = signal.signal(signal.SIGALRM, strike)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if callable(handler):
            signal.setitimer(signal.ITIMER_REAL, max(left, _TEARDOWN_S))
