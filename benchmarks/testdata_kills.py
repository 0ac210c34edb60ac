"""Test data of real systems when its journey is killed: is anything left behind, or anything said wrongly?

Objects are made at Django's admin, Node-RED, Datasette (queries that write) and a small server that only marks what was
deleted. Each journey is killed at one of five points, its own clean-up included; then one sweep must remove what is
ours, call gone what is gone, and leave what is somebody else's. Its exit code is 1 when it did not.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from synthprobe import Api, TestData
from synthprobe.config import read_config
from synthprobe.evidence.redaction import Redactor
from synthprobe.history.store import History
from synthprobe.journey.kinds import Access
from synthprobe.journey.sweeping import signed_in, sweep
from synthprobe.targets.secrets import Secret

TESTS = Path(__file__).parents[1] / "tests"
sys.path[:0] = [str(TESTS / "foreign"), str(TESTS / "journey")]
import foreign_systems  # noqa: E402 - found by the line above
from removable import SOFT, Systems  # noqa: E402

POINTS = ("before it was made", "made, not noted", "in the journey", "before it is deleted", "deleted, not noted")


class Place:
    """A system, what its kind of test data is in the configuration, and how an object is made and listed."""

    kind, table = "object", ""

    @contextmanager
    def started(self, folder: Path) -> Iterator[str]:
        raise NotImplementedError

    def make(self, api: Api, token: str) -> object:
        raise NotImplementedError

    def names(self, api: Api) -> list[str]:
        raise NotImplementedError


class Django(Place):
    table = f"""
[targets.here.testdata.object]
find = "/admin/auth/group/?q={{token}}"
shows = "Select group to change"
fields = '/admin/auth/group/(?P<id>[0-9]+)/change/'
look = "/admin/auth/group/{{id}}/delete/"
method = "POST"
sends = "form"
delete = "/admin/auth/group/{{id}}/delete/"
[targets.here.sweeper]
login = "/admin/login/"
sends = "form"
json = {{ username = "{foreign_systems.USER}", password = "secret:door" }}
"""

    @contextmanager
    def started(self, folder: Path) -> Iterator[str]:
        with foreign_systems.Django(KEPT).started(folder) as system:
            self._store = folder / "site.db"
            yield system.address

    def make(self, api: Api, token: str) -> object:
        form = api.get("/admin/auth/group/add/").expect(200)
        hidden = form.text.partition('csrfmiddlewaretoken" value="')[2].partition('"')[0]
        api.post("/admin/auth/group/add/", data={"name": f"Probe {token}", "csrfmiddlewaretoken": hidden}).expect(200)
        return None

    def names(self, api: Api) -> list[str]:
        with sqlite3.connect(self._store) as store:
            return sorted(name for (name,) in store.execute("select name from auth_group"))


class NodeRed(Place):
    table = f"""
[targets.here.testdata.object]
find = "/flows"
delete = "/flow/{{id}}"
[targets.here.sweeper]
login = "/auth/token"
json = {{ client_id = "node-red-admin", grant_type = "password", scope = "*", username = "{foreign_systems.USER}", \
password = "secret:door" }}
token = "access_token"
"""

    @contextmanager
    def started(self, folder: Path) -> Iterator[str]:
        with foreign_systems.NodeRed(KEPT).started(folder) as system:
            yield system.address

    def make(self, api: Api, token: str) -> object:
        return api.post("/flow", json={"label": f"Probe {token}", "nodes": [], "configs": []}).expect(200).json["id"]

    def names(self, api: Api) -> list[str]:
        return sorted(flow["label"] for flow in api.get("/flows").expect(200).json if flow["type"] == "tab")


class Notes(foreign_systems.Datasette):
    """Datasette with a table that two of its queries write to."""

    def prepare(self) -> None:
        with sqlite3.connect(self.data / "notes.db") as store:
            store.execute("create table notes (id integer primary key, name text)")
        queries = {
            "add": {"sql": "insert into notes (name) values (:name)", "write": True},
            "remove": {"sql": "delete from notes where id = :id", "write": True},
        }
        (self.data / "metadata.json").write_text(json.dumps({"databases": {"notes": {"queries": queries}}}))

    def command(self, port: int) -> list[str]:
        return [sys.executable, "-m", "datasette", "serve", "notes.db", "-m", "metadata.json", "-p", str(port)]


class Datasette(Place):
    table = """
