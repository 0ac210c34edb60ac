"""What is published, and what must never be."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import made_run
import msgspec
import pytest
from made_site import publish, serve

from synthprobe.errors import ReportError
from synthprobe.pipeline import read_verdict


def test_an_empty_run_makes_no_report_and_removes_the_old_one_f59(tmp_path: Path) -> None:
    made_run.write(tmp_path / "run", ())
    old = tmp_path / "site" / "runs" / "demo" / made_run.run().id / "allure"
    old.mkdir(parents=True)
    (old / "index.html").write_text("all green")
    warnings: list[str] = []
    page = publish([tmp_path / "run"], tmp_path / "site", allure=True, warn=warnings.append)
    assert not old.exists()
    assert [text for text in warnings if "no Allure results" in text]
    assert "There is no Allure report of this run" in page.read_text()


def test_without_allure_the_page_is_published_and_says_so_f59(tmp_path: Path, monkeypatch) -> None:
    made_run.write(tmp_path / "run")
    warnings: list[str] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    page = publish([tmp_path / "run"], tmp_path / "site", allure=True, warn=warnings.append)
    text = page.read_text()
    assert "There is no Allure report of this run. Allure 3.18.0 or a Node for it is not installed." in text
    assert "Open in Allure" not in text
    assert len(warnings) == 1


def test_publishing_again_shows_the_new_verdict_only(tmp_path: Path) -> None:
    made_run.write(tmp_path / "run")
    publish([tmp_path / "run"], tmp_path / "site")
    green = (made_run.verdict_of(made_run.journey("login", "A dispatcher signs in"), "passed"),)
    later = made_run.run("20261123T115000Z-c3d4", at=made_run.NOW + timedelta(minutes=1))
    made_run.write(tmp_path / "later", green, of=later)
    text = publish([tmp_path / "later"], tmp_path / "site").read_text()
    assert "The only journey passes on demo" in text
    assert "fails on demo" not in text
    status = json.loads((tmp_path / "site" / "status.json").read_text())
    assert [target["outcome"] for target in status["targets"]] == ["passed"]


def test_labelled_runs_of_one_target_stand_side_by_side_worst_first(tmp_path: Path) -> None:
    green = (made_run.verdict_of(made_run.journey("login", "A dispatcher signs in"), "passed"),)
    made_run.write(tmp_path / "healthy", green, of=made_run.run("20261123T110000Z-0001"))
    made_run.write(tmp_path / "faulty")
    labels = {tmp_path / "healthy": "healthy", tmp_path / "faulty": "faulty"}
    text = publish([tmp_path / "healthy", tmp_path / "faulty"], tmp_path / "site", labels=labels).read_text()
    assert text.index("fails on demo") < text.index("The only journey passes on demo")
    assert "(faulty)" in text
    assert "(healthy)" in text
    later = made_run.run("20261123T120000Z-0002", at=made_run.NOW + timedelta(minutes=1))
    made_run.write(tmp_path / "later", green, of=later)
    text = publish([tmp_path / "later"], tmp_path / "site").read_text()
    assert "fails on demo" not in text, "a labelled run gives way to a later one without a label"


def test_a_broken_history_costs_no_report(tmp_path: Path, allure: list[str]) -> None:
    made_run.write(tmp_path / "run")
    history = tmp_path / "state" / "demo" / "history.jsonl"
    history.parent.mkdir(parents=True)
    history.write_text('{"uuid": "1", "na\n')
    warnings: list[str] = []
    page = publish([tmp_path / "run"], tmp_path / "site", allure=True, warn=warnings.append)
    assert "Open in Allure" in page.read_text()
    assert warnings == [f"1 unreadable lines of the Allure history in {history} were dropped."]
    assert len(history.read_text().splitlines()) == 1


def test_a_page_that_lost_its_index_finds_the_runs_again_by_their_records(tmp_path: Path) -> None:
    for number in range(2):
        made_run.write(tmp_path / f"{number}", of=made_run.run(f"{number}", at=made_run.NOW + timedelta(number / 1440)))
    page, warnings = publish([tmp_path / "0"], tmp_path / "site"), list[str]()
    page.write_text("somebody else's page")
    (tmp_path / "site" / "runs" / "demo" / "0" / "damaged").mkdir()
    (tmp_path / "site" / "runs" / "demo" / "0" / "damaged" / "published.json").write_text("{")
    publish([tmp_path / "1"], tmp_path / "site", warn=warnings.append)
    listed = (tmp_path / "site" / "runs" / "index.html").read_text()
    assert [f"runs/demo/{number}/index.html" in listed for number in range(2)] == [True, True]
    assert len(warnings) == 2, "the record that cannot be read, and the page"
    assert any("damaged/published.json" in text for text in warnings)
    page.unlink()
    publish([tmp_path / "1"], tmp_path / "site")
    assert "runs/demo/0/index.html" in (tmp_path / "site" / "runs" / "index.html").read_text()


def test_evidence_outside_the_run_is_never_copied_f77(tmp_path: Path) -> None:
    verdict = made_run.write(tmp_path / "run")
    (tmp_path / "secret.png").write_bytes(b"secret")
    text = msgspec.json.encode(verdict).replace(b"evidence/call-intake/2/board.png", b"evidence/../../secret.png")
    (tmp_path / "run" / "verdict.json").write_bytes(text)
    publish([tmp_path / "run"], tmp_path / "site")
    assert not [path for path in (tmp_path / "site").rglob("*.png") if path.name == "secret.png"]


def test_a_run_without_a_verdict_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(ReportError, match="it is no run"):
        read_verdict(tmp_path / "run" / "verdict.json")
    with pytest.raises(ReportError, match="no page"):
        serve(tmp_path)
