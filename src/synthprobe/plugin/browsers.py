"""What a session of journeys has of browsers: who records them, and who holds them to the guardrails."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from synthprobe.browser.headers import BrowserHeaders
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import Guard
from synthprobe.plugin.alarm import TookTooLong, own_time
from synthprobe.project import Project
from synthprobe.records.result import Failure
from synthprobe.targets.target import Target

if TYPE_CHECKING:
    from synthprobe.browser.evidence import BrowserEvidence
    from synthprobe.browser.wall import GuardedBrowser

_CLOSING_S = 10.0


class SessionBrowsers:
    """Recorder and wall, each made when the first browser is launched: most journeys of an API need neither."""

    def __init__(self, project: Project, target: Target, scratch: Path, redactor: Redactor, guard: Guard) -> None:
        self._project, self._target, self._scratch = project, target, scratch
        self._redactor, self._guard = redactor, guard
        self.headers = BrowserHeaders(target)
        self.evidence: BrowserEvidence | None = None
        self._wall: GuardedBrowser | None = None
        self._journey = ""
        self._snapshots = True

    def recorder(self) -> BrowserEvidence:
        if self.evidence is None:
            from synthprobe.browser.evidence import BrowserEvidence

            target = self._target
            self.evidence = BrowserEvidence(
                self._scratch, self._redactor, target.mask_selectors, target.action_timeout_s
            )
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
