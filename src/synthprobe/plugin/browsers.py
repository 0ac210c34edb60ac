"""What a session of journeys has of browsers: who records them, and who holds them to the guardrails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthprobe.browser.headers import BrowserHeaders
from synthprobe.config import Config
from synthprobe.errors import ToolError
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import Guard
from synthprobe.plugin.alarm import TookTooLong, own_time
from synthprobe.project import Project
from synthprobe.records.result import Failure
from synthprobe.targets.target import Target

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

    from synthprobe.browser.evidence import BrowserEvidence
    from synthprobe.browser.wall import GuardedBrowser

_CLOSING_S = 10.0


def without_secrets(environment: Mapping[str, Any], config: Config) -> dict[str, Any]:
    """The environment a browser gets."""
    sources = set(config.secret_sources().values())
    return {name: value for name, value in environment.items() if f"env:{name}" not in sources}


class SessionBrowsers:
    """Recorder and wall, each made when the first browser is launched: most journeys of an API need neither."""

    def __init__(self, project: Project, target: Target, scratch: Path, redactor: Redactor, guard: Guard) -> None:
        self._project, self._target, self._scratch = project, target, scratch
        self._redactor, self._guard = redactor, guard
        self.headers = BrowserHeaders(target)
        self.evidence: BrowserEvidence | None = None
        self._wall: GuardedBrowser | None = None
        self._opened: dict[int, list[Browser]] = {}
        self._restarted: list[Playwright] = []
        self._is_again = False
        self.is_fixtures = False
        """Whether pytest-playwright opens what is opened now, and closes it."""
        self._journey = ""
        self._snapshots = True

    def recorder(self) -> BrowserEvidence:
        if self.evidence is None:
            from synthprobe.browser.evidence import BrowserEvidence

            self.evidence = BrowserEvidence(self._scratch, self._redactor, self._target)
            if self._journey:
                self.evidence.begin(self._journey, snapshots=self._snapshots)
        return self.evidence

    def wall(self) -> GuardedBrowser:
        if self._wall is None:
            from synthprobe.browser.wall import GuardedBrowser

            shown = self._project.credentials(self._target)
            for secret in shown.secrets:
                self._redactor.add(secret)
            self._wall = GuardedBrowser(self._guard, self.headers, shown, self._redactor)
        return self._wall

    def hold(self, playwright: Playwright) -> Playwright:
        """Hold all that a Playwright opens, until the wall is released from it, and record it."""
        from synthprobe.browser.trace import DOWNLOADS

        new_client = playwright.request.new_context

        def new_redacting_client(**kwargs: Any) -> Any:
            client = new_client(**kwargs)
            self.recorder().hold_client(client)
            return client

        playwright.request.new_context = new_redacting_client  # type: ignore[method-assign]
        self.wall().hold(playwright, self._executable)
        if threading.current_thread() is not threading.main_thread():
            return playwright  # its pages answer nobody but that thread
        for kind in (playwright.chromium, playwright.firefox, playwright.webkit):

            def launch_recorded(launch: Callable[..., Browser] = kind.launch, **given: Any) -> Browser:
                environ = without_secrets(given.get("env") or self._project.environ, self._project.config)
                ours = {"traces_dir": self._scratch, "downloads_path": self._scratch / DOWNLOADS}
                arguments = {**ours, **given, "env": environ}
                if self._is_again:
                    return launch(**arguments)
                browser = self.recorder().watch(launch(**arguments), partial(self._again, launch, arguments))
                if self._opened and not self.is_fixtures:
                    self._opened[next(reversed(self._opened))].append(browser)
                return browser

            kind.launch = launch_recorded  # type: ignore[method-assign]
        return playwright

    def _again(self, launch: Callable[..., Browser], arguments: Mapping[str, Any]) -> Browser:
        """Launch a browser in the place of one that died."""
        from playwright.sync_api import Error, sync_playwright

        self._is_again = True
        try:
            with suppress(Error):
                return launch(**arguments)
            another = sync_playwright().start()  # Playwright's own process died with its browser
            self._restarted.append(another)
            return another.chromium.launch(**arguments)
        finally:
            self._is_again = False

    def begin_own(self, holder: int) -> None:
        """A journey, or a fixture, starts a Playwright: what is launched from now on ends with it at the latest."""
        self._opened[holder] = []

    def end_own(self, holder: int) -> None:
        for browser in self._opened.pop(holder, ()):
            browser.close()

    def _executable(self) -> str | None:
        """The browser to launch; nothing means Playwright's own."""
        from synthprobe.browser.installation import find_browser

        found = find_browser(self._project.config.browser.executable or None, self._project.environ)
        if found is None:
            raise ToolError(
                "No browser was found on this machine, so journeys with a page cannot run. "
                "Install one with: synthprobe doctor --fix",
                kind="browser",
            )
        return str(found.path) if found.path else None

    def admit(self) -> None:
        if self._wall is not None:
            self._wall.begin()

    def begin(self, journey: str, *, is_first: bool) -> None:
        self._journey = journey
        self._snapshots = self._project.config.evidence.snapshots == "always" or not is_first
        self.headers.tell()
        if self.evidence is not None:
            self.evidence.begin(journey, snapshots=self._snapshots)

    def end(self) -> None:
        self._journey = ""
        if self.evidence is not None:
            self.evidence.drop()

    def explain(self, failure: Failure, *, of_page: bool) -> Failure:
        return self._wall.explain(failure, of_page=of_page) if self._wall is not None else failure

    def refused(self) -> tuple[list[str], dict[str, int]]:
        """Notes of what the wall refused in this attempt, and how often each host was asked for in vain."""
        return (self._wall.notes(), self._wall.refused_hosts()) if self._wall is not None else ([], {})

    def error_page(self) -> str:
        """Of the last page that was opened in this attempt, that it is an error's."""
        return self._wall.error_page if self._wall is not None else ""

    def shows_nothing(self) -> bool:
        """Whether no page was opened, beyond an empty one."""
        return self.evidence is None or self.evidence.shows_nothing()

    def looks(self) -> Iterator[tuple[bytes, tuple[str, ...]]]:
        """The picture and the outline of each open page."""
        return iter(()) if self.evidence is None else self.evidence.looks()

    def close(self) -> None:
        if self.evidence is not None:
            with suppress(TookTooLong), own_time(_CLOSING_S):
                self.evidence.close()
                for playwright in self._restarted:
                    playwright.stop()
