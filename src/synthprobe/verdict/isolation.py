"""A failure of judgement costs the step or journey it happened in, and no other."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class Isolation:
    """Judges steps and journeys apart from each other.

    Attributes:
        notes: a sentence for each that could not be judged.

    Example:
        >>> isolation = Isolation()
        >>> isolation.judge("sign-in", lambda: 1 // 0, otherwise=0)
        0
        >>> isolation.notes[0][:66]
        'sign-in could not be judged (ZeroDivisionError: integer division o'
    """

    def __init__(self) -> None:
        self.notes: list[str] = []

    def judge(self, subject: str, judgement: Callable[[], T], otherwise: T, consequence: str = "") -> T:
        """Judge one subject; whatever is raised becomes a note.

        Args:
            subject: what is judged, as a person knows it.
            judgement: judges it.
            otherwise: the answer when it cannot be judged.
            consequence: a sentence that says what holds then; all else was judged without it.

        Returns:
            The judgement.
        """
        try:
            return judgement()
        except Exception as error:
            why = f"{type(error).__name__}: {error}".rstrip(": ")
            consequence = consequence or "Everything else was judged without it."
            self.notes.append(
                f"{subject} could not be judged ({why}). {consequence} This is a fault of synthprobe; please report it."
            )
            return otherwise
