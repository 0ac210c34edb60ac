"""What a step looked like when it was well stands beside its failure, taken seldom and redacted."""

from __future__ import annotations

import base64
import json
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from synthprobe import loopback

JOURNEY = """
from synthprobe import step

def test_the_board_is_shown(page):
    with step("open the board"):
        page.goto("/")
    with step("read it"):
        with step("the number is there"):
            page.get_by_text("Number 7").wait_for(timeout=700)
"""
OF_TWO = """
from synthprobe import step

def test_two_users_see_it(page, browser, base_url):
    with step("both look"):
        page.goto("/always-blue")
        other = browser.new_context(base_url=base_url).new_page()
        other.goto("/")
    with step("the second reads it"):
        other.get_by_text("Number 7").wait_for(timeout=700)
"""


WARNED = """<div role=alert>Das Tor ist zu</div><div role=status>3 Zeilen</div>
<dialog open><h2>La sesión ha terminado</h2><button>Entrar</button></dialog>
<div role=dialog><h2>Nueva fila</h2><label>Nombre <input></label></div>
<label>Puerta <input aria-invalid=true aria-errormessage=e></label><p>Puerta</p><p id=e>No puede estar vacía</p>
<label>名前 <input aria-invalid=true></label> <i>名前を入力してください</i> <label>数 <input><i>任意</i></label>"""
USUAL = "<p>Stand 4711</p><p role=alert>Heute ist Probe</p>"
WARNINGS = ("Das Tor ist zu", "La sesión ha terminado", "No puede estar vacía", "名前を入力してください")


class Board(loopback.Handler):
    """A page whose colour and text can be broken."""

    is_well = True

    def do_GET(self) -> None:
        colour, text = ("#0a0", "Number 7") if self.is_well else ("#a00", "Nothing here")
        colour = "#00a" if self.path == "/always-blue" else colour
        page = f"<meta charset=utf-8><body style='background:{colour}'><h1>{text}</h1>{USUAL}"
        data = f"{page}<input type=password value=hush>{'' if self.is_well else WARNED}</body>".encode()
        self.answer(200, data, {"Content-Type": "text/html"})


@pytest.fixture
def board() -> Iterator[str]:
    Board.is_well = True
    server = ThreadingHTTPServer(("127.0.0.1", 0), Board)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(5)


def colour(chromium: Browser, image: str) -> list[int]:
    """The colour of a picture's corner, as a browser shows it."""
    page = chromium.new_page()
    page.set_content(f"<img src='{image}'>")
    page.locator("img").evaluate("image => image.decode()")
    found = page.locator("img").evaluate(
        """image => { const canvas = document.createElement("canvas"); canvas.width = canvas.height = 4;
        const drawn = canvas.getContext("2d"); drawn.drawImage(image, 0, 0);
        return [...drawn.getImageData(2, 2, 1, 1).data]; }"""
    )
    page.close()
    return list(found)


