"""Test data is gone afterwards, whatever happens to the run, and nothing else is touched."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy

from synthprobe import Api, ConfigurationError, Target, TestData, loopback
from synthprobe.errors import HistoryError
from synthprobe.evidence.redaction import Redactor
from synthprobe.history.store import History
from synthprobe.journey.kinds import Access, remove
from synthprobe.journey.sweeping import sweep as sweep_target
from synthprobe.records.testdata import LedgerEntry
from synthprobe.targets.target import TestDataKind

KIND = TestDataKind(find="/things?q={token}", delete="/things/{id}")


class Things:
    """A system that keeps things; ``refuses`` says which deletions it answers with 500, ``asked`` what it was asked."""

    def __init__(self) -> None:
        self.things: dict[str, dict[str, object]] = {}
        self.refuses: set[str] = set()
        self.keeps: set[str] = set()
        self.deleted: list[str] = []
        self.filters = True
        things = self

        class Handler(loopback.Handler):
            def answer(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                status, content = things.asked(self.command, self.path, json.loads(body) if body else {})
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(content).encode())

            do_GET = do_POST = do_DELETE = answer

        self._lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *args: None  # a child that was killed does not read its answer
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def asked(self, method: str, path: str, body: dict[str, object]) -> tuple[int, object]:
        with self._lock:
            parts = urlsplit(path)
            if method == "POST":
                name = f"t{len(self.things) + len(self.deleted)}"
                self.things[name] = {"id": name, **body}
                return 201, self.things[name]
            if method == "DELETE":
                name = parts.path.rsplit("/", 1)[1]
                if name in self.refuses:
                    return 500, {}
                self.deleted.append(name)
                if name not in self.keeps:
                    self.things.pop(name, None)
                return 200, {}
            wanted = parse_qs(parts.query)["q"][0]
            rows = [thing for thing in self.things.values() if not self.filters or wanted in str(thing.get("note"))]
            return 200, {"rows": rows, "total": len(rows)}


@pytest.fixture
def things():
    made = Things()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def target(things):
    return Target(base_url=things.url, name="here", testdata={"thing": KIND})


@pytest.fixture
def api(target):
    return Api(target, Redactor())


def make(api):
    return lambda token: api.post("/things", json={"note": f"synthetic {token}"}).expect(201).json["id"]


@pytest.fixture
def history(tmp_path):
    with History.open(tmp_path / "history.db") as opened:
        yield opened


@pytest.fixture
def new_data(target, history):
    return lambda **more: TestData(target, lambda: history, **more)


@pytest.fixture
def sweep(target, history, api, tmp_path):
    access = Access(api=lambda: api, page=lambda kind: None)
    return lambda **more: sweep_target(target, {}, history, lambda: access, lock=tmp_path / "sweep.lock", **more)


def left_open(history):
    return [entry.token for entry in history.entries("here")]


def later():
    return datetime.now(UTC) + timedelta(hours=1)


def test_objects_are_removed_in_reverse_order_and_every_entry_is_closed(things, new_data, api, history):
    data = new_data()
    made = [data.create("thing", make(api), api=api) for _ in range(3)]
    assert len(left_open(history)) == 3
    data.clear()
    assert things.deleted == made[::-1]
    assert things.things == {}
    assert left_open(history) == []
    closed = history.entries("here", since=datetime.now(UTC) - timedelta(hours=1))
    assert [(entry.how, entry.kind) for entry in closed] == [("removed", "thing")] * 3


def test_the_intent_is_on_the_disk_before_the_object_is_created(new_data, api, history, tmp_path):
    data, statements = new_data(), []

    def seen(connection, cursor, statement, *_):
        statements.append(statement)

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", seen)

    def see(token):
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", seen)
        begun = statements.index("BEGIN IMMEDIATE")
        assert "PRAGMA synchronous = FULL" in statements[:begun]
        assert any(statement.startswith("INSERT INTO ledger") for statement in statements[begun:])
        with History.open(tmp_path / "history.db") as another:
            assert left_open(another) == [token]
        raise RuntimeError("the create call broke")

    with pytest.raises(RuntimeError):
        data.create("thing", see, api=api)
    data.clear()
    assert left_open(history) == []


def test_what_cannot_be_removed_is_noted_and_does_not_keep_the_rest_f70(things, new_data, sweep, history, api):
    notes = []
    data = new_data(note=notes.append)
    made = [data.create("thing", make(api), api=api) for _ in range(3)]
    things.refuses = {made[1]}
    data.clear()
    assert set(things.things) == {made[1]}
    (note,) = notes
    assert note.startswith("Left behind: thing synthprobe-")
    assert "synthprobe sweep --target here" in note
    things.refuses = set()
    assert [swept.status for swept in sweep(now=later())] == ["removed"]
    assert things.things == {}


def test_a_deletion_is_believed_only_when_the_object_is_gone_f70(things, new_data, sweep, history, api):
    notes = []
    data = new_data(note=notes.append)
    things.keeps = {data.create("thing", make(api), api=api)}
    data.clear()
    assert "still found" in notes[0]
    assert len(left_open(history)) == 1


def test_a_kind_that_nobody_could_sweep_is_not_created(things, new_data, api):
    with pytest.raises(ConfigurationError, match=r"\[targets.here.testdata.person\]"):
        new_data().create("person", make(api), api=api)
    assert things.things == {}


def test_only_what_carries_the_token_itself_is_removed_f69(things, new_data, api):
    data = new_data()
    token = data.token("thing", api=api)
    things.filters = False  # a search that ignores what it is asked for
    for note in ("somebody's", "synthprobe-" + "0" * 32, f"holds {token}"):
        api.post("/things", json={"note": note}).expect(201)
    data.clear()
    assert [thing["note"] for thing in things.things.values()] == ["somebody's", "synthprobe-" + "0" * 32]


@pytest.mark.parametrize("token", ["", "synthprobe-", "HV-26-000001"])
def test_a_token_that_is_none_of_ours_removes_nothing(token, things, api):
    api.post("/things", json={"note": "somebody's HV-26-000001"})
    now = datetime.now(UTC)
    entry = LedgerEntry(token=token, kind="thing", target="here", run_id="", at=now, expires_at=now)
    with pytest.raises(ConfigurationError):
        remove(Access(api=lambda: api, page=lambda kind: None), KIND, entry)
    assert len(things.things) == 1


def test_a_sweep_waits_for_the_lease_keeps_to_its_cap_and_goes_on_after_an_error(things, new_data, sweep, api):
    killed = new_data()
    made = [killed.create("thing", make(api), api=api, lease="1ms") for _ in range(4)]
    running = new_data()
    used = running.create("thing", make(api), api=api, lease="10m")
    things.refuses = {made[-1]}  # the one that is tried first
    now = datetime.now(UTC) + timedelta(seconds=1)
    found = sweep(now=now, limit=3)
    assert sorted(swept.status for swept in found) == ["in use", "left", "not tried", "removed", "removed"]
    assert set(things.things) == {made[-1], made[0], used}
    things.refuses = set()
    assert {swept.status for swept in sweep(now=now)} == {"removed", "in use"}
    assert set(things.things) == {used}
    running.clear()
    assert sweep(now=later()) == []


def test_nothing_is_created_when_the_ledger_cannot_be_written(target, things, api, tmp_path):
    (tmp_path / "history.db").mkdir()
    data = TestData(target, lambda: History.open(tmp_path / "history.db"))
    with pytest.raises(HistoryError, match="Nothing was created, since a killed run would leave it for ever"):
        data.create("thing", make(api), api=api)
    assert things.things == {}


def test_entries_that_are_closed_go_after_a_while_and_open_ones_never(new_data, history, api, things):
    data = new_data()
    things.refuses = {data.create("thing", make(api), api=api)}
    data.create("thing", make(api), api=api)
    data.clear()
    removed = history.prune(datetime.now(UTC) + timedelta(days=13))
    assert removed["ledger"] == 0
    assert history.prune(datetime.now(UTC) + timedelta(days=15))["ledger"] == 1
    assert len(left_open(history)) == 1


KILLED = """
import os, signal, sys
from synthprobe import Api, TestData
from synthprobe.evidence.redaction import Redactor
from synthprobe.history.store import History
from synthprobe.targets.target import Target
from synthprobe.targets.target import TestDataKind

