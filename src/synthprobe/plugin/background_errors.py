"""Hears what breaks in a thread, an ``asyncio`` task or a handler of the browser's events, and what nobody awaits:
it is only printed.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from synthprobe.errors import JourneyError
from synthprobe.journey.recorder import Recorder

_CONTRADICTIONS = (AssertionError, pytest.fail.Exception)
_REPORTED = {
    "asyncio": (("never retrieved", "Exception in callback"), "An asyncio task"),
    "playwright": (("event listener",), "A handler of the browser's events"),
}
"""Loggers that tell of an error nobody heard: how their lines say it, and what it broke."""


@contextmanager
def heard(recorder: Recorder, project: str) -> Iterator[None]:
    """What contradicts the target in this block counts for the journey; what else breaks is noted."""

    def hear(error: BaseException | None, where: str) -> None:
        if isinstance(error, _CONTRADICTIONS):
            recorder.heard_elsewhere(error)
        elif error is not None:
            recorder.notes.append(f"{where} ended with {type(error).__name__}: {error}")

    def of_thread(ended: threading.ExceptHookArgs) -> None:
        hear(ended.exc_value, f"The thread {ended.thread.name!r}" if ended.thread else "A thread")
        hook(ended)

    def of_ending(ended: sys.UnraisableHookArgs) -> None:
        hear(ended.exc_value, "What Python ended by itself")
        ending_hook(ended)

    tasks = _Tasks(hear)
    hook, threading.excepthook = threading.excepthook, of_thread
    ending_hook, sys.unraisablehook = sys.unraisablehook, of_ending
    for name in _REPORTED:
        logging.getLogger(name).addHandler(tasks)
    try:
        with _futures(hear), _coroutines(recorder.heard_elsewhere, project):
            yield
    finally:
        for name in _REPORTED:
            logging.getLogger(name).removeHandler(tasks)
        threading.excepthook, sys.unraisablehook = hook, ending_hook


@contextmanager
def _coroutines(hear: Callable[[BaseException], None], project: str) -> Iterator[None]:
    """Hear of each coroutine that the project's own code makes and nobody awaits."""
    depth, show = sys.get_coroutine_origin_tracking_depth(), warnings.showwarning
    shown: list[tuple[Any, ...]] = []

    def keep(*warning: Any) -> None:
        shown.append(warning)

    sys.set_coroutine_origin_tracking_depth(1)
    warnings.showwarning = keep  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.set_coroutine_origin_tracking_depth(depth)
        warnings.showwarning = show
    for warning in shown:
        warnings.showwarning(*warning)
        what, _, where = str(warning[0]).partition(" was never awaited")
        if where and project in where and "site-packages" not in where:
            hear(JourneyError(f"A {what} was made and never awaited, so nothing of it ran. Write `await` before it."))


@contextmanager
def _futures(hear: Callable[[BaseException | None, str], None]) -> Iterator[None]:
    """Hear of each result of an executor whose exception nobody asked for."""
    unasked: dict[Future[Any], BaseException | None] = {}
    set_exception, result, exception = Future.set_exception, Future.result, Future.exception

    def keep(future: Future[Any], error: BaseException | None) -> None:
        unasked[future] = error
        set_exception(future, error)

    def asking(method: Callable[..., Any]) -> Callable[..., Any]:
        def ask(future: Future[Any], timeout: float | None = None) -> Any:
            try:
                return method(future, timeout)
            finally:
                if future.done():
                    unasked.pop(future, None)

        return ask

    with ExitStack() as stack:
        for name, function in {"set_exception": keep, "result": asking(result), "exception": asking(exception)}.items():
            stack.callback(setattr, Future, name, getattr(Future, name))
            setattr(Future, name, function)
        yield
    for error in list(unasked.values()):
        hear(error, "A job of an executor")


class _Tasks(logging.Handler):
    """Told of each task whose exception was never retrieved, and of each handler of events that broke."""

    def __init__(self, hear: Callable[[BaseException | None, str], None]) -> None:
        super().__init__(logging.ERROR)
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        words, what = _REPORTED[record.name.partition(".")[0]]
        if record.exc_info and any(word in record.getMessage() for word in words):
            self._hear(record.exc_info[1], what)
