"""Publishing before telling, at a folder: what is new and no more, and the alert leads to what was published."""

from __future__ import annotations

import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import made_site
import msgspec
import pytest
from msgspec.structs import replace
from test_afterwards import OVER, SEARCH, SIGN_IN, Heard, Project, heard, project

from synthprobe.alerts.outbox import Outbox
from synthprobe.config import PublishConfig, ReportConfig, read_config
from synthprobe.errors import ConfigurationError, ReportError
from synthprobe.firstline import runbook_pages
from synthprobe.pipeline.judging import read_verdict
from synthprobe.records.evidence import Evidence
from synthprobe.report import site as site_pages
from synthprobe.report.board import BoardData, BoardJourney, render_board
from synthprobe.report.index import read_index
from synthprobe.report.retention import Retention
from synthprobe.report.run_files import JudgedRun, Site
from synthprobe.report.site import publish
from synthprobe.report.store import FolderStore

ROOT = Path(__file__).parents[2]
__all__ = ["Heard", "Project", "heard", "project"]
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
TRACE = Evidence(kind="trace", title="trace", media_type="application/zip", path="evidence/sign-in/1/trace.zip")
SHOT = Evidence(kind="screenshot", title="end", media_type="image/png", path="evidence/sign-in/1/end.png")


@pytest.fixture
def place(project, tmp_path):
    """The folder that the project's runs are published at."""
    config = replace(project.config, publish=PublishConfig(url=(tmp_path / "www").as_uri()))
    project.config = replace(config, report=ReportConfig(site_url="https://watch.example/"))
    project.evidence = (TRACE, SHOT)
    return tmp_path / "www"


def lines_of(heard) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in heard.messages[-1]["message"].splitlines() if ": " in line)


def test_the_alert_leads_to_the_card_and_the_trace_that_were_published_before_it(project, heard, place):
    project.run(failing=(SIGN_IN,))
    page, _, anchor = lines_of(heard)["Report"].removeprefix("https://watch.example/").partition("#")
    assert page.startswith("runs/demo/")
    card = (place / page).read_text()
    assert f'id="{anchor}"' in card
    trace = unquote(unquote(lines_of(heard)["Trace"].partition("?trace=")[2])).removeprefix("../")
    assert (place / trace).read_bytes().startswith(b"PK")
    linked = re.findall(r'(?:href|src)="(\.\./[^"?#]+)', card)
    assert any("trace-viewer" in link for link in linked)
    assert any("evidence/" in link for link in linked)
    assert [link for link in linked if not (place / page).parent.joinpath(link).resolve().is_file()] == []
    assert (place / "index.html").is_file()
    (target,) = json.loads((place / "status.json").read_text())["targets"]
    assert (target["target"], target["outcome"]) == ("demo", "failed")


def test_what_is_not_plain_green_is_published_and_recoveries_and_one_green_run_an_hour(project, place):
    began = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)

    def published(minutes, **how):
        before = {entry.folder for entry in read_index(FolderStore(place))[0].runs}
        project.run(at=began + timedelta(minutes=minutes), **how)
        return {entry.folder for entry in read_index(FolderStore(place))[0].runs} != before

    assert [published(minutes) for minutes in (0, 5, 10)] == [True, False, False]
    assert published(15, weak=(OVER,)), "degraded"
    assert [published(minutes) for minutes in (20, 25)] == [True, False], "a recovery"
    assert [published(minutes) for minutes in (60, 65)] == [True, False]
    assert published(70, expected=1), "a journey without a result is unknown"


def test_a_folder_that_reports_are_made_in_as_well_knows_the_runs_of_both(project, place):
    began = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
    project.run(failing=(SIGN_IN,), at=began)
    project.run(at=began + timedelta(minutes=5))
    first = place / "index.html"
    links = re.findall(r'href="((?:runs|incidents|evidence)/[^"#]*)', first.read_text())
    assert [link for link in links if not (place / link).is_file()] == [], "a green run has no page of its own here"
    *_, green = sorted((project.root / ".synthprobe" / "runs" / "demo").iterdir())
    made_site.publish([green], place)
    assert [entry.whole for entry in read_index(FolderStore(place))[0].runs] == [False, True]
    listed = re.findall(r'href="\.\./(runs/[^"]*)', (place / "runs" / "index.html").read_text())
    assert len(listed) == 2
    assert [link for link in listed if not (place / link).is_file()] == []
    project.run(failing=(SIGN_IN,), at=began + timedelta(minutes=10))
    assert len(read_index(FolderStore(place))[0].runs) == 3


