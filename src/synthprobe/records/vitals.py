"""Vitals of a page: figures that its browser measures, kept as steps within the step that asked for them."""

from __future__ import annotations

LCP = "largest contentful paint (LCP)"
CLS = "layout shift (CLS)"
INP = "interaction to next paint (INP)"
VITALS = frozenset({LCP, CLS, INP})


def is_score(path: str) -> bool:
    """Whether the figure of a step is a number without a unit, where every other one is seconds."""
    return path.rpartition(" › ")[2] == CLS


def shown_score(figure: float) -> str:
    """A figure without a unit.

    Example:
        >>> shown_score(0.25), shown_score(0.1)
        ('0.25', '0.1')
    """
    return f"{figure:.3g}"
