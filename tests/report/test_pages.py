"""The on-call page, the Allure report and the trace viewer, opened in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from made_run import SINCE
from playwright.sync_api import Browser, Page, expect


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens pages; fails the test when anything but loopback was asked for."""
    outside: list[str] = []
    contexts = []

    def opened(url: str, width: int = 1280) -> Page:
        context = chromium.new_context(viewport={"width": width, "height": 900})
        contexts.append(context)

        def note(request: object) -> None:
            parts = urlsplit(request.url)  # type: ignore[attr-defined]
            if parts.scheme in {"http", "https"} and parts.hostname != "127.0.0.1":
                outside.append(request.url)  # type: ignore[attr-defined]

        context.on("request", note)
        page = context.new_page()
        page.goto(url)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert outside == []


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_page_says_what_is_broken_first_f77(address: str, open_page: Callable[..., Page], width: int) -> None:
    page = open_page(address, width)
    expect(page.get_by_role("heading", level=1)).to_have_text("1 of 5 journeys fails on demo, 1 degraded, 1 unknown")
    order = page.locator("[data-journey]").evaluate_all("all => all.map(one => one.dataset.journey)")
    assert order == ["call-intake", "unit-status", "map", "export", "login"]
    expect(page.get_by_text("Probe suspected: 4 of 5 journeys")).to_be_visible()
    card = page.locator("article", has=page.locator("[data-journey=call-intake]"))
    expect(card).to_contain_text("the other board shows it")
    expect(card).to_contain_text("<script>alert(1)</script>")
    hours = round((datetime.now(UTC) - SINCE).total_seconds() / 3600)
    expect(card).to_contain_text(f"{hours} h ago")
    expect(card.get_by_role("link", name="Backend trace")).to_have_attribute("href", "https://traces.example/2")
    expect(card).to_contain_text("Not shown: console. It held a secret.")
    assert card.locator("img").evaluate("image => image.naturalWidth") == 320
    degraded = page.locator("[data-journey=unit-status]")
    expect(degraded).to_contain_text("over budget (measured): status is shown took 3.4 s of 2.0 s.")
    expect(degraded).to_contain_text("stale (measured): The position is 80 s old, the limit is 60 s.")
    degraded.locator("summary").click()
    weak = degraded.get_by_role("listitem")
    assert [text.strip()[0] for text in weak.all_inner_texts()] == ["!", "✓", "!"]
    assert page.locator("script").count() == 1
    assert overflow(page) <= 0
    expect(page.locator("#local")).to_be_hidden()
    expect(page.locator(".stale")).to_be_hidden()


def test_every_link_of_the_first_page_resolves(address: str, open_page: Callable[..., Page]) -> None:
    page = open_page(address)
    links = page.locator("a").evaluate_all("all => all.map(one => one.href)")
    card = page.locator("article", has=page.locator("[data-journey=call-intake]"))
    names = card.get_by_role("link").evaluate_all("all => all.map(one => one.textContent.trim())")
    assert names == ["Open trace", "Open in Allure", "General page: call-intake", "Backend trace", ""]
    for link in links:
        if link.startswith("https://traces.example/"):
            continue  # the target's own tool
        assert requests.get(link, timeout=5).status_code == 200, link
    trace = card.get_by_role("link", name="Open trace").get_attribute("href")
    zip_address = urljoin(f"{address}/trace-viewer/", requests.utils.unquote(trace.partition("trace=")[2]))
    assert requests.get(zip_address, timeout=5).content.startswith(b"PK")


def test_the_trace_opens_in_the_sites_own_viewer(address: str, open_page: Callable[..., Page]) -> None:
    page = open_page(address)
    page.get_by_role("link", name="Open trace").click()
    expect(page.get_by_text("Click").first).to_be_visible(timeout=10_000)
    expect(page.locator("body")).to_contain_text("New incident")


@pytest.mark.parametrize("width", [1280, 390])
def test_allure_opens_at_the_failing_journey(address: str, open_page: Callable[..., Page], width: int) -> None:
    page = open_page(address, width)
    page.get_by_role("link", name="Open in Allure").first.click()
    expect(page.get_by_text("A call reaches the other dispatcher").first).to_be_visible()
    expect(page.get_by_text("Expected the other board to show").first).to_be_visible()
    assert "googletagmanager" not in page.content()
    assert overflow(page) <= 0


def test_allure_lists_what_fails(address: str, open_page: Callable[..., Page], published: Path) -> None:
    report = next((published / "site").glob("runs/demo/*/allure/index.html")).relative_to(published / "site")
    page = open_page(f"{address}/{report}")
    expect(page.get_by_text("A call reaches the other dispatcher").first).to_be_visible()


def test_the_trace_button_of_allure_points_to_the_sites_own_viewer(published: Path) -> None:
    bundle = next((published / "site").glob("assets/app-*.js")).read_text()
    assert "https://trace.playwright.dev" not in bundle
    assert len(re.findall(r'new URL\("\.\./\.\./\.\./\.\./trace-viewer/",document\.baseURI\)', bundle)) == 1


def test_the_trace_button_of_allure_opens_the_sites_own_viewer(address: str, open_page: Callable[..., Page]) -> None:
    page = open_page(address)
    page.get_by_role("link", name="Open in Allure").first.click()
    button = page.get_by_test_id("test-result-attachment-header").first.get_by_role("button").first
    with page.expect_popup(timeout=8000) as popup:
        button.click()
    viewer = popup.value
    viewer.wait_for_url(f"{address}/trace-viewer/**")
    expect(viewer.locator("body")).to_contain_text("New incident", timeout=10_000)


def test_opened_as_a_file_it_says_what_will_not_work(published: Path, open_page: Callable[..., Page]) -> None:
    page = open_page((published / "site" / "index.html").as_uri())
    expect(page.locator("#local")).to_be_visible()
    expect(page.locator("#local")).to_contain_text("synthprobe report --serve")
    assert page.locator("img").evaluate("image => image.naturalWidth") == 320
