"""Private names of Playwright: all that we use, in one place."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from playwright.sync_api import Page, expect

TRIED = "playwright>=1.60,<2"


@contextmanager
def expecting_within(seconds: float) -> Iterator[None]:
    """How long an expectation waits while the block runs, unless the project's code has set it by itself."""
    before = getattr(expect, "_timeout", None)
    expect.set_options(timeout=seconds * 1000 if before is None else before)
    try:
        yield
    finally:
        expect.set_options(timeout=before)


def page_asked(error: BaseException, pages: Sequence[Page]) -> Page | None:
    """The page that a failing call or expectation of Playwright's was about."""
    calls = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
    asked = [getattr(call, "_impl_obj", None) for call in calls if type(call).__module__.startswith("playwright.")]
    about = [getattr(part, name, None) for part in asked for name in ("_actual_locator", "_actual_page")]
    shown = [getattr(part, "page", part) for part in (*about, *asked)]
    return next((page for page in pages if getattr(page, "_impl_obj", page) in shown), None)
