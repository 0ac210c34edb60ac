"""What the history of a real centre says: the half-broken state, by the name of its query."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from recorded_runs import call
from short_search import shorten

REPOSITORY = Path(__file__).parents[2]
SEARCH = "journeys/dispatch/test_search.py"
WALKED = (f"{SEARCH}::test_a_person_and_a_plate_are_found", f"{SEARCH}::test_an_address_lies_in_its_town")


@pytest.fixture
def dispatch(tmp_path, monkeypatch):
    """A project folder with the dispatch centre's journeys, and nothing recorded."""
    shutil.copytree(REPOSITORY / "journeys", tmp_path / "journeys")
    shorten(tmp_path / "journeys", "run a person", "run a plate")
    settings = (REPOSITORY / "synthprobe.toml").read_text()
    (tmp_path / "synthprobe.toml").write_text(f"second_attempts = 0\n{settings}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.mark.long
def test_a_missing_index_comes_out_on_top_with_its_query_named(dispatch, centre):
    def run() -> None:
        call("run", *WALKED, "--base-url", centre.url)

    run()
    healthy = json.loads(call("review", "--only", "impact", "--json"))["impact"]
    centre.fault("search_no_index")
    run()
    run()
    for verdict in (dispatch / ".synthprobe" / "runs" / "demo").glob("*/verdict.json"):
        verdict.unlink()  # what follows is known from the history alone
    made = json.loads(call("review", "--only", "impact", "--json"))["impact"]
    query = next(row for row in made if row["kind"] == "operation")
    assert query["name"].startswith("select ")
    assert "from incident" in query["name"]
    assert query["name"] not in {row["name"] for row in healthy}
    assert set(query["journeys"]) == {"records-search", "address-lookup"}, "both search"