def data_of(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def test_a_failure_has_the_last_good_picture_of_its_step_and_what_differs(project, board, chromium):
    project.configure(board)
    project.journeys(JOURNEY)
    first = project.run("-p", "no:rerunfailures", folder="well")
    assert first.code == 0, first.output
    (index,) = project.root.glob(".synthprobe/last-good/demo/*/pictures.json")
    kept = json.loads(index.read_text())
    assert sorted(kept["files"]) == ["open the board", "read it", "read it › the number is there"]
    written = {path.name: path.stat().st_mtime_ns for path in index.parent.iterdir()}
    Board.is_well = False
    failed = project.run("-p", "no:rerunfailures", folder="broken")
    assert failed.code == 1, failed.output
    assert {path.name: path.stat().st_mtime_ns for path in index.parent.iterdir()} == written, "taken once a day"
    (result,) = failed.results.values()
    (page,) = result.facts.pages
    assert page.warnings == WARNINGS, "by role and by the field that it belongs to, in any language"
    assert 'heading "Nothing here" [level=1]' in page.unusual
    assert not {"paragraph: Stand 4711", "alert: Heute ist Probe"} & set(page.unusual), "they always stand there"
    assert "Stand" not in index.read_text(), "no text of a page is kept"
    shown = {kept.kind: kept for kept in result.evidence}
    assert shown["last-good"].title.startswith("last good: read it › the number is there, ")
    good, now = (data_of(failed.folder / shown[kind].path) for kind in ("last-good", "screenshot"))
    assert (colour(chromium, good)[:3], colour(chromium, now)[:3]) == ([0, 170, 0], [170, 0, 0])
    assert shown["image-diff"].media_type == "application/vnd.allure.image.diff"
    diff = json.loads((failed.folder / shown["image-diff"].path).read_text())
    assert (diff["expected"], diff["actual"]) == (good, now)
    assert colour(chromium, diff["diff"])[:3] == [170, 170, 0]
    with zipfile.ZipFile(failed.folder / shown["trace"].path) as archive:
        lines = [json.loads(line) for name in archive.namelist() if name.endswith(".trace")
                 for line in archive.read(name).splitlines()]  # fmt: skip
    begun = {line["callId"]: line for line in lines if line.get("type") == "before"}
    (sought,) = [line for line in begun.values() if line.get("method") == "waitForSelector"]
    titles = []
    while sought.get("parentId"):
        sought = begun[sought["parentId"]]
        titles.append(sought["title"])
    assert titles == ["the number is there", "read it"]
    assert "waterfall" in (failed.folder / "journal" / "main.jsonl").read_text()
    assert [(row.method, row.path, row.status) for row in result.waterfall][:1] == [("GET", "/", 200)]


def test_of_several_pages_the_picture_shows_the_one_that_broke(project, board, chromium):
    project.configure(board)
    project.journeys(OF_TWO)
    assert project.run("-p", "no:rerunfailures", folder="well").code == 0
    Board.is_well = False
    failed = project.run("-p", "no:rerunfailures", folder="broken")
    shown = {kept.kind: failed.folder / kept.path for kept in failed.results["test_two_users_see_it"].evidence}
    diff = json.loads(shown["image-diff"].read_text())
    assert diff["expected"] == data_of(shown["last-good"])
    assert [colour(chromium, diff[name])[:3] for name in ("expected", "actual")] == [[0, 170, 0], [170, 0, 0]]


def test_however_many_pages_are_open_as_many_steps_have_pictures(tmp_path):
    from synthprobe.browser.last_good import LastGood
    from synthprobe.journey.steps import Recorder, recording, step
    from synthprobe.records.journey import Journey

    def kept(folder, pages):
        good = LastGood(tmp_path / folder, "j", datetime(2026, 11, 2, tzinfo=UTC), lambda: [(b"a picture", ())] * pages)
        with recording(Recorder(Journey(id="j", node_id="t", title="j"), good)):
            for number in range(20):
                with step(f"step {number}"):
                    pass
        good.keep("", lambda _: True, str)
        return [number for number in range(20) if good_of(folder, number, pages)]

    def good_of(folder, number, pages):
        known = LastGood(tmp_path / folder, "j", datetime(2026, 11, 2, tzinfo=UTC), list)
        return known.of(f"step {number}", pages - 1)

    assert kept("one", 1) == kept("three", 3) != []


def test_pictures_are_taken_anew_after_a_day_and_for_a_new_build(tmp_path):
    from synthprobe.browser.last_good import LastGood
    from synthprobe.journey.steps import Recorder, recording, step
    from synthprobe.records.journey import Journey

    taken: list[str] = []
    now = datetime(2026, 11, 2, tzinfo=UTC)

    def walked(hours: float, build: str) -> int:
        good = LastGood(
            tmp_path, "j", now + timedelta(hours=hours), lambda: [(taken.append(build) or b"a picture", ())]
        )
        with recording(Recorder(Journey(id="j", node_id="j", title="j"), good)), step("look"):
            pass
        good.keep(build, lambda png: True, str)
        return len(taken)

    assert [walked(hours, "1") for hours in (0, 1, 23)] == [1, 1, 1]
    assert walked(24, "1") == 2
    assert [walked(25, "2"), walked(26, "2"), walked(27, "2")] == [2, 3, 3]
    seen = LastGood(tmp_path, "j", now, lambda: [(b"", ())]).of("look › closer")
    assert seen is not None
    assert (seen.step, seen.build, seen.png) == ("look", "2", b"a picture")
    broken = LastGood(tmp_path, "k", now, lambda: [(b"hush", ())])
    with recording(Recorder(Journey(id="k", node_id="k", title="k"), broken)), step("look"):
        pass
    broken.keep("", lambda png: b"hush" not in png, str)
    assert LastGood(tmp_path, "k", now, lambda: [(b"", ())]).of("look") is None
