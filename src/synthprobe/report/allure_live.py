"""What Allure's pytest plugin writes while journeys run: mirrored steps, labels, evidence, all redacted.

What an author told Allure stands. All that knows the inside of Allure's plugin is in this file.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import allure_commons
import allure_pytest.listener
import msgspec
import pytest
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import ExecutableItem, Status, TestResult, TestResultContainer, TestStepResult
from allure_commons.utils import md5
from allure_pytest.listener import AllureListener
from allure_pytest.utils import allure_label, allure_name, allure_title, get_status, get_status_details
from attr import asdict

from synthprobe.evidence.cap import NAME_CAP, WHOLE_CAP, capped
from synthprobe.evidence.redaction import Redactor
from synthprobe.records.evidence import Evidence
from synthprobe.records.journey import Journey, Severity
from synthprobe.report.allure_results import environment_name

TRIED = "allure-pytest>=2.16,<3"

_ID = "ALLURE_ID"
_NO_SCRIPTS = (
    b'<!doctype html><meta http-equiv="Content-Security-Policy" '
    b"content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
)
"""Begins each HTML page that a journey attaches: it may be the target's, and is shown at the report's own address."""


def _capped(_: Any, __: Any, value: Any) -> Any:
    return capped(value) if isinstance(value, str) else value


class RedactingFileLogger(AllureFileLogger):
    """Allure's writer, with every text redacted before it touches the disk."""

    def __init__(self, folder: Path, redactor: Redactor, trusted: Path) -> None:
        super().__init__(folder)  # type: ignore[no-untyped-call]
        self._folder = Path(folder).absolute()
        self._redactor = redactor
        self._trusted = trusted.absolute()
        self.trouble = ""
        self.replaced: list[AllureFileLogger] = []
        self._clock: Callable[[], int] = allure_pytest.listener.now
        self._parameters: dict[str, Mapping[str, str]] = {}

    def name_parameters(self, journey_id: str, names: Mapping[str, str]) -> None:
        """Show names instead of values that are written in another way by each process."""
        if names:
            self._parameters[journey_id] = names

    def put_back(self) -> None:
        """Restore the writers this one stood in for, and the clock."""
        allure_pytest.listener.now = self._clock
        manager = allure_commons.plugin_manager
        manager.unregister(self)
        for plugin in self.replaced:
            manager.register(plugin)

    def _report_item(self, item: Any) -> None:
        if isinstance(item, TestResultContainer) and not any(map(_is_telling, (*item.befores, *item.afters))):
            return
        name = item.file_pattern.format(prefix=uuid.uuid4())
        given = asdict(item, filter=lambda _, value: value or value is False, value_serializer=_capped)
        data = self._redactor.record(given)
        for label in data.get("labels", ()):
            names = self._parameters.get(label["value"], {}) if label["name"] == _ID else {}
            for one in data.get("parameters", ()) if names else ():
                one["value"] = names.get(one["name"], one["value"])
        if data.get("parameters") != given.get("parameters"):
            data["historyId"] = _history_id(data)
        self._replace(name, json.dumps(data, ensure_ascii=False).encode())

    @allure_commons.hookimpl
    def report_attached_file(self, source: Any, file_name: str) -> None:
        """Link evidence of ours; redact any other file."""
        path = Path(source).absolute()
        if path.is_relative_to(self._trusted):
            with self._forgiven():
                os.link(path, self._folder / file_name)
        else:
            self._redactor.catch_up()
            self._replace(file_name, self._redactor.content(path.read_bytes(), _media_type(file_name)))

    @allure_commons.hookimpl
    def report_attached_data(self, body: Any, file_name: str) -> None:
        """Redact what a journey attached."""
        if isinstance(body, str):
            body = capped(body, WHOLE_CAP)
        content = body.encode("utf-8", "replace") if isinstance(body, str) else bytes(body)
        self._redactor.catch_up()
        self._replace(file_name, self._redactor.content(content, _media_type(file_name)))

    def _replace(self, name: str, content: bytes) -> None:
        if name.lower().endswith((".html", ".htm", ".xhtml")):
            content = _NO_SCRIPTS + content
        temporary = self._folder / f"{name}.tmp"
        with self._forgiven():
            with open(temporary, "wb") as file:
                file.write(content)
            temporary.replace(self._folder / name)

    @contextmanager
    def _forgiven(self) -> Iterator[None]:
        """A report that cannot be written must not end pytest; the verdict does not come from it."""
        try:
            yield
        except OSError as error:
            self.trouble = self.trouble or f"Allure's results could not be written: {error.strerror or error}."


