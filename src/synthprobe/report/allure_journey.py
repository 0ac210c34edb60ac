"""One test in Allure while it runs: its steps, its words, its evidence. What its author told Allure stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast, get_args

import allure_commons
import allure_pytest.listener
import msgspec
from allure_commons.model2 import ExecutableItem, TestResult, TestStepResult
from allure_pytest.listener import AllureListener
from allure_pytest.utils import allure_label, allure_name, allure_title, get_status, get_status_details

from synthprobe.evidence.cap import NAME_CAP, capped
from synthprobe.records.evidence import Evidence
from synthprobe.records.journey import Journey, Severity
from synthprobe.report.allure_results import environment_name


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
