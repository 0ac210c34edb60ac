"""The ledger of test data in the history: here, shared with other machines, and of earlier versions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from made_history import opened, verdict
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.cli.fix import recorded_audit
from synthprobe.config import Config
from synthprobe.firstline.audit import AuditEntry
from synthprobe.history.store import History
from synthprobe.journey.ledger import Ledger, closed
from synthprobe.project import Project

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
NOWHERE = "postgresql+psycopg://nobody@127.0.0.1:1/x"


def tokens(history: History) -> list[str]:
    return [entry.token for entry in history.entries("demo")]


def test_another_machine_knows_before_the_object_is_made_and_what_it_removed_stays_closed_f69(postgresql, tmp_path):
    with opened(postgresql, tmp_path / "here") as here, opened(postgresql, tmp_path / "there") as there:
        made = Ledger(lambda: here, "demo").intend("call", 60)
        assert tokens(there) == [made.token]
        there.put_entry(closed(made, "removed"))
    with opened(postgresql, tmp_path / "here") as here:
        assert tokens(here) == []
    with History.open(tmp_path / "here" / "home.db", shared=NOWHERE) as here:  # away: this machine's own file says it
        assert tokens(here) == []
        here.put_entry(made)  # told late, and older than what is known
        assert tokens(here) == []


def test_what_a_shared_history_that_was_away_lacks_comes_later_and_opens_nothing_again(postgresql, tmp_path):
    with History.open(tmp_path / "home.db", shared=NOWHERE) as alone:
        ledger = Ledger(lambda: alone, "demo")
        first, second = ledger.intend("call", 60), ledger.intend("call", 60)
        ledger.close(second, "removed")
        assert tokens(alone) == [first.token]
    with opened(postgresql, tmp_path / "there") as there:
        there.put_entry(closed(first, "gone"))
    with opened(postgresql, tmp_path) as here, opened(postgresql, tmp_path / "third") as third:
        assert (here.notes, tokens(here), tokens(third)) == ([], [], [])
        endings = {entry.token: entry.how for entry in third.entries("demo", since=NOW)}
        assert (endings[first.token], endings[second.token]) == ("gone", "removed")


def test_the_files_of_an_earlier_version_are_taken_in_once(tmp_path):
    folder = tmp_path / ".synthprobe" / "ledger" / "demo"

    def line(event: str, token: str) -> bytes:
        entry = {"event": event, "token": token, "kind": "call", "run_id": "r", "at": NOW, "expires_at": NOW}
        return b"\n" + msgspec.json.encode(entry) + b"\n"

    def write() -> None:
        folder.mkdir(parents=True)
        (folder / ".lock").touch()
        (folder / "a.jsonl").write_bytes(line("intent", "a") + line("closed", "a") + line("intent", "b"))
        (folder / "b.jsonl").write_bytes(line("intent", "c") + b'\n{"event": "closed", "token": "c')

    write()
    with pipeline.open_history(Project(tmp_path, Config(), {})) as history:
        assert tokens(history) == ["b", "c"]
        (entry, _) = history.entries("demo")
        assert (entry.kind, entry.run_id, entry.expires_at, entry.target) == ("call", "r", NOW, "demo")
        history.put_entry(replace(entry, closed_at=NOW + timedelta(hours=1), how="removed"))
    assert not folder.parent.exists()
    write()  # from a cache, with what is closed by now
    with pipeline.open_history(Project(tmp_path, Config(), {})) as history:
        assert tokens(history) == ["c"]


def test_the_ledger_travels_in_the_pack(tmp_path):
    from synthprobe.history.transfer import read_pack

    with History.open(tmp_path / "history.db") as history:
        made = Ledger(lambda: history, "demo").intend("call", 60)
        history.pack(tmp_path / "pack")
    read_pack(tmp_path / "pack", tmp_path / "other.db")
    with History.open(tmp_path / "other.db") as history:
        assert tokens(history) == [made.token]


def test_a_damaged_file_gives_the_ledger_and_the_audit_back_as_far_as_it_can_be_read(tmp_path):
    path = tmp_path / ".synthprobe" / "history.db"
    with pipeline.open_history(Project(tmp_path, Config(), {})) as history:
        ledger = Ledger(lambda: history, "demo")
        made, removed = ledger.intend("call", 60), ledger.intend("call", 60)
        ledger.close(removed, "removed")
        line = AuditEntry(at=NOW, event="planned", fix="mend", target="demo", incident="I", role="engineer", who="a")
        written = [recorded_audit(Project(tmp_path, Config())).append(line) for _ in range(3)]
        history.ingest(verdict(0, journeys=20, steps=50))
    (tmp_path / ".synthprobe" / "state" / "audit.json").unlink()
    path.write_bytes(path.read_bytes()[:-40_000])
    with pipeline.open_history(Project(tmp_path, Config(), {})) as history:
        (note,) = history.notes
        assert "Of the ledger of test data 2 entries were read from it, of the audit 3 lines." in note
        assert (tokens(history), len(history.entries("demo", since=NOW))) == ([made.token], 2)
    assert recorded_audit(Project(tmp_path, Config())).entries() == written