[targets.here.testdata.object]
find = "/notes/notes.json?_shape=array&name__contains={token}"
method = "POST"
delete = "/notes/remove?_json=1"
body = { id = "{id}" }
"""

    @contextmanager
    def started(self, folder: Path) -> Iterator[str]:
        with Notes(KEPT).started(folder) as system:
            yield system.address

    def make(self, api: Api, token: str) -> object:
        api.post("/notes/add?_json=1", json={"name": f"Probe {token}"}).expect(200)
        return None

    def names(self, api: Api) -> list[str]:
        return sorted(note["name"] for note in api.get("/notes/notes.json?_shape=array&_size=max").expect(200).json)


class SoftDelete(Place):
    table = SOFT.replace("testdata.experiment", "testdata.object")

    @contextmanager
    def started(self, folder: Path) -> Iterator[str]:
        self._systems = Systems()
        yield self._systems.url
        self._systems.server.shutdown()

    def make(self, api: Api, token: str) -> object:
        return api.post("/soft/experiments", json={"name": f"Probe {token}"}).expect(201).json["id"]

    def names(self, api: Api) -> list[str]:
        return self._systems.alive


PLACES: dict[str, type[Place]] = {
    "django": Django, "node-red": NodeRed, "datasette": Datasette, "soft delete": SoftDelete,
}  # fmt: skip
KEPT = Path.home() / ".cache" / "synthprobe" / "foreign"


class Killed(Api):
    """A session that is killed before or after it deletes."""

    point = -1

    def request(self, method: str, path: str, **options: Any) -> Any:
        deletes = method != "GET" and self.point in {3, 4}
        if deletes and self.point == 3:
            die()
        answer = super().request(method, path, **options)
        if deletes:
            die()
        return answer


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def journey(root: Path, place: Place, point: int) -> None:
    """One journey, which does not come to its end."""
    target = read_config(root).target()
    api: Killed = signed_in(Killed(target, Redactor()), target.sweeper, secret)  # type: ignore[assignment]
    with History.open(root / "history.db") as history:
        data = TestData(target, lambda: history)

        def make(token: str) -> object:
            if point == 0:
                die()
            made = place.make(api, token)
            if point == 1:
                die()
            return made

        data.create("object", make, api=api, lease="1ms")
        if point == 2:
            die()
        api.point = point
        data.clear()


def secret(name: str) -> Secret:
    return Secret(foreign_systems.PASSWORD, name)


def kill(name: str, kills: int) -> tuple[list[str], list[str]]:
    """Kill journeys at one system: the row of the table, and what is wrong."""
    place = PLACES[name]()
    with tempfile.TemporaryDirectory(prefix="synthprobe-testdata-") as folder:
        root, home = Path(folder) / "project", Path(folder) / "system"
        root.mkdir()
        home.mkdir()
        os.environ["DOOR"] = foreign_systems.PASSWORD
        with place.started(home) as url:
            secrets = '[targets.here.secrets]\ndoor = "env:DOOR"\n'
            address = f'default_target = "here"\n[targets.here]\nbase_url = "{url}"\n'
            (root / "synthprobe.toml").write_text(address + secrets + place.table)
            target = read_config(root).target()
            api = signed_in(Api(target, Redactor()), target.sweeper, secret)
            for other in ("somebody's", "synthprobe-" + "0" * 32):
                place.make(api, other)
            before, killed = place.names(api), 0
            for number in range(kills):
                child = os.fork()
                if not child:
                    try:
                        journey(root, place, number % len(POINTS))
                    finally:
                        os._exit(1)
                killed += os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
            left = len(place.names(api)) - len(before)
            with History.open(root / "history.db") as history:
                access, now = Access(api=lambda: api, page=lambda kind: None), datetime.now(UTC) + timedelta(hours=1)
                found = sweep(target, {}, history, lambda: access, now=now, lock=root / "lock", limit=1000)
                statuses, opened = Counter(swept.status for swept in found), history.entries("here")
            after = place.names(api)
    wrong = [swept.detail for swept in found if swept.status not in {"gone", "removed"}]
    if statuses["removed"] != left or statuses["gone"] != kills - left:
        wrong.append(f"{left} were there and {kills - left} were not, and {dict(statuses)} was said")
    if killed != kills:
        wrong.append(f"{kills - killed} journeys were not killed where they should have been")
    if opened:
        wrong.append(f"{len(opened)} entries of the ledger stayed open")
    lost, kept = Counter(before) - Counter(after), Counter(after) - Counter(before)
    wrong += [f"{label} was somebody else's and is gone" for label in lost]
    wrong += [f"{label} was left behind" for label in kept]
    row = [
        name,
        killed,
        left,
        statuses["removed"],
        statuses["gone"],
        sum(kept.values()),
        sum(lost.values()),
        len(wrong),
    ]
    return [str(cell) for cell in row], wrong


def main() -> int:
    """Kill, sweep, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("systems", nargs="*", default=list(PLACES), help=f"of {', '.join(PLACES)}")
    parser.add_argument("--kills", type=int, default=25, help="journeys to kill at each system")
    given = parser.parse_args()
    columns = "system", "killed", "left by them", "removed", "gone", "left behind", "taken from others", "wrong"
    table, wrong = Table(*columns), []
    for name in given.systems:
        row, found = kill(name, given.kills)
        table.add_row(*row)
        wrong += [f"{name}: {mistake}" for mistake in found]
    Console(width=120).print(table, *wrong, sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
