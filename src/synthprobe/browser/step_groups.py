"""Steps as groups of the trace, so that the trace viewer shows what was done under the step's title."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from synthprobe.journey import steps

if TYPE_CHECKING:
    from synthprobe.browser.evidence import BrowserEvidence


class StepGroups:
    """Tells every open context of the steps of the journey's own thread."""

    def __init__(self, browser: Callable[[], BrowserEvidence | None]) -> None:
        self._browser = browser
        self._open: set[str] = set()

    def step_started(self, key: str, title: str, around: str) -> None:
        """Begin a group."""
        recorder, browser = steps.current(), self._browser()
        if browser is not None and recorder is not None and not recorder.is_elsewhere:
            self._open.add(key)
            browser.group(title)

    def step_ended(self, key: str, error: BaseException | None) -> None:
        """End it."""
        browser = self._browser()
        if key in self._open and browser is not None:
            self._open.discard(key)
            browser.group("")
