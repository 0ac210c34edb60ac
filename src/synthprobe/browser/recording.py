"""One record of each browser context, which serves our evidence and whoever asks Playwright for a trace beside it."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Error

from synthprobe.browser.har import Har
from synthprobe.browser.trace import TraceWithheld, learn_from_contents, redact_trace
from synthprobe.evidence.redaction import Redactor

_NAME = re.compile(rb'"(?:resources/)?([\w.@-]{8,200})"')
_OWN = frozenset({"setExtraHTTPHeaders", "tracingGroup", "screenshot"})  # what we do ourselves, at steps


class ContextRecording:
    """Records one context from its first moment to its last.

    Playwright records a context once at a time. What a journey, or pytest-playwright's ``--tracing``, asks of
    ``context.tracing`` is therefore answered from this record: it is cut into pieces where either side begins or ends,
    and each gets the pieces of its own time.
    """

    def __init__(
        self,
        context: BrowserContext,
        folder: Path,
        name: str,
        redactor: Redactor,
        journey: str,
        *,
        snapshots: bool = True,
    ) -> None:
        self.context = context
        self.opened_in = journey
        self.has_snapshots = snapshots
        self.is_shared = False
        self.is_closed = False
        self.trouble: list[str] = []
        self._folder = folder
        self._name = name
        self._redactor = redactor
        self._tracing = context.tracing
        self._start_chunk = self._tracing.start_chunk
        self._stop_chunk = self._tracing.stop_chunk
        self._stop = self._tracing.stop
        self._chunk = self._saved = 0
        self._pieces: list[Path] = []
        self._authored: list[Path] | None = None  # pieces since somebody else began to record
        self._tracing.start(snapshots=snapshots, screenshots=False, sources=False, name=name)
        self._har = None if snapshots else Har(self._tracing, folder, name)
        self._is_running = True
        for method, answer in {
            "start": self._author_starts,
            "start_chunk": self._author_starts_chunk,
            "stop_chunk": self._author_stops_chunk,
            "stop": self._author_stops,
        }.items():
            setattr(self._tracing, method, answer)

    @property
    def is_telling(self) -> bool:
        """Whether anything was done in it during this attempt; a context of this journey's own always tells."""
        return not self.is_shared or any(map(_was_used, self._pieces))

    def begin(self) -> None:
        """Another attempt begins while the context is open."""
        self.is_shared = True
        self._lapse()
        self._discard_pieces()
        self._next_chunk()

    def group(self, title: str) -> None:
        """Put what is done from now on under a title; without one, end the newest group."""
        if self._is_running:
            with suppress(Error):  # its browser died, and what the step does says so better
                if title:
                    self._tracing.group(title)
                else:
                    self._tracing.group_end()

    def cut(self) -> None:
        """End the piece that runs, with the places in the source; nothing is recorded until the next one begins."""
        if not self._is_running:
            return
        self._is_running = False
        self.take_in()
        self._saved += 1
        piece = self._folder / f"{self._name}-{self._saved}.zip"
        try:
            self._stop_chunk(path=piece)
        except (Error, OSError) as error:
            piece.unlink(missing_ok=True)
            piece = self._raw
            self.trouble.append(
                f"The trace of a browser context {'is what was left' if piece.exists() else 'is lost'}, "
                f"as the browser ended before it: {str(error).splitlines()[0]}"
            )
        self._add(piece)

    def close(self) -> None:
        """The context is about to be closed."""
        self.is_closed = True
        if self._is_running:
            self.take_in()
            self._is_running = False
            with suppress(Error):  # what it wrote so far lies in the folder
                self._stop()
            self._add(self._raw)

    def pack(self, destination: Path) -> bool:
        self.take_in()
        return _pack(self._pieces, destination, is_whole=self.has_snapshots)

    def take_in(self) -> None:
        """Have what was requested so far where the trace has it."""
        if self._har is not None:
            self._har.take_in(ends=self.is_closed or not self._is_running)

    def contents(self, known: Collection[Path]) -> Iterator[tuple[Path, dict[str, bytes]]]:
        self.take_in()
        for piece in self._pieces:
            if piece not in known and piece.exists():
                with suppress(zipfile.BadZipFile, OSError):  # it cannot be redacted either, so it is withheld
                    yield piece, dict(_parts(piece))

    def raise_late(self) -> None:
        """What a journey's handler raised while requests were taken in breaks it when its context is closed."""
        if self._har is not None and self._har.raised is not None:
            raise self._har.raised

    def network_lines(self) -> list[bytes]:
        """What was requested so far, as it is written."""
        self.take_in()
        path = self._folder / f"{self._name}.network"
        return path.read_bytes().splitlines() if path.exists() else []

    def lines(self) -> Iterator[bytes]:
        """What was done and told so far in this attempt, as it is written."""
        for piece in dict.fromkeys((*self._pieces, self._raw)):
            yield from _lines(piece)

    def forget(self) -> None:
        """Nobody wants what was recorded in this attempt."""
        self._discard_pieces()
        if self.is_closed:
            (self._folder / f"{self._name}.network").unlink(missing_ok=True)
            if self._har is not None:
                self._har.forget()

    @property
    def _raw(self) -> Path:
        return self._folder / f"{self._name}{f'-chunk{self._chunk}' if self._chunk else ''}.trace"

    def _add(self, piece: Path) -> None:
        self._pieces.append(piece)
        if self._authored is not None:
            self._authored.append(piece)

    def _next_chunk(self, title: str | None = None) -> None:
        self._start_chunk(title=title)
        self._chunk += 1
        self._is_running = True
        if self._har is not None:
            self._har.begin()

    def _lapse(self) -> None:
        """End the piece that runs; it stays as the browser wrote it."""
        if self._is_running:
            self._is_running = False
            self._stop_chunk()
            self._add(self._raw)

    def _discard_pieces(self) -> None:
        for piece in self._pieces:
            if piece not in (self._authored or ()):
                piece.unlink(missing_ok=True)
        self._pieces.clear()

    # what the author of a journey, or pytest-playwright, calls

    def _author_starts(self, *, title: str | None = None, **_: Any) -> ExitStack:
        if self._authored is not None:
            raise Error("Tracing.start: Tracing has been already started")
        self._author_begins(title)
        return _ending(self._author_stops)

    def _author_starts_chunk(self, *, title: str | None = None, **_: Any) -> ExitStack:
        if self._authored is None:
            raise Error("Tracing.start_chunk: Must start tracing before starting a new chunk")
        self._author_begins(title)
        return _ending(self._author_stops_chunk)

    def _author_stops_chunk(self, *, path: str | Path | None = None) -> None:
        if self._authored is None:
            if path is None:
                return
            raise Error("Tracing.stop_chunk: Must start tracing before stopping")
        if path is not None and self._is_running:
            self.cut()
            if self._pieces[-1].suffix == ".zip":  # else the browser is gone
                self._next_chunk()
        if path is not None:
            self._hand_out(self._authored, Path(path))
        self._authored = []

    def _author_stops(self, *, path: str | Path | None = None) -> None:
        self._author_stops_chunk(path=path)
        self._authored = None

    def _author_begins(self, title: str | None) -> None:
        if self._is_running:
            self._lapse()
            self._next_chunk(title)
        self._authored = []

    def _hand_out(self, pieces: Sequence[Path], destination: Path) -> None:
        raw = self._folder / f"{self._name}-author.zip"
        _pack(pieces, raw, is_whole=self.has_snapshots)
        if why := redact_into(raw, destination, self._redactor):
            self.trouble.append(why)


