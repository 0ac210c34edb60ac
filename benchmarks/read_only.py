"""What holding a read-only target costs: CPU of the browser, its driver and ours, on pages dense with requests.

Prints a table of two pages, each opened in alternating rounds on a target that may be changed ("open"), with
interception switched on in the browser for an address that nobody asks for ("idle"), and on a read-only target.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

from synthprobe import Target
from synthprobe.browser.headers import BrowserHeaders
from synthprobe.browser.installation import find_browser
from synthprobe.browser.wall import GuardedBrowser, launch_arguments
from synthprobe.journey.guard import Guard

PAGES, PARTS = 10, 100
_TICK = os.sysconf("SC_CLK_TCK")
PAGE = """<!doctype html><title>board</title><script>
const asked = STATIC
  ? i => new Promise(done => {
      const made = document.createElement(i % 2 ? 'img' : 'script');
      made.onload = made.onerror = done; made.src = '/part?' + i; document.head.append(made) })
  : i => fetch('/part?' + i).then(answer => answer.text());
Promise.all([...Array(PARTS).keys()].map(asked)).then(() => document.title = 'ready');
</script>"""


class Board(BaseHTTPRequestHandler):
    """A page of many parts."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        page = PAGE.replace("PARTS", str(PARTS)).replace("STATIC", "true" if self.path == "/static" else "false")
        body = b"" if self.path.startswith("/part") else page.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if body else "text/javascript")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def cpu_of_children(root: int) -> float:
    """CPU seconds of a process and all below it that still run."""
    ticks, parents = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parts = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(parts[1])
            ticks[int(folder.name)] = sum(map(int, parts[11:13]))
    below, found = [root], []
    while below:
        found.append(below.pop())
        below += [child for child, parent in parents.items() if parent == found[-1]]
    return sum(ticks.get(one, 0) for one in found) / _TICK


def visit(url: str, path: str, way: str) -> None:
    """Open the page a few times, in a process of its own; print its CPU seconds."""
    target = Target(base_url=url, name="bench", read_only=way == "read-only")
    browser_found = find_browser()
    assert browser_found is not None
    with sync_playwright() as playwright:
        guard = GuardedBrowser(Guard(target), BrowserHeaders(target))
        how = launch_arguments({"executable_path": browser_found.path}, target, "chromium")
        browser = guard.watch(playwright.chromium.launch(**how))
        if way == "idle":
            idle = {"patterns": [{"urlPattern": "http://nobody.invalid/*"}]}
            browser.new_browser_cdp_session().send("Fetch.enable", idle)
        page = browser.new_page()
        page.goto(url + path)
        page.wait_for_function("document.title == 'ready'")
        before = cpu_of_children(os.getpid())
        for _ in range(PAGES):
            page.goto(url + path)
            page.wait_for_function("document.title == 'ready'")
        print(cpu_of_children(os.getpid()) - before)
        browser.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--visit", nargs=3)
    given = parser.parse_args()
    if given.visit:
        visit(given.visit[0], given.visit[1], given.visit[2])
        return
    server = ThreadingHTTPServer(("127.0.0.1", 0), Board)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    print(f"{PAGES} pages of {PARTS} requests, median of {given.rounds} alternating rounds")
    print(f"{'CPU s of a page of':26} {'open':>6} {'idle':>6} {'read-only':>10} {'ratio':>6} {'ms a request':>13}")
    for name, path in (("images and scripts", "/static"), ("requests of scripts (GET)", "/asked")):
        spent: dict[str, list[float]] = {"open": [], "idle": [], "read-only": []}
        for _ in range(given.rounds):
            for way, figures in spent.items():
                command = [sys.executable, __file__, "--visit", url, path, way]
                figures.append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        free, idle, held = (statistics.median(figures) for figures in spent.values())
        more = (held - free) / (PAGES * PARTS) * 1000
        print(f"{name:26} {free:6.2f} {idle:6.2f} {held:10.2f} {held / free:6.2f} {more:13.2f}")
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores")
    server.shutdown()


if __name__ == "__main__":
    main()
