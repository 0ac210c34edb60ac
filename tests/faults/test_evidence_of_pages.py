"""What a page showed is kept for the journey that broke, whenever that was and whoever else used the page."""

from __future__ import annotations

import json
import zipfile

import pytest

CONFTEST = """
import logging
import pytest
@pytest.fixture
def no_script_errors(page):
    seen = []
    page.on("pageerror", lambda error: seen.append(str(error)))
    yield
    assert not seen, f"scripts of the page threw: {seen}"
@pytest.fixture
def talkative(page):
    print("the desk is made ready")
    logging.getLogger("desk").warning("it is ready")
@pytest.fixture
def ledger():
    yield
    assert 1 == 2, "the ledger differs"
@pytest.fixture
def untidy():
    yield
    raise ValueError("the tidying broke")
@pytest.fixture(scope="module")
def desk(browser, base_url):
    context = browser.new_context(base_url=base_url)
    yield context.new_page()
    context.close()
"""

ENDS = """
from concurrent.futures import ThreadPoolExecutor
from playwright.sync_api import expect
from synthprobe import step
def test_script(page, no_script_errors):
    page.goto("/login")
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('the board broke') })")
def test_late(ledger, page):
    page.goto("/login")
def test_talkative(page, talkative):
    page.goto("/login")
    assert page.url == "another"
def test_several(untidy, ledger, page, no_script_errors):
    page.goto("/login")
    with page.expect_event("pageerror"):
        page.evaluate("setTimeout(() => { throw new Error('the board broke') })")
def test_tidying(untidy, page):
    page.goto("/login")
def test_in_order(page, no_script_errors):
    page.goto("/login")
def test_thread_beside_a_page(page):
    page.goto("/login")
    def look():
        with step("in a thread"):
            pass
    with step("both"), ThreadPoolExecutor(1) as pool:
        pool.submit(look).result()
    page.goto("/login")
def test_two_users(page, desk):
    desk.goto("/missing-first")
    page.goto("/login")
    expect(desk.get_by_role("heading", name="Orders")).to_be_visible(timeout=300)
def test_two_titles(page, desk):
    desk.goto("/missing-first")
    page.goto("/login")
    expect(desk).to_have_title("Orders", timeout=300)
def test_two_clicks(page, desk):
    desk.goto("/missing-first")
    page.goto("/login")
    desk.get_by_role("link", name="Orders").click(timeout=300)
def test_closed(browser, page, base_url):
    context = browser.new_context(base_url=base_url)
    try:
        own = context.new_page()
        own.goto("/missing-third")
        assert "orders" in own.url
    finally:
        context.close()
def test_unused(desk, page):
    desk.goto("/missing-second")
    assert "orders" in desk.url
def test_handler(page):
    def check(response):
        assert response.status == 200, "what a page asked for is missing"
    page.on("response", check)
    page.goto("/missing-page")
def test_own_trace(page, context):
    page.goto("/login?part=one")
    context.tracing.start(screenshots=True, snapshots=True, sources=True, title="mine")
    page.goto("/login?part=two&x=pl4nted-p4ssphrase")
    context.tracing.stop(path="own.zip")
    page.goto("/login?part=three")
    assert "three" not in page.url, "on purpose"
"""

SHARED = """
import pytest
from playwright.sync_api import expect
@pytest.fixture(scope="module")
def traced(browser, base_url):
    context = browser.new_context(base_url=base_url)
    context.tracing.start(snapshots=True)
    yield context.new_page()
    context.tracing.stop(path="module.zip")
    context.close()
def test_one_of_a_module(traced):
    traced.goto("/login?one")
def test_two_of_a_module(traced):
    traced.goto("/login?two")
def test_first(desk):
    desk.goto("/missing-one")
    assert desk.url.endswith("/missing-one")
def test_second(desk):
    desk.goto("/missing-two")
    expect(desk.get_by_role("heading", name="Two")).to_be_visible(timeout=300)
def test_without_it(api):
    api.get("/missing-three").expect(200)
@pytest.fixture(scope="module")
def module_ledger():
    yield
    assert 1 == 2, "the module's ledger differs"
def test_last(module_ledger):
    assert module_ledger is None
"""


