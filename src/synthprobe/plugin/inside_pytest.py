"""Private names of pytest: all that we use, in one place."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO, cast

import pytest

TRIED = "pytest>=9,<10"


def replace_streams(config: pytest.Config, streams: Mapping[str, TextIO]) -> None:
    """Put streams in the place of those that pytest's capturing keeps, or lets text through to."""
    capturing = getattr(config.pluginmanager.get_plugin("capturemanager"), "_global_capturing", None)
    for name, stream in streams.items():
        captured: Any = getattr(capturing, name.removeprefix("std"), None)
        holder: Any
        for holder in (captured, getattr(captured, "syscapture", None)):
            if hasattr(holder, "_old"):
                holder._old = stream
        tee: Any = getattr(captured, "tmpfile", None)
        if hasattr(tee, "_other"):
            tee._other = stream


def renew_capture(config: pytest.Config) -> bool:
    """Begin capturing anew where a test closed what it is captured in; whether it did.

    A stream that it put in the place of pytest's may close pytest's with itself, so it goes first.
    """
    manager: Any = config.pluginmanager.get_plugin("capturemanager")
    capturing = getattr(manager, "_global_capturing", None)
    if capturing is None or not capturing.is_started() or manager._capture_fixture is not None:
        return False
    files = {}
    for name, part in (("stdout", capturing.out), ("stderr", capturing.err)):
        if hasattr(part, "tmpfile"):
            files[name] = part.tmpfile
            if getattr(sys, name) is not part.tmpfile:
                setattr(sys, name, part.tmpfile)
    if not any(file.closed for file in files.values()):
        return False
    capturing.suspend_capturing(in_=True)
    capturing.stop_capturing()
    manager._global_capturing = None
    manager.start_global_capturing()
    return True


def junit_writer(config: pytest.Config) -> Any:
    """What writes pytest's JUnit file; nothing where none is asked for."""
    from _pytest.junitxml import xml_key

    return config.stash.get(xml_key, None)


def terminal_stream(reporter: Any) -> TextIO:
    """Where pytest's own reporter prints; it may be another kind of reporter, which has none."""
    return cast("TextIO", reporter._tw._file)


def parameters(item: pytest.Item) -> dict[str, Any]:
    """What a test is called with, by name."""
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


def printed_sections(item: pytest.Item) -> list[tuple[str, str, str]]:
    """What a test printed: phase, stream, text."""
    return getattr(item, "_report_sections", [])


def fixture_finalizers(fixture: pytest.FixtureDef[Any]) -> list[Callable[[], object]]:
    """What a fixture leaves for its end, the last to be called first."""
    return fixture._finalizers


def keep_error(fixture: pytest.FixtureDef[Any], request: pytest.FixtureRequest, error: BaseException) -> None:
    """Let every test that shares a fixture hear how it ended, as pytest does of errors that are no `SystemExit`."""
    fixture.cached_result = (None, fixture.cache_key(cast("Any", request)), (error, error.__traceback__))


def tear_down(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the fixtures that the next test does not share with this one."""
    item.session._setupstate.teardown_exact(nextitem)
