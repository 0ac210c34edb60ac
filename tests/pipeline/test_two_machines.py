"""Two machines that look at one target at the same moment and share a history: one incident, and one page."""

import json
import os
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer

import pytest

from synthprobe import loopback
from synthprobe.history.store import History
from synthprobe_demo.postgres import running_postgres

RUN = [sys.executable, "-m", "synthprobe", "run", "--slot", "now"]
LIST = [sys.executable, "-m", "synthprobe", "incident", "list", "--json"]


@pytest.fixture(scope="module")
def database():
    with running_postgres("full_page_writes=off", "synchronous_commit=off") as started:
        yield started.url().replace("postgresql:", "postgresql+psycopg:")


@pytest.fixture
def pager():
    pages: list[str] = []

    class Handler(loopback.Handler):
        def do_POST(self) -> None:
            pages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["title"])
            self.send_response(200)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"json://127.0.0.1:{server.server_port}/", pages
    server.shutdown()
    server.server_close()


def test_one_cause_is_one_incident_and_one_page_though_two_machines_see_it_at_once(
    new_project, tmp_path, database, pager
):
    environ = {**os.environ, "PAGER": pager[0], "HISTORY": database}
    roots = [tmp_path / name for name in ("fra", "iad")]
    for root in roots:
        root.mkdir()
        project = new_project(root)
        project.journeys("def test_buy(api):\n    api.get('/buy').expect(200)\n")
        (root / "synthprobe.toml").write_text(
            f'location = "{root.name}"\nsecond_attempt_delay_s = 0\n[history]\nurl = "env:HISTORY"\n'
            '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n[[alerts.routes]]\nname = "all"\nto = ["env:PAGER"]\n'
        )
    with History.open(tmp_path / "first.db", shared=database) as history:  # so that no machine makes the tables
        assert history.available
    runs = [subprocess.Popen(RUN, cwd=root, env=environ, stdout=subprocess.DEVNULL) for root in roots]
    assert [run.wait(timeout=250) for run in runs] == [1, 1]
    listed = subprocess.run(LIST, cwd=roots[0], env=environ, capture_output=True, text=True, timeout=250, check=True)
    (incident,) = json.loads(listed.stdout)["incidents"]
    assert incident["state"] == "open"
    assert len(pager[1]) == 1, pager[1]


def test_who_waits_for_another_machine_waits_no_longer_than_it_may(tmp_path, database):
    first, second = (History.open(tmp_path / f"{name}.db", shared=database) for name in ("a", "b"))
    entered: list[str] = []
    with first.alone("incidents"):
        waiting = threading.Thread(target=lambda: _enter(second, entered, 30), daemon=True)
        waiting.start()
        _enter(second, entered, 0.1)  # it gives up, and goes on all the same
        assert entered == ["0.1"]
    waiting.join(20)
    assert entered == ["0.1", "30"]
    for history in (first, second):
        history.close()


def _enter(history: History, entered: list[str], within_s: float) -> None:
    with history.alone("incidents", within_s):
        entered.append(f"{within_s:g}")