@pytest.fixture(scope="module")
def ran(new_project, one_centre, tmp_path_factory):
    project = new_project(tmp_path_factory.mktemp("pages"))
    project.configure(one_centre.url, '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    project.journeys(CONFTEST, "conftest.py")
    project.journeys(ENDS, "test_ends.py")
    project.journeys(SHARED, "test_shared.py")
    return project.run(environ={"PLANTED": "pl4nted-p4ssphrase"})


def kinds(result):
    return [piece.kind for piece in result.evidence]


def shown(ran, result, kind):
    return "".join((ran.folder / piece.path).read_text() for piece in result.evidence if piece.kind == kind)


def pages(path):
    """Addresses that a trace says were opened."""
    with zipfile.ZipFile(path) as archive:
        lines = [line for name in archive.namelist() if name.endswith(".trace") for line in archive.open(name)]
    actions = [entry for entry in map(json.loads, lines) if entry.get("type") == "before"]
    return [action["params"]["url"] for action in actions if action.get("method") == "goto"]


def trace(ran, result):
    (piece,) = [piece for piece in result.evidence if piece.kind == "trace"]
    return ran.folder / piece.path


@pytest.mark.parametrize(
    ("name", "message"), [("test_script", "the board broke"), ("test_late", "the ledger differs")], ids=["F96a", "F96b"]
)
def test_an_assertion_at_a_fixtures_end_is_the_targets_with_evidence(ran, name, message):
    result = ran.results[name]
    assert (result.outcome, result.failure.kind, result.failure.phase) == ("failed", "expectation", "teardown")
    assert message in result.failure.message
    assert {"trace", "repeat"} <= set(kinds(result))
    assert pages(trace(ran, result)) == ["/login"]
    assert any("at the end of fixture" in note for note in result.notes)


def test_what_a_fixture_prints_before_the_journey_costs_none_of_its_evidence_f96(ran):
    result = ran.results["test_talkative"]
    assert {"screenshot", "trace"} <= set(kinds(result))
    assert [page.path for page in result.facts.pages] == ["/login"]
    assert result.facts.page_errors == (), "reading what is stored is no error of the page"
    assert pages(trace(ran, result)) == ["/login"]


def test_a_page_that_is_still_open_when_a_fixtures_end_breaks_is_pictured_f96(ran):
    assert "screenshot" in kinds(ran.results["test_script"])
    assert "the board broke" in shown(ran, ran.results["test_script"], "console")


def test_the_end_of_a_shared_fixture_says_that_it_is_shared_f96(ran):
    (broken,) = [
        result for result in ran.results.values() if result.failure and "module's ledger" in result.failure.message
    ]
    assert broken.outcome == "failed"
    assert any("journeys of one module share" in note for note in broken.notes)


def test_of_several_ends_that_broke_the_targets_is_told_first_f96(ran):
    result = ran.results["test_several"]
    assert (result.outcome, result.failure.kind) == ("failed", "expectation")
    assert all(part in result.cause for part in ("the board broke", "the ledger differs", "the tidying broke"))


def test_a_tidying_that_breaks_is_still_ours_f96(ran):
    result = ran.results["test_tidying"]
    assert (result.outcome, result.failure.kind) == ("unknown", "cleanup")
    assert ran.results["test_in_order"].outcome == "passed"
    assert ran.results["test_in_order"].evidence == ()


def test_a_step_in_a_thread_leaves_an_open_page_alone_f99(ran):
    result = ran.results["test_thread_beside_a_page"]
    assert (result.outcome, [step.title for step in result.steps[0].steps]) == ("passed", ["in a thread"])


def test_an_assertion_in_a_handler_of_events_breaks_the_journey_f99(ran):
    result = ran.results["test_handler"]
    assert (result.outcome, result.failure.kind) == ("failed", "expectation")
    assert "what a page asked for is missing" in result.failure.message


def test_a_shared_page_tells_of_the_journey_that_failed_and_says_that_it_is_shared_f97(ran):
    first, second = ran.results["test_first"], ran.results["test_second"]
    assert (first.outcome, first.evidence) == ("passed", ())
    assert {"trace", "screenshot", "network"} <= set(kinds(second))
    assert pages(trace(ran, second)) == ["/missing-two"]
    network = shown(ran, second, "network")
    assert "/missing-two" in network
    assert "/missing-one" not in network
    assert [answer.path for answer in second.facts.answers] == ["/missing-two"]
    assert any("shared" in note and first.journey.id in note for note in second.notes)


def test_a_shared_page_that_a_journey_did_not_touch_is_no_evidence_of_it_f97(ran):
    result = ran.results["test_without_it"]
    assert result.outcome == "failed"
    assert {"trace", "screenshot"} & set(kinds(result)) == set()


def test_a_trace_of_the_journeys_own_is_written_redacted_beside_ours_f98(ran):
    own = ran.folder.parent / "own.zip"
    (theirs,) = pages(own)
    assert "part=two" in theirs
    assert b"pl4nted" not in b"".join(zipfile.ZipFile(own).read(name) for name in zipfile.ZipFile(own).namelist())
    ours = pages(trace(ran, ran.results["test_own_trace"]))
    assert [address.partition("part=")[2].partition("&")[0] for address in ours] == ["one", "two", "three"]


def test_a_trace_that_spans_several_journeys_is_whole_f98(ran):
    assert ran.results["test_two_of_a_module"].outcome == "passed"
    assert pages(ran.folder.parent / "module.zip") == ["/login?one", "/login?two"]


def test_options_of_pytest_playwright_work_beside_our_evidence_f98(project, centre):
    project.configure(centre.url, '[targets.demo.secrets]\nuser = "env:PLANTED"\n')
    project.journeys(
        "from playwright.sync_api import expect\n"
        "def test_bad(page, secrets):\n    page.goto('/login')\n"
        "    page.get_by_label('User name').fill(secrets['user'].reveal())\n"
        "    expect(page).to_have_title('Other', timeout=300)\n"
        "def test_good(page):\n    page.goto('/login')\n"
        "def test_client(playwright, base_url):\n    client = playwright.request.new_context(base_url=base_url)\n"
        "    client.get('/healthz')\n    client.dispose()\n"
    )
    options = ["--tracing=on", "--screenshot=on", "--output=artifacts"]
    ran = project.run(*options, environ={"PLANTED": "pl4nted-p4ssphrase"})
    results = ran.results
    assert [results[name].outcome for name in ("test_bad", "test_good", "test_client")] == [
        "failed",
        "passed",
        "passed",
    ]
    assert {"trace", "screenshot"} <= set(kinds(results["test_bad"]))
    written = {path.parent.name.split("-py-")[-1]: path for path in (project.root / "artifacts").rglob("*.zip")}
    assert {name.split("-chromium")[0] for name in written} == {"test-bad", "test-good", "test-client"}, ran.output
    assert len(list((project.root / "artifacts").rglob("*.png"))) == 2
    for path in written.values():
        with zipfile.ZipFile(path) as archive:
            assert b"pl4nted" not in b"".join(map(archive.read, archive.namelist()))
    assert {name.split("-chromium")[0]: pages(path) for name, path in written.items() if "client" not in name} == {
        "test-bad": ["/login"],
        "test-good": ["/login"],
    }


@pytest.mark.parametrize("folder", [".", ".synthprobe/runs"])
def test_an_output_folder_that_would_empty_the_project_is_refused(project, folder):
    project.journeys("def test_x():\n    pass\n")
    ran = project.run(f"--output={folder}")
    assert ran.code == 4
    assert "--output test-results" in ran.output
    assert (project.root / "journeys" / "test_it.py").exists()


@pytest.mark.parametrize("more", ["production = true\n", 'mask_selectors = [".name"]\n'])
def test_a_video_where_something_must_be_hidden_is_refused(project, more):
    project.configure("http://127.0.0.1:9", more)
    project.journeys("def test_x():\n    pass\n")
    ran = project.run("--video=on")
    assert ran.code == 4
    assert "--video records pages as they are" in ran.output


@pytest.mark.parametrize("journey", ["two_users", "two_titles", "two_clicks", "unused", "closed"])
def test_the_page_that_broke_is_the_one_that_is_spoken_of(ran, journey):
    result = ran.results[f"test_{journey}"]
    expected = {"unused": "/missing-second", "closed": "/missing-third"}.get(journey, "/missing-first")
    assert [page.path for page in result.facts.pages][-1] == expected
    pictures = [piece.title for piece in result.evidence if piece.kind == "screenshot"]
    assert expected in pictures[-1]
