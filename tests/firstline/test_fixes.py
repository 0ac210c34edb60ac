"""Fixes keep the rules of safety, and end real faults of the dispatch centre through its own API."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from filelock import FileLock

from synthprobe import loopback
from synthprobe.errors import AuditError, FixRefused
from synthprobe.evidence.redaction import Redactor
from synthprobe.firstline import fixes
from synthprobe.firstline.applying import FixDesk
from synthprobe.firstline.audit import AuditEntry, RecordedAudit
from synthprobe.firstline.fixes import Plan, fix
from synthprobe.firstline.identity import Actor
from synthprobe.firstline.policy import FixesConfig
from synthprobe.history.store import History
from synthprobe.records.incident import Incident, IncidentEvent
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Target

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)
ANNA, BEN = Actor("first-line", "desk 4"), Actor("supervisor", "desk 9")
PASSWORDS = {
    name: (ROOT / "journeys" / "dispatch" / "accounts" / name).read_text().strip()
    for name in ("supervisor", "admin", "dispatcher1")
}


class World:
    """A target that is broken until it is mended."""

    def __init__(self) -> None:
        self.broken, self.mended, self.undone, self.helps = True, 0, 0, True


@pytest.fixture
def world() -> World:
    fixes._registered.clear()
    return World()


@pytest.fixture
def mend(world):
    def make(**options):
        fixes._registered.clear()
        undo = not options.get("irreversible")

        @fix("mend", title="Mend it", **{"roles": ("first-line",), "writes": (), "per_hour": 9, **options})
        def repair(work):
            return Plan(seen="It is broken.", steps=("mend it",), touches=("it",)) if world.broken else None

        @repair.applies
        def _(work):
            world.mended += 1
            world.broken = not world.helps
            return "Mended."

        @repair.checks
        def _(work):
            assert not world.broken, "it is still broken"
            return "Seen mended."

        if undo:

            @repair.undoes
            def _(work):
                world.undone += 1
                return "Taken back."

        return repair

    return make


@pytest.fixture
def incident() -> Incident:
    return Incident(
        id="I-1", target="demo", kind="failing", state="open", fingerprint="v1:a", signature="s", title="t",
        opened_at=NOW, first_seen_at=NOW, last_seen_at=NOW, journeys=("j",),
    )  # fmt: skip


def recorded(folder: Path, **more: object) -> RecordedAudit:
    return RecordedAudit(lambda: History.open(folder / "history.db"), folder, **more)


def rewritten(folder: Path, change: Callable[[list[str]], list[str]]) -> None:
    """The rows of the audit, changed by somebody who may do anything with the file."""
    with closing(sqlite3.connect(folder / "history.db", isolation_level=None)) as store:
        for act in ("update", "delete"):
            store.execute(f"DROP TRIGGER IF EXISTS audit_refuses_{act}")
        rows = change([body for (body,) in store.execute("SELECT body FROM audit ORDER BY no")])
        store.execute("DELETE FROM audit")
        store.executemany("INSERT INTO audit (body) VALUES (?)", [(row,) for row in rows])


@pytest.fixture
def desk(tmp_path, incident, world) -> FixDesk:
    def record(id: str, event: IncidentEvent) -> None:
        with (tmp_path / f"{id}.jsonl").open("ab") as file:
            file.write(msgspec.json.encode(event) + b"\n")

    return FixDesk(
        config=FixesConfig(),
        target=Target(name="demo", base_url="http://127.0.0.1:9"),
        folder=tmp_path,
        audit=recorded(tmp_path),
        rerun=lambda journeys: dict.fromkeys(journeys, "failed" if world.broken else "passed"),
        record=record,
        secret=lambda name: Secret(PASSWORDS[name], name),
        redactor=Redactor(),
        environ={},
        now=lambda: NOW,
    )


@pytest.fixture
def counting():
    """A target that answers 200 to everything, and says what it was asked."""

    class Handler(loopback.Handler):
        def do_DELETE(self):
            server.seen.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.seen, server.url = [], f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        yield server
        server.shutdown()


def events(desk: FixDesk) -> list[str]:
    return [entry.event for entry in desk.audit.entries()]


def again(world: World) -> None:
    world.broken = True


def test_01_dry_run_by_default(desk, mend, incident, world):
    done = desk.apply(mend(), incident, ANNA)
    assert (done.changed, world.mended, events(desk)) == (False, 0, ["planned"])
    assert "nothing was changed" in done.text


def test_02_precondition_is_observed_now(desk, mend, incident, world):
    repair = mend()
    assert desk.plan(repair, incident) is not None
    world.broken = False
    assert not desk.apply(repair, incident, ANNA, really=True).changed
    assert world.mended == 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"last_seen_at": NOW - timedelta(minutes=16)}, "16 min ago; at most 15"),
        ({"state": "resolved"}, "is resolved"),
        ({"target": "production"}, "is of target 'production'"),
    ],
)
def test_03_stale_evidence_is_refused(desk, mend, incident, world, change, sentence):
    with pytest.raises(FixRefused, match=sentence):
        desk.apply(mend(), msgspec.structs.replace(incident, **change), ANNA, really=True)
    assert (world.mended, events(desk)) == (0, ["refused"])


def test_04_idempotent(desk, mend, incident, world):
    repair = mend()
    assert desk.apply(repair, incident, ANNA, really=True).changed
    assert not desk.apply(repair, incident, ANNA, really=True).changed
    assert world.mended == 1


def test_05_blast_radius(desk, mend, incident, world):
    repair = mend()
    repair.plan = lambda work: Plan(seen="Much.", steps=("all",), touches=("a", "b"))
    with pytest.raises(FixRefused, match="would change 2 objects; at most 1"):
        desk.apply(repair, incident, ANNA, really=True)
    assert world.mended == 0


def test_06_rate_limit_outlives_the_process_and_fails_closed(desk, mend, incident, world, tmp_path):
    repair = mend(per_hour=1)
    desk.apply(repair, incident, ANNA, really=True)
    again(world)
    fresh = replace(desk, audit=recorded(tmp_path))
    with pytest.raises(FixRefused, match="1 times in the last hour; at most 1"):
        fresh.apply(repair, incident, ANNA, really=True)
    rewritten(tmp_path, lambda rows: ["{}", *rows])
    with pytest.raises(AuditError, match="Line 1"):
        fresh.apply(repair, incident, ANNA, really=True)
    assert world.mended == 1


def test_06_an_apply_that_failed_counts_as_well(desk, mend, incident, world):
    repair, world.helps = mend(per_hour=1), False
    assert not desk.apply(repair, incident, ANNA, really=True).ok
    with pytest.raises(FixRefused, match="1 times in the last hour"):
        desk.apply(repair, incident, ANNA, really=True)
    assert world.mended == 1


def test_07_an_apply_that_never_ended_counts_as_failed(desk, mend, incident, world):
    for hours in (3, 2):
        desk.audit.append(
            AuditEntry(
                at=NOW - timedelta(hours=hours), event="applying", fix="mend", target="demo", incident="I-1",
                role="first-line", who="killed",
            )
        )  # fmt: skip
    with pytest.raises(FixRefused, match="failed 2 times in a row"):
        desk.apply(mend(), incident, ANNA, really=True)
    assert world.mended == 0


def test_07_circuit_breaker(desk, mend, incident, world):
    repair, world.helps = mend(), False
    for _ in range(2):
        assert not desk.apply(repair, incident, ANNA, really=True).ok
    with pytest.raises(FixRefused, match="failed 2 times in a row"):
        desk.apply(repair, incident, ANNA, really=True)
    assert world.mended == 2


@pytest.mark.parametrize("how", ["variable", "file"])
def test_07_kill_switch(desk, mend, incident, world, tmp_path, how):
    if how == "file":
        (tmp_path / "fixes-off").touch()
    else:
        desk = replace(desk, environ={"SYNTHPROBE_FIXES_OFF": "1"})
    with pytest.raises(FixRefused, match="switched off"):
        desk.apply(mend(), incident, ANNA, really=True)
    assert world.mended == 0


def test_08_one_at_a_time(desk, mend, incident, world, tmp_path):
    with FileLock(tmp_path / "fixes-demo.lock"), pytest.raises(FixRefused, match="Another fix"):
        desk.apply(mend(), incident, ANNA, really=True)
    assert (world.mended, events(desk)) == (0, ["refused"])


def test_09_an_incident_without_journeys_proves_nothing(desk, mend, incident):
    done = desk.apply(mend(), msgspec.structs.replace(incident, journeys=()), ANNA, really=True)
    assert not done.ok
    assert "the incident names none" in done.text


@pytest.mark.parametrize("outcomes", [{"j": "failed"}, {"j": "degraded"}, {"j": "unknown"}, {}])
def test_09_verified_by_running_the_journey_again(desk, mend, incident, outcomes):
    done = replace(desk, rerun=lambda journeys: outcomes).apply(mend(), incident, ANNA, really=True)
    assert not done.ok
    assert "do not all pass" in done.text


def test_09_verified_by_an_independent_read(desk, mend, incident, world):
    world.helps = False
    done = replace(desk, rerun=lambda journeys: {"j": "passed"}).apply(mend(), incident, ANNA, really=True)
    assert not done.ok
    assert "it is still broken" in done.text


def test_10_undone_when_it_did_not_help(desk, mend, incident, world):
    world.helps = False
    assert "It was undone" in desk.apply(mend(), incident, ANNA, really=True).text
    assert world.undone == 1


def test_10_an_undo_that_fails_is_said(desk, mend, incident, world):
    repair, world.helps = mend(), False

    def jam(work):
        raise RuntimeError("it is jammed")

    repair.undo = jam
    done = desk.apply(repair, incident, ANNA, really=True)
    assert not done.ok
    assert "Undoing it failed as well: it is jammed Escalate at once." in done.text


def test_10_irreversible_is_said(desk, mend, incident, world):
    world.helps = False
    done = desk.apply(mend(irreversible="it is gone"), incident, ANNA, really=True)
    assert "cannot be undone: it is gone" in done.text
