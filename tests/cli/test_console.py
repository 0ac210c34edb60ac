"""What people read at a console: the very text, at 80 and at 200 columns, without colour, as a log shows it."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from texts import compare

from synthprobe import loopback
from synthprobe.cli.terminal import print_markdown
from synthprobe.firstline.runbook_pages import as_followed
from synthprobe.firstline.shelf import read_runbooks
from synthprobe.records.journey import Journey
from synthprobe.records.result import Progress
from synthprobe.report.live_line import RunProgress

JOURNEYS = """
import pytest
from synthprobe import Api, step

@pytest.mark.journey(id="orders", owner="shop", runbook="orders-page")
def test_orders(api: Api):
    with step("list the orders"):
        api.get("/orders").expect(200)

@pytest.mark.journey(id="stock")
def test_stock(api: Api):
    with step("read the stock of a product"):
        api.get("/stock").expect(200).json_has(state="in stock")

@pytest.mark.journey(id="basket")
def test_basket(api: Api):
    with step("fill the basket"):
        api.get("/slow").expect(200)
        {}["no such key"]

@pytest.mark.journey(id="home")
def test_home(api: Api):
    with step("open the home page"):
        api.get("/").expect(200)

@pytest.mark.journey(id="wishes")
def test_wishes():
    pytest.skip("not built yet")
