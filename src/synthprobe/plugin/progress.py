"""Writes down where a worker is, so that a kill leaves a trace of where it struck."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec

from synthprobe.evidence.redaction import Redactor
from synthprobe.model.result import Progress


class ProgressWriter:
    """Told of every step of one attempt.

    Args:
        folder: the run's folder.
        worker: the xdist worker.
        journey: the journey's id.
        attempt: 1 for the first.
        redactor: knows the secrets.
    """

    def __init__(self, folder: Path, worker: str, journey: str, attempt: int, redactor: Redactor) -> None:
        self._path = folder / "progress" / f"{worker}.jsonl"
        self._journey = journey
        self._attempt = attempt
        self._redactor = redactor
        self._open: list[str] = []
        self._write()

    def step_started(self, key: str, title: str) -> None:
        """A step begins."""
        self._open.append(self._redactor.text(title))
        self._write()

    def step_ended(self, key: str, error: BaseException | None) -> None:
        """The innermost step ended."""
        if self._open:
            self._open.pop()

    def _write(self) -> None:
        note = Progress(journey=self._journey, attempt=self._attempt, step=" › ".join(self._open), at=datetime.now(UTC))
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(note) + b"\n")
