"""What open contexts are told of attempts and steps: headers of what they send, and groups of the trace."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from synthprobe.journey import steps
from synthprobe.journey.steps import correlation_headers
from synthprobe.targets.guardrails import browser_may_mark, synthetic_headers
from synthprobe.targets.target import Target

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

    from synthprobe.browser.evidence import BrowserEvidence


class BrowserHeaders:
    """Keeps the headers of all open contexts in step with the journey. Listens to steps."""

    def __init__(self, target: Target) -> None:
        self._marks = browser_may_mark(target)
        self._open: dict[BrowserContext, Any] = {}
        self._told: dict[str, str] = {}

    def step_started(self, key: str, title: str, around: str) -> None:
        """What is sent from now on belongs to this step; pages belong to the journey's own flow alone."""
        if not around:
            self.tell()

    def step_ended(self, key: str, error: BaseException | None) -> None:
        """What is sent from now on belongs to the step around it; a page that broke one is left alone."""
        recorder = steps.current()
        if error is None and recorder is not None and recorder.path and not recorder.is_elsewhere:
            self.tell()

    def of_context(self, given: Mapping[str, str] | None) -> dict[str, str]:
        if not self._marks:
            return dict(given or {})
        return synthetic_headers({**correlation_headers(steps.current()), **(given or {})})

    def follow(self, context: BrowserContext, given: Mapping[str, str] | None) -> None:
        """Tell a context of each step until it is closed."""
        if not self._marks:
            return
        set_headers = context.set_extra_http_headers

        def set_with_ours(headers: dict[str, str]) -> None:
            self._open[context] = lambda: set_headers(self.of_context(headers))
            self._open[context]()

        self._open[context] = lambda: set_headers(self.of_context(given))
        self._told = correlation_headers(steps.current())
        context.set_extra_http_headers = set_with_ours  # type: ignore[method-assign]
        context.on("close", lambda _: self._open.pop(context, None))

    def tell(self) -> None:
        """Tell all open contexts which attempt and step runs now, unless they know."""
        if not self._open or self._told == (now := correlation_headers(steps.current())):
            return
        from playwright.sync_api import Error  # loaded already, with the first context

        self._told = now
        for tell in list(self._open.values()):
            with contextlib.suppress(Error):  # it died; what the step does in it says so better
                tell()


class StepGroups:
    """Tells every open context of the steps of the journey's own thread."""

    def __init__(self, browser: Callable[[], BrowserEvidence | None]) -> None:
        self._browser = browser
        self._open: set[str] = set()

    def step_started(self, key: str, title: str, around: str) -> None:
        recorder, browser = steps.current(), self._browser()
        if browser is not None and recorder is not None and not recorder.is_elsewhere:
            self._open.add(key)
            browser.group(title)

    def step_ended(self, key: str, error: BaseException | None) -> None:
        browser = self._browser()
        if key in self._open and browser is not None:
            self._open.discard(key)
            browser.group("")
