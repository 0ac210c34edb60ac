"""A browser that a command opens, behind the same wall as those of journeys."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from synthprobe.browser.headers import BrowserHeaders
from synthprobe.browser.installation import find_browser
from synthprobe.browser.wall import GuardedBrowser
from synthprobe.errors import ToolError
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import Guard
from synthprobe.targets.secrets import Credentials


@contextmanager
def commanded_browser(executable: str, guard: Guard, credentials: Credentials, redactor: Redactor) -> Iterator[Browser]:
    """Open it for as long as the block runs."""
    found = find_browser(executable or None)
    if found is None:
        raise ToolError("No browser was found on this machine. Install one with: synthprobe doctor --fix")
    with sync_playwright() as playwright:
        guarded = GuardedBrowser(guard, BrowserHeaders(guard.target), credentials, redactor)
        browser = guarded.hold(playwright).chromium.launch(executable_path=found.path)
        try:
            yield browser
        finally:
            browser.close()
            guarded.release()
