"""Files in which version 0.2.0 kept what the history keeps now: taken in once, and removed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from synthprobe.errors import HistoryError
from synthprobe.files import read_lines
from synthprobe.records.decoding import from_json
from synthprobe.records.testdata import LedgerEntry

if TYPE_CHECKING:
    from synthprobe.history.store import History


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
            _take_ledger(history, folder / "ledger")
            _take_audit(history, folder)
    except (HistoryError, OSError) as error:
        history.note(str(error))


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
    known = {row.get("hash") for row in map(from_json, history.own_audit())}
    bodies: list[dict[str, Any]] = []
    for number, text in enumerate(path.read_bytes().splitlines() if path.is_file() else (), 1):
        try:
            line = from_json(text, dict[str, Any])
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
