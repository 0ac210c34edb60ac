"""What a session of journeys prints: against what it runs, how far it is, six lines at most for each that did not pass.

pytest's own reporter stays in place, and ``-v`` brings all of it back.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest

from synthprobe.plugin.gate import is_a_run, names_only_journeys
from synthprobe.plugin.inside_pytest import terminal_stream
from synthprobe.plugin.options import project_of
from synthprobe.plugin.session import JourneySession
from synthprobe.targets.proxy_variables import proxy_note

if TYPE_CHECKING:
    from synthprobe.plugin.session import JourneySession


_USUAL_SUMMARY = "fE"


def is_quiet(config: pytest.Config) -> bool:
    """Whether a session is one of journeys alone, of which nobody asked for more words.

    `synthprobe run` shows progress and failures itself, and keeps what pytest prints in the run's ``pytest.log``.
    """
    if not config.pluginmanager.has_plugin("terminal"):
        return False
    asked = config.option.verbose > 0 or hasattr(config, "workerinput")
    supervised = config.option.synthprobe_canaries is not None or bool(config.option.synthprobe_suspicions)
    return is_a_run(config) and not asked and not supervised and names_only_journeys(config)


class QuietConsole:
    """Keeps pytest's reporter from printing what is told in fewer lines here."""

    def __init__(self, session: JourneySession) -> None:
        self._session = session
        self._live = ExitStack()
        self._is_over = False
        session.config.option.verbose = min(session.config.option.verbose, -1)

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Say where the journeys run, and begin to show how far they are."""
        config = session.config
        reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
        workers: Any = config.pluginmanager.get_plugin("terminaldistreporter")
        if workers is not None:  # "bringing up nodes..." says nothing of journeys
            workers.ensure_show_status = workers.rewrite = lambda *_, **__: None
        if reporter is None:
            return
        for line in header(self._session):
            reporter.write_line(line)
        if config.getoption("capture", "fd") == "no" or config.option.usepdb or config.option.trace:
            return  # a person looks at what the journeys print
        stream = _own_stream(reporter)
        if stream is not None:
            from synthprobe.report.live_line import LiveLine

            self._live.enter_context(stream)
            self._live.enter_context(LiveLine(self._session.folder, stream).shown())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_report_teststatus(self) -> Generator[None, tuple[str, Any, Any], tuple[str, Any, Any]]:
        """Print no letter for a journey as it ends; a summary that was asked for has its words."""
        category, letter, word = yield
        return (category, letter, word) if self._is_over else (category, "", "")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, None, None]:
        """The line of progress is over before anything is summed up."""
        self._live.close()
        self._is_over = True
        yield

    def pytest_unconfigure(self) -> None:
        """It is so as well where a session broke."""
        self._live.close()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> Generator[None, None, None]:
        """Six lines a failure in the place of pytest's own text, unless that was asked for with an option."""
        style, wanted = config.option.tbstyle, terminalreporter.reportchars
        as_usual = config.option.reportchars == _USUAL_SUMMARY
        lines, stats = self._failures(), terminalreporter.stats
        usual = style == "auto" and (lines or not (stats.get("failed") or stats.get("error")))
        for line in lines if usual else ():
            terminalreporter.write_line(line)
        if usual:
            config.option.tbstyle = "no"
        if as_usual:
            terminalreporter.reportchars = ""
        try:
            yield
        finally:
            config.option.tbstyle, terminalreporter.reportchars = style, wanted
            warned = len(stats.get("warnings", ()))
            if warned and as_usual:
                terminalreporter.write_line(f"{warned} warning{'s' if warned > 1 else ''}; see them with -v")

    def _failures(self) -> list[str]:
        """What is told of each journey that did not pass, once it is explained."""
        folder, config = self._session.folder, self._session.config
        if not (folder / "run.json").exists() or not _is_worth_a_word(folder):
            return []
        from synthprobe import pipeline  # most sessions pass
        from synthprobe.report.terminal import failure_lines

        verdict = pipeline.judge(folder, write=False)
        with suppress(Exception):  # what cannot be explained is told without its cause
            verdict = pipeline.explain_run(project_of(config), folder, verdict, write=False)
        judgements = [
            judgement
            for judgement in verdict.journeys
            if judgement.results and judgement.outcome in {"failed", "unknown", "degraded"}
        ]
        return [self._session.redactor.text(line) for judgement in judgements for line in failure_lines(judgement)]


def _is_worth_a_word(folder: Path) -> bool:
    """Whether any attempt did not pass, found out without reading it."""
    lines = [line for path in (folder / "journal").glob("*.jsonl") for line in path.read_bytes().splitlines()]
    return any(b'"outcome":"passed"' not in line and b'"outcome":"skipped"' not in line for line in lines)


def _own_stream(reporter: Any) -> TextIO | None:
    """The reporter's stream, by a descriptor that is open as well while pytest captures what journeys print."""
    try:
        given = terminal_stream(reporter)
        return os.fdopen(os.dup(given.fileno()), "w", encoding=given.encoding or "utf-8", errors="backslashreplace")
    except (OSError, ValueError, AttributeError):
        return None


def header(session: JourneySession) -> list[str]:
    note = proxy_note(project_of(session.config).environ, session.target)
    against = f"synthprobe: target {session.target.name} at {session.target.base_url}, run {session.run_folder.run.id}"
    return [against, *([f"synthprobe: {note}"] if note else [])]


class SessionSummary:
    """The plugin object that says it."""

    def __init__(self, session: JourneySession) -> None:
        self._session = session

    def pytest_report_header(self) -> list[str]:
        return header(self._session)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        session = self._session
        if session.worker == "main" and (trouble := session.run_folder.hand_over()):
            terminalreporter.write_line(f"synthprobe: {trouble}")
        if session.allure.trouble:
            terminalreporter.write_line(f"synthprobe: {session.allure.trouble} The verdict does not need them.")
        if not session.run_folder.recorded or not (session.folder / "run.json").exists():
            return
        if session.config.option.synthprobe_canaries is not None:
            terminalreporter.write_line(
                "synthprobe: one failed test is the canary, which proves that failures are seen"
            )
            return
        folder = os.path.relpath(session.folder, session.config.invocation_params.dir)
        terminalreporter.write_line(f"synthprobe: results in {folder}; see them with: synthprobe report {folder}")
