"""Libraries that only some projects need: each comes with an extra of the package."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from synthprobe.errors import SynthprobeError, ToolError


def missing(extra: str, what: str) -> str:
    """The sentence for a library that is not there."""
    return f"{what} needs the extra {extra!r}, which is not installed. Install it: pip install 'synthprobe[{extra}]'"


@contextmanager
def needs(extra: str, what: str, error: type[SynthprobeError] = ToolError) -> Iterator[None]:
    """Around an import: a library that is missing becomes a sentence with the extra that brings it."""
    try:
        yield
    except ImportError:
        raise error(missing(extra, what)) from None
