"""The incidents that stand, kept beside the history for runs that cannot use it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from synthprobe.config import Config
from synthprobe.model.incident import Incident
from synthprobe.pipeline.clocks import of_now
from synthprobe.verdict.lifecycle import joined

if TYPE_CHECKING:
    from synthprobe.history.store import History


class KeptIncidents(Struct, frozen=True, kw_only=True):
    """What this machine last knew of a target's incidents.

    Attributes:
        incidents: those that stood after the last run here, and those that wait.
        waiting: ids of those the history has still to hear of.
    """

    incidents: tuple[Incident, ...] = ()
    waiting: tuple[str, ...] = ()


def kept_file(root: Path, config: Config, target: str) -> Path:
    """Where it is kept."""
    return root / config.folder / "state" / target / "incidents.json"


def read_kept(path: Path) -> KeptIncidents:
    """Read it."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeptIncidents)
    except (OSError, msgspec.DecodeError):
        return KeptIncidents()


def write_kept(path: Path, kept: KeptIncidents) -> None:
    """Write it in one move."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_bytes(msgspec.json.encode(kept))
    temporary.replace(path)


def known_incidents(history: History | None, target: str, kept: KeptIncidents, now: datetime) -> dict[str, Incident]:
    """All that is known of a target's incidents."""
    theirs = {one.id: of_now(one, now) for one in history.incidents(target)} if history is not None else {}
    if history is None or not history.available:
        return {one.id: of_now(one, now) for one in kept.incidents}
    ours = (of_now(one, now) for one in kept.incidents if one.id in kept.waiting)
    return theirs | {one.id: joined(one, theirs[one.id]) if one.id in theirs else one for one in ours}
