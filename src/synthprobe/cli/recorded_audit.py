"""Where every command finds the audit: its file, and the history as the witness of its newest line."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

from synthprobe import pipeline
from synthprobe.config import Config
from synthprobe.errors import HistoryError
from synthprobe.respond.audit import FileAudit, Mark


class HistoryWitness:
    """Keeps the newest mark of the audit in the history, whose table of it can only be added to.

    Args:
        root: the project's root.
        config: the project's configuration.
    """

    def __init__(self, root: Path, config: Config) -> None:
        self._root, self._config = root, config
        # a history of its own belongs to one audit; a shared one to one audit of each machine and folder
        place = f"{socket.gethostname()}:{(root / config.folder).resolve()}" if config.history.url else ""
        self._audit = hashlib.sha256(place.encode()).hexdigest()[:12]

    def newest(self) -> Mark | None:
        """The mark noted last.

        Returns:
            The mark; nothing when none ever was.

        Raises:
            HistoryError: when the history cannot be used.
        """
        with pipeline.open_history(self._root, self._config) as history:
            if not history.available:
                raise HistoryError(" ".join(history.notes))
            known = [one for one in history.audit_entries() if one.get("audit") == self._audit]
        return Mark(number=known[-1]["number"], hash=known[-1]["hash"]) if known else None

    def note(self, mark: Mark) -> None:
        """Keep a mark.

        Args:
            mark: the mark.

        Raises:
            HistoryError: when the history cannot be used.
        """
        with pipeline.open_history(self._root, self._config) as history:
            history.append_audit({"audit": self._audit, "number": mark.number, "hash": mark.hash})


def recorded_audit(root: Path, config: Config) -> FileAudit:
    """The project's audit.

    Args:
        root: the project's root.
        config: the project's configuration.

    Returns:
        The audit, compared with the history whenever it is read.
    """
    return FileAudit(root / config.folder / "audit.jsonl", HistoryWitness(root, config))
