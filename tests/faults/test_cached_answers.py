"""F23: a cache in front of the target answers, and would go on answering while the target is down."""

import re

import pytest

from caching_proxy import cached_target  # isort: skip

OWN = "{'cache-control': 'max-age=7200'}"
JOURNEYS = f"""
import pytest
from synthprobe import freshness

def look(page, path):
    page.goto(path)
    freshness("board", page.locator("#made").inner_text(), limit="60s")

def test_api(api):
    api.freshness("board", api.get("/api").expect(200).json["made_at"], limit="60s")

def test_api_own(api):
    api.freshness("board", api.get("/api-own", headers={OWN}).expect(200).json["made_at"], limit="60s")

def test_session_own(api):
    api.session.headers["Cache-Control"] = "max-age=7200"
    api.freshness("board", api.get("/session-own").expect(200).json["made_at"], limit="60s")

def test_page(page):
    look(page, "/page")

def test_page_own(new_context):
    look(new_context(extra_http_headers={OWN}).new_page(), "/page-own")

def test_script(page):
    page.goto("/page-of-script")
    made = page.evaluate("fetch('/script').then(answer => answer.json()).then(said => said.made_at)")
    freshness("board", made, limit="60s")

def test_request(page):
    freshness("board", page.request.get("/request").json()["made_at"], limit="60s")

def test_request_alone(playwright, target):
    client = playwright.request.new_context(base_url=target.base_url)
    freshness("board", client.get("/request-alone").json()["made_at"], limit="60s")
"""
ASKING = ("api", "page", "script", "request", "request_alone")
OWNING = ("api_own", "session_own", "page_own")
PATHS = [f"/{name.replace('_', '-')}" for name in (*ASKING, *OWNING)]


@pytest.fixture(scope="module")
def cached(tmp_path_factory, new_project):
    """The results of journeys behind a cache that obeys, and behind one that does not; and what arrived there."""

    def run(*, obeys):
        project = new_project(tmp_path_factory.mktemp("cached"))
        with cached_target() as cache:
            cache.obeys = obeys
            cache.keep(*PATHS)
            project.configure(cache.url)
            project.journeys(JOURNEYS)
            return project.run().results, dict(cache.seen)

    return {"obeys": run(obeys=True), "does not": run(obeys=False)}


@pytest.mark.parametrize("name", ASKING, ids=lambda name: f"F23 {name}")
def test_f23_the_target_itself_answers(cached, name):
    results, seen = cached["obeys"]
    result = results[f"test_{name}"]
    assert (result.outcome, result.cause) == ("passed", "")
    assert seen[f"/{name.replace('_', '-')}"] == "no-cache"


@pytest.mark.parametrize("name", OWNING, ids=lambda name: f"F23 {name}")
def test_f23_what_a_journey_asks_of_caches_itself_stands(cached, name):
    results, seen = cached["obeys"]
    assert results[f"test_{name}"].outcome == "degraded", "without the header the cache answers"
    assert seen[f"/{name.replace('_', '-')}"] == "max-age=7200"


@pytest.mark.parametrize("name", [*ASKING, *OWNING], ids=lambda name: f"F23 {name}")
def test_f23_an_answer_of_a_cache_that_does_not_obey_is_stale_by_its_age(cached, name):
    result = cached["does not"][0][f"test_{name}"]
    assert result.outcome == "degraded"
    (degradation,) = result.degradations
    assert degradation.kind == "stale"
    assert re.match(r"The board is 36\d\d s old", degradation.message), "an hour, and how long the run took"
    assert result.notes == ()


def test_f23_a_cache_that_does_not_tell_its_age_is_seen_by_the_newest_answer(project):
    project.journeys(
        "def test_it(api):\n"
        "    api.get('/first').expect(200)\n"
        "    api.freshness('board', api.get('/kept').expect(200).json['made_at'], limit='60s')\n"
    )
    with cached_target() as cache:
        cache.obeys = cache.tells_age = False
        cache.keep("/kept")
        project.configure(cache.url)
        result = project.run().results["test_it"]
    assert (result.outcome, [degradation.kind for degradation in result.degradations]) == ("degraded", ["stale"]), (
        result.cause
    )
