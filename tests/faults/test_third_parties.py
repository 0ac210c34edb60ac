"""F18: a third party that is down or does not answer is no failure of the target, unless it is declared."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from synthprobe import pipeline
from synthprobe.pipeline.notes import third_parties as third_parties_of

from hostile import hostile  # isort: skip

JOURNEY = """
def test_{name}(page):
    page.goto('/third-party?{url}', timeout=3000)
    assert page.get_by_text('fine').is_visible()
"""


@pytest.fixture(scope="module")
def third_parties() -> Iterator[dict[str, str]]:
    """Addresses on another host: one that never answers, and one where nothing listens."""
    with hostile("127.0.0.2") as url, socket.create_server(("127.0.0.2", 0)) as listener:
        down = f"http://127.0.0.2:{listener.getsockname()[1]}"
        listener.close()
        yield {"hangs": f"{url}/hang", "down": f"{down}/script.js"}


@pytest.mark.parametrize("declared", [False, True], ids=["F18-not declared", "F18-declared"])
def test_a_third_party_costs_the_journey_nothing_unless_it_is_declared(project, third_parties, declared):
    with hostile() as url:
        project.configure(url, 'allowed_hosts = ["127.0.0.2"]\n' if declared else "")
        project.journeys("".join(JOURNEY.format(name=name, url=address) for name, address in third_parties.items()))
        done = project.run()
    results, listed = done.results, third_parties_of(pipeline.judge(done.folder))
    failed = results["test_hangs"]
    if declared:
        assert (failed.outcome, failed.failure.kind) == ("failed", "timeout")
        assert listed == []
    else:
        assert failed.outcome == "passed", failed.cause
        assert any("127.0.0.2" in note for note in failed.notes)
        assert "127.0.0.2 (2 journeys)" in listed[0]
        assert "blocked_hosts" in listed[0]
    assert results["test_down"].outcome == "passed", results["test_down"].cause  # the page does without it
