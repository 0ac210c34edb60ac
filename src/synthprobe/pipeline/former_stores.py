"""Files in which earlier versions kept what the history keeps now: taken in once, and removed."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from synthprobe.errors import HistoryError
from synthprobe.model.incident import Incident, merged
from synthprobe.model.verdict import Verdict
from synthprobe.pipeline.run_state import take_incidents

if TYPE_CHECKING:
    from synthprobe.history.store import History


class _Spooled(Struct, frozen=True, kw_only=True):
    reason: str
    verdict: Verdict


def take_over(history: History, folder: Path) -> None:
    """Take in what is left of them; what the history cannot take now stays for the next time."""
    try:
        if history.available:
            _take_spool(history, folder / "spool")
            _take_incidents(history, folder)
    except (HistoryError, OSError) as error:
        history.note(str(error))


def _take_spool(history: History, spool: Path) -> None:
    if not spool.is_dir():
        return
    for path in sorted(spool.glob("*.json")):
        try:
            verdict = msgspec.json.decode(path.read_bytes(), type=_Spooled).verdict
        except msgspec.DecodeError:
            path.replace(path.with_suffix(".unreadable"))
            history.note(f"{path} could not be read as a spooled verdict; it is kept as {path.stem}.unreadable.")
            continue
        history.ingest(verdict)
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # what could not be read keeps it
        spool.rmdir()


def _take_incidents(history: History, folder: Path) -> None:
    kept = list(folder.glob("state/*/incidents.json"))
    take_incidents(history, kept)
    said = list(folder.glob("incidents/*.json"))
    for path in said:
        with contextlib.suppress(msgspec.DecodeError):
            incident = msgspec.json.decode(path.read_bytes(), type=Incident)
            known = history.incident(incident.id)
            history.put_incident(incident if known is None else merged(None, incident, known))
    for path in (*kept, *said):
        path.unlink(missing_ok=True)
