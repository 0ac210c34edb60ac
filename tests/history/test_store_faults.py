"""A store that is locked, damaged, too new or away never costs a verdict. The ids are rows of the matrix of faults."""

import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy
from made_history import EVERY, START, opened, verdict
from msgspec.structs import replace

from synthprobe.errors import HistoryError
from synthprobe.history import database
from synthprobe.history.store import History
from synthprobe.records.incident import Incident, IncidentEvent

LOCKER = """
import sys, sqlalchemy
engine = sqlalchemy.create_engine(sys.argv[1])
connection = engine.raw_connection()
cursor = connection.cursor()
if sys.argv[1].startswith("sqlite"):
    connection.driver_connection.isolation_level = None
    cursor.execute("BEGIN EXCLUSIVE")
else:
    cursor.execute("LOCK TABLE runs IN ACCESS EXCLUSIVE MODE")
print("locked", flush=True)
sys.stdin.read()
connection.close()
"""
WRITER = """
import sys
sys.path.insert(0, sys.argv[1])
from made_history import opened, verdict
from pathlib import Path
first = int(sys.argv[4])
with opened(sys.argv[2], Path(sys.argv[3])) as history:
    taken = [history.ingest(verdict(n, journeys=3, location=f"at {n % 2}")) for n in range(first, first + 16)]
    assert not history.notes, history.notes
print(sum(taken))
"""


def url_of(place: str) -> str:
    return place if "://" in place else f"sqlite:///{place}"