url, place = sys.argv[1:3]
kind = TestDataKind(find="/things?q={token}", delete="/things/{id}")
target = Target(base_url=url, name="here", testdata={"thing": kind})


def die():
    os.kill(os.getpid(), signal.SIGKILL)


class Api(Api):
    kills = 99

    def request(self, method, path, **options):
        if self.kills == 3 and method == "DELETE":
            die()
        answer = super().request(method, path, **options)
        if self.kills == 4 and method == "DELETE":
            die()
        return answer


def journey(when):
    api = Api(target, Redactor())
    api.kills = when
    history = History.open(place)
    data = TestData(target, lambda: history)

    def create(token):
        if when == 0:
            die()  # written down, never created
        made = api.post("/things", json={"note": "synthetic " + token}).expect(201)
        if when == 1:
            die()  # created, and nobody was told
        return made

    data.create("thing", create, api=api, lease="1ms")
    if when == 2:
        die()  # in the middle of the journey
    data.clear()


killed = 0
for number in range(int(sys.argv[3])):
    child = os.fork()
    if not child:
        journey(number % 5)
        os._exit(0)
    killed += os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
print(killed)
"""


def test_killed_in_each_way_one_sweep_leaves_nothing_and_touches_nothing_else_f69(
    things, sweep, history, api, tmp_path
):
    for number in range(20):
        api.post("/things", json={"note": f"somebody's, no. {number}"}).expect(201)
    others = dict(things.things)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, things.url, str(tmp_path / "history.db"), "25"],
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert done.stdout.strip() == "25", done.stderr
    assert len(left_open(history)) == 25
    assert len(things.things) == len(others) + 15  # 5 were never created, 5 deleted, but not closed
    found = sweep(now=datetime.now(UTC), limit=100)
    assert sorted(swept.status for swept in found) == ["gone"] * 10 + ["removed"] * 15
    assert things.things == others
    assert not [name for name in things.deleted if name in others]
    assert left_open(history) == []
