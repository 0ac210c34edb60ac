"""How much of the time was looked at: slots that no run judged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from synthprobe.model.result import Run

if TYPE_CHECKING:
    from synthprobe.history.store import History


def missed_slots(history: History, run: Run, interval_s: int) -> str:
    """Say which slots before a scheduled run were judged by none: its scheduler dropped them, or its machine was lost.

    Args:
        history: the history.
        run: the run.
        interval_s: seconds between two slots.

    Returns:
        A sentence; empty when the slot before was judged, none ever was, or the run judges no slot.
    """
    last = history.slot_before(run.target, run.slot) if run.scheduled else None
    if last is None or abs(int(last[1].timestamp()) // interval_s - last[0]) > 1:  # slots of another length once
        return ""
    missed = run.slot - last[0] - 1
    if missed < 1:
        return ""
    began, ended = (datetime.fromtimestamp(slot * interval_s, UTC) for slot in (last[0] + 1, run.slot))
    day = "%H:%M" if began.date() == ended.date() else "%Y-%m-%d %H:%M"
    which = f"{missed} slots" if missed > 1 else "slot"
    return (
        f"No run judged the {which} before this one ({began:{day}} to {ended:{day}} UTC). "
        "Look at what starts the runs: it was late, or its machine was lost."
    )
