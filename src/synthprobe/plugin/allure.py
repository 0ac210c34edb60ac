"""What is told to Allure of journeys: heard by allure-commons' hooks, masked where it is born, kept until the verdict.

No file of Allure's is made here. `report/allure_results` makes them once, of what is kept here and of our own records.
What an author told Allure stands.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

import allure_commons
import msgspec
import pytest
from allure_commons import model2, utils
from allure_commons.model2 import ExecutableItem, Parameter, Status, TestResult, TestResultContainer
from allure_commons.types import AttachmentType
from attr import asdict

from synthprobe.evidence.cap import NAME_CAP, WHOLE_CAP, capped
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.recorder import current_flow
from synthprobe.plugin.inside_allure import (
    AuthorsAllure,
    add_decorated,
    add_labels,
    decorated_words,
    full_link,
    history_id,
    known_severity,
    set_status,
    word,
)
from synthprobe.plugin.inside_pytest import fixture_finalizers, parameters
from synthprobe.plugin.reports import traceback_behind
from synthprobe.records.journey import Journey
from synthprobe.records.result import TOLD_ALLURE
from synthprobe.report.allure_results import attempt_uuid, environment_name

_NO_SCRIPTS = (
    b'<!doctype html><meta http-equiv="Content-Security-Policy" '
    b"content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
)
"""Begins each HTML page that a journey attaches: it may be the target's, and is shown at the report's own address."""


class _Open:
    """A test, step or fixture that is open, and the one it stands in."""

    def __init__(self, item: ExecutableItem, around: _Open | None = None) -> None:
        self.item, self.around, self.is_open = item, around, True


_last: ContextVar[_Open | None] = ContextVar("what began last", default=None)


class AllureCollector:
    """Keeps what one worker's journeys, their fixtures and their steps tell Allure.

    A step stands in the last one that began in its own thread or task; the first of a task in the one in which the task
    was made, the first of a thread in the last one that began in the journey's own flow.
    """

    def __init__(
        self,
        run_folder: Path,
        worker: str,
        target: str,
        redactor: Redactor,
        now: Callable[[], datetime],
        broke: Callable[[str, str], None],
    ) -> None:
        self._folder = run_folder / TOLD_ALLURE
        self._worker, self._target, self._redactor = worker, target, redactor
        self._clock, self._broke = now, broke
        self.trouble = ""
        self._fixtures: dict[pytest.FixtureDef[Any], TestResultContainer] = {}
        self._open: dict[str, _Open] = {}
        self._forget()

    def _forget(self) -> None:
        """What is told outside a journey is kept nowhere."""
        self._item: Any = None
        self._test = TestResult()
        self._root = _Open(self._test)
        self._return()

    def _return(self) -> None:
        self._trunk = self._root
        _last.set(self._root)

    # an attempt

    def begin(self, item: Any, trace_id: str, names: Mapping[str, str]) -> None:
        """An attempt at a journey begins; names stand for parameters that each process writes in another way."""
        self._item, self._names, self._collected = item, names, decorated_words(item)
        now, self._flow = self._now(), current_flow()
        self._test = TestResult(name=item.name, uuid=attempt_uuid(trace_id), start=now, stop=now)
        self._root = _Open(self._test)
        self._open.clear()
        self._return()
        for fixture, container in self._fixtures.items():
            if fixture.argname in getattr(item, "fixturenames", ()):  # what a plugin collects may have none
                container.children.append(self._test.uuid)

    def ready(self) -> None:
        """Its set-up ended: what its decorators say is known with the values of its fixtures."""
        add_decorated(self._test, self._item)

    @contextmanager
    def body(self) -> Iterator[None]:
        """It runs. A step that a fixture leaves open holds none of its steps."""
        self._test.start = self._now()
        self._return()
        try:
            yield
        finally:
            self._test.stop = self._now()

    def describe(self, journey: Journey, links: Mapping[str, str]) -> Journey:
        """Add our links; the journey as its author told Allure of it."""
        for text, url in links.items():
            if url:
                self.add_link(url, "link", text)
        marked = {name for mark in self._item.iter_markers("journey") for name in mark.kwargs}
        labels = {label.name: word(label.value) for label in self._test.labels}
        title, known = self._test.name, {self._item.name, self._collected.title}
        fields = {
            "title": "" if title in known else capped(str(title), NAME_CAP),
            "severity": known_severity(labels.get("severity", self._collected.severity), journey.severity),
            "owner": labels.get("owner", self._collected.owner),
        }
        return msgspec.structs.replace(
            journey, **{name: fields[name] for name in fields.keys() - marked if fields[name]}
        )

    def end(self, report: pytest.TestReport | None) -> None:
        """It ended: keep what was told of it, and what it printed."""
        test, item = self._test, self._item
        if report is not None and item.config.option.attach_capture:
            printed = {"log": report.caplog, "stdout": report.capstdout, "stderr": report.capstderr}
            for name, text in printed.items():
                if text:
                    self.attach_data(text, name, AttachmentType.TEXT, None)
        self._root.is_open = False
        test.name = "" if test.name == item.name else test.name
        test.historyId = self._identify(test.fullName, test.parameters)
        add_labels(test, item)
        self._keep("result", test)
        self._forget()

    def _identify(self, full_name: str, shown: list[Parameter]) -> str:
        """Name the history that is its own, after its parameters: as they were, if all of them may be shown.

        A short secret could be guessed from its hash, and an object's address is another one in each process.
        """
        taken = {parameter.name: parameter.value for parameter in shown}
        shown.append(Parameter(environment_name(taken, self._target), utils.represent(self._target)))
        originals = parameters(self._item)
        for shown_parameter in shown:
            value, given = capped(str(shown_parameter.value)), f"{shown_parameter.name}="
            named = f"{given}{self._names.get(shown_parameter.name, value)}"
            shown_parameter.value = self._redactor.body(named, "text/plain").removeprefix(given)
            if shown_parameter.value != value:
                originals = {}
        return history_id(full_name, shown, originals)

    # steps

    def step_started(self, key: str, title: str, around: str) -> None:
        self.start_step(key, title, {})

    def step_ended(self, key: str, error: BaseException | None) -> None:
        self.stop_step(key, error, None)

    def figure_measured(self, key: str, text: str, around: str) -> None:
        """A figure is a line of the running step."""
        self.start_step(key, text, {})
        self.stop_step(key, None, None)

    @allure_commons.hookimpl
    def start_step(self, uuid: str, title: str, params: Mapping[str, str]) -> None:
        step = model2.TestStepResult(name=title, parameters=[Parameter(*param) for param in params.items()])
        self._enter(uuid, self._innermost.item.steps, step)

    @allure_commons.hookimpl
    def stop_step(self, uuid: str, exc_val: BaseException | None, exc_tb: Any) -> None:
        opened = self._open.pop(uuid, None)
        if opened is None:
            return
        opened.is_open, opened.item.stop = False, self._now()
        set_status(opened.item, exc_val, exc_tb)
        if _last.get() is opened:
            _last.set(opened.around)
        if self._trunk is opened:
            self._trunk = opened.around or self._root

    @property
    def _innermost(self) -> _Open:
        item = _last.get()
        while item is not None and not item.is_open:
            item = item.around
        return item or self._trunk

    def _enter(self, key: str, place: list[ExecutableItem], item: ExecutableItem) -> None:
        item.start = self._now()
        opened = self._open[key] = _Open(item, self._innermost)
        place.append(item)
        _last.set(opened)
        if self._item is not None and current_flow() == self._flow:
            self._trunk = opened

    # fixtures

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """A fixture of a journey is set up, and what it leaves for its end is followed."""
        if self._item is None:
            return (yield)
        container = self._fixtures.setdefault(fixturedef, TestResultContainer(uuid=utils.uuid4(), start=self._now()))
        container.children.append(self._test.uuid)
        name = getattr(fixturedef.func, "__allure_display_name__", fixturedef.argname)
        try:
            with self._followed(container.befores, model2.TestBeforeResult(name=name)):
                return (yield)
        finally:
            ends = fixture_finalizers(fixturedef)
            for number, end in enumerate(ends):
                named = f"{name}::{getattr(end, '__name__', number)}"
                ends[number] = self._followed_end(end, container, named, fixturedef)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None]:
        """One that passed and did nothing of note would only stand between the reader and the failure."""
        yield
        if (container := self._fixtures.pop(fixturedef, None)) is None:
            return
        container.afters = [after for after in container.afters if after.status]  # but the end that asks this
        ends = (*container.befores, *container.afters)
        if any(end.status != Status.PASSED or end.steps or end.attachments for end in ends):
            container.stop = self._now()
            self._keep("container", container)

    @contextmanager
    def _followed(self, place: list[ExecutableItem], item: ExecutableItem) -> Iterator[None]:
        key, error = utils.uuid4(), None
        self._enter(key, place, item)
        try:
            yield
        except BaseException as broke:
            error = broke
            raise
        finally:
            self.stop_step(key, error, error and traceback_behind(__file__, error))

    def _followed_end(
        self, end: Callable[[], object], container: TestResultContainer, name: str, fixture: pytest.FixtureDef[Any]
    ) -> Callable[[], None]:
        def followed() -> None:
            with self._followed(container.afters, model2.TestAfterResult(name=name)):
                try:
                    end()
                except BaseException as error:  # told at once: pytest reports it after all others have ended
                    if not isinstance(error, pytest.skip.Exception):
                        self._broke(fixture.argname, fixture.scope)
                    raise

        return followed

    # what authors say

    @allure_commons.hookimpl
    def add_title(self, test_title: str) -> None:
        self._test.name = test_title

    @allure_commons.hookimpl
    def add_description(self, test_description: str) -> None:
        self._test.description = test_description

    @allure_commons.hookimpl
    def add_description_html(self, test_description_html: str) -> None:
        self._test.descriptionHtml = test_description_html

    @allure_commons.hookimpl
    def add_link(self, url: str, link_type: str, name: str | None) -> None:
        url = full_link(self._item.config, url, link_type) if self._item is not None else url
        if url not in {link.url for link in self._test.links}:
            self._test.links.append(model2.Link(link_type, url, url if name is None else name))

    @allure_commons.hookimpl
    def add_label(self, label_type: str, labels: tuple[Any, ...]) -> None:
        self._test.labels += [model2.Label(label_type, label) for label in labels]

    @allure_commons.hookimpl
    def add_parameter(self, name: str, value: Any, excluded: bool | None, mode: Any) -> None:
        """A parameter; one of that name has another value from now on."""
        for parameter in self._test.parameters:
            if parameter.name == name:
                parameter.value = utils.represent(value)
                return
        mode = mode.value if mode else None
        self._test.parameters.append(Parameter(name, utils.represent(value), excluded or None, mode))

    @allure_commons.hookimpl
    def attach_data(self, body: Any, name: str | None, attachment_type: Any, extension: str | None) -> None:
        """An attachment of what began last."""
        self._innermost.item.attachments += self._store(body, name, attachment_type, extension)

    @allure_commons.hookimpl
    def attach_file(self, source: Any, name: str | None, attachment_type: Any, extension: str | None) -> None:
        self.attach_data(Path(source).read_bytes(), name, attachment_type, extension)

    @allure_commons.hookimpl
    def global_attach_data(self, body: Any, name: str | None, attachment_type: Any, extension: str | None) -> None:
        for attachment in self._store(body, name, attachment_type, extension):
            whole = model2.GlobalAttachment(attachment.name, attachment.source, attachment.type, self._now())
            self._keep("globals", model2.Globals(attachments=[whole]))

    @allure_commons.hookimpl
    def global_attach_file(self, source: Any, name: str | None, attachment_type: Any, extension: str | None) -> None:
        self.global_attach_data(Path(source).read_bytes(), name, attachment_type, extension)

    @allure_commons.hookimpl
    def global_error(self, message: str | None, trace: str | None) -> None:
        if self._item is not None:
            error = model2.GlobalError(message=message, trace=trace, timestamp=self._now())
            self._keep("globals", model2.Globals(errors=[error]))

    # what is kept

    def _now(self) -> int:
        return round(self._clock().timestamp() * 1000)

    def _store(self, body: Any, name: str | None, kind: Any, extension: str | None) -> list[model2.Attachment]:
        """Keep an attachment, masked; nothing where neither a journey nor a fixture of one runs."""
        if self._item is None and not self._open:
            return []
        if isinstance(kind, AttachmentType):
            kind, extension = kind.mime_type, kind.extension
        body = capped(body, WHOLE_CAP).encode("utf-8", "replace") if isinstance(body, str) else bytes(body)
        self._redactor.catch_up()
        is_safe = extension and self._redactor.text(extension) == extension
        file = model2.ATTACHMENT_PATTERN.format(prefix=utils.uuid4(), ext=extension if is_safe else "attach")
        content = self._redactor.content(body, str(kind))
        if file.lower().endswith((".html", ".htm", ".xhtml")):
            content = _NO_SCRIPTS + content
        with self._forgiven():
            (self._folder / file).write_bytes(content)
        return [model2.Attachment(name, file, kind)]

    def _keep(self, kind: str, item: Any) -> None:
        def short(_: Any, __: Any, value: Any) -> Any:
            return capped(value) if isinstance(value, str) else value

        given = asdict(item, filter=lambda _, value: value or value is False, value_serializer=short)
        line = json.dumps({kind: self._redactor.record(given)}, ensure_ascii=False, default=str)
        with self._forgiven(), (self._folder / f"{self._worker}.jsonl").open("ab") as file:
            file.write(f"{line}\n".encode())

    @contextmanager
    def _forgiven(self) -> Iterator[None]:
        """What cannot be kept for a report must not end pytest; the verdict does not come from it."""
        try:
            yield
        except OSError as error:
            self.trouble = self.trouble or f"What Allure is to show could not be kept: {error.strerror or error}."


def hear_allure(config: pytest.Config, collector: AllureCollector, is_journey: Callable[[pytest.Item], bool]) -> None:
    own = AuthorsAllure(config, is_journey, collector)
    config.pluginmanager.register(own, "synthprobe-authors-allure")
    config.pluginmanager.register(collector, "synthprobe-allure")
    config.add_cleanup(lambda: own.stand(aside=False))
