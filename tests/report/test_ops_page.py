"""The page of operating measures, opened from a folder in a real browser."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from made_ops import HOSTILE, ops_data
from playwright.sync_api import Browser, expect

from synthprobe.goals.measures import measure
from synthprobe.report.ops_page import OpsData, render_ops


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    return render_ops(ops_data(), tmp_path_factory.mktemp("site"))


@pytest.fixture(params=[1280, 390])
def page(request, chromium: Browser):
    asked: list[str] = []
    context = chromium.new_context(viewport={"width": request.param, "height": 900})
    context.on("request", lambda sent: asked.append(sent.url))
    opened = context.new_page()
    opened.on("console", lambda message: asked.append(message.text))
    opened.on("dialog", lambda dialog: asked.append(dialog.message))
    yield opened
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_every_measure_says_its_figure_what_it_was_counted_over_and_fits_the_screen(page, made):
    page.goto(made.as_uri())
    for ops_measure in ops_data().measures.measures:
        row = page.locator(f"[data-measure={ops_measure.id}]")
        expect(row).to_contain_text(ops_measure.name)
        expect(row).to_contain_text(ops_measure.figure)
        expect(row).to_contain_text(ops_measure.text)
        assert row.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_it_begins_with_what_to_write_down_and_takes_a_title_as_text(page, made):
    page.goto(made.as_uri())
    expect(page.locator(".answer")).to_have_text(
        "One failure is known to one person only, and no runbook tells of it. Write that down."
    )
    card = page.locator("[data-head]")
    expect(card).to_contain_text(HOSTILE)
    expect(card).to_contain_text("synthprobe runbook new I20")
    roles = page.locator("[data-role]").evaluate_all("all => all.map(one => one.dataset.role)")
    assert roles == sorted(roles) == ["dispatch-desk", "first-line", "supervisor"]


def test_nothing_recorded_is_said_and_is_no_good_figure(tmp_path):
    now = datetime(2026, 3, 1, tzinfo=UTC)
    nothing = measure([], [], target="demo", since=now.replace(month=2), until=now)
    text = render_ops(OpsData(measures=nothing, made_at=now), tmp_path).read_text()
    assert "nothing to count" in text
    assert "%" not in text.split("</style>")[-1]
