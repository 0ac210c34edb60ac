"""Private names of Playwright: all that we use, in one place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import expect

TRIED = "playwright>=1.60,<2"


@contextmanager
def expecting_within(seconds: float) -> Iterator[None]:
    """How long an expectation waits while the block runs; Playwright does not say how long it waited before."""
    before = getattr(expect, "_timeout", None)
    expect.set_options(timeout=seconds * 1000)
    try:
        yield
    finally:
        expect.set_options(timeout=before)