def test_a_second_run_writes_what_is_new_only(project, place, monkeypatch):
    written: list[str] = []
    put = FolderStore.put
    monkeypatch.setattr(FolderStore, "put", lambda store, path, data: (written.append(path), put(store, path, data))[1])
    runbook = project.root / "runbooks" / "search-page.md"
    runbook.parent.mkdir()
    runbook.write_bytes((ROOT / "runbooks" / "search-page.md").read_bytes())
    project.run(failing=(SIGN_IN,))
    assert sum(path.startswith("trace-viewer/") for path in written) > 5
    assert {"runbooks/index.html", "runbooks/search-page.html"} <= set(written)
    assert sum(path.startswith("evidence/") for path in written) == 2
    written.clear()
    project.run(failing=(SIGN_IN,))
    of_incidents = [path for path in written if path.startswith("incidents/")]
    assert [path.rpartition("/")[2] for path in written if path not in of_incidents] == [
        "index.html", "status.json", "index.html",
    ]  # fmt: skip
    assert len(of_incidents) == 2, "the page of the incident that is seen once more, and the list"
    assert written[-1] == "index.html", "the first page is last"
    assert sum((place / path).stat().st_size for path in set(written)) < 200_000
    with monkeypatch.context() as patch:
        patch.setattr(runbook_pages, "render", lambda *_, **more: pytest.fail("a page was made that stands already"))
        for minutes, most in ((0, 4), (60, 4), (120, 2)):  # until its end the incident's page changes, and the list
            written.clear()
            project.run(at=datetime.now(UTC) + timedelta(minutes=minutes))
            assert len(written) <= most
    runbook.write_text(runbook.read_text().replace("## Impact", "## Impact\n\nAsk by radio.", 1))
    project.run(failing=(SIGN_IN,))
    assert "Ask by radio." in (place / "runbooks" / "search-page.html").read_text()


def test_board_and_measures_made_here_stand_beside_the_runs_once_and_lead_nowhere_that_is_not_there(
    project, place, monkeypatch
):
    written: list[str] = []
    put = FolderStore.put
    monkeypatch.setattr(FolderStore, "put", lambda store, path, data: (written.append(path), put(store, path, data))[1])
    link = "runs/demo/old/allure/index.html#a"
    shown = BoardData(
        target="demo",
        made_at=datetime.now(UTC),
        window_days=7,
        journeys=(BoardJourney(id=SIGN_IN.id, title="Sign in", link=link),),
    )
    made = render_board(shown, project.root / ".synthprobe" / "site")
    pages = {f"board/demo/{file.name}" for file in made.parent.iterdir()}
    assert any(link in file.read_text() for file in made.parent.iterdir())
    project.run(failing=(SIGN_IN,))
    assert pages <= set(written)
    assert 'href="board/demo/index.html"' in (place / "index.html").read_text()
    for path in pages:
        linked = re.findall(r'href="([^"#]+)', (place / path).read_text())
        assert [
            to for to in linked if not to.startswith("data:") and not (place / path).parent.joinpath(to).exists()
        ] == []
    written.clear()
    project.run(failing=(SIGN_IN,))
    assert not pages & set(written)


def test_what_cannot_be_published_costs_the_link_and_nothing_else_and_is_published_later_f61(project, heard, place):
    place.write_text("a file, where a folder was expected")
    verdict = project.run(failing=(SIGN_IN,))
    assert any("cannot be written" in note for note in verdict.notes)
    lines = lines_of(heard)
    assert "Report" not in lines
    assert "Trace" not in lines
    assert lines["Evidence local only"].startswith(".synthprobe/runs/demo/run-001")
    assert heard.beats == ["success"]
    place.unlink()
    project.run(failing=(SIGN_IN,))
    index, _ = read_index(FolderStore(place))
    assert [entry.folder for entry in index.runs] == ["runs/demo/run-001", "runs/demo/run-002"]


def test_an_alert_waits_no_longer_than_publishing_may_take(project, heard, place, monkeypatch):
    end = threading.Event()
    monkeypatch.setattr(FolderStore, "get", lambda *_: end.wait(20))
    project.config = replace(project.config, publish=replace(project.config.publish, timeout_s=0.3))
    verdict = project.run(failing=(SIGN_IN,))
    end.set()
    assert any("Publishing at file://" in note and "given up" in note for note in verdict.notes)
    assert "Evidence local only" in lines_of(heard)


