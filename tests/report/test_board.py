"""The impact board, opened from a folder in a real browser."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from made_board import HOSTILE, NOW, SEARCH, board
from playwright.sync_api import Browser, Page, expect

from synthprobe.goals.impact import rank
from synthprobe.records.impact import OperationTotal, Traffic
from synthprobe.records.latency import StepSeries
from synthprobe.report.board import BoardData, journey_page, render_board
from synthprobe.report.charts import latency_chart


@pytest.fixture(scope="module")
def first_page(tmp_path_factory) -> Path:
    return render_board(board(), tmp_path_factory.mktemp("site"))


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


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_the_board_says_first_what_costs_users_most_and_leads_to_the_step(page, first_page):
    page.goto(first_page.as_uri())
    first_sentence = page.locator(".answer")
    expect(first_sentence).to_contain_text("Users wait 1.9 h a day for “find the address” in “An address is found”")
    expect(first_sentence).to_contain_text("at most 85 % of the waiting for steps")
    worst_first = page.locator("[data-journey]").evaluate_all("all => all.map(one => one.dataset.journey)")
    assert worst_first == ["live-board", "search", "unweighted", "report"], "unknown, of the budget used, others"
    rows = page.locator("[data-row]").evaluate_all("all => all.map(one => one.dataset.row)")
    assert rows[:4] == ["find the address", "open the board", "print the shift report", HOSTILE]
    assert rows[4] == SEARCH
    first = page.locator("[data-row]").first
    for figure in ("1.9 h", "43.9 min", "85 %", "17 %", "1.7 × slower"):
        expect(first).to_contain_text(figure)
    expect(first.get_by_role("link", name="Trace of the last slow run")).to_have_attribute(
        "href", "../../trace-viewer/index.html?trace=..%2Fruns%2Fr1%2Ftrace.zip"
    )
    assert fits(page)
    first.get_by_role("link", name="An address is found").click()
    section = page.locator(":target")
    expect(section).to_contain_text("2.1 × its usual 820 ms")
    expect(section.locator("svg circle")).to_have_count(1)
    assert fits(page)


def test_each_step_says_the_smallest_slowdown_it_can_show(page, first_page):
    page.goto((first_page.parent / journey_page("search")).as_uri())
    sign_in, find = page.locator("section.card").all()[-2:]
    expect(sign_in).to_contain_text("Usually 410 ms. The smallest slowdown it can show is 1.37 ×, 563 ms.")
    expect(find).not_to_contain_text("smallest slowdown")  # of it nothing is known
    assert fits(page)
    page.goto((first_page.parent / journey_page("live-board")).as_uri())
    expect(page.locator("section.card").last).to_contain_text("It cannot show a slowdown yet: too few runs were seen")
    assert fits(page)


def test_availability_never_stands_without_coverage(page, first_page):
    page.goto(first_page.as_uri())
    for card in page.locator("[data-journey]").all():
        text = card.inner_text()
        assert ("availability" in text) == ("coverage" in text and "worst gap" in text)
    expect(page.locator("[data-journey=live-board]")).to_contain_text("unknown")
    expect(page.locator("[data-journey=search]")).to_contain_text(
        "2 h 45 m of it one cause: the geocoder does not answer"
    )
    assert page.locator("[data-journey=search] .grid li").count() == 90


def test_a_change_is_credited_only_with_the_time_per_call(page, first_page):
    page.goto(first_page.as_uri())
    card = page.locator("[data-change]")
    expect(card).to_contain_text("could save at most 5.8 %")
    expect(card).to_contain_text("−22.2 s because calls got faster, nothing from the number of calls")


def test_the_pages_hold_no_script_and_nothing_of_the_targets_text_becomes_markup(first_page):
    pages = list(first_page.parent.glob("*.html"))
    assert len(pages) == 5
    for written in pages:
        assert "<script" not in written.read_text()
    assert journey_page("a/b") != journey_page("a?b")


def test_only_the_rows_to_choose_from_are_open_and_the_rest_says_how_little_it_is(page, tmp_path):
    uses = (Traffic(journey="search", runs=10, uses_per_day=100),)
    totals = [
        OperationTotal(name=f"step {n:02}", journey="search", calls=10, total_ms=10_000 if n < 10 else 10)
        for n in range(13)
    ]
    made = render_board(BoardData(target="demo", made_at=NOW, window_days=1, rows=rank(totals, uses)), tmp_path)
    page.goto(made.as_uri())
    expect(page.locator("[data-row='step 09']")).to_be_visible()
    expect(page.locator("[data-row='step 10']")).to_be_hidden()
    folded = page.get_by_text("3 more rows, together under 0.1 % of the waiting")
    folded.click()
    expect(page.locator("[data-row='step 12']")).to_be_visible()
    expect(page.get_by_text("measured over 1 day", exact=True)).to_be_visible()
    assert fits(page)


def test_a_budget_is_drawn_where_it_is_or_only_named():
    points = tuple((NOW - timedelta(minutes=5 * n), 420.0 + n) for n in range(4))
    far, near = (
        latency_chart(StepSeries(title="list", points=points, budget_ms=budget), NOW) for budget in (200.0, 300.0)
    )
    assert far is not None
    assert near is not None
    assert near.budget is not None
    assert (far.budget, "budget 200 ms" in far.text) == (None, True)
    low, high = (next(tick.y for tick in near.ticks if tick.text == text) for text in ("300 ms", "400 ms"))
    assert (near.budget.text, near.budget.y) == ("budget 300 ms", low)
    assert low > high, "drawn below"


@pytest.mark.parametrize(
    "span", [timedelta(seconds=24), timedelta(minutes=5), timedelta(days=1), timedelta(days=7), timedelta(days=60)]
)
def test_the_moments_below_a_chart_can_be_told_apart(span):
    chart = latency_chart(StepSeries(title="list", points=((NOW - span, 200.0), (NOW, 220.0))), NOW)
    assert len({moment.text for moment in chart.times}) == 5


def test_an_empty_board_says_so(tmp_path):
    page = render_board(BoardData(target="demo", made_at=NOW, window_days=7), tmp_path)
    assert "Nothing was measured in this window" in page.read_text()
