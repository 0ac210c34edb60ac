"""What Allure's pytest plugin writes while journeys run: mirrored steps, labels, evidence, all redacted."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import allure_commons
import allure_pytest.listener
import pytest
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import ExecutableItem, Status, TestResultContainer
from allure_commons.utils import md5
from attr import asdict

from synthprobe.evidence.cap import WHOLE_CAP, capped
from synthprobe.evidence.redaction import Redactor

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
