"""What is up and stale or slow ends as degraded, with a sentence that says which, and leads to its own page."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from recorded_runs import call
from short_search import shorten

REPOSITORY = Path(__file__).parents[2]
BOARD = "journeys/dispatch/test_live_board.py"


@pytest.fixture
def dispatch(tmp_path, monkeypatch):
    """A project folder with the dispatch centre's journeys and runbooks, and nothing recorded."""
    for name in ("journeys", "runbooks"):
        shutil.copytree(REPOSITORY / name, tmp_path / name)
    shorten(tmp_path / "journeys", "run a person", "run a plate")
    settings = (REPOSITORY / "synthprobe.toml").read_text()
    (tmp_path / "synthprobe.toml").write_text(f"second_attempts = 0\n{settings}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


@pytest.mark.parametrize(
    ("fault", "walked", "kind", "sentence", "page"),
    [
        pytest.param(
            "avl_feed_stopped",
            f"{BOARD}::test_units_on_the_map_are_where_they_are",
            "stale",
            r"The newest unit position is \d+ s old, the limit is 4 s\.",
            "avl-feed-stopped",
            id="feed",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "stream_silent",
            f"{BOARD}::test_a_dispatcher_sees_a_live_board",
            "stale",
            r"The newest update on the board is 1[0-9] s old, the limit is 10 s\.",
            "stream-silent",
            id="stream",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "search_no_index",
            "journeys/dispatch/test_search.py::test_a_person_and_a_plate_are_found",
            "over budget",
            r'"run a (person|plate)" took \d\.\d+ s, its budget is 2 s\.',
            "search-slow-query",
            id="query",
        ),
    ],
)
def test_a_half_broken_state_is_degraded_and_says_how(dispatch, centre, fault, walked, kind, sentence, page):
    centre.fault(fault)
    call("run", walked, "--base-url", centre.url)
    (path,) = (dispatch / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    (judged,) = json.loads(path.read_text())["journeys"]
    assert judged["outcome"] == "degraded"
    found = judged["results"][-1]["degradations"][0]
    assert found["kind"] == kind
    assert re.fullmatch(sentence, found["message"])
    assert judged["cause"] == f"{kind} (measured): {found['message']}"
    assert page in call("runbook", "match").split()
