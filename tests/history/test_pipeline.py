"""A run is remembered after its verdict is written, once."""

from datetime import UTC, datetime

import msgspec
from made_history import verdict

from synthprobe import pipeline
from synthprobe.config import Config
from synthprobe.history.store import History


def test_every_judged_run_is_remembered_once_an_abandoned_one_too(tmp_path):
    for number in range(2):
        folder = tmp_path / ".synthprobe" / "runs" / "demo" / f"{number}-run"
        folder.mkdir(parents=True)
        (folder / "verdict.json").write_bytes(msgspec.json.encode(verdict(number, at=datetime.now(UTC))))
    for _ in range(2):
        assert pipeline.remember(tmp_path, Config(), "demo", {}) == []
    with History.open(tmp_path / ".synthprobe" / "history.db") as history:
        assert [o.run_id for o in history.observations("demo")] == ["run-000000", "run-000001"]


def test_a_verdict_that_was_cut_off_is_said_and_the_others_are_remembered(tmp_path):
    for number in range(2):
        folder = tmp_path / ".synthprobe" / "runs" / "demo" / f"{number}-run"
        folder.mkdir(parents=True)
        data = msgspec.json.encode(verdict(number, at=datetime.now(UTC)))
        (folder / "verdict.json").write_bytes(data if number else data[:50])
    (note,) = pipeline.remember(tmp_path, Config(), "demo", {})
    assert "cannot be read" in note
    with History.open(tmp_path / ".synthprobe" / "history.db") as history:
        assert [o.run_id for o in history.observations("demo")] == ["run-000001"]
