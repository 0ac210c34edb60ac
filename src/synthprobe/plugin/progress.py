"""Writes down where a worker is, so that a kill leaves a trace of where it struck."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.clock import real_now
from synthprobe.records.result import Progress


class ProgressWriter:
    """Told of every step of one attempt."""

    def __init__(
        self, folder: Path, worker: str, journey: str, attempt: int, redactor: Redactor, within_s: float
    ) -> None:
        self._path = folder / "progress" / f"{worker}.jsonl"
        self._journey = journey
        self._attempt = attempt
        self._redactor = redactor
        self._within_s = within_s
        self._open: dict[str, str] = {}
        self._write()

    def allow(self, within_s: float, *, broken: str = "") -> None:
        """The body is over, in that step if it broke; what comes now has seconds of its own."""
        if self._within_s:
            self._write(within_s=within_s, broken=self._redactor.late_text(broken))

    def end(self) -> None:
        """The attempt is over."""
        self._open.clear()
        self._write(ended=True)

    def step_started(self, key: str, title: str, around: str) -> None:
        """A step begins."""
        self._open[key] = self._redactor.late_text(title)
        self._write()

    def step_ended(self, key: str, error: BaseException | None) -> None:
        """That step ended."""
        self._open.pop(key, None)

    def _write(self, *, within_s: float = 0.0, broken: str = "", ended: bool = False) -> None:
        note = Progress(
            journey=self._journey,
            attempt=self._attempt,
            step=" › ".join(self._open.values()) or broken,
            at=real_now(),
            pid=os.getpid(),
            within_s=within_s or self._within_s,
            ended=ended,
        )
        with suppress(OSError), self._path.open("ab") as file:  # it only helps; a full disk costs no journey
            file.write(msgspec.json.encode(note) + b"\n")