@contextmanager
def locked(place: str):
    """Another program holds the store."""
    other = subprocess.Popen(
        [sys.executable, "-c", LOCKER, url_of(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "locked\n"
        yield
    finally:
        other.stdin.close()
        assert other.wait(10) == 0
        other.stdout.close()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(database, "LOCK_WAIT_S", 1.0)


def runs(history) -> int:
    return len(history.observations("demo", last=100))


@pytest.mark.parametrize("row", ["F55"])
def test_a_run_that_the_locked_file_cannot_take_stays_in_its_folder(row, tmp_path, impatient):
    place = str(tmp_path / "history.db")
    with History.open(place) as history, locked(place):
        with pytest.raises(HistoryError, match=r"locked by another program.*waits in the run's folder"):
            history.ingest(verdict(0))


@pytest.mark.parametrize("row", ["F55"])
def test_what_a_locked_shared_store_cannot_take_waits_at_home_and_comes_later(row, postgresql, tmp_path, impatient):
    with opened(postgresql, tmp_path) as history:
        history.ingest(verdict(0))
        with locked(postgresql):
            assert history.ingest(verdict(1)) is True
        assert runs(history) == 2
        assert ["lock" in history.notes[0], "waits in" in history.notes[1]] == [True, True]
    with opened(postgresql, tmp_path) as history:
        assert (runs(history), history.notes) == (2, [])
    with opened(postgresql, tmp_path / "another machine") as history:
        assert runs(history) == 2


@pytest.mark.parametrize("row", ["F55"])
def test_a_store_locked_when_it_is_opened_gives_no_history_and_says_so(row, tmp_path, impatient):
    place = str(tmp_path / "history.db")
    History.open(place).close()
    with sqlalchemy.create_engine(url_of(place)).connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode = DELETE")  # so that readers are locked out too
    with locked(place), History.open(place) as history:
        assert (history.available, history.observations("demo")) == (False, [])
        assert "locked by another program" in history.notes[0]
        with pytest.raises(HistoryError, match="locked by another program"):
            history.append_audit({})
        with pytest.raises(HistoryError, match="waits in the run's folder"):
            history.ingest(verdict(0))


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def overwritten(data: bytes) -> bytes:
    return data[:4096] + b"\xa5" * (len(data) - 4096)


@pytest.mark.parametrize("damage", [cut, overwritten, lambda _: b"", lambda _: b"<html>Sign in</html>"])
@pytest.mark.parametrize("row", ["F56"])
def test_a_damaged_store_is_put_aside_and_a_fresh_one_flagged(row, damage, tmp_path):
    path = tmp_path / "history.db"
    with History.open(path) as history:
        history.ingest(verdict(0, journeys=20, steps=5))
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    with History.open(path) as history:
        assert history.ingest(verdict(1)) is True
        (note,) = history.notes
        assert "was damaged" in note
        assert [o.run_id for o in history.observations("demo")] == ["run-000001"]
        assert history.check() == [note]
    (aside,) = tmp_path.glob("history.db.damaged-*")
    assert aside.read_bytes() == damaged


@pytest.mark.parametrize("row", ["F56"])
def test_a_store_of_a_newer_version_is_left_untouched(row, place, tmp_path):
    opened(place, tmp_path).close()
    engine = sqlalchemy.create_engine(url_of(place))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with opened(place, tmp_path) as history:
        if history.available:
            history.ingest(verdict(0))  # at home, where it waits
        else:
            with pytest.raises(HistoryError, match="waits in the run's folder"):
                history.ingest(verdict(0))
        assert "has schema 9999" in history.notes[0]
        assert "Upgrade synthprobe" in history.check()[0]
    with engine.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM runs").scalar() == 0
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{database.REVISIONS[-1]}'")
    engine.dispose()
    with opened(place, tmp_path) as history:
        assert (runs(history), history.notes) == (int("://" in place), [])


@pytest.mark.parametrize("row", ["F57"])
def test_a_store_that_cannot_be_reached_is_merged_with_later(row, postgresql, tmp_path):
    away = postgresql.replace("tester@", "tester:secret-word@").removesuffix("postgres") + "not_there_yet"
    with opened(away, tmp_path) as history:
        assert [history.ingest(verdict(n)) for n in range(2)] == [True, True]
        assert "cannot be reached" in history.notes[0]
        assert "secret-word" not in " ".join(history.notes)
        assert len(history.judged_slots("demo", START, START + timedelta(days=1))) == 2, "what is known here is said"
    engine = sqlalchemy.create_engine(postgresql, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE not_there_yet")
    engine.dispose()
    with opened(away, tmp_path) as history:
        assert history.notes == []
    with opened(away, tmp_path / "another machine") as history:
        assert (runs(history), history.notes) == (2, [])
        assert len(history.judged_slots("demo", START, START + timedelta(days=1))) == 2


@pytest.mark.parametrize("row", ["F57"])
def test_nobody_listening_is_a_sentence(row, tmp_path):
    with opened("postgresql+psycopg://tester@127.0.0.1:1/x", tmp_path) as history:
        history.ingest(verdict(0))
        assert "cannot be reached" in history.notes[0]
        assert runs(history) == 1


@pytest.mark.parametrize("row", ["F57"])
def test_neither_store_is_an_error_that_says_where_the_verdict_is(row, tmp_path):
    (tmp_path / "home.db").mkdir()
    with opened("postgresql+psycopg://tester@127.0.0.1:1/x", tmp_path) as history:
        with pytest.raises(HistoryError, match=r"waits in the run's folder"):
            history.ingest(verdict(0))


@pytest.mark.parametrize("row", ["F57"])
def test_what_two_machines_did_to_an_incident_apart_from_each_other_is_one_record(row, postgresql, tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    first = Incident(
        id="260302-1200-ABCD", target="demo", kind="failing", state="open", fingerprint="v2:a", signature="s",
        title="Journey 0 fails", opened_at=START, first_seen_at=START, last_seen_at=START, owner="desk",
    )  # fmt: skip
    taken, seen = (IncidentEvent(at=START + EVERY, role=role, text=role) for role in ("first-line", "synthprobe"))
    with opened(postgresql, here) as history:
        history.put_incident(first)
    with opened("postgresql+psycopg://tester@127.0.0.1:1/x", here) as history:
        known = history.incident(first.id)
        assert known == first, "what the shared store said last is known without it"
        ours = replace(known, state="acknowledged", acknowledged_by="first-line", occurrences=2, events=(taken,))
        history.put_incident(ours)
        assert history.incidents("demo") == [ours]
    with opened(postgresql, there) as history:
        theirs = replace(history.incident(first.id), occurrences=2, last_seen_at=START + EVERY, events=(seen,))
        history.put_incident(replace(theirs, title="Journey 0 still fails"))
    for folder in (here, there):
        with opened(postgresql, folder) as history:
            (known,) = history.incidents("demo")
        assert (known.state, known.acknowledged_by, known.occurrences) == ("acknowledged", "first-line", 3)
        assert (known.title, known.owner, set(known.events)) == ("Journey 0 still fails", "desk", {taken, seen})
    with opened("postgresql+psycopg://tester@127.0.0.1:1/x", here) as history:
        assert history.incidents("demo") == [known]


@pytest.mark.parametrize("row", ["F58"])
def test_writers_at_the_same_time_lose_nothing_and_store_nothing_twice(row, place, tmp_path):
    """Two processes make the store together and share half of their runs."""
    here = str(Path(__file__).parent)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, here, place, str(tmp_path / str(first)), str(first)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for first in (0, 8)
    ]
    outputs = [writer.communicate(timeout=250) for writer in writers]
    assert all(writer.returncode == 0 for writer in writers), outputs
    assert sum(int(out) for out, _ in outputs) == 24
    with opened(place, tmp_path) as history:
        assert runs(history) == 24 * 3
        slots = history.judged_slots("demo", START, START + timedelta(days=1))
        assert [len(slot.outcomes) for slot in slots] == [3] * 24
