"""A run is remembered after its verdict is written, once."""

import shutil
import subprocess
from datetime import UTC, datetime

import msgspec
import psutil
from made_history import START, verdict
from remembering import remember

from synthprobe.alerts.message import Alert
from synthprobe.alerts.outbox import Attempt, Outbox
from synthprobe.config import Config
from synthprobe.history.store import History
from synthprobe.project import Project
from synthprobe.records.incident import Incident, IncidentEvent


def test_every_judged_run_is_remembered_once_an_abandoned_one_too(tmp_path):
    for number in range(2):
        folder = tmp_path / ".synthprobe" / "runs" / "demo" / f"{number}-run"
        folder.mkdir(parents=True)
        (folder / "verdict.json").write_bytes(msgspec.json.encode(verdict(number, at=datetime.now(UTC))))
    for _ in range(2):
        assert remember(Project(tmp_path, Config()), "demo") == []
    with History.open(tmp_path / ".synthprobe" / "history.db") as history:
        assert [o.run_id for o in history.observations("demo")] == ["run-000000", "run-000001"]


def test_a_verdict_that_was_cut_off_is_said_and_the_others_are_remembered(tmp_path):
    for number in range(2):
        folder = tmp_path / ".synthprobe" / "runs" / "demo" / f"{number}-run"
        folder.mkdir(parents=True)
        data = msgspec.json.encode(verdict(number, at=datetime.now(UTC)))
        (folder / "verdict.json").write_bytes(data if number else data[:50])
    (note,) = remember(Project(tmp_path, Config()), "demo")
    assert "cannot be read" in note
    with History.open(tmp_path / ".synthprobe" / "history.db") as history:
        assert [o.run_id for o in history.observations("demo")] == ["run-000001"]


def judged(root, number):
    folder = root / ".synthprobe" / "runs" / "demo" / f"{number}-run-{number:06d}"
    folder.mkdir(parents=True)
    (folder / "verdict.json").write_bytes(msgspec.json.encode(verdict(number, at=datetime.now(UTC))))


def test_a_damaged_file_is_filled_again_from_the_run_folders_that_are_left(tmp_path):
    for number in range(3):
        judged(tmp_path, number)
    assert remember(Project(tmp_path, Config()), "demo") == []
    (tmp_path / ".synthprobe" / "history.db").write_bytes(b"<html>Sign in</html>")
    shutil.rmtree(tmp_path / ".synthprobe" / "runs" / "demo" / "0-run-000000")
    (note,) = remember(Project(tmp_path, Config()), "demo")
    assert "was damaged" in note
    assert remember(Project(tmp_path, Config()), "demo") == []
    with History.open(tmp_path / ".synthprobe" / "history.db") as history:
        assert [o.run_id for o in history.observations("demo")] == ["run-000001", "run-000002"]


def test_what_an_earlier_version_spooled_is_taken_in_once_and_what_cannot_be_read_is_kept(tmp_path):
    spool = tmp_path / ".synthprobe" / "spool"
    spool.mkdir(parents=True)
    waits = {"reason": "It was locked.", "verdict": msgspec.to_builtins(verdict(0, at=datetime.now(UTC)))}
    (spool / "run-000000.json").write_bytes(msgspec.json.encode(waits))
    (spool / "a.json").write_text('{"reason": "cut o')
    (note,) = remember(Project(tmp_path, Config()), "demo")
    assert "could not be read" in note
    assert remember(Project(tmp_path, Config()), "demo") == []
    with History.open(tmp_path / ".synthprobe" / "history.db") as history:
        assert [o.run_id for o in history.observations("demo")] == ["run-000000"]
    assert [path.name for path in spool.iterdir()] == ["a.unreadable"]


def test_incidents_that_an_earlier_version_kept_in_files_are_taken_in_once(tmp_path):
    state, incidents = tmp_path / ".synthprobe" / "state" / "demo", tmp_path / ".synthprobe" / "incidents"
    for folder in (state, incidents):
        folder.mkdir(parents=True)

    def kept(id: str, **more):
        return Incident(
            id=id, target="demo", kind="failing", state="open", fingerprint="v2:a", signature="s", title="Sign in",
            opened_at=START, first_seen_at=START, last_seen_at=START, **more,
        )  # fmt: skip

    taken = IncidentEvent(at=START, role="first-line", text="took it")
    waits = {"incidents": [kept("I-1"), kept("I-2", occurrences=3)], "waiting": ["I-2"]}
    (state / "incidents.json").write_bytes(msgspec.json.encode(waits))
    (incidents / "I-2.json").write_bytes(
        msgspec.json.encode(kept("I-2", acknowledged_by="first-line", events=(taken,)))
    )
    for _ in range(2):
        assert remember(Project(tmp_path, Config()), "demo") == []
    with History.open(tmp_path / ".synthprobe" / "history.db") as history:
        first, second = history.incidents("demo")
    assert (first.id, second.occurrences, second.acknowledged_by, second.events) == ("I-1", 3, "first-line", (taken,))
    assert [*state.iterdir(), *incidents.iterdir()] == []


def test_messages_that_an_earlier_version_kept_in_a_file_are_taken_in_once(tmp_path):
    outbox = tmp_path / ".synthprobe" / "outbox"
    outbox.mkdir(parents=True)
    now = datetime.now(UTC)

    def queued(id: str) -> Alert:
        return Alert(
            id=id, route="all", reason="opened", urgency="page", incidents=("I-1",), title=id, body="b", at=now
        )

    tried = Attempt(alert="told", channel="env:PAGER", at=now, accepted=True)
    lines = [
        {"queued": queued("told")},
        {"queued": queued("waits")},
        {"tried": tried},
        {"delivered": {"alert": "told", "at": now}},
    ]
    (outbox / "outbox.jsonl").write_bytes(
        b"".join(msgspec.json.encode(line) + b"\n" for line in lines) + b'{"queued": {"'
    )
    for _ in range(2):
        assert remember(Project(tmp_path, Config()), "demo") == []
        with Outbox(tmp_path / ".synthprobe" / "history.db") as kept:
            delivery, waits = kept.letters()
        assert (delivery.attempts, delivery.done, waits.attempts, waits.done) == ((tried,), now, (), None)
    assert not outbox.exists()


def test_a_run_that_another_process_is_still_at_is_not_taken_in(tmp_path):
    judged(tmp_path, 0)
    (folder,) = (tmp_path / ".synthprobe" / "runs" / "demo").iterdir()
    other = subprocess.Popen(["sleep", "60"])
    (folder / "supervisor.pid").write_text(f"{other.pid} {psutil.Process(other.pid).create_time()}")
    for expected in ([], ["run-000000"]):
        assert remember(Project(tmp_path, Config()), "demo") == []
        with History.open(tmp_path / ".synthprobe" / "history.db") as history:
            assert [o.run_id for o in history.observations("demo")] == expected
        other.terminate()
        other.wait()
