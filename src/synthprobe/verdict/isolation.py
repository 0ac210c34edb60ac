"""A failure of judgement costs the step or journey it happened in, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Isolation:
    """Judges steps and journeys apart from each other."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def judge(self, subject: str, judgement: Callable[[], T], otherwise: T, consequence: str = "") -> T:
        """Judge one subject; whatever is raised becomes a note."""
        try:
            return judgement()
        except Exception as error:
            why = f"{type(error).__name__}: {error}".rstrip(": ")
            consequence = consequence or "Everything else was judged without it."
            self.notes.append(
                f"{subject} could not be judged ({why}). {consequence} This is a fault of synthprobe; please report it."
            )
            return otherwise
