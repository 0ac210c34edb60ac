"""Ends what takes too long: each attempt's set-up and body, its teardown, and the keeping of its evidence."""

from __future__ import annotations

import _thread
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NamedTuple

import pytest
import pytest_timeout

from synthprobe.journey.clock import monotonic
from synthprobe.plugin.options import project_of

_TEARDOWN_S = 10.0
_REPEAT_S = 5.0  # what catches the first strike, or hangs in its own clean-up, is struck once more


class DeadlineReached(pytest.fail.Exception):  # type: ignore[misc, name-defined]
    """Raised in a journey that took too long; like all outcomes of pytest, no ``except Exception`` takes it."""


class TookTooLong(Exception):
    """Raised in the block when its seconds are over."""


class Limit(NamedTuple):
    """Seconds an attempt has, and who set them, where it is not ``journey_deadline_s``; 0 seconds set no end."""

    seconds: float
    source: str = ""


class AttemptDeadline:
    """The seconds of one attempt. They pass in its set-up and body alone, never while it waits for its turn.

    Every attempt has its own: pytest-timeout has one for all attempts at a test together, and ends it with the first
    failure, so that no second attempt and no teardown after a failure would have one.
    """

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self.limit_s = self._left_s = limit.seconds
        self._over = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """Set-up, or the body."""
        began = monotonic()
        try:
            with _alarm(self._left_s, self._reached):
                yield
        finally:
            if self.limit_s:
                self._left_s = max(self._left_s - (monotonic() - began), 0.001)
        if self._over:  # the journey caught it and went on, or it was lost in code of C
            raise self._reached()

    @contextmanager
    def ending(self) -> Iterator[None]:
        """Teardown: what is left, and at least ten seconds."""
        seconds = self.ending_s
        with _alarm(seconds, lambda: DeadlineReached(f"Its clean-up did not end within {seconds:.0f} s.")):
            yield

    @property
    def ending_s(self) -> float:
        """Seconds the teardown has; 0 without a deadline."""
        return max(self._left_s, _TEARDOWN_S) if self.limit_s else 0.0

    def shorten(self, limit: Limit) -> None:
        """Give the rest of the block that runs other seconds."""
        self._limit = limit
        _set_timer(limit.seconds, _REPEAT_S)

    def _reached(self) -> BaseException:
        self._over = True
        by = f", set by {self._limit.source}" if self._limit.source else ""
        return DeadlineReached(f"The journey reached its deadline of {self._limit.seconds:g} s{by}.")


def limit_of(item: pytest.Item, settings: Any) -> Limit | None:
    """What a timeout that pytest-timeout found means for a journey: one for all tests counts where it is shorter."""
    seconds, ours_s = float(settings.timeout), project_of(item.config).config.journey_deadline_s
    if item.get_closest_marker("timeout") is not None:
        return Limit(seconds, "its timeout marker")
    if item.config.getoption("timeout", None) is not None:
        return Limit(seconds, "--timeout")
    return Limit(seconds, "timeout in pytest's settings") if not ours_s or seconds < ours_s else None


def no_limit(item: pytest.Item) -> bool:
    """Whether marker, option or Playwright's inspector ask for no deadline at all."""
    marker = item.get_closest_marker("timeout")
    value = marker.kwargs.get("timeout", *marker.args[:1]) if marker else item.config.getoption("timeout", None)
    return value == 0 or bool(project_of(item.config).environ.get("PWDEBUG"))


@contextmanager
def own_time(seconds: float) -> Iterator[None]:
    """Give a block between the phases of an attempt seconds of its own."""
    with _alarm(seconds, lambda: TookTooLong(f"It took longer than {seconds:g} s.")):
        yield


@contextmanager
def _alarm(seconds: float, strike: Callable[[], BaseException]) -> Iterator[None]:
    if not seconds or threading.current_thread() is not threading.main_thread():
        yield
        return
    ended = False

    def struck(_number: int, _frame: FrameType | None) -> None:
        if not ended and not pytest_timeout.is_debugging():
            raise strike()

    handler = signal.signal(_ALARM, struck)
    left_s = _set_timer(seconds, _REPEAT_S)  # of a block around this one
    try:
        try:
            yield
        finally:
            ended = True
    finally:  # of its own, as the alarm may strike before the line above
        _set_timer(0)
        signal.signal(_ALARM, handler)
        _set_timer(left_s, _REPEAT_S if left_s else 0.0)


_ALARM = getattr(signal, "SIGALRM", signal.SIGTERM)


class _Timer:
    """What ``setitimer`` does, on Windows: a thread raises the signal, which is heard when Python runs on."""

    def __init__(self) -> None:
        self._running: threading.Timer | None = None
        self._strikes_at = 0.0

    def __call__(self, seconds: float, repeat_s: float = 0.0) -> float:
        """Strike after these seconds, then ever so often; how many were left before."""
        left_s = 0.0
        if self._running is not None:
            self._running.cancel()
            left_s, self._running = max(self._strikes_at - monotonic(), 0.001), None
        if seconds:
            self._begin(seconds, repeat_s)
        return left_s

    def _begin(self, seconds: float, repeat_s: float) -> None:
        self._strikes_at = monotonic() + seconds
        timer = self._running = threading.Timer(seconds, lambda: self._strike(timer, repeat_s))
        timer.daemon = True
        timer.start()

    def _strike(self, timer: threading.Timer, repeat_s: float) -> None:
        if self._running is timer:
            if repeat_s:
                self._begin(repeat_s, repeat_s)
            _thread.interrupt_main(_ALARM)


def _set_by_kernel(seconds: float, repeat_s: float = 0.0) -> float:
    return signal.setitimer(signal.ITIMER_REAL, seconds, repeat_s)[0]


_set_timer: Callable[..., float] = _set_by_kernel if hasattr(signal, "setitimer") else _Timer()