def test_a_message_is_written_down_before_anything_is_published(project, heard, place, monkeypatch):
    def dies(*_, **_more):
        raise KeyboardInterrupt

    monkeypatch.setattr(site_pages, "read_index", dies)
    with pytest.raises(KeyboardInterrupt):
        project.run(failing=(SIGN_IN,))
    monkeypatch.undo()
    assert heard.messages == []
    with Outbox(project.root / ".synthprobe" / "history.db") as outbox:
        assert [letter.is_waiting for letter in outbox.letters()] == [True]
    project.run()
    assert heard.messages, "the next run sends it"


def test_without_an_address_on_the_web_the_alert_says_how_the_place_is_opened(project, heard, place):
    project.config = replace(project.config, report=ReportConfig())
    project.run(failing=(SIGN_IN,))
    assert lines_of(heard)["Report"] == f"synthprobe serve {place.as_uri()}"


@pytest.fixture
def run(project, place):
    """A failing run, by whatever name and target."""
    project.config = replace(project.config, publish=PublishConfig())
    verdict = project.run(failing=(SIGN_IN, SEARCH))
    folder = project.root / ".synthprobe" / "runs" / "demo" / verdict.run.id

    def called(name: str, target: str = "demo", minutes: int = 0):
        at = verdict.run.started_at + timedelta(minutes=minutes)
        run = replace(verdict.run, id=name, target=target, started_at=at)
        return JudgedRun(folder=folder, verdict=replace(verdict, run=run))

    return called


def test_publishers_at_once_lose_nothing(run, place):
    together = threading.Barrier(3)

    def publish_two(number: int) -> None:
        together.wait()
        for turn in range(2):
            name = f"run-{number}-{turn}"
            publish(FolderStore(place), [run(name, f"target-{number}")], Site(), datetime.now(UTC))

    threads = [threading.Thread(target=publish_two, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    index, _ = read_index(FolderStore(place))
    assert sorted(entry.folder for entry in index.runs) == sorted(
        f"runs/target-{number}/run-{number}-{turn}" for number in range(3) for turn in range(2)
    )
    page, status = (place / "index.html").read_text(), json.loads((place / "status.json").read_text())
    assert {found["target"] for found in status["targets"]} == {f"target-{number}" for number in range(3)}
    assert all(f'data-target="target-{number}"' in page for number in range(3))


def test_the_store_is_pruned_and_what_a_killed_publisher_left_is_swept(run, place):
    store, now = FolderStore(place), datetime.now(UTC)
    site = Site(retention=Retention(runs=2))
    for number in range(5):
        publish(store, [run(f"run-{number}", minutes=number)], site, now)
    assert sorted(path.name for path in (place / "runs" / "demo").iterdir()) == ["run-3", "run-4"]
    left = place / "evidence" / "left.zip"
    left.write_bytes(b"")
    publish(store, [run("run-5", minutes=5)], site, now + timedelta(hours=23))
    assert left.exists()
    publish(store, [run("run-6", minutes=6)], site, now + timedelta(hours=50))
    assert not left.exists()
    assert len(list((place / "evidence").iterdir())) == 2, "what a run names stays"


class Open(FolderStore):
    def is_open(self, path: str) -> bool:
        return True


def test_production_is_not_published_where_strangers_are_answered(run, place):
    store, now = Open(place), datetime.now(UTC)
    with pytest.raises(ReportError, match="answers without credentials, and shop is production. Nothing was published"):
        publish(store, [run("run-1", "shop")], Site(), now, must_be_private=True)
    assert not place.exists()
    assert publish(store, [run("run-1", "shop")], Site(), now) is not None


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://host/place", "s3://BUCKET/PREFIX, gs://"),
        ("/srv/site", "s3://BUCKET/PREFIX, gs://"),
        ("file://srv/site", "three slashes"),
        ("s3:///prefix", "The bucket's name is missing"),
        ("s3://key:secret@bucket/x", "neither user, password"),
    ],
)
def test_a_place_that_cannot_be_used_is_a_sentence(tmp_path, url, sentence):
    (tmp_path / "synthprobe.toml").write_text(f'[publish]\nurl = "{url}"\n')
    with pytest.raises(ConfigurationError, match=rf"synthprobe.toml:2 has publish.url .*{sentence}"):
        read_config(tmp_path, {})


def test_a_verdict_is_not_changed_by_what_is_left_out_of_the_page(run, place):
    folder = run("run-1").folder
    before = msgspec.json.encode(read_verdict(folder / "verdict.json"))
    publish(FolderStore(place), [run("run-1")], Site(), datetime.now(UTC))
    assert msgspec.json.encode(read_verdict(folder / "verdict.json")) == before
