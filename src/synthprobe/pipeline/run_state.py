"""What a run's folder says beside its verdict: whose it is, what it made of the incidents, whether it is remembered."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.alerts.outbox import Letter, put_letter
from synthprobe.files import read_record, write_whole
from synthprobe.records.incident import Incident, merged
from synthprobe.records.testdata import LedgerEntry

if TYPE_CHECKING:
    import psutil

    from synthprobe.history.store import History

INCIDENTS, _LETTERS, _LEDGER = "incidents.json", "letters.json", "ledger.json"
_OWNER, _MARK = "supervisor.pid", "remembered"


def running(pid: int, created: float) -> psutil.Process | None:
    """A process that still runs; one that ended and was not collected by its parent does not."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def own(folder: Path) -> None:
    import psutil

    (folder / _OWNER).write_text(f"{os.getpid()} {psutil.Process().create_time()}")


def owner(folder: Path) -> psutil.Process | None:
    """The process that a run belongs to, while it lives."""
    with suppress(OSError, ValueError):
        pid, created = (folder / _OWNER).read_text().split()
        return running(int(pid), float(created))
    return None


def is_on(folder: Path) -> bool:
    """Whether a run belongs to another process that may still add to it."""
    process = owner(folder)
    return process is not None and process.pid != os.getpid()


def is_remembered(folder: Path, store: str = "") -> bool:
    """Whether a run is in the history, or in the one file of that name; earlier versions noted no name."""
    try:
        return (folder / _MARK).read_text("utf-8") in {"", store} or not store
    except OSError:
        return False


def mark_remembered(folder: Path, history: History) -> None:
    (folder / _MARK).write_text(history.id, "utf-8")


class RunIncidents(Struct, frozen=True, kw_only=True):
    """What a run knew of its target's incidents."""

    incidents: tuple[Incident, ...] = ()
    waiting: tuple[str, ...] = ()


def read_incidents(path: Path) -> RunIncidents:
    return read_record(path, RunIncidents, RunIncidents())


def write_incidents(folder: Path, left: RunIncidents) -> None:
    write_whole(folder / INCIDENTS, msgspec.json.encode(left))


def write_letters(folder: Path, letters: Iterable[Letter], incidents: Iterable[Incident], since: datetime) -> None:
    """Keep what people were told now and of incidents that go on, and what waits, for a history that is lost later."""
    going_on = {incident.id for incident in incidents if incident.state != "resolved"}
    kept = [
        letter
        for letter in letters
        if letter.is_waiting or letter.alert.at >= since or going_on & set(letter.alert.incidents)
    ]
    write_whole(folder / _LETTERS, msgspec.json.encode(kept))


def take_letters(history: History, folders: Iterable[Path]) -> None:
    """Take in the messages that runs kept and the history does not know."""
    known: set[str] = set()
    for folder in reversed(list(folders)):  # the newest says best what became of one
        for letter in read_record(folder / _LETTERS, list[Letter], []):
            if letter.alert.id not in known and not history.letters({letter.alert.id}):
                put_letter(history, letter)
            known.add(letter.alert.id)


def write_ledger(folder: Path, entries: Iterable[LedgerEntry]) -> None:
    """Keep what may be left at the target, for a history that is lost later."""
    if open_now := [entry for entry in entries if entry.closed_at is None]:
        write_whole(folder / _LEDGER, msgspec.json.encode(open_now))


def take_ledger(history: History, folders: Iterable[Path]) -> None:
    """Take in what was left after the newest run that another history remembered, as far as this one does not know."""
    newest = next((folder for folder in reversed(list(folders)) if (folder / _MARK).exists()), None)
    if newest is not None:
        for entry in read_record(newest / _LEDGER, list[LedgerEntry], []):
            if not history.knows_entry(entry.token):
                history.put_entry(entry)


def last_incidents(*folders: Path) -> RunIncidents:
    """What the newest run knew that left anything."""
    found = {path for runs in folders for path in runs.glob(f"*/{INCIDENTS}")}
    if not found:
        return RunIncidents()
    newest = max(found, key=lambda path: path.stat().st_mtime)
    left = read_incidents(newest)
    return replace(left, waiting=()) if is_remembered(newest.parent) else left


def take_incidents(history: History, files: Iterable[Path]) -> None:
    """Take in what the history does not know of incidents, from files of runs, the oldest first."""
    seen: set[str] = set()
    for left in map(read_incidents, reversed(list(files))):
        for incident in (incident for incident in left.incidents if incident.id not in seen):
            seen.add(incident.id)
            known = history.incident(incident.id)
            if known is None:
                history.put_incident(incident)
            elif incident.id in left.waiting:
                history.put_incident(merged(None, incident, known))
