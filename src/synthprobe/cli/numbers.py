"""Numbers of the command line that ranges let through: ``nan`` is neither too small nor too large."""

from __future__ import annotations

import math

import typer


def finite(value: float | None) -> float | None:
    """Refuse an option that is no number, or an endless one; it may be left out."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} was typed: a number was expected, for example 7.")
    return value
