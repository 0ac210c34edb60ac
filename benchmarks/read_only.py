"""What holding a read-only target costs: CPU of the browser, its driver and ours, on pages dense with requests.

Prints a table of two pages, each opened in alternating rounds on a target that may be changed ("open"), with
interception switched on in the browser for an address that nobody asks for ("idle"), on a read-only target, and behind
the filtering proxy that stands before a company's ("proxy"), which holds hosts and sees no method: all is HTTPS. Then
in which processes the seconds of the second page were spent.
"""

from __future__ import annotations

import argparse
import json
import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import sync_playwright

from synthprobe import Target
from synthprobe.browser.egress_proxy import EgressProxy
from synthprobe.browser.headers import BrowserHeaders
from synthprobe.browser.installation import find_browser
from synthprobe.browser.wall import GuardedBrowser, launch_arguments
from synthprobe.journey.guard import Guard
from synthprobe.targets.secrets import Credentials

PAGES, PARTS = 10, 100
KINDS = ("renderer", "network", "browser", "driver", "ours")
WAYS = ("open", "idle", "read-only", "proxy")
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
    disable_nagle_algorithm = True
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


class Server(ThreadingHTTPServer):
    """Takes it that a browser looks at the certificate first."""

    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None: ...


def cpu_of_children(root: int) -> dict[str, float]:
    """CPU seconds of a process and of all below it that still run, by what they are."""
    ticks, parents = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parts = (folder / "stat").read_text().rpartition(")")[2].split()
            parents[int(folder.name)] = int(parts[1])
            ticks[int(folder.name)] = sum(map(int, parts[11:13]))
    below, found = [root], dict.fromkeys(KINDS, 0.0)
    while below:
        process = below.pop()
        found["ours" if process == root else kind_of(process)] += ticks.get(process, 0) / _TICK
        below += [child for child, parent in parents.items() if parent == process]
    return found


def kind_of(process: int) -> str:
    """What a process below us is, by its command line."""
    with suppress(OSError):
        line = (Path("/proc") / str(process) / "cmdline").read_text()
        for word, kind in (("NetworkService", "network"), ("--type=renderer", "renderer"), ("--type=", "browser")):
            if word in line:
                return kind
        return "driver" if "run-driver" in line else "browser"
    return "browser"


def visit(url: str, path: str, way: str) -> None:
    """Open the page a few times, in a process of its own; print its CPU seconds."""
    target = Target(base_url=url, name="bench", read_only=way == "read-only", tls_verify=False)
    browser_found = find_browser()
    assert browser_found is not None
    with sync_playwright() as playwright:
        guard = GuardedBrowser(Guard(target), BrowserHeaders(target))
        proxy = EgressProxy(target, Credentials()) if way == "proxy" else None
        proxies = {"proxy": {"server": proxy.address, "bypass": "<-loopback>"}} if proxy else {}
        how = launch_arguments({"executable_path": browser_found.path}, target, "chromium", proxies)
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
        after = cpu_of_children(os.getpid())
        print(json.dumps({kind: after[kind] - before[kind] for kind in KINDS}))
        browser.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", default="", help="part of the name of the page to open; both without")
    parser.add_argument("--visit", nargs=3)
    given = parser.parse_args()
    if given.visit:
        visit(given.visit[0], given.visit[1], given.visit[2])
        return
    server = Server(("127.0.0.1", 0), Board)
    certificates = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.NamedTemporaryFile() as both:
        command = ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-subj", "/CN=localhost", "-days", "2"]
        command += ["-keyout", both.name, "-out", "-"]
        found = subprocess.run(command, capture_output=True, check=True).stdout
        with open(both.name, "ab") as file:
            file.write(found)
        certificates.load_cert_chain(both.name)
    server.socket = certificates.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://localhost:{server.server_port}"
    print(f"{PAGES} pages of {PARTS} requests over HTTPS, median of {given.rounds} alternating rounds")
    print(f"{'CPU s of a page of':26}" + "".join(f"{way:>17}" for way in WAYS))
    spent: dict[str, list[dict[str, float]]] = {}
    for name, path in (("images and scripts", "/static"), ("requests of scripts (GET)", "/asked")):
        if given.page not in name:
            continue
        spent = {way: [] for way in WAYS}
        for _ in range(given.rounds):
            for way, figures in spent.items():
                command = [sys.executable, __file__, "--visit", url, path, way]
                figures.append(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
        whole = {way: statistics.median(sum(figure.values()) for figure in figures) for way, figures in spent.items()}
        print(f"{name:26}" + "".join(f"{whole[way]:9.2f} ×{whole[way] / whole['open']:6.2f}" for way in WAYS))
    for kind in KINDS:
        seconds = {way: statistics.median(figure[kind] for figure in figures) for way, figures in spent.items()}
        print(f"  {kind:24}" + "".join(f"{seconds[way]:9.2f}        " for way in WAYS))
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores")
    server.shutdown()


if __name__ == "__main__":
    main()
