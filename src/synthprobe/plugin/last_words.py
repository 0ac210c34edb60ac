"""Writes down what ends pytest, or keeps it from beginning; `synthprobe run` loads it with ``-p``.

Told by pytest's own hooks, so that a verdict need not guess from printed text.
"""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from synthprobe.environment import ENVIRONMENT
from synthprobe.records.ending import FILE_VARIABLE, LastWords, LastWordsKind
from synthprobe.words import listed

_KEPT = 2000
_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_SHOWN = 5
_OWN = ("synthprobe", "synthprobe.plugin")
_NOT_LOADED = (
    "The plugin of synthprobe is not loaded (PYTEST_DISABLE_PLUGIN_AUTOLOAD, --disable-plugin-autoload or "
    "-p no:synthprobe), so nothing would hold journeys to the guardrails of their target. Unset it, or name each "
    "plugin that journeys need with -p."
)
_NEEDED = {
    "--reruns": ("pytest-rerunfailures", ("rerunfailures", "pytest_rerunfailures")),
    "-n": ("pytest-xdist", ("xdist", "xdist.plugin")),
}
"""Options that a run gives to pytest, and the plugins that have them."""
# what makes sense at a desk, and would leave journeys of a run unjudged
_OFF: dict[str, tuple[str, object]] = {
    "maxfail": ("-x or --maxfail", 0),
    "stepwise": ("--stepwise", False),
    "lf": ("--last-failed", False),
    "collectonly": ("--collect-only", False),
    "setuponly": ("--setup-only", False),
    "setupplan": ("--setup-plan", False),
    "usepdb": ("--pdb", False),
    "trace": ("--trace", False),
    "version": ("--version", 0),
    "markers": ("--markers", False),
    "showfixtures": ("--fixtures", False),
    "show_fixtures_per_test": ("--fixtures-per-test", False),
    "cacheshow": ("--cache-show", None),
}


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, Any, Any]:
    """A plugin that is not there, or a conftest.py that cannot be imported, ends pytest before anything is asked."""
    try:
        if not any(map(early_config.pluginmanager.has_plugin, _OWN)):
            raise pytest.UsageError(_NOT_LOADED)
        for option, (package, names) in _NEEDED.items():
            lacking = not any(map(early_config.pluginmanager.has_plugin, names))
            if lacking and option in early_config.invocation_params.args:
                raise pytest.UsageError(
                    f"This run needs {package}, and it is switched off here (-p no:{names[0]}, or "
                    f"PYTEST_DISABLE_PLUGIN_AUTOLOAD). Remove that, or load it with -p {names[1]}."
                )
        return (yield)
    except pytest.UsageError as error:
        _write("refused", str(error))
        raise
    except Exception as error:
        cause = getattr(error, "cause", None)
        path = _shown(early_config, str(getattr(error, "path", "")))
        broken = cause if isinstance(cause, BaseException) else error
        _write("refused", f"{path or 'A plugin'} could not be imported: {_in_words(early_config, broken)}")
        raise


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, Any, Any]:
    """Switch off what would keep journeys from being judged; then an option, a marker or a plugin may refuse."""
    _switch_off(config)
    try:
        return (yield)
    except pytest.UsageError as error:
        _write("refused", str(error))
        raise


def pytest_internalerror(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """A plugin or a hook of a conftest.py broke; there is no configuration to ask here."""
    _write("broken", _in_words(None, excinfo.value))


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Workers of pytest-xdist that collected different tests say so with the name of one as the node."""
    if report.failed and report.nodeid.startswith("gw") and report.nodeid[2:].isdigit():
        lines = str(report.longrepr).splitlines()
        differing = [line for line in lines if line[:1] in {"+", "-"} and line[:3] not in {"+++", "---"}]
        text = (
            "The workers of pytest-xdist collected different journeys, so none was run. Parameters must be the same in "
            f"each process: no random ones, no sets. They differ in {', '.join(line[1:] for line in differing[:4])}."
        )
        _write("refused", text)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Whoever leaves journeys out is told so by the run, unless it was typed: they are neither passed nor gone."""
    names = list(dict.fromkeys(item.nodeid for item in items))
    if names and {"-m", "-k"}.isdisjoint(items[0].config.invocation_params.args):
        left_out = "1 journey was" if len(names) == 1 else f"{len(names)} journeys were"
        _write(
            "note",
            f"{left_out} left out of this run by -k, -m, --deselect or a plugin, and not judged: "
            f"{listed(names, most=_SHOWN)}. Look at addopts.",
        )


def pytest_warning_recorded(warning_message: warnings.WarningMessage, nodeid: str) -> None:
    """What looks like a journey and is not collected, a class with a constructor for example, is told by the run."""
    if issubclass(warning_message.category, pytest.PytestCollectionWarning):
        _write("note", f"{nodeid}: {warning_message.message}. It is no journey of this run.")


def pytest_keyboard_interrupt(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Something asked pytest to stop; where that was a signal, the supervisor knows why."""
    _write("stopped", _in_words(None, excinfo.value))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """The same, asked of the session; or that nothing did."""
    if why := session.shouldfail or session.shouldstop:
        _write("stopped", str(why))
    elif exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED} and not hasattr(
        session.config, "workerinput"
    ):
        _write("through", "")


def _switch_off(config: pytest.Config) -> None:
    found = [name for name in _OFF if getattr(config.option, name, None)]
    for name in found:
        setattr(config.option, name, _OFF[name][1])
    if found and not hasattr(config, "workerinput"):
        typed = ", ".join(_OFF[name][0] for name in found)
        _write("note", f"pytest's {typed} was switched off, as a run judges every journey. Look at addopts.")


def _in_words(config: pytest.Config | None, error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    foreign = (_STANDARD_LIBRARY, "<frozen")
    outside = [
        frame for frame in frames if "site-packages" not in frame.filename and not frame.filename.startswith(foreign)
    ]
    where = f" ({_shown(config, outside[-1].filename)}, line {outside[-1].lineno})" if outside else ""
    return f"{type(error).__name__}{f': {error}' if str(error) else ''}{where}"


def _shown(config: pytest.Config | None, path: str) -> str:
    return os.path.relpath(path, config.invocation_params.dir if config else None) if path else ""


def _write(kind: LastWordsKind, text: str) -> None:
    place = ENVIRONMENT.get(FILE_VARIABLE)
    if not place:
        return
    line = msgspec.json.encode(LastWords(kind=kind, message=_masked(text)[:_KEPT]))
    with Path(place).open("ab") as file:
        file.write(line + b"\n")


def _masked(text: str) -> str:
    """Secrets of the project masked; where they cannot be known, the reader masks."""
    from synthprobe.project import Project

    try:
        return Project.here().redactor.text(text)
    except Exception:
        return "It cannot be told, as the project's secrets are not known here; see pytest.log in the run's folder."
