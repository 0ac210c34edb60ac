"""Files in which earlier versions kept what the history keeps now: taken in once, and removed."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.alerts.message import Alert
from synthprobe.alerts.outbox import Attempt, Letter, put_letter
from synthprobe.errors import HistoryError
from synthprobe.files import read_lines, read_record
from synthprobe.pipeline.run_state import take_incidents
from synthprobe.records.incident import Incident, merged
from synthprobe.records.testdata import LedgerEntry
from synthprobe.records.verdict import Verdict

if TYPE_CHECKING:
    from synthprobe.history.store import History


class _Spooled(Struct, frozen=True, kw_only=True):
    reason: str
    verdict: Verdict


class _Delivered(Struct, frozen=True, kw_only=True):
    alert: str
    at: datetime


class _Line(Struct, frozen=True, kw_only=True):
    queued: Alert | None = None
    tried: Attempt | None = None
    delivered: _Delivered | None = None


class _LedgerLine(Struct, frozen=True, kw_only=True):
    event: Literal["intent", "closed"]
    token: str
    kind: str
    run_id: str
    at: datetime
    expires_at: datetime


def take_over(history: History, folder: Path) -> None:
    """Take in what is left of them; what the history cannot take now stays for the next time."""
    try:
        if history.available:
            _take_spool(history, folder / "spool")
            _take_incidents(history, folder)
            take_outbox(history, folder / "outbox")
            _take_ledger(history, folder / "ledger")
            _take_audit(history, folder)
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
    paths = list(folder.glob("incidents/*.json"))
    for path in paths:
        if (incident := read_record(path, Incident, None)) is not None:
            known = history.incident(incident.id)
            history.put_incident(incident if known is None else merged(None, incident, known))
    for path in (*kept, *paths):
        path.unlink(missing_ok=True)


def _take_ledger(history: History, ledger: Path) -> None:
    """Take in the open entries of every target's files; what is known already, and may be closed by now, stays so."""
    for path in sorted(ledger.glob("*/*.jsonl")):
        for entry in _open_entries(path):
            if not history.knows_entry(entry.token):
                history.put_entry(entry)
        path.unlink(missing_ok=True)
    for folder in (*ledger.glob("*"), ledger) if ledger.is_dir() else ():
        (folder / ".lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            folder.rmdir()


def _take_audit(history: History, folder: Path) -> None:
    """Take in the lines of an audit as they are, and what named its end; whether to believe them is judged later."""
    path, head = folder / "audit.jsonl", folder / "audit.head"
    if not path.is_file() and not head.is_file():
        return
    known = {row.get("hash") for row in map(msgspec.json.decode, history.own_audit())}
    bodies: list[dict[str, Any]] = []
    for number, text in enumerate(path.read_bytes().splitlines() if path.is_file() else (), 1):
        try:
            line = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError:
            line = {"unreadable": text.decode(errors="replace")}
        bodies.append({"audit": "", "number": number, "hash": line.get("hash", ""), "entry": line})
    marked, _, hash = head.read_text("ascii", "replace").strip().partition(" ") if head.is_file() else ("", "", "")
    new = [body for body in bodies if body["hash"] not in known]
    if marked.isdigit() and int(marked) and hash not in known:
        new.append({"audit": "", "number": int(marked), "hash": hash})
    history.append_audit(*new, share=False)  # the shared history was told of each line as it was written
    for kept in (path, head):
        kept.unlink(missing_ok=True)


def _open_entries(path: Path) -> Iterator[LedgerEntry]:
    lines: dict[str, _LedgerLine] = {}
    for line in read_lines(path, _LedgerLine):  # one was cut off before anything was created on its strength
        lines[line.token] = line
    for line in (line for line in lines.values() if line.event == "intent"):
        known = {name: getattr(line, name) for name in ("token", "kind", "run_id", "at", "expires_at")}
        yield LedgerEntry(target=path.parent.name, **known)


def take_outbox(history: History, outbox: Path) -> None:
    """Take in the messages of an outbox; a line cut off by a crash is left out, and its message is due again."""
    path = outbox / "outbox.jsonl"
    if not path.is_file():
        return
    letters: dict[str, Letter] = {}
    for found in read_lines(path, _Line):
        if found.queued:
            letters.setdefault(found.queued.id, Letter(alert=found.queued))
        elif found.tried and (letter := letters.get(found.tried.alert)):
            letters[letter.alert.id] = replace(letter, attempts=(*letter.attempts, found.tried))
        elif found.delivered and (letter := letters.get(found.delivered.alert)):
            letters[letter.alert.id] = replace(letter, done=found.delivered.at)
    for letter in letters.values():
        put_letter(history, letter)
    shutil.rmtree(outbox)