def _is_telling(fixture: ExecutableItem) -> bool:
    """A fixture that passed and did nothing of note would only stand between the reader and the failure."""
    return fixture.status not in {None, Status.PASSED} or bool(fixture.steps or fixture.attachments)


def _history_id(result: dict[str, Any]) -> str:
    """Allure's own is a hash of the parameters as they were, with which a short secret could be guessed."""
    shown = sorted((one for one in result["parameters"] if not one.get("excluded")), key=lambda one: one["name"])
    parts = (result.get("fullName", ""), *(one.get("value", "") for one in shown))
    return str(md5(*parts))  # type: ignore[no-untyped-call]


def _media_type(name: str) -> str:
    kinds = {".json": "application/json", ".png": "image/png", ".jpg": "image/jpeg", ".zip": "application/zip"}
    return kinds.get(Path(name).suffix, "text/plain")


def redact_allure(folder: Path, redactor: Redactor, trusted: Path, now: Callable[[], datetime]) -> RedactingFileLogger:
    """Put our writer in the place of Allure's own."""
    manager = allure_commons.plugin_manager
    replaced = [plugin for plugin in manager.get_plugins() if type(plugin) is AllureFileLogger]
    for plugin in replaced:
        manager.unregister(plugin)
    ours = RedactingFileLogger(folder, redactor, trusted)
    ours.replaced = replaced
    allure_pytest.listener.now = lambda: round(now().timestamp() * 1000)
    manager.register(ours)
    return ours


def follow_fixtures(broke: Callable[[str], None]) -> Callable[[], None]:
    """Tell at once when the end of a fixture breaks; pytest reports it after all others have ended."""

    class Ends:
        @allure_commons.hookimpl
        def stop_fixture(self, name: str, exc_val: BaseException | None) -> None:
            if exc_val is not None and not isinstance(exc_val, pytest.skip.Exception):
                broke(name.partition("::")[0])

    ends = Ends()
    allure_commons.plugin_manager.register(ends)

    def put_back() -> None:
        allure_commons.plugin_manager.unregister(ends)

    return put_back


class AllureWords(NamedTuple):
    """What the author of a test told Allure of it; empty where nothing was told."""

    title: str = ""
    severity: str = ""
    owner: str = ""
    has_parameters: bool = False
    """Whether the title names the test's parameters."""


def decorated_words(item: Any) -> AllureWords:
    """What stands in Allure's decorators of a test."""
    title = ""
    if allure_title(item):
        call = getattr(item, "callspec", None)
        title = str(allure_name(item, call.params if call else {}, call.id if call else None))
    severity, owner = (next(iter(allure_label(item, label)), "") for label in ("severity", "owner"))
    return AllureWords(title, _word(severity), _word(owner), bool(title) and title != allure_title(item))


def known_severity(word: str, otherwise: Severity = "normal") -> Severity:
    """A severity of Allure's, if it is one of ours."""
    return cast("Severity", word) if word in get_args(Severity) else otherwise


def _word(given: Any) -> str:
    return str(getattr(given, "value", given))


