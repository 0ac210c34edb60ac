"""Where a run goes: to the address that was said, else to the target that is served, else to one that is started."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from recorded_runs import call

REPOSITORY = Path(__file__).parents[2]
WALKED = "journeys/dispatch/test_search.py::test_an_address_lies_in_its_town"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose conftest starts a dispatch centre where none is served."""

    def configured(address: str) -> Path:
        settings = (REPOSITORY / "synthprobe.toml").read_text().replace("http://127.0.0.1:8911", address)
        (tmp_path / "synthprobe.toml").write_text(f"second_attempts = 0\n{settings}")
        return tmp_path

    shutil.copytree(REPOSITORY / "journeys", tmp_path / "journeys")
    shutil.copy(REPOSITORY / "conftest.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    return configured


def walked(folder: Path, *options: str, code: int = 0) -> tuple[str, str]:
    call("run", WALKED, *options, code=code)
    (path,) = (folder / ".synthprobe" / "runs" / "demo").glob("*/verdict.json")
    verdict = json.loads(path.read_text())
    return verdict["run"]["base_url"], verdict["journeys"][0]["outcome"]


@pytest.mark.parametrize("by_option", [False, True], ids=["configured", "by option"])
def test_a_target_that_is_served_is_the_one_that_is_watched(project, centre, by_option):
    folder = project(centre.url)
    assert walked(folder, *(["--base-url", centre.url] if by_option else [])) == (centre.url, "passed")


def test_where_none_is_served_one_is_started(project):
    address, outcome = walked(project("http://127.0.0.1:9"))
    assert (address != "http://127.0.0.1:9", outcome) == (True, "passed")


def test_an_address_that_was_said_is_never_replaced(project):
    folder = project("http://127.0.0.1:9")
    assert walked(folder, "--base-url", "http://127.0.0.1:9", code=1) == ("http://127.0.0.1:9", "failed")
