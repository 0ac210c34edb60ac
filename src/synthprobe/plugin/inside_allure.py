"""All that we use of Allure's pytest plugin: what its decorators say of a test, and that it stands aside."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, cast, get_args

import allure_commons
import pytest
from allure_commons import utils
from allure_commons.logger import AllureFileLogger
from allure_commons.model2 import ExecutableItem, Label, Link, Parameter, TestResult
from allure_pytest import utils as allure

from synthprobe.plugin.inside_pytest import fixture_finalizers, parameters
from synthprobe.records.journey import Severity

TRIED = "allure-pytest>=2.16,<3"


class AuthorsAllure:
    """Allure's plugin, where ``--alluredir`` asks for it: it writes of ordinary tests, a collector keeps journeys.

    A fixture's end is told to the one that saw it begin, in whatever test it comes.
    """

    def __init__(self, config: pytest.Config, is_journey: Callable[[pytest.Item], bool], collector: object) -> None:
        self._plugins, self._collector = config.pluginmanager, collector
        self._is_journey = is_journey
        self._listener = config.pluginmanager.get_plugin("allure_listener")
        found = allure_commons.plugin_manager.get_plugins() if self._listener is not None else ()
        self._parts = [plugin for plugin in found if plugin is self._listener or isinstance(plugin, AllureFileLogger)]
        self._stands_aside = self._in_journey = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """It hears and writes nothing while a journey runs."""
        self._in_journey = self._is_journey(item)
        self.stand(aside=self._in_journey)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """A fixture begins, and one of both sees it."""
        aside = self._stands_aside
        try:
            return (yield)
        finally:
            fixture_finalizers(fixturedef).append(lambda: self.stand(aside=aside))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_post_finalizer(self) -> Generator[None]:
        yield
        self.stand(aside=self._in_journey)

    def stand(self, *, aside: bool) -> None:
        """It is there, or aside."""
        if aside == self._stands_aside:
            return
        self._stands_aside = aside
        hearers = allure_commons.plugin_manager
        for part in self._parts:
            (hearers.unregister if aside else hearers.register)(part)
        (hearers.register if aside else hearers.unregister)(self._collector)
        if self._listener is not None:
            if aside:
                self._plugins.unregister(self._listener)
            else:
                self._plugins.register(self._listener, "allure_listener")


class AllureWords(NamedTuple):
    """What the author of a test told Allure of it; empty where nothing was told."""

    title: str = ""
    severity: str = ""
    owner: str = ""
    has_parameters: bool = False
    """Whether the title names the test's parameters."""


def decorated_words(item: Any) -> AllureWords:
    """What stands in Allure's decorators of a test."""
    title, plain = "", allure.allure_title(item)
    if plain:
        call = getattr(item, "callspec", None)
        title = str(allure.allure_name(item, parameters(item), call.id if call else None))
    severity, owner = (next(iter(allure.allure_label(item, label)), "") for label in ("severity", "owner"))
    return AllureWords(title, word(severity), word(owner), bool(title) and title != plain)


def known_severity(word: str, otherwise: Severity = "normal") -> Severity:
    """A severity of Allure's, if it is one of ours."""
    return cast("Severity", word) if word in get_args(Severity) else otherwise


def add_decorated(test: TestResult, item: Any) -> None:
    """Say of a test what its decorators, its docstring and its parameters say, with the values of its fixtures."""
    given = parameters(item)
    test.name = allure.allure_name(item, given, item.callspec.id if given else None)
    test.fullName = allure.allure_full_name(item)
    test.titlePath = [*allure.allure_title_path(item)]
    test.testCaseId = utils.md5(test.fullName)
    test.description = allure.allure_description(item)
    test.descriptionHtml = allure.allure_description_html(item)
    known = {parameter.name for parameter in test.parameters}
    test.parameters += [Parameter(name, utils.represent(given[name])) for name in given if name not in known]


def add_labels(test: TestResult, item: Any) -> None:
    """Label a test as its decorators, its markers and its place do, and link it."""
    own = [*sorted(allure.allure_labels(item), key=str), *(("tag", mark) for mark in allure.pytest_markers(item))]
    known = {label.name for label in test.labels} | {name for name, _ in own}
    own += [(name, value) for name, value in allure.allure_suite_labels(item) if name not in known]
    own += [("host", utils.host_tag()), ("thread", utils.thread_tag()), ("framework", "pytest")]
    own += [("language", utils.platform_label()), ("package", allure.allure_package(item))]
    test.labels += [Label(*label) for label in own]
    test.links += [Link(*link) for link in allure.allure_links(item)]


def set_status(item: ExecutableItem, error: BaseException | None, traceback: Any) -> None:
    item.status = allure.get_status(error)
    item.statusDetails = allure.get_status_details(type(error) if error is not None else None, error, traceback)


def history_id(full_name: str, shown: list[Parameter], originals: dict[str, Any]) -> str:
    return str(allure.get_history_id(full_name, shown, originals))


def full_link(config: pytest.Config, url: str, link_type: str) -> str:
    """The address that a short one stands for."""
    return str(allure.format_allure_link(config, url, link_type))


def word(given: Any) -> str:
    return str(getattr(given, "value", given))
