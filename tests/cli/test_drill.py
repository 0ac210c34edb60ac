"""A drill leads from a fault to green by the runbook, and says in a sentence where that did not work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from msgspec.structs import replace
from short_search import shorten

from synthprobe.cli.drill import Drill
from synthprobe.cli.exercise import desk
from synthprobe.config import read_config
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.firstline.runbook import Exercise
from synthprobe.firstline.runbooks import read_runbook, stamp
from synthprobe.history.store import History
from synthprobe.project import Project
from synthprobe_demo.faults import DECOYS
from synthprobe_demo.plugin import synthprobe_drill
from synthprobe_demo.process import DispatchCentre

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.timeout(600)  # a limit for what hangs: drills take as long as the machine is busy
PROVED = Exercise(at=date(2026, 11, 2), revision="0123456789ab")


def git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=drill", "-c", "user.email=drill@invalid"]
    return subprocess.run(["git", *author, *words], cwd=folder, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A copy of this project with the journeys that the four faults need and no browser, in a repository of its own."""
    root = tmp_path_factory.mktemp("watched")
    for name in ("journeys", "runbooks", "fixes"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "synthprobe.toml", root)
    for path in (root / "journeys").rglob("test_*.py"):
        if path.name != "test_search.py":
            path.unlink()
    search = root / "journeys" / "dispatch" / "test_search.py"
    head, *journeys = re.split(r"(?m)^(?=@pytest\.mark\.journey)", search.read_text())
    search.write_text(head + "".join(text for text in journeys if "Page" not in text and '"lookouts"' not in text))
    shorten(root / "journeys", "run a person", "a new incident is found at once")
    town = root / "runbooks" / "place-in-another-town.md"
    town.write_text(town.read_text().replace('no `"town":"Harborview"`', '`"town":"Elsewhere"`'))
    slow = (root / "runbooks" / "search-slow-query.md").read_text()
    twin = slow.replace("id: search-slow-query", "id: search-slow-twin").replace("drill: search_no_index\n", "")
    (root / "runbooks" / "search-slow-twin.md").write_text(twin)
    (root / ".gitignore").write_text(".synthprobe\n__pycache__\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "As it is")
    return root


@pytest.fixture(scope="module")
def drilled(watched):
    """One drill of four faults: with a fix, with none, with a Confirm that expects something else, with two pages."""
    command = [sys.executable, "-m", "synthprobe", "drill", "--stamp", "--workers", "0"]
    command += ["search_cached", "empty_200_schema_drift", "geocode_wrong_town", "search_no_index"]
    done = subprocess.run(command, cwd=watched, capture_output=True, text=True, timeout=500, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long
def test_the_fix_of_the_runbook_leads_to_green(drilled):
    assert "✓ search_cached: config, search-cached: confirmed, fixed by restore-setting, verified" in drilled[1]


@pytest.mark.long
def test_without_a_fix_the_drill_heals_and_says_so(drilled):
    sentence = "✓ empty_200_schema_drift: data, search-finds-nothing: confirmed, no fix: healed by the drill, verified"
    assert sentence in drilled[1]


@pytest.mark.long
def test_another_output_of_confirm_is_a_sentence(drilled):
    code, output = drilled
    assert code == 1
    assert "2 of 4 held." in output
    line, *_ = [line for line in output.splitlines() if line.startswith("✗")]
    assert line.startswith("✗ geocode_wrong_town: runbooks/place-in-another-town.md:")
    assert '"town":"Elsewhere" was expected in the output, and is not there. It printed: ' in line


@pytest.mark.long
def test_two_pages_that_fit_alike_are_a_sentence(drilled):
    sentence = "✗ search_no_index: search-slow-twin fits as well as search-slow-query; one page was expected."
    assert sentence in drilled[1]


@pytest.mark.long
def test_only_what_held_is_stamped_and_only_in_its_line(drilled, watched):
    revision = git(watched, "rev-parse", "--short=12", "HEAD").strip()
    seen, *stamped = git(watched, "diff", "--numstat").split("\n")[:-1]
    assert seen.endswith("\trunbooks/score-set.jsonl"), "what the drill saw is kept"
    assert stamped == [
        "1\t1\trunbooks/search-cached.md",
        "1\t1\trunbooks/search-finds-nothing.md",
    ]
    added = [line for line in git(watched, "diff", "-U0").splitlines() if line.startswith("+last_exercised")]
    assert len(added) == 2
    proved = read_runbook(watched / "runbooks" / "search-cached.md").last_exercised
    assert proved is not None
    assert proved.revision == revision


@pytest.mark.long
def test_a_drill_adds_nothing_to_the_memory_and_the_audit_of_the_project(drilled, watched):
    kept = {path.name for path in (watched / ".synthprobe").iterdir()}
    assert "runs" in kept
    assert not kept & {"audit.lock", "incidents"}
    with History.open(watched / ".synthprobe" / "history.db") as history:  # what journeys created stands in its ledger
        assert (history.observations("demo"), history.incidents(), history.audit_entries()) == ([], [], [])


@pytest.fixture
def place(centre, tmp_path):
    """A desk at the running centre, in a copy of this project."""
    config = read_config(ROOT)
    target = config.target("demo", base_url=centre.url)
    (tmp_path / "run").mkdir()
    variables = centre.system.environment(lambda name: Project(ROOT, config).secret(target, name))
    with desk(Project(ROOT, config), target, variables, tmp_path / "run") as made:
        yield made


def runbook(folder: Path, name: str, old: str = "", new: str = ""):
    text = (ROOT / "runbooks" / f"{name}.md").read_text()
    assert old in text
    (folder / f"{name}.md").write_text(text.replace(old, new))
    return read_runbook(folder / f"{name}.md")


def rerun(journeys):
    return dict.fromkeys(journeys, "passed")


def test_a_fix_that_is_switched_off_is_a_sentence(centre, place, tmp_path, monkeypatch):
    centre.fault("search_cached")
    monkeypatch.setenv("SYNTHPROBE_FIXES_OFF", "1")
    sentence = place.mend(runbook(tmp_path, "search-cached"), ["records-search"], rerun)
    assert sentence.startswith("The fix restore-setting was not applied. Fixes are switched off")


def test_a_fix_that_sees_nothing_to_do_is_a_sentence(place, tmp_path):
    sentence = place.mend(runbook(tmp_path, "search-cached"), ["records-search"], rerun)
    assert sentence == "The fix restore-setting sees nothing to do, although the fault is on."


def test_a_fix_gets_secrets_that_stand_where_no_journey_does(centre, tmp_path):
    centre.fault("search_cached")
    root, config = tmp_path / "project", read_config(ROOT)
    shutil.copytree(ROOT / "journeys" / "dispatch" / "accounts", root / "accounts")
    (root / "fixes").symlink_to(ROOT / "fixes")
    secrets = {path.name: f"file:accounts/{path.name}" for path in (root / "accounts").iterdir()}
    demo = replace(config.targets["demo"], secrets=secrets)
    project = Project(root, replace(config, targets={"demo": demo}))
    (tmp_path / "run").mkdir()
    with desk(project, project.config.target("demo", base_url=centre.url), {}, tmp_path / "run") as made:
        assert made.mend(runbook(tmp_path, "search-cached"), ["records-search"], rerun) == ""


def test_a_fix_that_does_not_exist_is_a_sentence(place, tmp_path):
    page = runbook(tmp_path, "search-cached", "fix: restore-setting", "fix: mend-all")
    assert "names the fix 'mend-all', and there is none" in place.mend(page, ["records-search"], rerun)


def test_journeys_that_stay_red_are_a_sentence(centre, place, tmp_path):
    centre.fault("search_cached")
    sentence = place.mend(
        runbook(tmp_path, "search-cached"), ["records-search"], lambda ids: dict.fromkeys(ids, "failed")
    )
    assert sentence.startswith("The fix restore-setting did not help:")
    assert "records-search: failed" in sentence


def test_a_verify_that_expects_nothing_is_a_sentence(place, tmp_path):
    page = runbook(tmp_path, "search-cached", "Expected: `/(?i)age: 0/`", "It says")
    assert "Verify of search-cached.md cannot be checked" in place.verify(page)


def test_a_probe_of_verify_that_is_not_green_is_a_sentence(place, tmp_path):
    page = runbook(tmp_path, "search-cached", "::test_a_person_and_a_plate_are_found", "::test_nobody_wrote_this")
    assert "the probe of Verify is not green: " in place.verify(page)


def test_a_token_that_is_printed_is_masked(place, tmp_path):
    page = runbook(tmp_path, "search-cached", "synthprobe runbook match", 'echo "$TOKEN"')
    token = place._environ["TOKEN"]
    sentence = place.confirm(page)
    assert "search-cached was expected in the output" in sentence
    assert token not in sentence


@pytest.mark.parametrize("drilled", ["search_cached", "empty_board"])
def test_a_centre_that_is_gone_is_a_sentence(drilled):
    gone = "http://127.0.0.1:9"
    config = read_config(ROOT)
    system = DispatchCentre(gone, gone, "", frozenset(DECOYS))
    drill = Drill(Project(ROOT, config), config.target("demo", base_url=gone), system, workers=0)
    (fault,) = (fault for fault in synthprobe_drill().faults if fault.name == drilled)
    with pytest.raises(ToolError, match=r"expected to run until the drill ends\. .*drill again"):
        drill.fault(fault) if fault.cause else drill.decoy(fault)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("last_exercised: never", 'last_exercised: {at: 2026-11-02, revision: "0123456789ab"}'),
        (
            "last_exercised: never  # by a drill",
            'last_exercised: {at: 2026-11-02, revision: "0123456789ab"}  # by a drill',
        ),
        (
            'last_exercised: {at: 2025-01-01, revision: "1e5"}',
            'last_exercised: {at: 2026-11-02, revision: "0123456789ab"}',
        ),
        (
            'last_exercised:\n  at: 2025-01-01\n  revision: "1e5"',
            'last_exercised: {at: 2026-11-02, revision: "0123456789ab"}',
        ),
    ],
    ids=["never", "comment", "inline", "block"],
)
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_stamp_changes_only_its_own_key(tmp_path, before, after, end):
    page = re.sub(
        "^last_exercised: .*$", "last_exercised: never", (ROOT / "runbooks/search-cached.md").read_text(), flags=re.M
    )
    text = page + "\nlast_exercised: in prose\n"
    path = tmp_path / "search-cached.md"
    path.write_bytes(text.replace("last_exercised: never", before, 1).replace("\n", end).encode())
    stamp(path, PROVED)
    assert path.read_bytes().decode() == text.replace("last_exercised: never", after, 1).replace("\n", end)
    if end == "\n":
        assert read_runbook(path).last_exercised == PROVED


def test_a_page_without_the_key_is_refused_and_stays_as_it_is(tmp_path):
    path = tmp_path / "page.md"
    path.write_text("---\nid: page\n---\n\nlast_exercised: never\n")
    with pytest.raises(ConfigurationError, match=r"page\.md has no line 'last_exercised"):
        stamp(path, PROVED)
    assert path.read_text() == "---\nid: page\n---\n\nlast_exercised: never\n"


def test_a_stamp_without_a_repository_is_refused_before_anything_is_drilled(tmp_path):
    shutil.copy(ROOT / "synthprobe.toml", tmp_path)
    command = [sys.executable, "-m", "synthprobe", "drill", "--stamp", "search_cached"]
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    done = subprocess.run(command, cwd=tmp_path, env=alone, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 2
    assert "Drill inside a repository" in done.stdout + done.stderr
