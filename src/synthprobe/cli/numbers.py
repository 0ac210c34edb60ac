"""Numbers of the command line that ranges let through: ``nan`` is neither too small nor too large."""

from __future__ import annotations

import math

import typer


def finite(value: float) -> float:
    """Refuse an option that is no number, or an endless one.

    Args:
        value: what was typed, as a number.

    Returns:
        The number.

    Raises:
        typer.BadParameter: when it is ``nan`` or ``inf``.

    Example:
        >>> finite(7.0)
        7.0
    """
    if not math.isfinite(value):
        raise typer.BadParameter(f"{value} was typed: a number was expected, for example 7.")
    return value
