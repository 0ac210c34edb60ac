"""A run is remembered after its verdict is written, once."""

import shutil
import subprocess
from datetime import UTC, datetime

import msgspec
import psutil
from made_history import verdict
from remembering import remember

from synthprobe.config import Config
from synthprobe.history.store import History
from synthprobe.project import Project


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
