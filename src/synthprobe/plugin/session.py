"""One pytest session of journeys: begins and ends each attempt as pytest's hooks tell."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Generator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from synthprobe.browser.headers import StepGroups
from synthprobe.browser.last_good import LastGood
from synthprobe.errors import JourneyError, SynthprobeError
from synthprobe.evidence.cap import cap_error
from synthprobe.evidence.html_pages import compared
from synthprobe.files import private_folder
from synthprobe.journey import steps
from synthprobe.journey.clock import SteadyClock
from synthprobe.journey.guard import Guard
from synthprobe.journey.other_clients import OtherClients
from synthprobe.plugin import gate
from synthprobe.plugin.admission import GroupLock, admitted_target, directed_folder, hold_attempt
from synthprobe.plugin.alarm import AttemptDeadline, Limit, limit_of, no_limit
from synthprobe.plugin.allure import AllureCollector, hear_allure
from synthprobe.plugin.background_errors import heard
from synthprobe.plugin.browsers import SessionBrowsers
from synthprobe.plugin.console import HarmlessConsole
from synthprobe.plugin.event_loops import EventLoops
from synthprobe.plugin.inside_pytest import parameters
from synthprobe.plugin.journal import EVIDENCE_S, Attempt, Journal
from synthprobe.plugin.options import JOURNEY, parameter_names, project_of
from synthprobe.plugin.proof import prove_asked, prove_parts, proven, refuse_empty
from synthprobe.plugin.reports import (
    BareReports,
    JUnitOfJourneys,
    counted_as_failed,
    hide_frames,
    is_skip,
    is_unexpected_success,
    journey_place,
    reason_of_skip,
    redact_report,
    redact_sections,
)
from synthprobe.plugin.run_folder import ProgressWriter, RunFolder
from synthprobe.plugin.scenarios import ScenarioSteps
from synthprobe.plugin.second_attempts import SecondAttempts
from synthprobe.plugin.shared_fixtures import SharedFixtures
from synthprobe.records.evidence import Exchange
from synthprobe.records.result import Failure, Outcome
from synthprobe.report.junit import properties_of
from synthprobe.targets.target import Target
from synthprobe.verdict.judge import MUST_FAIL

if TYPE_CHECKING:
    from synthprobe.plugin.reruns import Reruns

_LIMIT = pytest.StashKey[Limit]()
_TRIED = pytest.StashKey[int]()
"""How often a plugin tried a journey again by itself."""


class JourneySession:
    """The plugin object of a session of journeys."""

    def __init__(self, config: pytest.Config, target: Target, run_folder: RunFolder, scratch: Path) -> None:
        self.config = config
        self.target = target
        self.run_folder = run_folder
        self.folder = folder = run_folder.path
        self.clock = SteadyClock()
        given: dict[str, Any] = getattr(config, "workerinput", {})
        self.worker: str = given.get("workerid", "main")
        self.own_base_url: str | None = given.get("synthprobe_own_base_url")
        self.address_typed: bool = given.get("synthprobe_address_typed", gate.is_address_typed(config))
        project = self._project = project_of(config)
        self.redactor = project.redactor
        self.redactor.catch_up = lambda: self._learn(broken=False)
        self.exchanges: list[Exchange] = []
        self.journal = Journal(
            project,
            run_folder,
            target,
            worker=self.worker,
            redactor=self.redactor,
            exchanges=self.exchanges,
            address_typed=self.address_typed,
        )
        self._last_good = project.folder / "last-good" / target.name
        self.scratch = scratch
        self.allure = AllureCollector(
            folder, self.worker, target.name, self.redactor, self.clock.now, self._fixture_broke
        )
        self.attempt: Attempt | None = None
        self.reruns: Reruns | None = None
        if suspicions := config.option.synthprobe_suspicions:
            from synthprobe.plugin.reruns import Reruns  # few sessions run anything again

            self.reruns = Reruns(Path(suspicions))
            config.pluginmanager.register(self.reruns, "synthprobe-reruns")
        delays = run_folder.begun and config.getoption("reruns_delay", None) == 0  # else who runs pytest says how long
        self._second = SecondAttempts(project.config.second_attempt_delay_s if delays else 0.0)
        self._group = GroupLock(folder / "locks")
        share = run_folder.share()
        self.guard = Guard(target, folder, sharers=share.of if share is not None else 1)
        self._other_clients = OtherClients(self.guard)
        self.scenarios, self.loops = ScenarioSteps(), EventLoops()
        self.browsers = SessionBrowsers(project, target, scratch, self.redactor, self.guard)

    @classmethod
    def of(cls, config: pytest.Config) -> JourneySession:
        """Prepare the session: choose the target and the run's folder, direct Allure there."""
        target = admitted_target(config)
        own_base_url = config.option.base_url or gate.own_address(config) or None
        config.option.base_url = target.base_url
        scratch = private_folder("synthprobe-session-")
        folder = directed_folder(config, target, scratch)
        session = cls(config, target, folder, scratch)
        if not hasattr(config, "workerinput"):
            session.own_base_url = own_base_url
        console = HarmlessConsole(config, session.redactor.late_text, lambda: session.attempt is not None)
        console.hold()
        config.pluginmanager.register(console, "synthprobe-console")
        config.pluginmanager.register(JUnitOfJourneys(config, folder.path, session.redactor.text), "synthprobe-junit")
        return session

    @staticmethod
    def current(config: pytest.Config) -> JourneySession | None:
        """The session's object, if journeys run in it."""
        return cast("JourneySession | None", config.pluginmanager.get_plugin("synthprobe-session"))

    @staticmethod
    def required(config: pytest.Config) -> JourneySession:
        """The session's object; there is one wherever the ladder is registered."""
        return cast("JourneySession", config.pluginmanager.get_plugin("synthprobe-session"))

    # hooks

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Render reports plainly where pytest cannot; hear what is told to Allure."""
        self.config.pluginmanager.register(BareReports(self._mask), "synthprobe-reports")
        self.config.pluginmanager.register(self.loops, "synthprobe-loops")
        self.config.pluginmanager.register(SharedFixtures(), "synthprobe-shared-fixtures")
        hear_allure(self.config, self.allure, lambda item: JOURNEY in item.stash)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell each xdist worker which run it belongs to."""
        node.workerinput["synthprobe_parent"] = os.getpid()
        node.workerinput["synthprobe_root"] = str(self._project.root)
        node.workerinput["synthprobe_folder"] = str(self.folder)
        node.workerinput["synthprobe_begun"] = self.run_folder.begun
        node.workerinput["synthprobe_run"] = msgspec.json.encode(self.run_folder.run)
        node.workerinput["synthprobe_base_url"] = self.target.base_url
        node.workerinput["synthprobe_own_base_url"] = self.own_base_url
        node.workerinput["synthprobe_address_typed"] = self.address_typed

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        journey = item.stash.get(JOURNEY, None)
        if journey is not None:
            if self.worker != "main":
                self._group.wait(item)
            number = self.reruns.number(item) if self.reruns else getattr(item, "execution_count", 1)
            if number > 1 and not self.reruns and item.get_closest_marker("flaky") is None:  # it has a delay of its own
                self._second.wait(journey.id)
            reason = hold_attempt(item, self.guard, self.browsers)
            number += self._left(item)
            configured = Limit(self._project.config.journey_deadline_s)
            self.redactor.learn_from_parameters(parameters(item))
            limit = Limit(0.0) if no_limit(item) else item.stash.get(_LIMIT, configured)
            progress = ProgressWriter(self.folder, self.worker, journey.id, number, self.redactor, limit.seconds)
            good = LastGood(self._last_good, journey.id, self.clock.now(), self.browsers.looks)
            seen = (progress, self.browsers.headers, good, StepGroups(lambda: self.browsers.evidence))
            self.attempt = Attempt(journey, number, self.allure, *seen, clock=self.clock)
            self.attempt.good = good
            self.allure.begin(item, self.attempt.recorder.trace_id, parameter_names(item))
            self.exchanges.clear()
            self.scenarios.begin()
            steps.swap(self.attempt.recorder)
            self._other_clients.hear()
            self.browsers.begin(journey.id, is_first=number == 1 or self.reruns is not None)  # as timed before
            self.attempt.progress, self.attempt.deadline = progress, AttemptDeadline(limit)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
        with self.attempt.deadline.running() if self.attempt else nullcontext():
            try:
                if journey is not None:
                    refuse_empty(item)
                yield
            finally:
                if journey is not None:
                    self.allure.ready()

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Take over a journey's timeout: each attempt has the whole of it."""
        if item.stash.get(JOURNEY, None) is None or threading.current_thread() is not threading.main_thread():
            return None
        limit = limit_of(item, settings)
        if limit is not None and self.attempt is None:
            item.stash[_LIMIT] = limit
        elif limit is not None and self.attempt is not None:  # of its body only
            self.attempt.deadline.shorten(limit)
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """A body that cannot have contradicted anything proves nothing; what its threads and tasks found out counts."""
        attempt = self.attempt
        if attempt is None:
            yield
            return

        def looked() -> bool:
            return bool(self.exchanges) or self.scenarios.looked(attempt.recorder.steps)

        project, seen = str(self.config.rootpath), self.browsers.error_page
        recorder = attempt.recorder

        def count() -> int:
            return recorder.asked + len(self.exchanges) + len(recorder.steps)

        done = count()
        try:
            with (
                self.allure.body(),
                attempt.deadline.running(),
                heard(attempt.recorder, project),
                proven(item, looked, seen),
            ):
                yield
                prove_parts(self.scenarios.functions, looked, project)
        except JourneyError:
            if isinstance(unheard := attempt.recorder.left_unheard(), AssertionError):
                raise unheard from None  # what the target contradicted is more than what the journey lacks
            raise
        except BaseException as error:
            attempt.raised = error
            raise
        if (unheard := attempt.recorder.left_unheard()) is not None:
            raise unheard
        prove_asked(item, lambda: count() > done or not self.browsers.shows_nothing())

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        """An HTML page in an assertion is told by its title."""
        return compared(op, left, right) if self.attempt is not None else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, None, None]:
        """Clean-up that hangs costs its own journey, after a failure as well."""
        if self.attempt is not None and self.attempt.progress is not None:
            self.attempt.progress.allow(self.attempt.deadline.ending_s)
        with self.attempt.deadline.ending() if self.attempt else nullcontext():
            yield

    def _left(self, item: pytest.Item) -> int:
        """How often a plugin tried a journey again by itself, in one of pytest's phases; each attempt is recorded."""
        attempt = self.attempt
        if attempt is not None:
            if attempt.raised is not None and attempt.failure is None:
                attempt.failure = self._failure(item, attempt, attempt.raised, "", "call")
            self._settle(attempt)
            self.journal.look_back(attempt, self.browsers.evidence)
            self._record(attempt)
            item.stash[_TRIED] = item.stash.get(_TRIED, 0) + 1
        return item.stash.get(_TRIED, 0)

    def _failure(self, item: pytest.Item, attempt: Attempt, error: BaseException, detail: str, phase: str) -> Failure:
        if phase == "setup":
            attempt.share(error)
        failure = self.journal.describe(attempt, error, detail, phase)
        failure = replace(failure, place=journey_place(error, item.path, self._project.root))
        failure = self.browsers.explain(failure, of_page=not isinstance(error, SynthprobeError))
        return self.redactor.record(failure)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge and record each phase; this is the outermost wrapper but for Allure's own attachments."""
        attempt = self.attempt
        whole = cap_error(call.excinfo.value if call.excinfo is not None else None)
        if attempt is not None and whole:
            attempt.whole_text = whole
        option, style = self.config.option, getattr(self.config.option, "tbstyle", "auto")
        if style == "auto" and JOURNEY in item.stash:
            option.tbstyle = "short"
        error = call.excinfo.value if call.excinfo is not None else None
        if error is not None and JOURNEY in item.stash and journey_place(error, item.path, self._project.root):
            hide_frames(error)
        if self.browsers.evidence is not None and error is not None:
            self.browsers.evidence.error = error
        try:
            report = yield
        finally:
            option.tbstyle = style
        error = call.excinfo.value if call.excinfo is not None else None  # unittest tells what was raised only now
        if attempt is not None and self.attempt is not None and report.when == "call":
            # a plugin may have tried it again meanwhile, and reports that; or have taken its failure away
            error = error if attempt is self.attempt and error is not None else self.attempt.raised
            attempt = self.attempt
        error = None if is_unexpected_success(item, error) else error
        redact_report(report, self.redactor, plain=JOURNEY in item.stash)  # once more: others add to it
        if attempt is None or JOURNEY not in item.stash:
            return report
        if report.skipped and is_skip(report, error):
            attempt.skip(reason_of_skip(report, error), report.when)
        elif error is not None and attempt.failure is None:
            failure = self._failure(item, attempt, error, report.longreprtext, report.when or "call")
            if attempt.finished and failure.kind == "browser":  # all was seen before the browser went away
                attempt.recorder.notes.append(f"The browser was gone when it was to be closed: {failure.message}")
            else:
                attempt.failure = failure
            if attempt.journey.id == MUST_FAIL:  # what it says would read like a fault of the target
                report.longrepr = "It failed, as this canary must: failures are seen."
        if report.failed and error is None and attempt.failure is None:  # a plugin's doing, strict xfail for example
            attempt.failure = counted_as_failed(report)
        if report.when == "call":
            attempt.finished = report.passed
        if report.when == "call" or (report.when == "setup" and not report.passed):
            self._settle(attempt)
        if report.when == "teardown":
            if attempt.failure is not None and not attempt.evidence:
                self.journal.keep(attempt, self.browsers.evidence)
            self.journal.look_back(attempt, self.browsers.evidence)
            self.browsers.end()
            outcome, cause = self._record(attempt, report)
            report.user_properties += properties_of(
                attempt.journey.id, outcome, self.redactor.text(cause), attempt.number
            )
            self.attempt = None
            steps.swap(None)
            self._group.release()
        return report

    def pytest_keyboard_interrupt(self) -> None:
        """The run is ended from outside: save what is known of the journey that was running."""
        attempt, self.attempt = self.attempt, None
        if attempt is not None and not attempt.settled:
            attempt.cancel()
            self._settle(attempt)
            self._record(attempt)

    def pytest_sessionfinish(self) -> None:
        self._other_clients.close()
        self.browsers.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    # one attempt

    def _mask(self, item: pytest.Item, report: pytest.TestReport) -> None:
        is_beginning = report.when == "setup" and report.passed  # what is seen of it goes on
        if not is_beginning or report.sections or report.user_properties:
            self._learn(broken=report.failed or (bool(report.sections) and not is_beginning))
        redact_report(report, self.redactor, plain=JOURNEY in item.stash)
        redact_sections(item, self.redactor)

    def _learn(self, *, broken: bool) -> None:
        """What was issued to the browser must be known before the first text of this attempt is written."""
        browser = self.browsers.evidence
        if browser is not None and self.attempt is not None and (broken or not self.attempt.settled):
            with self.loops.back():
                self.journal.learn(self.attempt, browser, broken=broken)

    def _settle(self, attempt: Attempt) -> None:
        if attempt.progress is not None:
            attempt.progress.allow(EVIDENCE_S, broken=attempt.recorder.broken)
        notes, attempt.refused_hosts = self.browsers.refused()
        attempt.recorder.notes += notes
        self.journal.settle(attempt, self.browsers.evidence)

    def _fixture_broke(self, name: str, scope: str) -> None:
        """A fixture's end broke: its page may be closed before pytest reports that."""
        attempt = self.attempt
        if attempt is not None and attempt.failure is None:
            shared = "" if scope == "function" else f", which journeys of one {scope} share"
            attempt.recorder.notes.append(f'It broke at the end of fixture "{name}"{shared}.')
            if self.browsers.evidence is not None and not attempt.evidence:
                self.journal.capture(self.browsers.evidence)

    def _record(self, attempt: Attempt, report: pytest.TestReport | None = None) -> tuple[Outcome, str]:
        result = self.journal.record(attempt)
        self.allure.end(report)
        if attempt.progress is not None:
            attempt.progress.end()
        self._second.saw(result)
        if self.reruns is not None:
            self.reruns.saw(result)
        return result.outcome, result.cause
