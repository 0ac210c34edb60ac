"""The one way commands print: lines are never broken, tables are as wide as whoever reads them allows."""

from __future__ import annotations

import os

from rich.console import Console

LOG_COLUMNS = 160


def open_console(*, stderr: bool = False) -> Console:
    """Open a console.

    A log has no width of its own: there a table gets `LOG_COLUMNS`, unless ``COLUMNS`` says otherwise.

    Args:
        stderr: print to standard error.

    Returns:
        A console that colours nothing by guess and breaks no line outside a table. ``[bold]`` and ``:sos:`` are text
        to it, in tables as well, because what is printed may be the target's or a user's.

    Example:
        >>> open_console().soft_wrap
        True
    """
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = LOG_COLUMNS
    return console
