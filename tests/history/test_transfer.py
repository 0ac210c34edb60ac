import gzip
import json
import lzma
from datetime import UTC, datetime

import pytest
from made_history import START, opened, verdict

from synthprobe.errors import HistoryError
from synthprobe.history.store import History
from synthprobe.history.transfer import read_pack


def filled(path):
    history = History.open(path)
    for number in range(4):
        history.ingest(verdict(number, journeys=2, steps=2))
    history.put_detector_states("demo", {("journey-0", "step 0"): bytes(range(256))})
    history.append_audit({"n": 1})
    return history


def everything(history):
    return (
        history.observations("demo"),
        history.step_series("demo", "journey-1", "step 1", START),
        history.detector_states("demo"),
        history.audit_entries(),
    )


def test_an_export_moves_a_history_to_another_database(history, tmp_path):
    with filled(tmp_path / "source.db") as source:
        source.prune(START)
        rows = source.export(tmp_path / "all.jsonl.gz")
        assert history.import_(tmp_path / "all.jsonl.gz") == rows
        assert everything(history) == everything(source)
    assert history.ingest(verdict(0)) is False
    assert history.ingest(verdict(9)) is True
    history.append_audit({"n": 2})
    assert len(history.audit_entries()) == 2
    with pytest.raises(HistoryError, match="empty history only"):
        history.import_(tmp_path / "all.jsonl.gz")


@pytest.mark.parametrize(
    "content",
    [b"", b"not compressed", gzip.compress(b"[1, 2]\n"), gzip.compress(b'{"synthprobe history":"0003"}\n[')],
    ids=["empty", "not compressed", "another list", "cut off"],  # the bytes name the second they were compressed in
)
def test_a_file_that_is_no_export_changes_nothing(history, tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(HistoryError, match="Nothing was imported"):
        history.import_(tmp_path / "file")
    assert history.observations("demo") == []


@pytest.mark.parametrize("slot", [2**70, -(2**64), True, 1.5, "x"])
def test_a_number_no_store_can_hold_is_a_sentence(history, tmp_path, slot):
    with filled(tmp_path / "source.db") as source:
        source.export(tmp_path / "all")
    head, *rows = map(json.loads, gzip.decompress((tmp_path / "all").read_bytes()).splitlines())
    changed = [head, *([name, row | {"slot": slot} if name == "runs" else row] for name, row in rows)]
    (tmp_path / "all").write_bytes(gzip.compress("\n".join(map(json.dumps, changed)).encode()))
    with pytest.raises(HistoryError, match=r"is no runs\.slot\. Nothing was imported"):
        history.import_(tmp_path / "all")


def test_an_export_whose_compression_is_damaged_is_a_sentence(history, tmp_path):
    with filled(tmp_path / "source.db") as source:
        source.export(tmp_path / "all")
    data = (tmp_path / "all").read_bytes()
    (tmp_path / "all").write_bytes(data[:40] + b"\xff" * 40 + data[80:])
    with pytest.raises(HistoryError, match="Nothing was imported"):
        history.import_(tmp_path / "all")


def test_a_pack_brings_the_history_to_another_machine(tmp_path):
    with filled(tmp_path / "history.db") as source:
        size = source.pack(tmp_path / "pack")
        assert size == (tmp_path / "pack").stat().st_size
        states, audit = source.detector_states("demo"), source.audit_entries()
    read_pack(tmp_path / "pack", tmp_path / "there" / "history.db")
    with History.open(tmp_path / "there" / "history.db") as there:
        assert (there.notes, there.check()) == ([], [])
        assert (there.detector_states("demo"), there.audit_entries()) == (states, audit)
        assert sum(s.count for s in there.step_series("demo", "journey-0", "step 0", START)) == 4
    with pytest.raises(HistoryError, match="is there already"):
        read_pack(tmp_path / "pack", tmp_path / "there" / "history.db")


@pytest.mark.parametrize("change", [lambda d: d[:-20], lambda d: b"", lambda d: b"x" + d])
def test_a_pack_that_cannot_be_read_begins_the_history_anew(tmp_path, change):
    with filled(tmp_path / "history.db") as source:
        source.pack(tmp_path / "pack")
    (tmp_path / "pack").write_bytes(change((tmp_path / "pack").read_bytes()))
    with pytest.raises(HistoryError, match="begins anew"):
        read_pack(tmp_path / "pack", tmp_path / "there" / "history.db")
    assert not (tmp_path / "there").exists()


def content(packed: bytes) -> bytes:
    """A pack with the right head."""
    return b"synthprobe history 1\n" + lzma.compress(packed)


@pytest.mark.parametrize(
    "change", [lambda _: b"", lambda _: b"garbage" * 1000, lambda d: d[:4096], lambda d: d[:4096] + b"\xa5" * 90_000]
)
def test_a_pack_that_holds_no_sound_store_begins_the_history_anew(tmp_path, change):
    with filled(tmp_path / "history.db") as source:
        source.pack(tmp_path / "pack")
    held = lzma.decompress((tmp_path / "pack").read_bytes().removeprefix(b"synthprobe history 1\n"))
    (tmp_path / "pack").write_bytes(content(change(held)))
    with pytest.raises(HistoryError, match="begins anew"):
        read_pack(tmp_path / "pack", tmp_path / "there" / "history.db")
    assert list((tmp_path / "there").glob("*")) == []


def test_what_waits_for_the_shared_history_travels_in_the_pack(postgresql, tmp_path):
    with opened("postgresql+psycopg://tester@127.0.0.1:1/x", tmp_path) as history:
        history.ingest(verdict(70, at=datetime.now(UTC)))
        history.pack(tmp_path / "pack")
    read_pack(tmp_path / "pack", tmp_path / "there" / "home.db")
    opened(postgresql, tmp_path / "there").close()
    with opened(postgresql, tmp_path / "anywhere") as history:
        assert "run-000070" in {observation.run_id for observation in history.observations("demo")}
