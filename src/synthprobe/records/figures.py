"""Figures in a sentence: as short as they can be, and never at odds with what the sentence says."""

from __future__ import annotations

_MOST_DIGITS = 9


def shown_above(figure: float, limit: float, digits: int = 0) -> str:
    """A figure that is above its limit, with as many decimals as it takes to see that.

    Args:
        figure: the figure.
        limit: what it is above.
        digits: decimals that are shown anyway.

    Returns:
        The figure as text.

    Example:
        >>> shown_above(3.21, 2, digits=1), shown_above(2.04, 2, digits=1), shown_above(0.03, 0.001, digits=1)
        ('3.2', '2.04', '0.03')
    """
    tried = (f"{figure:.{more}f}" for more in range(digits, _MOST_DIGITS + 1))
    return next((text for text in tried if float(text) > limit), f"{figure:.{digits}f}")
