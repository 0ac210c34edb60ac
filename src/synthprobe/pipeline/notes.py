"""What goes wrong after a verdict: a sentence beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from synthprobe.errors import SynthprobeError


@contextmanager
def noted(notes: list[str]) -> Iterator[None]:
    """Let no error of the block cost the verdict.

    Args:
        notes: where its sentence goes.

    Yields:
        Nothing.
    """
    try:
        yield
    except (SynthprobeError, OSError) as error:
        notes.append(str(error))
