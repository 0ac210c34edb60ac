"""A trace that is opened asks nobody but the site: not for what a snapshot names, nor for where it would lead."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from made_site import serve
from playwright.sync_api import Browser, Page, expect

from synthprobe import loopback
from synthprobe.report.trace_viewer import copy_trace_viewer

LEAD_ON = """(_, url) => new Promise((done) => {
  document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
  const frame = document.createElement("iframe");
  frame.onload = () => setTimeout(done, 1000, "it was loaded"); // a refusal is told after the load
  frame.src = url;
  document.body.append(frame);
})"""
"""A frame of another origin: no service worker stands between."""
SHEET = b"h1 { color: rgb(1, 2, 3) }"


class Watched(ThreadingHTTPServer):
    """A target on loopback that remembers what it was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answers(loopback.Handler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Watched)
        self.server.asked.append(self.path)
        self.answer(200, SHEET, {"Content-Type": "text/css" if self.path.endswith(".css") else "text/html"})


@pytest.fixture
def watched() -> Iterator[Watched]:
    with Watched() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def viewer(chromium: Browser, tmp_path: Path) -> Iterator[Callable[[str], Page]]:
    """Opens the published viewer with a trace."""
    copy_trace_viewer(tmp_path)
    (tmp_path / "index.html").write_text("")
    server = serve(tmp_path)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    context = chromium.new_context()

    def opened(trace: str) -> Page:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/trace-viewer/index.html?trace={trace}")
        return page

    yield opened
    context.close()
    server.shutdown()
    server.server_close()


def record(chromium: Browser, watched: Watched, path: Path) -> None:
    """A trace whose snapshot names two stylesheets of the target, and that holds the answer of one."""
    context = chromium.new_context()
    context.tracing.start(snapshots=True)
    page = context.new_page()
    page.set_content(
        "<h1>Incident board</h1>"
        f'<link rel="stylesheet" href="{watched.url}/kept.css"><link rel="stylesheet" href="{watched.url}/gone.css">'
        "<button>New incident</button>"
    )
    page.get_by_role("button").click()
    context.tracing.stop(path=path.with_suffix(".whole"))
    context.close()
    with zipfile.ZipFile(path.with_suffix(".whole")) as whole, zipfile.ZipFile(path, "w") as cut:
        for name in whole.namelist():
            text = whole.read(name)
            if name.endswith(".network"):
                text = b"\n".join(line for line in text.splitlines() if b"gone.css" not in line)
            cut.writestr(name, text)
    assert sorted(watched.asked) == ["/gone.css", "/kept.css"]
    watched.asked.clear()


def test_an_opened_trace_asks_the_target_for_nothing(
    chromium: Browser, watched: Watched, viewer: Callable[[str], Page], tmp_path: Path
) -> None:
    record(chromium, watched, tmp_path / "trace.zip")
    page = viewer("../trace.zip")
    page.get_by_text("Click").first.click()
    snapshot = page.frame_locator("iframe.snapshot-visible").get_by_role("heading", name="Incident board")
    expect(snapshot).to_have_css("color", "rgb(1, 2, 3)")  # what is in the trace is shown
    assert watched.asked == []
    assert "default-src 'self'" in str(page.locator("meta[http-equiv]").get_attribute("content"))
    for frame in (page.locator("body"), snapshot):
        assert frame.evaluate(LEAD_ON, f"{watched.url}/elsewhere") == "frame-src"
    assert watched.asked == []


def test_the_viewer_opens_no_trace_of_another_address(watched: Watched, viewer: Callable[[str], Page]) -> None:
    page = viewer(f"{watched.url}/trace.zip")
    expect(page.locator("body")).to_contain_text("Could not load trace")
    assert watched.asked == []
