"""Ends a process of a run that stands still: it costs the journey it was in, and no other."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import psutil

from synthprobe.records.decoding import from_json
from synthprobe.records.result import Progress

_LOOK_S = 1.0
_STOPPED_S = 2.0


class Standstill:
    """Looks after the processes of one session of pytest."""

    def __init__(self, folder: Path, family: Callable[[], Sequence[psutil.Process]], margin_s: float) -> None:
        self.causes: dict[str, tuple[str, str]] = {}
        """Of each journey that was ended: the kind of its ending, and the sentence."""
        self._folder = folder
        self._family = family
        self._margin_s = margin_s
        self._looked = 0.0
        self._stopped: dict[int, float] = {}
        self._sizes: dict[Path, int] = {}
        self._moved: dict[Path, float] = {}
        self._last: dict[Path, Progress] = {}

    def look(self) -> None:
        """Look once; kill what stands still."""
        now = time.monotonic()
        if now - self._looked < _LOOK_S:
            return
        self._looked = now
        self._read(now)
        family = {process.pid: process for process in self._family()}
        stopped = {pid for pid, process in family.items() if _is_stopped(process)}
        self._stopped = {pid: self._stopped.get(pid, now) for pid in stopped}
        for pid, since in self._stopped.items():
            if now - since >= _STOPPED_S:
                self._kill(family[pid], "worker", f"Its process was stopped for {_STOPPED_S:g} s and was killed")
        for path, note in self.running():
            if note.within_s and now - self._moved[path] > note.within_s + self._margin_s and note.pid in family:
                why = "Its process did not end at the journey's deadline and was killed"
                self._kill(family[note.pid], "stalled", why)

    def running(self) -> Iterator[tuple[Path, Progress]]:
        """Attempts that have begun and not ended."""
        for path, note in tuple(self._last.items()):  # what is killed is forgotten on the way
            if not note.ended:
                yield path, note

    def _read(self, now: float) -> None:
        for path in (self._folder / "progress").glob("*.jsonl"):
            size = path.stat().st_size
            if size == self._sizes.get(path):
                continue
            self._sizes[path], self._moved[path] = size, now
            with contextlib.suppress(msgspec.DecodeError, IndexError):  # half a line is whole when we look next
                self._last[path] = from_json(path.read_bytes().splitlines()[-1], Progress)

    def _kill(self, process: psutil.Process, kind: str, why: str) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
        for path, note in self.running():
            if note.pid == process.pid:
                self.causes[note.journey] = kind, why
                del self._last[path]


def _is_stopped(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_STOPPED
    return False
