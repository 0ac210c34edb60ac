"""One fault, from the workflow's run to the pager, the page, the person who takes it, and its end."""

# ruff: noqa: N802 - aiosmtpd names the method
from __future__ import annotations

import email.policy
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import Browser, expect
from s3_server import KEYS, S3Server
from test_journeys import OURS, ROOT, Runners

from synthprobe import loopback
from synthprobe.report.serving import serve
from synthprobe.report.store import open_store

STORE = "s3://watch/site"
SETTINGS = f"""
interval_s = 10
[publish]
url = "{STORE}"
[report]
site_url = "SITE"
[history]
url = "env:HISTORY"
[[alerts.routes]]
name = "all"
to = ["env:PAGER", "env:MAIL"]
"""


class People:
    """A pager (HTTP) and a mailbox (SMTP), and what arrived at them."""

    def __init__(self) -> None:
        outer, self.paged, self.mailed = self, list[str](), list[str]()

        class Pager(loopback.Handler):
            def do_POST(self) -> None:
                outer.paged.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
                self.send_response(200)
                self.end_headers()

        self._pager = ThreadingHTTPServer(("127.0.0.1", 0), Pager)
        threading.Thread(target=self._pager.serve_forever, daemon=True).start()
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            port = free.getsockname()[1]
        self._mail = Controller(self, hostname="127.0.0.1", port=port)
        self._mail.start()
        mail = f"mailto://127.0.0.1:{port}?from=probe@example.org&to=desk@example.org&mode=insecure"
        self.environ = {"PAGER": f"json://127.0.0.1:{self._pager.server_port}", "MAIL": mail}

    async def handle_DATA(self, server, session, envelope) -> str:
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mailed.append(mail.get_body(("plain", "html")).get_content())
        return "250 OK"

    def stop(self) -> None:
        self._mail.stop()
        self._pager.shutdown()
        self._pager.server_close()

    def heard(self) -> list[str]:
        """How each message begins that both got."""
        begins = [re.search(r'"title": "([^"]*?) ?demo: ([^"]*)"', body) for body in self.paged]
        assert len(self.mailed) == len(self.paged)
        return [found[1] for found in begins if found]


@pytest.fixture
def people() -> Iterator[People]:
    made = People()
    yield made
    made.stop()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "s3").mkdir()
    server = S3Server(tmp_path / "s3")
    server.start()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEYS["accessKey"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secretKey"],
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.ports['s3']}",
    }.items():
        monkeypatch.setenv(name, value)
    place = open_store(STORE, timeout_s=20)
    place.put("index.html", b"<p>nothing yet")
    served = serve(place)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()
    server.kill()


def checkout(folder: Path, centre_url: str, site: str) -> Path:
    """The repository's own project, with the journey of the search page alone."""
    for name in ("runbooks", "fixes"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copytree(ROOT / "journeys", folder / "journeys", ignore=shutil.ignore_patterns("test_*", "__pycache__"))
    source = (ROOT / "journeys" / "dispatch" / "test_search.py").read_text()
    head, journey = (
        source.partition("@pytest.mark.journey(")[0],
        re.search(r'@pytest\.mark\.journey\(id="search-page".*?\n\n\n', source, re.DOTALL),
    )
    assert journey is not None
    (folder / "journeys" / "dispatch" / "test_search_page.py").write_text(head + journey[0])
    settings = (ROOT / "synthprobe.toml").read_text().replace("http://127.0.0.1:8911", centre_url)
    top, _, tables = SETTINGS.replace("SITE", site).partition("[publish]")
    (folder / "synthprobe.toml").write_text(f"{top}{settings}\n[publish]{tables}")
    return folder


def slots_from_now() -> Iterator[str]:
    """The slot that is now each time, or the next where that was taken already."""
    slot = 0
    while True:
        slot = max(int(time.time()) // 10, slot + 1)
        yield str(slot)


@pytest.mark.timeout(300)
@pytest.mark.long
def test_one_fault_from_the_workflow_to_its_end(tmp_path, centre, people, store, chromium: Browser, shell_environ):
    (tmp_path / "checkout").mkdir()
    runners = Runners(OURS, checkout(tmp_path / "checkout", centre.url, store), tmp_path, shell_environ)
    slots = slots_from_now()
    shared = people.environ | {"HISTORY": f"sqlite:///{tmp_path / 'shared.db'}"}
    variables = {
        "GITHUB_STEP_SUMMARY": str(tmp_path / "job.md"), "GITHUB_OUTPUT": str(tmp_path / "output"),
        "VISIBILITY": "public", "RUN_ID": "7", "REPOSITORY": "ops/watch",
    }  # fmt: skip

    centre.fault("empty_200_schema_drift")
    names = ("Unpack the history", "Run", "Sweep", "Pack the history", "Report", "How to open it")
    first = runners.steps(*names, SLOT=next(slots), **shared, **variables)["Run"]
    assert first.returncode == 1, first.stdout + first.stderr
    job = (tmp_path / "job.md").read_text()
    assert job.startswith("### 1 of 1 journey fails on demo"), "who opens the job sees first how the target is"
    assert "synthprobe serve report/report-demo" in job
    assert (tmp_path / "output").read_text() == "outcome=failed\n"
    assert (runners.last / "history.pack").exists()
    assert (runners.last / ".synthprobe" / "site" / "index.html").exists()
    assert people.heard() == ["PAGE"]
    (link,) = re.findall(rf"Report: ({re.escape(store)}/[^\\]*)", people.paged[0])
    assert link in people.mailed[0]

    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(link)
    incident = link.rpartition("#incident-")[2]
    card = page.locator(f"#incident-{incident}")
    expect(card).to_be_in_viewport()
    expect(card.get_by_role("heading")).to_have_text("The search page finds a person by name")
    expect(card).to_contain_text("nobody has it yet")
    card.get_by_role("link", name="Open trace").click()
    expect(page.get_by_text("run a person").first).to_be_visible(timeout=15_000)

    def typed(*words: str, at: Path = runners.last) -> None:
        command = [sys.executable, "-m", "synthprobe", *words]
        done = subprocess.run(command, cwd=at, env=os.environ | shared, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    typed("incident", "ack", incident, "--by", "first-line", at=runners.checkout)  # at somebody's own desk
    centre.heal()
    typed("run", "--target", "demo", "--slot", next(slots))
    assert people.heard() == ["PAGE"], "it may come back"
    page.goto(store)
    expect(page.get_by_role("listitem").filter(has_text="taken by first-line")).to_have_count(1)
    page.goto(f"{store}/incidents/{incident}.html")
    expect(page.get_by_text("first-line").first).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("^run "))).to_have_count(1)

    typed("run", "--target", "demo", "--slot", next(slots))
    assert people.heard() == ["PAGE", "Over: PAGE"]
    page.goto(store)
    expect(page.get_by_role("heading", level=1)).to_have_text("The only journey passes on demo")
    page.goto(f"{store}/incidents/index.html")
    expect(page.get_by_role("row").filter(has_text="resolved")).to_have_count(1)
    page.close()
