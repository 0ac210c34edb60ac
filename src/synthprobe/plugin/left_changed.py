"""What a journey's body left changed of the process is put back, so that it spoils no other journey.

What a fixture changed before the body stays, since journeys may share it.
"""

from __future__ import annotations

import builtins
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from synthprobe.plugin.inside_pytest import renew_capture

if TYPE_CHECKING:
    from synthprobe.plugin.session import JourneySession


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_VALUES: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "the umask": (_umask, os.umask),
    "the working folder": (os.getcwd, os.chdir),
    "the default timeout of sockets": (socket.getdefaulttimeout, socket.setdefaulttimeout),
    "the recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
    "what logging leaves out": (lambda: logging.root.manager.disable, logging.disable),
    "what SIGINT does": (partial(signal.getsignal, signal.SIGINT), partial(signal.signal, signal.SIGINT)),
    "what SIGTERM does": (partial(signal.getsignal, signal.SIGTERM), partial(signal.signal, signal.SIGTERM)),
    "sys.excepthook": (lambda: sys.excepthook, partial(setattr, sys, "excepthook")),
    "threading.excepthook": (lambda: threading.excepthook, partial(setattr, threading, "excepthook")),
}
"""What is put back: how it is read, and how it is set."""

_MODULES: tuple[ModuleType, ...] = (builtins, socket, time)
"""Modules that the probe itself works with, and whose names are put back."""


class LeftChanged:
    """The plugin object that puts back. It stands next to the body, so that other plugins find all as it was."""

    def __init__(self, session: JourneySession) -> None:
        self._session = session

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self) -> Generator[None, None, None]:
        try:
            yield
        finally:
            self._renew()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, None, None]:
        attempt = self._session.attempt
        if attempt is None:
            yield
            return
        values, names = _values(), {module: dict(vars(module)) for module in _MODULES}
        try:
            yield
        finally:
            changed = [*_put_back_names(names), *_put_back_values(values)]
            if changed:
                attempt.recorder.notes.append(f"What its body changed was put back after it: {', '.join(changed)}.")
            self._renew()

    pytest_runtest_teardown = pytest_runtest_setup

    def _renew(self) -> None:
        attempt = self._session.attempt
        if attempt is not None and renew_capture(self._session.config):
            attempt.recorder.notes.append("It closed sys.stdout or sys.stderr, so what it had printed is lost.")


def _values() -> dict[str, Any]:
    found = {}
    for name, (read, _) in _VALUES.items():
        with suppress(OSError):  # a folder that is gone
            found[name] = read()
    return found


def _put_back_values(before: dict[str, Any]) -> Iterator[str]:
    now = _values()
    for name, value in before.items():
        if now.get(name) is not value and now.get(name) != value:
            with suppress(OSError, ValueError, TypeError, RecursionError):  # not from this thread, or not by Python
                _VALUES[name][1](value)
                yield name


def _put_back_names(before: dict[ModuleType, dict[str, Any]]) -> Iterator[str]:
    for module, names in before.items():
        for name, value in names.items():
            if vars(module).get(name) is not value and name != "_":  # a prompt's last value
                setattr(module, name, value)
                yield f"{module.__name__}.{name}"
