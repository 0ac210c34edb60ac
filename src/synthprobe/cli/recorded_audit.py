"""Where every command finds the audit: its file, and the history as the witness of its newest line."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from synthprobe import pipeline
from synthprobe.config import Config
from synthprobe.errors import HistoryError
from synthprobe.firstline.audit import AuditEntry, Check, FileAudit, Mark


class HistoryWitness:
    """Keeps every line of the audit in the history, whose table of it can only be added to."""

    def __init__(self, root: Path, config: Config) -> None:
        self._root, self._config = root, config
        # a history of its own belongs to one audit; a shared one to one audit of each machine and folder
        place = f"{socket.gethostname()}:{(root / config.folder).resolve()}" if config.history.url else ""
        self._audit = hashlib.sha256(place.encode()).hexdigest()[:12]

    def newest(self) -> Mark | None:
        """The mark noted last."""
        known = [one for one in self._noted() if one.get("audit") == self._audit]
        return Mark(number=known[-1]["number"], hash=known[-1]["hash"]) if known else None

    def entries(self) -> list[AuditEntry]:
        """What any audit that shares this history noted, also before a new one was begun."""
        return _lines(self._noted())

    def note(self, mark: Mark, entries: Sequence[AuditEntry] = (), check: Check | None = None) -> None:
        """Keep a mark, and the lines up to it that were not kept yet."""
        told = {entry.hash for entry in self.entries()}
        new = [one for one in entries if one.hash not in told and one.hash != mark.hash] + list(entries[-1:])
        bodies = [
            {"audit": self._audit, "number": one.number, "hash": one.hash, "entry": msgspec.to_builtins(one)}
            for one in new
        ]
        bodies = bodies or [{"audit": self._audit, "number": mark.number, "hash": mark.hash}]
        with pipeline.open_history(self._root, self._config) as history:
            history.append_audit(*bodies, check=None if check is None else lambda noted: check(_lines(noted)))

    def _noted(self) -> list[dict[str, Any]]:
        with pipeline.open_history(self._root, self._config) as history:
            noted = history.audit_entries()
            if not history.available:
                raise HistoryError(" ".join(history.notes))
        return noted


def _lines(noted: Sequence[dict[str, Any]]) -> list[AuditEntry]:
    """The lines among what was noted; earlier versions noted marks alone."""
    return [msgspec.convert(one["entry"], AuditEntry) for one in noted if "entry" in one]


def recorded_audit(root: Path, config: Config) -> FileAudit:
    """The project's audit."""
    return FileAudit(root / config.folder / "audit.jsonl", HistoryWitness(root, config))
