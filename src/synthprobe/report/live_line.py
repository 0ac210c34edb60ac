"""How far a run is, in one line: a progress bar on a terminal, a line every 15 seconds in a log."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import msgspec

from synthprobe.files import read_record
from synthprobe.records.decoding import from_json
from synthprobe.records.journey import Journey
from synthprobe.records.plain_text import plain_line
from synthprobe.records.result import Progress
from synthprobe.verdict.judge import MUST_FAIL, MUST_PASS

EVERY_S = 15.0
"""Seconds between two lines in a log."""

_CANARIES = {MUST_FAIL, MUST_PASS}
_REFRESHED_PER_S = 4


class RunProgress:
    """What the workers of a run have written down so far."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}
        self._ended: set[str] = set()
        self._running: dict[str, Progress] = {}
        self._since: dict[str, tuple[int, datetime]] = {}
        self.total = 0

    def look(self) -> None:
        if not self.total:
            self.total = len(read_record(self._folder / "collected.json", list[Journey], []))
        for path in (self._folder / "progress").glob("*.jsonl"):
            with suppress(OSError), path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                for line in file:
                    if line.endswith(b"\n"):
                        self._read[path] = self._read.get(path, 0) + len(line)
                        self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            note = from_json(line, Progress)
        except msgspec.DecodeError:
            return
        if note.journey in _CANARIES:
            return
        if self._since.get(note.journey, (0, note.at))[0] != note.attempt:
            self._since[note.journey] = note.attempt, note.at
        if note.ended:
            self._running.pop(note.journey, None)
            self._ended.add(note.journey)
        else:
            self._running[note.journey] = note
            self._ended.discard(note.journey)

    @property
    def ended(self) -> int:
        """Journeys that are over, as far as it is known."""
        return len(self._ended)

    def line(self, now: datetime) -> str:
        """The journey that has been running longest, its step, and since how many seconds."""
        known = f"{self.ended}/{self.total}" if self.total else "collecting journeys"
        if not self._running:
            return known
        name = min(self._running, key=lambda name: self._since[name][1])
        step = self._running[name].step
        running_s = max((now - self._since[name][1]).total_seconds(), 0)
        return plain_line(f"{known} · {name}{f': {step}' if step else ''} · {running_s:.0f} s")


class LiveLine:
    """Shows a run's progress for as long as it is on."""

    def __init__(self, folder: Path, stream: TextIO) -> None:
        self._progress = RunProgress(folder)
        self._stream = stream
        self._over = threading.Event()
        self._console: Any = None

    @contextmanager
    def shown(self) -> Iterator[Callable[[str], None]]:
        """Show it; what is given to the function stands above it."""
        if self._stream.isatty():
            with self._bar() as say:
                yield say
            return
        thread = threading.Thread(target=self._tell, daemon=True)
        thread.start()
        try:
            yield self._say
        finally:
            self._over.set()
            thread.join(timeout=1)

    @contextmanager
    def _bar(self) -> Iterator[Callable[[str], None]]:
        from rich.console import Console  # a log needs none of it
        from rich.live import Live
        from rich.text import Text

        console = Console(file=self._stream, markup=False, emoji=False, highlight=False)
        live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=_REFRESHED_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        gone = suppress(OSError, SystemExit)  # a terminal that was closed costs no verdict; Rich ends the process
        with gone:
            live.start()
        try:
            yield lambda line: console.print(Text.from_ansi(line), soft_wrap=True) if line.strip() else None
        finally:
            with gone:
                live.stop()

    def _render(self) -> Any:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        self._progress.look()
        grid = Table.grid(padding=(0, 1))
        grid.add_column()
        grid.add_column(no_wrap=True, overflow="ellipsis")
        bar = ProgressBar(total=max(self._progress.total, 1), completed=self._progress.ended, width=20)
        grid.add_row(bar, Text(self._progress.line(datetime.now(UTC))))
        return grid

    def _tell(self) -> None:
        while not self._over.wait(EVERY_S):
            self._progress.look()
            self._say(self._progress.line(datetime.now(UTC)))

    def _say(self, line: str) -> None:
        with suppress(OSError, ValueError):  # nobody reads what we print
            if not line.strip():
                return
            self._stream.write(f"{line}\n")
            self._stream.flush()