def _ending(stop: Callable[[], None]) -> ExitStack:
    """What Playwright's own ``start`` answers: a block whose end stops the recording."""
    stack = ExitStack()
    stack.callback(stop)
    return stack


def redact_into(raw: Path, destination: Path, redactor: Redactor) -> str:
    """Hand a trace to whoever asked Playwright for it, redacted as all evidence is."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(raw) as archive:
            learn_from_contents({name: archive.read(name) for name in archive.namelist()}, redactor)
        redact_trace(raw, destination, redactor)
    except TraceWithheld as error:
        why = f"The trace a journey asked for, {destination.name}, is withheld: {error}"
        with zipfile.ZipFile(destination, "w") as out:
            out.writestr("withheld.txt", why)
        return why
    finally:
        raw.unlink(missing_ok=True)
    return ""


def hold_client_traces(client: Any, folder: Path, redactor: Redactor) -> None:
    """Redact the traces that a Playwright request client without a browser writes."""
    tracing = getattr(client, "tracing", None)
    if tracing is None:
        return

    def redacted(stop: Any) -> Any:
        def stop_and_redact(*, path: str | Path | None = None) -> None:
            raw = folder / f"client-{os.urandom(8).hex()}.zip" if path is not None else None
            stop(path=raw)
            if raw is not None and path is not None:
                redact_into(raw, Path(path), redactor)

        return stop_and_redact

    tracing.stop, tracing.stop_chunk = redacted(tracing.stop), redacted(tracing.stop_chunk)


def _pack(pieces: Sequence[Path], destination: Path, *, is_whole: bool) -> bool:
    there = [piece for piece in pieces if piece.exists()]
    telling = [piece for piece in there if _was_used(piece)] or there[-1:]
    if is_whole and len(telling) == 1 and telling[0].suffix == ".zip":
        destination.unlink(missing_ok=True)
        os.link(telling[0], destination)
        return True
    with zipfile.ZipFile(destination, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for number, piece in enumerate(telling, 1):
            for name, content in _parts(piece):
                if name.startswith("resources/"):
                    if name not in out.NameToInfo:
                        out.writestr(name, content)
                elif not name.endswith(".network") or number == len(telling):  # the last one holds the others
                    out.writestr(f"{number}-{name}" if telling[1:] else name, content)  # the viewer shows them as one
    return bool(telling)


def _parts(piece: Path) -> Iterator[tuple[str, bytes]]:
    if piece.suffix == ".zip":
        with zipfile.ZipFile(piece) as archive:
            raw = {name: archive.read(name) for name in archive.namelist()}
    else:
        network = piece.with_name(f"{piece.stem.partition('-chunk')[0]}.network")
        raw = {"trace.trace": piece.read_bytes(), "trace.network": network.read_bytes() if network.exists() else b""}
    yield from raw.items()
    lines = [content for name, content in raw.items() if not name.startswith("resources/")]
    named = {name.decode() for content in lines for name in _NAME.findall(content)}
    for resource in (piece.parent / "resources").glob("*"):
        if resource.name in named and f"resources/{resource.name}" not in raw:
            yield f"resources/{resource.name}", resource.read_bytes()


def _was_used(piece: Path) -> bool:
    """Whether a journey did anything in a piece of trace."""
    return any(b'"type":"before"' in line and json.loads(line).get("method") not in _OWN for line in _lines(piece))


def _lines(piece: Path) -> list[bytes]:
    """A piece of trace, line by line."""
    if not piece.exists():
        return []
    if piece.suffix != ".zip":
        return piece.read_bytes().splitlines()
    with zipfile.ZipFile(piece) as archive:
        return archive.read("trace.trace").splitlines()
