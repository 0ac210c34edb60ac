"""What becomes of an attempt that has ended: its evidence is kept, and its result is a line of the run's journal."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from synthprobe import words
from synthprobe.browser.kept_evidence import Keeper, evidence_folder
from synthprobe.evidence.cap import capped
from synthprobe.evidence.exchanges import operations
from synthprobe.evidence.facts import console_lines, facts_of, usual_facts, waterfall, with_pending
from synthprobe.evidence.failure import describe_failure, leak_failure
from synthprobe.evidence.issued import keep_digests
from synthprobe.evidence.pictures import picture_only
from synthprobe.evidence.redaction import Redactor
from synthprobe.evidence.skew import clock_failure
from synthprobe.files import read_record
from synthprobe.journey import steps
from synthprobe.journey.clock import SteadyClock
from synthprobe.journey.other_clients import recorded
from synthprobe.plugin.alarm import AttemptDeadline, Limit, own_time
from synthprobe.plugin.allure import AllureCollector
from synthprobe.plugin.reports import missing_module, reason_of_skip
from synthprobe.plugin.run_folder import ProgressWriter, RunFolder
from synthprobe.project import Project
from synthprobe.records.evidence import Evidence, Exchange, Facts, NetworkRequest, PageSeen, SeenRequest
from synthprobe.records.journey import Journey
from synthprobe.records.result import Failure, Outcome, Result
from synthprobe.targets.addresses import is_of_site
from synthprobe.targets.guardrails import may_reach
from synthprobe.targets.target import Target, backend_trace
from synthprobe.verdict.judge import judge_attempt

if TYPE_CHECKING:
    from synthprobe.browser.evidence import BrowserEvidence
    from synthprobe.browser.last_good import LastGood

EVIDENCE_S = 20.0


class Attempt:
    """What is known of one attempt at a journey."""

    def __init__(
        self, journey: Journey, number: int, allure: AllureCollector, *listeners: steps.StepListener, clock: SteadyClock
    ) -> None:
        self.journey = journey
        self.number = number
        self.allure = allure
        self.recorder = steps.Recorder(journey, allure, *listeners, clock=clock)
        self.progress: ProgressWriter | None = None
        self.deadline = AttemptDeadline(Limit(0.0))
        self.raised: BaseException | None = None
        self.failure: Failure | None = None
        self.skipped = ""
        self.finished = False
        self.settled = False
        self.evidence: tuple[Evidence, ...] = ()
        self.facts: Facts | None = None
        self.asked_target = True
        self.passed_at: datetime | None = None
        self.waterfall: tuple[SeenRequest, ...] = ()
        self.console: tuple[str, ...] = ()
        self.whole_text = ""
        self.refused_hosts: dict[str, int] = {}
        self.good: LastGood | None = None

    def skip(self, reason: str, phase: str) -> None:
        """It was skipped; what was seen before its clean-up stands."""
        if phase == "teardown":
            self.recorder.notes.append(f"Its clean-up was skipped: {reason}")
        elif lacking := missing_module(reason):
            self.failure = self.failure or lacking
        else:
            self.skipped = reason

    def share(self, error: BaseException) -> None:
        """A fixture that journeys share breaks once and is told to each of them: so is what was answered then."""
        first, noted = vars(error).setdefault("synthprobe_noted", (self.journey.title, self.recorder.noted))
        if noted is not self.recorder.noted:
            self.recorder.noted.extend(noted)
            self.recorder.notes.append(f'A fixture that journeys share broke, for "{first}" first.')

    def cancel(self) -> None:
        """The run was ended while it was running."""
        step = self.recorder.broken or self.recorder.path
        message = f'The run was ended while "{step or self.journey.title}" was running.'
        self.failure = Failure(kind="cancelled", ours=True, message=message, detail="", step=step)

    def judged(self) -> tuple[Outcome, str]:
        """Its outcome, and in one line why it is not ``passed``."""
        return judge_attempt(self.failure, self.recorder.degradations, finished=self.finished, skipped=self.skipped)


class Journal:
    """Keeps the evidence of one worker's attempts, and writes their results."""

    def __init__(
        self,
        project: Project,
        run_folder: RunFolder,
        target: Target,
        *,
        worker: str,
        redactor: Redactor,
        exchanges: list[Exchange],
        address_typed: bool,
    ) -> None:
        self._project = project
        self._issued: set[str] = set()
        self._folder, self._run_id = run_folder.path, run_folder.run.id
        self._target = target
        self._worker = worker
        self._redactor = redactor
        self._exchanges = exchanges
        self._address_typed = address_typed
        self._describe = project.plugins.describe_answer

    def learn(self, attempt: Attempt, browser: BrowserEvidence, *, broken: bool) -> None:
        """Learn what was issued to the browser, before anything of it is written."""
        try:
            with own_time(EVIDENCE_S if broken else 0):  # no thread of a journey's own may set an alarm
                browser.learn(self._redactor, broken=broken)
        except Exception as error:  # what then cannot be masked is masked by the names of its fields only
            text = f"Not all that was issued to the browser could be learned: {type(error).__name__}."
            attempt.recorder.notes.append(text)

    def describe(self, attempt: Attempt, error: BaseException, detail: str, phase: str) -> Failure:
        """Say what an error that ended an attempt means, with what the target answered last."""
        noted = [note.keywords for note in attempt.recorder.noted]
        asked = [(exchange.started_at, exchange.url, exchange.status) for exchange in self._exchanges]
        asked += [(known["started_at"], known["url"], known["status"]) for known in noted]
        _, place, status = max(asked, default=(None, "", 0))
        return describe_failure(
            error,
            detail=detail,
            step=attempt.recorder.broken,
            phase=phase,
            is_target=lambda url: may_reach(self._target, url),
            status=status if is_of_site(place, self._target.base_url) else 0,
        )

    def settle(self, attempt: Attempt, browser: BrowserEvidence | None) -> None:
        """Decide once whether an attempt's evidence is kept, and keep it."""
        with self._forgiven(attempt.recorder.notes, "Some of what was seen could not be judged", 0):
            self._settle(attempt, browser)
        attempt.settled = True

    @contextmanager
    def _forgiven(self, notes: list[str], what: str, seconds: float = EVIDENCE_S) -> Iterator[None]:
        """Keeping evidence, in its own seconds, must cost neither the outcome nor the journeys not yet run."""
        try:
            with own_time(seconds):
                yield
        except Exception as error:
            notes.append(f"{what}: {self._redactor.text(f'{type(error).__name__}: {error}')}")

    def _settle(self, attempt: Attempt, browser: BrowserEvidence | None) -> None:
        recorder, journey = attempt.recorder, attempt.journey
        if journey.budget_s is not None and recorder.duration_s > journey.budget_s:
            took_s, budget_s = recorder.duration_s, journey.budget_s
            recorder.degraded(
                "over budget", journey.title, words.over_budget(journey.title, took_s, budget_s), budget_s, took_s
            )
        attempt.failure = clock_failure(self._exchanges, attempt.failure, recorder.degradations, step=recorder.broken)
        outcome, _ = attempt.judged()
        attempt.settled = True
        traced = backend_trace(self._target, recorder.trace_id)
        links = {f"Runbook {journey.runbook}": self._runbook_link(journey), "Backend trace": traced}
        attempt.journey = attempt.allure.describe(journey, links)
        if outcome not in {"passed", "skipped"}:
            self.keep(attempt, browser)
        elif outcome == "passed":
            attempt.passed_at = recorder.clock.now()
            if attempt.good is not None and browser is not None:
                with suppress(OSError):  # a picture that cannot be kept costs nothing
                    attempt.good.keep(self._build(), lambda png: not self._redactor.residual(png), self._redactor.text)

    def look_back(self, attempt: Attempt, browser: BrowserEvidence | None) -> None:
        """Read what was refused or thrown in an attempt that passed.

        Only what a closed context recorded is whole: a request is written some time after its answer was heard.
        """
        if attempt.passed_at is None or attempt.judged()[0] != "passed":
            return
        with self._forgiven(attempt.recorder.notes, "What is usual could not be read", 0):
            begun, ended = attempt.recorder.started_at, attempt.passed_at
            odd = browser.odd_requests(begun, ended, self._describe) if browser is not None else []
            thrown = self._redactor.record(browser.page_errors()) if browser is not None else []
            asked = [*self._exchanges, *recorded(attempt.recorder.noted, self._redactor, well=False)]
            asked = [exchange for exchange in asked if exchange.started_at <= ended]
            own = any(is_of_site(exchange.url, self._target.base_url) for exchange in asked)
            attempt.asked_target = own or (browser is not None and browser.has_asked(begun))
            attempt.facts = usual_facts(
                asked, self._redacted(odd), thrown, site=self._target.base_url, describe=self._describe
            )

    def capture(self, browser: BrowserEvidence) -> None:
        """End what browsers record, in seconds of its own."""
        with self._forgiven(browser.notes, "Some evidence could not be taken"):
            browser.capture()

    def record(self, attempt: Attempt) -> Result:
        outcome, cause = attempt.judged()
        recorder = attempt.recorder
        recorder.notes += self._redactor.notes
        self._redactor.notes.clear()
        result = Result(
            run_id=self._run_id,
            target=self._target.name,
            journey=attempt.journey,
            attempt=attempt.number,
            outcome=outcome,
            cause=cause,
            started_at=recorder.started_at,
            duration_s=recorder.duration_s,
            steps=recorder.steps,
            trace_id=recorder.trace_id,
            span_id=recorder.root_span_id,
            backend_trace=backend_trace(self._target, recorder.trace_id),
            failure=attempt.failure,
            degradations=tuple(recorder.degradations),
            evidence=attempt.evidence,
            operations=operations(self._exchanges),
            notes=tuple(capped(note) for note in recorder.notes),
            refused_hosts=attempt.refused_hosts,
            build=self._build(),
            worker=self._worker,
            repeat=self._repeat(attempt.journey),
            facts=attempt.facts,
            asked_target=attempt.asked_target,
            waterfall=attempt.waterfall,
            console=attempt.console,
        )
        self._write(self._redactor.record(result))
        self._keep_issued()
        return result

    def known_in(self, path: str) -> list[Journey]:
        """What is expected of a file, however little of it can be read now; plain pytest expects nothing."""
        expected = read_record(self._folder / "inventory.json", list[Journey], [])
        return [journey for journey in expected if f"{journey.node_id}::".startswith((f"{path}::", f"{path}/"))]

    def uncollected(
        self, path: str, known: Sequence[Journey], report: pytest.CollectReport, clock: SteadyClock
    ) -> None:
        """Write the outcome of a file that skips itself, or that cannot be read as journeys."""
        skipped = self._redactor.text(reason_of_skip(report)) if report.skipped else ""
        failure = missing_module(skipped) if report.skipped else self._unreadable(path, str(report.longrepr))
        outcome, cause = judge_attempt(failure, (), finished=False, skipped="" if failure else skipped)
        for journey in known or [Journey(id=path, node_id=path, title=f"all journeys of {path}")]:
            self._write(
                Result(
                    run_id=self._run_id,
                    target=self._target.name,
                    journey=journey,
                    attempt=1,
                    outcome=outcome,
                    cause=cause,
                    started_at=clock.now(),
                    duration_s=0.0,
                    failure=failure,
                    worker=self._worker,
                    repeat=self._repeat(journey),
                )
            )

    def _unreadable(self, path: str, report: str) -> Failure:
        text = self._redactor.text(capped(report))
        lines = [line for line in text.splitlines() if line.strip()]
        last = next((line for line in reversed(lines) if line.startswith("E ")), " ".join(map(str.strip, lines)))
        message = f"{path} could not be read as journeys: {last.removeprefix('E ').strip()}"
        return Failure(kind="journey file", ours=True, message=message, detail=text, phase="collection", place=path)

    def keep(self, attempt: Attempt, browser: BrowserEvidence | None) -> None:
        folder = evidence_folder(self._folder, attempt.journey.id, attempt.number)
        keeper = Keeper(self._folder, folder, self._redactor)
        with self._forgiven(attempt.recorder.notes, "Some evidence could not be kept"):
            self._fill(keeper, attempt, browser)
        if keeper.leaks:
            attempt.failure = leak_failure(keeper.leaks, attempt.failure, step=attempt.recorder.broken)
        attempt.evidence = tuple(keeper.kept)

    def _fill(self, keeper: Keeper, attempt: Attempt, browser: BrowserEvidence | None) -> None:
        console, network, browsed, pages = [], [], [], list[PageSeen]()
        if browser is not None:
            from synthprobe.browser.evidence import read_trace

            browser.learn(self._redactor, broken=True)
            raw_traces = browser.traces()
            pictures = browser.pictures
            for title, png in pictures:
                keeper.picture(title, png)
            weak = attempt.recorder.broken or next(
                (degradation.step for degradation in attempt.recorder.degradations), ""
            )
            if attempt.good is not None and (good := attempt.good.of(weak, browser.place)):
                now = picture_only(pictures[-1][1]) or pictures[-1][1] if pictures else None
                keeper.last_good(good, now)
            for raw in raw_traces:
                if kept := keeper.trace(raw):
                    messages, requests = read_trace(kept, slow_ms=0, describe=self._describe)
                    console += messages
                    browsed += requests
            network = [request for request in browsed if request.says_something(self._target.slow_request_ms)]
            browsed = [request for request in browsed if request.status or may_reach(self._target, request.url)]
            browsed = with_pending(browsed, self._redacted(browser.pending))
            pages = self._redactor.record(browser.pages)
            if attempt.good is not None:
                pages = list(map(attempt.good.compared, pages))
            attempt.recorder.notes += browser.notes
        recorder = attempt.recorder
        exchanges = [*self._exchanges, *recorded(recorder.noted, self._redactor)]
        exchanges.sort(key=lambda exchange: exchange.started_at)
        exchanges = self._redactor.record(exchanges)  # an answer may hold what was learned only by what followed it
        attempt.facts = facts_of(
            exchanges,
            browsed,
            console,
            recorder.ages,
            broken=recorder.broken,
            steps=recorder.steps,
            pages=pages,
            site=self._target.base_url,
            describe=self._describe,
        )
        ended_at = recorder.started_at + timedelta(seconds=recorder.duration_s)
        attempt.waterfall = waterfall(exchanges, browsed, recorder.started_at, ended_at)
        attempt.console = console_lines(console)
        keeper.console(console)
        keeper.network(network)
        keeper.exchanges(exchanges)
        keeper.timings(attempt.recorder.steps)
        if attempt.whole_text:
            keeper.text("text", "what it said, as far as it is kept", attempt.whole_text)
        keeper.text("repeat", "repeat this journey here", self._repeat(attempt.journey))

    def _redacted(self, requests: Sequence[NetworkRequest]) -> list[NetworkRequest]:
        return [msgspec.structs.replace(request, url=self._redactor.url(request.url)) for request in requests]

    def _write(self, result: Result) -> None:
        line = msgspec.json.encode(result) + b"\n"
        with (self._folder / "journal" / f"{self._worker}.jsonl").open("ab") as journal:
            journal.write(line)

    def _keep_issued(self) -> None:
        new, self._issued = self._redactor.issued - self._issued, set(self._redactor.issued)
        with suppress(OSError):  # a search that finds less is no reason to lose a result
            keep_digests(self._folder, self._worker, self._project.folder, new)

    def _build(self) -> str:
        for exchange in reversed(self._exchanges):
            if build := self._describe(exchange.response_headers).build:
                return build
        return ""

    def _repeat(self, journey: Journey) -> str:
        node = shlex.quote(journey.node_id)
        address = f" --base-url {shlex.quote(self._target.base_url)}" if self._address_typed else ""
        return f"pytest {node} --target {shlex.quote(self._target.name)}{address}"

    def _runbook_link(self, journey: Journey) -> str:
        pattern = self._project.config.report.runbook_url
        return pattern.replace("{id}", journey.runbook) if pattern and journey.runbook else ""
