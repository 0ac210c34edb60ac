"""Browser evidence: always recorded, cheaply; written only when the journey did not pass.

Playwright's trace with DOM snapshots and network is the one record. Console messages, page errors and
failed or slow requests are read out of it afterwards, so a passing journey pays for nothing else.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import APIRequestContext, Browser, BrowserContext, Error, Locator, Page

from synthprobe.browser.console import console_message, is_message, is_page_error
from synthprobe.browser.inside_playwright import page_asked
from synthprobe.browser.installation import has_ffmpeg
from synthprobe.browser.network import (
    each_once,
    fetched_at,
    is_odd,
    is_target_answer,
    late_requests,
    network_request,
    outline_of,
    pages_of,
    pending_requests,
    seen_page,
    started_at,
    unanswered,
)
from synthprobe.browser.recording import ContextRecording, hold_client_traces
from synthprobe.browser.storage import learn_from_storage
from synthprobe.browser.trace import DOWNLOADS, learn_from_contents, learn_from_downloads, learn_from_folder
from synthprobe.evidence.learning import Learner
from synthprobe.evidence.redaction import Redactor
from synthprobe.hooks import AnswerSource
from synthprobe.journey import steps
from synthprobe.records.address import place_of
from synthprobe.records.evidence import ConsoleMessage, NetworkRequest, PageSeen
from synthprobe.targets.target import Target

_SCREENSHOT_TIMEOUT_MS = 4000
_GLANCE_TIMEOUT_MS = 1000
_NO_SNAPSHOTS = (
    'The trace has no DOM snapshots: evidence.snapshots is "second-attempt", and what it shows was opened in a first '
    "attempt. A second attempt has them."
)
_EMPTY = "<html><head></head><body></body></html>"
_TYPED_SELECTORS = (
    'input[type="password"]',
    *(f'input[autocomplete~="{what}" i]' for what in ("current-password", "new-password", "one-time-code")),
)


class BrowserEvidence:
    """Watches every context a browser opens."""

    def __init__(self, scratch: Path, redactor: Redactor, target: Target) -> None:
        self.scratch = scratch
        self.notes: list[str] = []
        self._redactor = redactor
        self._target = target
        self._relaunched: list[Browser] = []
        self._recordings: list[ContextRecording] = []
        self.pictures: list[tuple[str, bytes]] = []
        """Of every page that was open when the journey broke, with secrets hidden."""
        self.pages: list[PageSeen] = []
        """What they showed, not yet redacted; of pictures and pages the last is of the page that broke."""
        self.error: BaseException | None = None
        """What broke the attempt, as far as it is known when the pictures are taken."""
        self.place = 0
        """Which of the open pages broke, in the order in which they were opened."""
        self.pending: list[NetworkRequest] = []
        """Requests that had no answer then, not yet redacted."""
        self._is_captured = False
        self._is_stored_known = False
        self._learned: set[Path] = set()
        self._read_to: dict[Path, int] = {}
        self._journey = ""
        self._snapshots = True
        self._count = 0

    def watch(self, browser: Browser, launch: Callable[[], Browser]) -> Browser:
        """Record what happens in every context this browser opens from now on."""
        new_context: Callable[..., BrowserContext] = browser.new_context

        def new_watched_context(*args: Any, **kwargs: Any) -> BrowserContext:
            nonlocal new_context
            if kwargs.get("record_video_dir") and not has_ffmpeg():
                self.notes.append("No video is recorded, as ffmpeg is missing. Install it: playwright install ffmpeg")
                kwargs = {name: value for name, value in kwargs.items() if not name.startswith("record_video")}
            try:
                context = new_context(*args, **kwargs)
            except Error as error:
                if "closed" not in str(error):
                    raise
                self._relaunched.append(launch())  # it died in an earlier journey, or Playwright's own process did
                new_context = self._relaunched[-1].new_context
                context = new_context(*args, **kwargs)
            self._opened(context)
            return context

        close = browser.close

        def close_if_alive(**kwargs: Any) -> None:
            self.leave(browser)
            with contextlib.suppress(Error):
                close(**kwargs)

        browser.new_context = new_watched_context  # type: ignore[method-assign]
        browser.close = close_if_alive  # type: ignore[method-assign]
        return browser

    def leave(self, browser: Browser) -> None:
        """A browser is about to be closed, and with it each context that is still open."""
        for recording in self._recordings:
            if recording.context.browser is browser and not recording.is_closed:
                self._close(recording)

    def hold_client(self, client: APIRequestContext) -> None:
        """Redact the traces that are asked of a request client without a browser."""
        hold_client_traces(client, self.scratch, self._redactor)

    def close(self) -> None:
        """Close browsers that replaced one that died; pytest-playwright closes its own."""
        for browser in self._relaunched:
            with contextlib.suppress(Error):
                browser.close()

    def begin(self, journey: str, *, snapshots: bool) -> None:
        """A new attempt begins; what happens in contexts that are still open belongs to it from now on."""
        self._journey, self._snapshots = journey, snapshots
        self._is_captured = self._is_stored_known = False
        self.error, self.place = None, 0
        self.pictures.clear()
        self.pages.clear()
        self.pending.clear()
        self.notes.clear()
        for recording in list(self._recordings):
            try:
                recording.begin()
            except Error:  # its browser died in an earlier journey
                self._recordings.remove(recording)

    def drop(self) -> None:
        """The attempt is over: what was recorded of it is not needed any more."""
        for recording in self._recordings:
            recording.forget()
        self._recordings = [recording for recording in self._recordings if not recording.is_closed]

    def capture(self) -> None:
        """The journey broke: end recording, before anything of ours is in it, and take the pictures."""
        if self._is_captured:
            return
        self._is_captured = True
        for recording in self._recordings:
            if not recording.is_closed:
                recording.cut()
        open_ = [recording for recording in self._recordings if not recording.is_closed and recording.is_telling]
        pages = [page for recording in open_ for page in pages_of(recording.context)]
        asked = page_asked(self.error, pages) if self.error is not None else None
        pages.sort(key=lambda page: (page is asked, page.url != "about:blank"))  # what broke is last
        seen, pictures, place = self.pages[:], self.pictures[:], self.place
        self._take(pages)
        if seen and asked is None:  # an error closed the page that it broke
            self.pages[:] = [*self.pages[len(seen) :], *seen]
            self.pictures[:] = [*self.pictures[len(pictures) :], *pictures]
            self.place = place

    def _take(self, pages: Sequence[Page]) -> None:
        self.place = self._open_pages().index(pages[-1]) if pages else self.place
        sent, at = [unanswered(page) for page in pages], time.time()
        for page, waiting in zip(pages, sent, strict=True):
            self.pages += seen_page(page, self._target.base_url)
            self.pending += pending_requests(page, waiting, at)
            self.pictures += self._screenshot(page)  # takes seconds where a page still loads

    def _close(self, recording: ContextRecording) -> None:
        """A context is about to be closed; where an error does that, its pages are seen no more afterwards."""
        if sys.exc_info()[0] is not None and not self._is_captured and not recording.is_closed:
            recording.cut()
            self._take(pages_of(recording.context))
        recording.close()

    def learn(self, learner: Learner, *, broken: bool) -> None:
        """Learn what was issued to the browser in this attempt, before anything of it is written.

        Where it is ``broken``, what is seen of it ends with that.
        """
        if self._recordings:
            learn_from_downloads(self.scratch / DOWNLOADS, self._read_to, learner)
        if not broken:
            for recording in self._recordings:
                recording.take_in()
            if self._recordings:
                learn_from_folder(self.scratch, self._read_to, learner)
            return
        self.capture()
        for recording in self._recordings:
            for piece, contents in recording.contents(self._learned):
                self._learned.add(piece)
                learn_from_contents(contents, learner)
        if not self._is_stored_known:
            self._is_stored_known = True
            for recording in self._recordings:
                if not recording.is_closed:
                    learn_from_storage(recording.context, learner)

    def looks(self) -> Iterator[tuple[bytes, tuple[str, ...]]]:
        """What each open page shows and its outline, not yet redacted; nothing of one that is slow or empty."""
        for page in self._open_pages():
            png = b""
            with contextlib.suppress(Error):
                if page.url != "about:blank":
                    png = page.screenshot(timeout=_GLANCE_TIMEOUT_MS, animations="allow", caret="initial")
            yield png, outline_of(page) if png else ()

    def _open_pages(self) -> list[Page]:
        open_ = [recording for recording in self._recordings if not recording.is_closed]
        return [page for recording in open_ for page in pages_of(recording.context)]

    def shows_nothing(self) -> bool:
        """Whether every context is open, with pages that are as empty as they were opened."""
        open_ = [pages_of(recording.context) for recording in self._recordings if not recording.is_closed]
        empty = all(page.url == "about:blank" and page.content() == _EMPTY for pages in open_ for page in pages)
        return empty and all(open_) and len(open_) == len(self._recordings)

    def group(self, title: str) -> None:
        """A step begins: what is done from now on stands under its title in the trace; its end without one."""
        for recording in self._recordings:
            recording.group(title)

    def has_asked(self, since: datetime) -> bool:
        """Whether a page asked for anything since then."""
        latest = (line for recording in self._recordings for line in recording.network_lines()[-1:])
        times = [started_at(json.loads(line)["snapshot"]) for line in latest]
        return any(at is None or at >= since for at in times)

    def odd_requests(
        self, since: datetime, until: datetime, describe: Callable[[Mapping[str, str]], AnswerSource]
    ) -> list[NetworkRequest]:
        """Of an attempt that passed: requests that were refused, and those that sent credentials; not yet redacted."""
        read = self.scratch.joinpath
        lines = [line for recording in self._recordings for line in recording.network_lines() if is_odd(line)]
        routed = any(b'"_wasFulfilled"' in line for line in lines)
        done = (line for recording in self._recordings if routed for line in recording.lines())
        fetched = [at for line in done if b'"fetchResponseUid"' in line and (at := fetched_at(json.loads(line)))]
        snapshots = each_once(json.loads(line)["snapshot"] for line in lines)
        own = [snapshot for snapshot in snapshots if is_target_answer(snapshot, fetched)]
        found = [network_request(snapshot, describe, lambda name: read(name).read_bytes()) for snapshot in own]
        written = Counter((request.method, request.url, request.status) for request in found)
        for request in (late for page in self._open_pages() for late in late_requests(page, describe)):
            if request.status >= 400 or request.credentials == "password":
                key = (request.method, request.url, request.status)
                found += [request] * (not written[key])
                written[key] -= written[key] > 0
        return [request for request in found if request.at is None or since <= request.at <= until]

    def page_errors(self) -> list[ConsoleMessage]:
        """What pages threw so far in this attempt; not yet redacted."""
        found: list[ConsoleMessage] = []
        for line in (line for recording in self._recordings for line in recording.lines() if b'"pageError"' in line):
            with contextlib.suppress(ValueError):  # it is still written
                if is_page_error(entry := json.loads(line)):
                    found.append(console_message(entry, datetime.now(UTC)))
        return found

    def traces(self) -> list[Path]:
        """Write what the journey did in each context into the private folder."""
        self.capture()
        traces = []
        for recording in self._recordings:
            self._count += 1
            path = self.scratch / f"trace-{self._count}.zip"
            self.notes += recording.trouble
            recording.trouble.clear()
            if recording.is_telling and recording.pack(path):
                traces.append(path)
                if not recording.has_snapshots and _NO_SNAPSHOTS not in self.notes:
                    self.notes.append(_NO_SNAPSHOTS)
                if recording.is_shared:
                    self.notes.append(
                        f"A browser context is shared: it was opened in {recording.opened_in}, and what was done in it "
                        "before may matter here. Its trace begins with this journey."
                    )
        return traces

    def _screenshot(self, page: Page) -> Iterator[tuple[str, bytes]]:
        try:
            png = page.screenshot(timeout=_SCREENSHOT_TIMEOUT_MS, animations="disabled")
            yield f"screenshot of {place_of(page.url)}", png
        except Error as error:
            self.notes.append(f"No screenshot of a page: {str(error).splitlines()[0]}")

    def _opened(self, context: BrowserContext) -> None:
        context.on("page", self._opened_page)
        context.set_default_timeout(self._target.action_timeout_s * 1000)
        context.set_default_navigation_timeout(max(self._target.action_timeout_s, 10.0) * 1000)
        self._count += 1
        try:
            name = f"context-{self._count}"
            recording = ContextRecording(
                context, self.scratch, name, self._redactor, self._journey, snapshots=self._snapshots
            )
        except Error as error:
            self.notes.append(f"No trace of a browser context: {str(error).splitlines()[0]}")
            return
        self._recordings.append(recording)
        recorder = steps.current()
        for title in recorder.path.split(" › ") if recorder is not None and recorder.path else ():
            recording.group(title)
        self.hold_client(context.request)
        close = context.close

        def close_after_recording(*args: Any, **kwargs: Any) -> None:
            self._close(recording)
            close(*args, **kwargs)
            recording.raise_late()

        context.close = close_after_recording  # type: ignore[method-assign]

    def _opened_page(self, page: Page) -> None:
        page.on("crash", lambda _: self.notes.append("A page of the browser crashed."))
        screenshot = page.screenshot

        def masked_screenshot(*, mask: Sequence[Locator] | None = None, **kwargs: Any) -> bytes:
            hidden = (*_TYPED_SELECTORS, *self._target.mask_selectors)
            ours = [frame.locator(selector) for frame in page.frames for selector in hidden]
            return screenshot(mask=[*(mask or ()), *ours], **kwargs)

        page.screenshot = masked_screenshot  # type: ignore[method-assign]


def read_trace(
    path: Path, *, slow_ms: float, describe: Callable[[Mapping[str, str]], AnswerSource]
) -> tuple[list[ConsoleMessage], list[NetworkRequest]]:
    """Read console, page errors, and failed or slow requests out of a redacted trace."""
    console: list[ConsoleMessage] = []
    snapshots: list[dict[str, Any]] = []
    fetched: list[float] = []
    with zipfile.ZipFile(path) as archive:
        begins_ms = _begins_ms(archive)
        for name in archive.namelist():
            if not name.endswith((".trace", ".network")):
                continue
            wall_ms = mono_ms = 0.0
            for line in filter(None, archive.read(name).splitlines()):
                entry = json.loads(line)
                kind = entry.get("type")
                if kind == "context-options":
                    wall_ms, mono_ms = entry.get("wallTime", 0), entry.get("monotonicTime", 0)
                elif is_message(entry):
                    at = datetime.fromtimestamp((wall_ms + entry.get("time", mono_ms) - mono_ms) / 1000, UTC)
                    console.append(console_message(entry, at))
                elif kind == "resource-snapshot" and entry["snapshot"].get("_monotonicTime", begins_ms) >= begins_ms:
                    snapshots.append(entry["snapshot"])
                elif handed_on := fetched_at(entry):
                    fetched.append(handed_on)
        own = [snapshot for snapshot in each_once(snapshots) if is_target_answer(snapshot, fetched)]
        network = [network_request(snapshot, describe, archive.read) for snapshot in own]
    return console, [request for request in network if request.says_something(slow_ms)]


def _begins_ms(archive: zipfile.ZipFile) -> float:
    """When the record begins; a context that is older brings all its requests along."""
    lines = (archive.read(name).partition(b"\n")[0] for name in archive.namelist() if name.endswith(".trace"))
    return min((json.loads(line).get("monotonicTime", 0.0) for line in lines if line.strip()), default=0.0)