"""


class Shop(loopback.Handler):
    """A shop whose orders are broken, and whose stock is wrong."""

    def do_GET(self) -> None:
        if self.path == "/slow":
            self.server.pause.wait(0.6)  # type: ignore[attr-defined]
        body = b'{"state": "sold out"}'
        self.answer(500 if self.path == "/orders" else 200, body, {"Content-Type": "application/json"})


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Path]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    server.pause = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = tmp_path_factory.mktemp("shop")
    (root / "journeys").mkdir()
    (root / "journeys" / "test_shop.py").write_text(JOURNEYS)
    (root / "synthprobe.toml").write_text(
        f'second_attempts = 0\n[targets.demo]\nbase_url = "http://127.0.0.1:{server.server_port}"\n'
    )
    yield root
    server.shutdown()
    server.server_close()


def typed(root: Path, *words: str, columns: int = 80) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "COLUMNS": str(columns), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=root, capture_output=True, text=True, timeout=250, check=False, env=environ
    )


def test_a_failing_run_has_six_lines_a_failure_and_one_json_document(shop):
    ran = typed(shop, "synthprobe", "run", "--json")
    compare(ran.stderr, "failing_run.txt")
    document = json.loads(ran.stdout)
    kept = json.loads(next(shop.glob(".synthprobe/runs/demo/*/verdict.json")).read_text())
    assert (document["exit_code"], ran.returncode, document["nothing_run"]) == (1, 1, "")
    assert {key: document[key] for key in kept} == kept
    assert (shop / document["folder"] / "verdict.json").exists()
    for columns in (80, 200):
        compare(typed(shop, "synthprobe", "incident", "list", columns=columns).stdout, f"incident_list_{columns}.txt")
    assert typed(shop, "synthprobe", "incident", "list", columns=0).stdout, "a terminal that says it has no width"


def test_a_run_whose_output_is_closed_is_judged(shop, shell_environ):
    command = f"{sys.executable} -m synthprobe run <&- >&- 2>&-"
    ran = subprocess.run(["sh", "-c", command], cwd=shop, env={**os.environ, **shell_environ}, timeout=250, check=False)
    assert ran.returncode == 1


def test_pytest_says_the_same_on_a_terminal_with_a_bar_while_it_runs(shop):
    leader, follower = pty.openpty()
    environ = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    child = subprocess.Popen(
        [sys.executable, "-m", "pytest", "journeys", "-p", "no:cacheprovider"],
        cwd=shop,
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        env=environ,
    )
    os.close(follower)
    seen = b""
    try:
        while piece := os.read(leader, 65536):
            seen += piece
    except OSError:  # the other side is closed
        pass
    finally:
        os.close(leader)
    assert child.wait(timeout=250) == 1
    shown = seen.decode()
    assert re.search(r"2/5 · basket: fill the basket · \d+ s", shown)
    last = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.rpartition("\x1b[?25h")[2]).replace("\r", "")
    compare(last, "failing_session.txt")


def test_verbose_brings_back_pytests_own_reporter_without_our_frames(shop):
    ran = typed(shop, "pytest", "-v", "-p", "no:cacheprovider", "journeys/test_shop.py::test_orders")
    assert "test_orders FAILED" in ran.stdout
    assert "short test summary info" in ran.stdout
    assert "journeys/test_shop.py:8: in test_orders" in ran.stdout
    assert not re.search(r"response\.py:\d+: in ", ran.stdout)


@pytest.mark.parametrize("columns", [80, 200])
def test_doctor_has_a_line_for_each_tool_and_each_finding(shop, columns):
    shown = typed(shop, "synthprobe", "doctor", columns=columns).stdout
    tools = re.sub(r"^(browser|node|allure|driver|versions) .*$", r"\1 WHICH", shown, flags=re.MULTILINE)
    compare(tools, f"doctor_{columns}.txt")


@pytest.mark.parametrize("columns", [80, 200])
def test_the_help_is_one_screen(tmp_path, columns):
    compare(typed(tmp_path, "synthprobe", "--help", columns=columns).stdout, f"help_{columns}.txt")


def test_progress_names_the_journey_that_has_been_running_longest(tmp_path):
    began = datetime(2026, 11, 2, 12, tzinfo=UTC)
    (tmp_path / "progress").mkdir()
    progress = RunProgress(tmp_path)
    progress.look()
    assert progress.line(began) == "collecting journeys"
    names = ("home", "basket", "orders")
    journeys = [Journey(id=name, node_id=name, title=name) for name in names]
    (tmp_path / "collected.json").write_bytes(msgspec.json.encode(journeys))

    def write(worker: str, *notes: Progress) -> None:
        with (tmp_path / "progress" / f"{worker}.jsonl").open("ab") as file:
            file.writelines(msgspec.json.encode(note) + b"\n" for note in notes)

    def note(name: str, at_s: float, step: str = "", *, attempt: int = 1, ended: bool = False) -> Progress:
        at = began + timedelta(seconds=at_s)
        return Progress(journey=name, attempt=attempt, step=step, at=at, ended=ended)

    write("gw0", note("canary-must-fail", 0), note("home", 0), note("home", 1, ended=True), note("basket", 1))
    write("gw1", note("orders", 2, "list the orders"))
    progress.look()
    assert progress.line(began + timedelta(seconds=15)) == "1/3 · basket · 14 s"
    write("gw0", note("basket", 16, ended=True))
    progress.look()
    assert progress.line(began + timedelta(seconds=30)) == "2/3 · orders: list the orders · 28 s"
    write("gw0", note("basket", 31, "fill it", attempt=2))
    write("gw1", note("orders", 32, ended=True))
    progress.look()
    assert progress.line(began + timedelta(seconds=40)) == "2/3 · basket: fill it · 9 s", "a second attempt is not over"


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_no_runbook_loses_a_word_however_narrow_the_console_is(columns):
    root = Path(__file__).parents[2]
    shelf = read_runbooks(root / "runbooks", root)
    assert len(shelf.runbooks) > 30
    for runbook in shelf.runbooks:
        page, printed = as_followed(runbook), io.StringIO()
        print_markdown(Console(file=printed, width=columns, markup=False, emoji=False, highlight=False), page)
        blocks = re.findall(r"^ *```\w*\n(.*?)^ *```", page, re.MULTILINE | re.DOTALL)
        commands = [line for block in blocks for line in block.splitlines() if line.strip()]
        lines = printed.getvalue().splitlines()
        assert [line for line in commands if f"  {line.rstrip()}" not in lines] == [], runbook.id
        kept = "".join(re.sub(r"^ *```.*$|^#+ |`", "", page, flags=re.MULTILINE).split())
        assert "".join(printed.getvalue().replace("`", "").split()) == kept, runbook.id


def test_a_runbook_is_shown_whole_by_the_command():
    shown = typed(Path(__file__).parents[2], "synthprobe", "runbook", "show", "search-slow-query")
    compare(shown.stdout, "runbook_show_80.txt")
