"""What pytest reports of one phase of a test, and as JUnit of all: rendered whatever breaks, masked, and read."""

from __future__ import annotations

import copy
import shutil
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from types import TracebackType
from typing import Any
from unittest import SkipTest, TestCase

import pytest

from synthprobe.evidence.cap import NAME_CAP, capped
from synthprobe.evidence.redaction import Redactor
from synthprobe.files import private_folder
from synthprobe.plugin.inside_pytest import junit_writer, printed_sections
from synthprobe.records.plain_text import plain_line, plain_text
from synthprobe.records.result import JUNIT_PLACE, Failure
from synthprobe.report.junit import in_words_of_junit

_UNEXPECTED = "Unexpected success"


class BareReports:
    """Reports as they are made, before any other plugin has seen them: rendered whatever breaks, and masked."""

    def __init__(self, mask: Callable[[pytest.Item, pytest.TestReport], None]) -> None:
        self._mask = mask

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A failure that pytest cannot render is shown plainly; this is the innermost wrapper."""
        try:
            report = yield
        except Exception as error:
            report = _report_plainly(item, call, error)
        self._mask(item, report)
        return report


def _report_plainly(item: pytest.Item, call: pytest.CallInfo[None], trouble: Exception) -> pytest.TestReport:
    """The report of a phase whose traceback pytest could not render.

    CPython 3.11 before 3.11.5 cannot parse source below a greenlet, in which Playwright runs; an exception's own
    ``repr`` may raise as well. Neither may end the session.
    """
    error = call.excinfo.value if call.excinfo is not None else trouble
    try:
        lines = traceback.format_exception(error)
    except Exception:
        lines = [type(error).__name__]
    lines.append(f"\n(pytest could not render this traceback: {type(trouble).__name__})")
    plain = copy.copy(call)
    plain.excinfo = None
    report = pytest.TestReport.from_item_and_call(item, plain)
    report.outcome, report.longrepr = "failed", "".join(lines)
    return report


def hide_frames(error: BaseException) -> None:
    """Have pytest hide frames of Playwright and of synthprobe: a journey's author can do nothing about them."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__") or "").partition(".")[0]
        if package in {"synthprobe", "playwright", "pytest_playwright"}:
            frame.f_globals["__tracebackhide__"] = True


def traceback_behind(file: str, error: BaseException) -> TracebackType | None:
    """Where an exception was raised, without the frames of a file that passed it on."""
    place = error.__traceback__
    while place is not None and place.tb_frame.f_code.co_filename == file:
        place = place.tb_next
    return place


def journey_place(error: BaseException, file: Path, root: Path) -> str:
    """File and line of the journey at which an exception was raised, else of another file of the project."""
    lines = [(Path(frame.f_code.co_filename), line) for frame, line in traceback.walk_tb(error.__traceback__)]
    within = [(path, line) for path, line in lines if path.is_relative_to(root) and "site-packages" not in path.parts]
    for path, line in reversed([line for line in lines if line[0] == file] or within):
        return f"{path.relative_to(root) if path.is_relative_to(root) else path.name}:{line}"
    return ""


def redact_sections(item: pytest.Item, redactor: Redactor) -> None:
    """Mask what a test printed where pytest keeps it as well; other plugins read it there."""
    kept = printed_sections(item)
    kept[:] = [(when, name, redactor.text(capped(content))) for when, name, content in kept]


def redact_report(report: pytest.TestReport | pytest.CollectReport, redactor: Redactor, *, plain: bool) -> None:

    def clean(text: str) -> str:
        return plain_text(redactor.text(text)) if plain else redactor.text(text)

    if isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        report.longrepr = (path, line, clean(capped(reason)))
    elif report.longrepr is not None:
        text = str(report.longrepr)
        safe = clean(capped(text))
        if safe != text:
            report.longrepr = safe
    report.sections = [(name, clean(capped(content))) for name, content in report.sections]
    if isinstance(report, pytest.TestReport):
        report.user_properties = [  # pytest's JUnit file cannot be written with what a name may hold
            (
                plain_line(redactor.text(capped(str(name), NAME_CAP))),
                redactor.data(capped(value) if isinstance(value, str) else value),
            )
            for name, value in report.user_properties
        ]


