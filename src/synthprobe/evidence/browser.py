"""Browser evidence: always recorded, cheaply; written only when the journey did not pass.

Playwright's trace with DOM snapshots and network is the one record. Console messages, page errors and
failed or slow requests are read out of it afterwards, so a passing journey pays for nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Page

from synthprobe.evidence.exchanges import server_timing
from synthprobe.hooks import AnswerSource
from synthprobe.model.address import path_of
from synthprobe.model.evidence import ConsoleMessage, NetworkRequest

_SCREENSHOT_TIMEOUT_MS = 4000


class BrowserEvidence:
    """Watches every context a browser opens.

    Args:
        scratch: private folder for raw traces, wiped by the caller.
        mask_selectors: what to hide in screenshots besides password inputs.
        action_timeout_s: seconds one browser action may wait.
    """

    def __init__(self, scratch: Path, mask_selectors: tuple[str, ...] = (), action_timeout_s: float = 5.0) -> None:
        self.scratch = scratch
        self.mask_selectors = ('input[type="password"]', *mask_selectors)
        self.action_timeout_s = action_timeout_s
        self._relaunched: list[Browser] = []
        self._before: set[Path] = set()
        self.notes: list[str] = []
        self._contexts: list[BrowserContext] = []
        self._open: list[BrowserContext] = []
        self._traces: list[Path] = []
        self._settled = True
        self._count = 0

    def watch(self, browser: Browser, launch: Callable[[], Browser]) -> Browser:
        """Record what happens in every context this browser opens from now on.

        Args:
            browser: the browser.
            launch: starts another one, should this one die.

        Returns:
            The same browser.
        """
        new_context: Callable[..., BrowserContext] = browser.new_context

        def new_watched_context(*args: Any, **kwargs: Any) -> BrowserContext:
            if kwargs.get("record_video_dir") and not has_ffmpeg():
                self.notes.append("No video is recorded, as ffmpeg is missing. Install it: playwright install ffmpeg")
                kwargs = {name: value for name, value in kwargs.items() if not name.startswith("record_video")}
            newest = self._relaunched[-1].new_context if self._relaunched else new_context
            try:
                context = newest(*args, **kwargs)
            except Error as error:
                if "closed" not in str(error):
                    raise
                self._relaunched.append(launch())  # it died in an earlier journey, or Playwright's own process did
                context = self._relaunched[-1].new_context(*args, **kwargs)
            self._opened(context)
            return context

        close = browser.close

        def close_if_alive(**kwargs: Any) -> None:
            with contextlib.suppress(Error):
                close(**kwargs)

        browser.new_context = new_watched_context  # type: ignore[method-assign]
        browser.close = close_if_alive  # type: ignore[method-assign]
        return browser

    def close(self) -> None:
        """Close browsers that replaced one that died; pytest-playwright closes its own."""
        for browser in self._relaunched:
            with contextlib.suppress(Error):
                browser.close()

    def begin(self) -> None:
        """A new attempt at a journey begins."""
        self._settled = False
        self._before = set(self.scratch.glob("*.trace"))
        self._traces.clear()
        self.notes.clear()

    def drop(self) -> None:
        """The attempt passed: nothing is written."""
        self._settled = True
        self._contexts.clear()

    def screenshots(self) -> list[tuple[str, bytes]]:
        """Take a picture of every page that was open when recording ended, with secrets hidden.

        Returns:
            Title and PNG of each page; a page that does not answer is named in ``notes``.
        """
        pictures = []
        for page in [page for context in self._open for page in _pages(context)]:
            try:
                masks = [frame.locator(selector) for frame in page.frames for selector in self.mask_selectors]
                png = page.screenshot(mask=masks, timeout=_SCREENSHOT_TIMEOUT_MS, animations="disabled")
                pictures.append((f"screenshot of {path_of(page.url) or 'the page'}", png))
            except Error as error:
                self.notes.append(f"No screenshot of a page: {str(error).splitlines()[0]}")
        return pictures

    def traces(self) -> list[Path]:
        """End recording, before anything of ours is in it, and write the raw traces into the private folder.

        Returns:
            One zip for each context.
        """
        for context in self._contexts:
            self._stop(context)
        self._open = list(self._contexts)
        self._contexts.clear()
        self._settled = True
        return list(self._traces)

    def _opened(self, context: BrowserContext) -> None:
        context.on("page", self._opened_page)
        context.set_default_timeout(self.action_timeout_s * 1000)
        context.set_default_navigation_timeout(max(self.action_timeout_s, 10.0) * 1000)
        try:
            context.tracing.start(snapshots=True, screenshots=False, sources=False)
        except Error as error:
            self.notes.append(f"No trace of a browser context: {str(error).splitlines()[0]}")
            return
        self._contexts.append(context)
        close = context.close

        def close_after_evidence(*args: Any, **kwargs: Any) -> None:
            if not self._settled and context in self._contexts:
                self._contexts.remove(context)
                self._stop(context)
            close(*args, **kwargs)

        context.close = close_after_evidence  # type: ignore[method-assign]

    def _opened_page(self, page: Page) -> None:
        page.on("crash", lambda _: self.notes.append("A page of the browser crashed."))

    def _stop(self, context: BrowserContext) -> None:
        self._count += 1
        path = self.scratch / f"trace-{self._count}.zip"
        try:
            context.tracing.stop(path=path)
            self._traces.append(path)
        except (Error, OSError) as error:
            path.unlink(missing_ok=True)
            left = self._salvage(path)
            self.notes.append(
                f"The trace of a browser context {'is what was left' if left else 'is lost'}, "
                f"as the browser ended before it: {str(error).splitlines()[0]}"
            )

    def _salvage(self, path: Path) -> bool:
        """Pack what a dead browser left in the private folder; what was packed once is known to the next."""
        left = max(set(self.scratch.glob("*.trace")) - self._before, key=lambda raw: raw.stat().st_mtime, default=None)
        if left is None:
            return False
        self._before.add(left)
        parts = {f"trace{raw.suffix}": raw for raw in (left, left.with_suffix(".network")) if raw.exists()}
        text = b"".join(raw.read_bytes() for raw in parts.values())
        for resource in (self.scratch / "resources").glob("*"):
            if resource.name.encode() in text:
                parts[f"resources/{resource.name}"] = resource
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, raw in parts.items():
                archive.write(raw, name)
        self._traces.append(path)
        return True


def has_ffmpeg() -> bool:
    """Whether Playwright can record videos on this machine.

    Returns:
        True when its own ffmpeg is installed; it takes no other.
    """
    browsers = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    return any(browsers.glob("ffmpeg-*/ffmpeg-*"))


def _pages(context: BrowserContext) -> list[Page]:
    try:
        return context.pages
    except Error:
        return []


def read_trace(
    path: Path, *, slow_ms: float, describe: Callable[[Mapping[str, str]], AnswerSource]
) -> tuple[list[ConsoleMessage], list[NetworkRequest]]:
    """Read console, page errors, and failed or slow requests out of a redacted trace.

    Args:
        path: the trace's zip.
        slow_ms: milliseconds from which a request counts as slow.
        describe: says by an answer's headers who gave it.

    Returns:
        Console messages and page errors; requests that failed or were slow.
    """
    console: list[ConsoleMessage] = []
    network: list[NetworkRequest] = []
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.endswith((".trace", ".network")):
                continue
            wall_ms = mono_ms = 0.0
            for line in filter(None, archive.read(name).splitlines()):
                entry = json.loads(line)
                kind = entry.get("type")
                if kind == "context-options":
                    wall_ms, mono_ms = entry.get("wallTime", 0), entry.get("monotonicTime", 0)
                elif kind == "console" or (kind == "event" and entry.get("method") == "pageError"):
                    at = datetime.fromtimestamp((wall_ms + entry.get("time", mono_ms) - mono_ms) / 1000, UTC)
                    console.append(_console_message(entry, at))
                elif kind == "resource-snapshot":
                    request = _network_request(entry["snapshot"], describe)
                    if request.says_something(slow_ms):
                        network.append(request)
    return console, network


def _console_message(entry: dict[str, Any], at: datetime) -> ConsoleMessage:
    if entry["type"] == "console":
        place = entry.get("location") or {}
        return ConsoleMessage(
            kind=entry.get("messageType", "log"),
            text=entry.get("text", ""),
            location=f"{place.get('url', '')}:{place.get('lineNumber', '')}",
            page=entry.get("pageId", ""),
            at=at,
        )
    error = entry.get("params", {}).get("error", {})
    error = error.get("error", error)
    text = error.get("stack") or error.get("message") or json.dumps(error)
    return ConsoleMessage(kind="page error", text=text, location="", page=entry.get("pageId", ""), at=at)


def _network_request(snapshot: dict[str, Any], describe: Callable[[Mapping[str, str]], AnswerSource]) -> NetworkRequest:
    response = snapshot.get("response", {})
    headers = {header["name"].lower(): header["value"] for header in response.get("headers", [])}
    source = describe(headers)
    error = snapshot.get("_failureText") or response.get("_failureText") or ""
    status = max(int(response.get("status", 0)), 0)
    return NetworkRequest(
        method=snapshot["request"]["method"],
        url=snapshot["request"]["url"],
        status=status,
        duration_ms=max(float(snapshot.get("time", 0)), 0.0),
        resource_type=snapshot.get("_resourceType", ""),
        error=error,
        server_timing=server_timing(headers.get("server-timing", "")),
        node=source.node,
        build=source.build,
        content_type=headers.get("content-type", "").split(";")[0].strip(),
    )