class AllureJourney:
    """One attempt at a journey, in Allure. Mirrors its steps.

    Allure nests what begins in the last thing that began. That is so in the journey's own flow, where its author's own
    ``allure.step`` may stand between; a step in a thread or task is put into the one around it.
    """

    def __init__(self, item: Any) -> None:
        listeners = (one for one in allure_commons.plugin_manager.get_plugins() if isinstance(one, AllureListener))
        self._reporter = next((one.allure_logger for one in listeners), None)
        self._item = item
        self._collected = decorated_words(item)
        self._test: TestResult | None = None
        self._steps: dict[str, ExecutableItem] = {}
        self._apart: set[str] = set()

    def begin(self) -> None:
        """Allure has begun the attempt: it does so in the test's set-up, where ours is around Allure's."""
        if self._reporter is not None:
            self._test = self._reporter.get_test(None)

    def step_started(self, key: str, title: str, around: str) -> None:
        """A step begins."""
        if not around:
            allure_commons.plugin_manager.hook.start_step(uuid=key, title=title, params={})
            if self._reporter is not None and (item := self._reporter.get_item(key)) is not None:
                self._steps[key] = item
        elif (parent := self._steps.get(around) or self._test) is not None:
            self._apart.add(key)
            self._steps[key] = TestStepResult(name=title, start=allure_pytest.listener.now())
            parent.steps.append(self._steps[key])

    def step_ended(self, key: str, error: BaseException | None) -> None:
        """That step ended."""
        kind = type(error) if error is not None else None
        if key in self._apart:
            step = self._steps[key]
            step.stop = allure_pytest.listener.now()
            step.status, step.statusDetails = get_status(error), get_status_details(kind, error, None)
        elif key in self._steps:
            allure_commons.plugin_manager.hook.stop_step(uuid=key, title="", exc_type=kind, exc_val=error, exc_tb=None)

    def figure_measured(self, key: str, text: str, around: str) -> None:
        """A figure is a line of the running step."""
        self.step_started(key, text, around)
        self.step_ended(key, None)

    def describe(self, journey: Journey, target: str, links: Mapping[str, str]) -> Journey:
        """Label the running test, where its author has not done it in Allure's own words."""
        hook, words = allure_commons.plugin_manager.hook, self._words()
        hook.add_label(label_type="ALLURE_ID", labels=(journey.id,))
        if not words.title:
            hook.add_title(test_title=journey.title)
        if not words.severity:
            hook.add_label(label_type="severity", labels=(journey.severity,))
        if journey.owner and not words.owner:
            hook.add_label(label_type="owner", labels=(journey.owner,))
        parameters = {one.name: one.value for one in self._test.parameters} if self._test is not None else {}
        hook.add_parameter(name=environment_name(parameters, target), value=target, excluded=False, mode=None)
        for text, url in links.items():
            if url:
                hook.add_link(url=url, link_type="link", name=text)
        return self._told(journey)

    def _told(self, journey: Journey) -> Journey:
        marked = {name for mark in self._item.iter_markers("journey") for name in mark.kwargs}
        words = self._words()
        known = {
            "title": words.title if words.title != self._collected.title else "",
            "severity": known_severity(words.severity, journey.severity),
            "owner": words.owner,
        }
        return msgspec.structs.replace(
            journey, **{name: word for name, word in known.items() if word and name not in marked}
        )

    def _words(self) -> AllureWords:
        """What its author told Allure, the last word first."""
        decorated = self._collected
        if self._test is None:
            return decorated
        told = {label.name: _word(label.value) for label in self._test.labels}
        title = "" if self._test.name == self._item.name else str(self._test.name)
        return AllureWords(
            capped(title or decorated.title, NAME_CAP),
            told.get("severity", decorated.severity),
            told.get("owner", decorated.owner),
        )


def attach_evidence(run_folder: Path, evidence: Sequence[Evidence]) -> None:
    """Attach kept evidence right under the error."""
    hook = allure_commons.plugin_manager.hook
    for piece in evidence:
        if piece.withheld:
            hook.attach_data(body=piece.withheld, name=piece.title, attachment_type="text/plain", extension="txt")
        elif not (piece.kind == "exchanges" and piece.media_type == "application/json"):
            path = run_folder / piece.path
            extension = path.suffix.lstrip(".")
            hook.attach_file(source=str(path), name=piece.title, attachment_type=piece.media_type, extension=extension)
