"""Real parts for the report's tests: Allure, a browser, a trace, and a site on loopback."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import made_run
import pytest
from made_site import publish, serve
from playwright.sync_api import Browser

from synthprobe.report.cards import PublishedRunbook
from synthprobe.report.node import install_allure


@pytest.fixture(scope="session")
def allure() -> list[str]:
    return install_allure(print)


@pytest.fixture(scope="session")
def trace(chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("trace") / "trace.zip"
    context = chromium.new_context()
    context.tracing.start(snapshots=True)
    page = context.new_page()
    page.set_content("<h1>Incident board</h1><button>New incident</button>")
    page.get_by_role("button", name="New incident").click()
    context.tracing.stop(path=path)
    context.close()
    return path.read_bytes()


@pytest.fixture(scope="session")
def published(allure: list[str], trace: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with one published run; the folder that holds the run and the site."""
    folder = tmp_path_factory.mktemp("published")
    warnings: list[str] = []
    made_run.write(folder / "run", trace=trace)
    made_run.forget(folder / "run")
    publish(
        [folder / "run"],
        folder / "site",
        allure=True,
        runbooks={"call-intake": PublishedRunbook(address="runbooks/call-intake.html")},
        warn=warnings.append,
    )
    (folder / "site" / "runbooks").mkdir()
    (folder / "site" / "runbooks" / "call-intake.html").write_text("<h1>Call intake</h1>")
    assert warnings == []
    return folder


@pytest.fixture(scope="session")
def address(published: Path) -> Iterator[str]:
    server = serve(published / "site")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)
