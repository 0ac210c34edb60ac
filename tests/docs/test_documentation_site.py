"""The documentation as a site: every page is built, search works, and nothing is asked of another origin."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from synthprobe import loopback

ROOT = Path(__file__).parents[2]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the built site; a wrong link or anchor, or a page outside the navigation, ends the build."""
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", os.fspath(folder)]
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(build, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    with loopback.served(partial(Quiet, directory=os.fspath(folder))) as url:
        yield url


def look(page: Page, site: str, asked: list[str]) -> None:
    page.on("request", lambda request: asked.append(request.url))
    for place in ("index.html", "tutorial.html", "reference/configuration.html", "guides/on-call.html"):
        page.goto(f"{site}/{place}")
        expect(page.locator("article h1")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (
            f"{place} is wider than the page"
        )


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_pages_fit_and_ask_nobody_else(site: str, chromium: Browser, width: int, scheme: str) -> None:
    asked: list[str] = []
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    look(page, site, asked)
    expected = {"light": "default", "dark": "slate"}[scheme]
    assert page.locator("body").get_attribute("data-md-color-scheme") == expected
    if width > 1000:
        page.get_by_placeholder("Search").click()
        expect(page.locator(".md-search-result__meta")).to_have_text("Type to start searching", timeout=30_000)
        page.get_by_placeholder("Search").press_sequentially("login_paths")
        expect(page.locator(".md-search-result__item").first).to_be_visible(timeout=30_000)
    assert [url for url in asked if not url.startswith((site, "data:", "blob:"))] == []
    page.close()


def test_each_message_that_troubleshooting_quotes_is_in_the_product() -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "src" / "synthprobe").rglob("*.py")]
    product = re.sub(r'"\n\s*f?"', "", "\n".join(sources))
    quoted = re.findall(r"^## `(.+)`$", (ROOT / "docs" / "troubleshooting.md").read_text(), re.MULTILINE)
    assert len(quoted) > 5
    assert [message for message in quoted if message not in product] == []
