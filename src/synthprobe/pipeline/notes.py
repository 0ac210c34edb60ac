"""What goes wrong after a verdict: a sentence beside it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from synthprobe.errors import SynthprobeError


@contextmanager
def noted(notes: list[str]) -> Iterator[None]:
    """Let no error of the block cost the verdict."""
    try:
        yield
    except (SynthprobeError, OSError) as error:
        notes.append(str(error))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        notes.append(
            f"A part of what follows a run broke off ({type(error).__name__}: {error}, in {where.name}); the rest was "
            "done. This is a fault of synthprobe; please report it."
        )
