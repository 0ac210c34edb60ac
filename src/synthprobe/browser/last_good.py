"""What each step of a journey looked like when it was well: taken about once a day, and compared with a failure."""

from __future__ import annotations

import base64
import hashlib
import struct
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from synthprobe.evidence.pictures import picture_only
from synthprobe.files import read_record, write_whole
from synthprobe.journey import steps
from synthprobe.records.evidence import PageSeen, text_of

RENEWED = timedelta(days=1)
"""Age from which pictures are taken anew; a new build has them taken anew as well."""

_MOST = 12  # steps of a journey of which pictures are kept
_INDEX = "pictures.json"


class GoodPicture(Struct, frozen=True, kw_only=True):
    """A picture of a step that did its job."""

    png: bytes
    step: str
    at: datetime
    build: str = ""


class _Kept(Struct, frozen=True, kw_only=True):
    at: datetime = datetime.fromtimestamp(0, UTC)
    build: str = ""
    files: dict[str, str] = {}
    texts: frozenset[str] = frozenset()
    is_outdated: bool = False


class LastGood:
    """Hears of the steps of one attempt, and takes a picture at the end of each when the kept ones are old.

    The time that takes counts neither for a step nor for the journey.
    """

    def __init__(
        self, folder: Path, journey: str, now: datetime, looks: Callable[[], Iterable[tuple[bytes, tuple[str, ...]]]]
    ) -> None:
        self._folder = folder / hashlib.sha256(journey.encode()).hexdigest()[:16]
        self._now = now
        self._looks = looks
        self._kept = read_record(self._folder / _INDEX, _Kept, _Kept())
        self._is_due = self._kept.is_outdated or not timedelta(0) <= now - self._kept.at < RENEWED
        self._open: dict[str, str] = {}
        self._taken: dict[str, bytes] = {}
        self._left = _MOST
        self._lines: list[str] = []

    def step_started(self, key: str, title: str, around: str) -> None:
        """Its title is known only now."""
        if self._is_due:
            self._open[key] = title

    def step_ended(self, key: str, error: BaseException | None) -> None:
        """Take the picture of a step that did its job, in the journey's own thread."""
        title, recorder = self._open.pop(key, ""), steps.current()
        if error is not None or not title or recorder is None or recorder.is_elsewhere or not self._left:
            return
        began = time.monotonic()
        looks = list(self._looks())
        recorder.leave_out(time.monotonic() - began)
        self._left -= any(png for png, _ in looks)
        for place, (png, lines) in enumerate(looks):
            if png:
                step = " › ".join(filter(None, (recorder.path, title)))
                self._taken[_known_as(step, place)] = picture_only(png) or png
                self._lines += lines

    def keep(self, build: str, is_clean: Callable[[bytes], bool], masked: Callable[[str], str]) -> None:
        """The attempt passed: keep what was taken, in which no secret is left; have a new build's taken next time."""
        if taken := {step: png for step, png in self._taken.items() if is_clean(png)}:
            self._folder.mkdir(parents=True, exist_ok=True)
            files = {step: f"{hashlib.sha256(png).hexdigest()[:16]}.png" for step, png in taken.items()}
            for step, png in taken.items():
                (self._folder / files[step]).write_bytes(png)
            texts = frozenset(_known_by(masked(text)) for text in map(text_of, self._lines) if text)
            self._write(_Kept(at=self._now, build=build, files=files, texts=texts))
            for old in self._folder.glob("*.png"):
                if old.name not in files.values():
                    old.unlink(missing_ok=True)
        elif build and self._kept.files and build != self._kept.build and not self._is_due:
            self._write(replace(self._kept, is_outdated=True))

    def of(self, step: str, place: int = 0) -> GoodPicture | None:
        """The picture of a step, or of the step around it, that shows the page which was opened in that place."""
        path = step
        while path and _known_as(path, place) not in self._kept.files:
            path = path.rpartition(" › ")[0]
        with suppress(OSError):
            if path:
                png = (self._folder / self._kept.files[_known_as(path, place)]).read_bytes()
                return GoodPicture(png=png, step=path, at=self._kept.at, build=self._kept.build)
        return None

    def compared(self, page: PageSeen) -> PageSeen:
        """A page that a failure showed, with what it did not show when the steps were well, where that is known."""
        known = self._kept.texts
        if not known:
            return page
        unusual = (line for line in page.outline if (text := text_of(line)) and _known_by(text) not in known)
        warnings = (text for text in page.warnings if _known_by(text) not in known)
        return replace(page, unusual=tuple(unusual), warnings=tuple(warnings))

    def _write(self, kept: _Kept) -> None:
        write_whole(self._folder / _INDEX, msgspec.json.encode(kept))


def _known_as(step: str, place: int) -> str:
    return f"{step} › page {place + 1}" if place else step


def _known_by(text: str) -> str:
    """What a text is known by, whatever numbers and dates stand in it: no text of a page is kept."""
    from synthprobe.triage.fingerprint import normalise  # most attempts look at nothing

    return hashlib.sha256(normalise(text).encode()).hexdigest()[:12]


def image_diff(good: bytes, now: bytes, name: str) -> bytes:
    """Both pictures and what differs between them, pixel by pixel, as Allure shows it.

    The difference is an SVG that lays one picture over the other; the browser that shows it computes it.
    """
    before, after = (f"data:image/png;base64,{base64.b64encode(png).decode()}" for png in (good, now))
    width, height = struct.unpack(">II", now[16:24]) if len(now) > 24 else (1280, 720)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" style="isolation:isolate">'
        f'<image href="{before}" width="{width}"/>'
        f'<image href="{after}" width="{width}" style="mix-blend-mode:difference"/></svg>'
    )
    diff = f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"
    return msgspec.json.encode({"name": name, "expected": before, "actual": after, "diff": diff})