def is_unexpected_success(item: pytest.Item, error: BaseException | None) -> bool:
    """Whether unittest says so that a test passed which is marked by `expectedFailure`; nothing was raised in it."""
    is_case = issubclass(getattr(item, "cls", None) or object, TestCase)
    return is_case and isinstance(error, pytest.fail.Exception) and str(error).startswith(_UNEXPECTED)


def counted_as_failed(report: pytest.TestReport) -> Failure:
    """Why a phase failed in which nothing was raised."""
    why = report.longreprtext.strip() or "no reason was given"
    message = f"Its {report.when} raised nothing, and a plugin counts it as failed: {why}"
    if why.startswith(("[XPASS", _UNEXPECTED)):
        message = f"It is marked as expected to fail and passed: {why}. Remove its mark."
    return Failure(kind="journey error", ours=True, message=message, detail=why, phase=report.when or "call")


def is_skip(report: pytest.TestReport, error: BaseException | None) -> bool:
    """Whether the test asked to be skipped; a failure that a plugin calls a skip is none."""
    return error is None or hasattr(report, "wasxfail") or isinstance(error, (pytest.skip.Exception, SkipTest))


def missing_module(reason: str) -> Failure | None:
    """What the probe lacks, where ``pytest.importorskip`` skips without a reason of the journey's own."""
    if not reason.startswith("could not import '"):
        return None
    message = (
        f"A module that the journey needs is not installed on this machine: {reason}. Install it; a journey that may "
        "be left out without it says why: pytest.importorskip(..., reason=...)."
    )
    return Failure(kind="probe error", ours=True, message=message, detail=reason, phase="setup")


def reason_of_skip(report: pytest.TestReport | pytest.CollectReport, error: BaseException | None = None) -> str:
    """Why a test, or a whole file, was skipped; and what broke, when the skip stands where an error was caught."""
    if isinstance(report.longrepr, tuple):
        reason = str(report.longrepr[2]).removeprefix("Skipped: ") or "skipped without a reason"
    else:
        reason = f"It is expected to fail: {getattr(report, 'wasxfail', '') or 'no reason was given'}"
    cause = error.__context__ if error is not None else None
    if isinstance(cause, Exception) and not isinstance(cause, SkipTest):
        reason += f" (it was skipped when this broke: {(str(cause) or type(cause).__name__).splitlines()[0]})"
    return capped(reason)


class JUnitOfJourneys:
    """Has pytest write its JUnit file into a private folder, and makes the real one of it."""

    def __init__(self, config: pytest.Config, folder: Path, mask: Callable[[str], str]) -> None:
        self._config = config
        self._folder = folder
        self._mask = mask

    def pytest_sessionstart(self) -> None:
        """A file of an earlier run must not pass for that of this one, should this one die."""
        if (writer := junit_writer(self._config)) is not None:
            Path(writer.logfile).unlink(missing_ok=True)
            if (self._folder / "run.json").exists():  # only the supervisor asks, and it begins the folder itself
                (self._folder / JUNIT_PLACE).write_text(writer.logfile, "utf-8")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, Any, Any]:
        writer = junit_writer(self._config)
        if writer is None:
            return (yield)
        folder, place = private_folder("synthprobe-junit-"), Path(writer.logfile)
        raw = folder / "junit.xml"
        try:
            writer.logfile = str(raw)
            done = yield
            if raw.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(in_words_of_junit(raw.read_bytes(), self._mask))
            return done
        finally:
            writer.logfile = str(place)
            shutil.rmtree(folder, ignore_errors=True)
