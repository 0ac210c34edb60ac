"""A file is there whole, or stays as it was."""

import errno
import os
from pathlib import Path

import pytest

from synthprobe.errors import refused_by_machine
from synthprobe.files import write_whole


def test_a_file_that_cannot_be_written_stays_as_it_was_and_nothing_is_left_beside_it(tmp_path):
    path = write_whole(tmp_path / "verdict.json", "first")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half \ud800")
    with pytest.raises(OSError, match="directory"):
        write_whole(tmp_path, b"no file")
    assert path.read_text() == "first"
    assert [kept.name for kept in tmp_path.iterdir()] == ["verdict.json"]
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}.*"))


def test_a_disk_that_is_full_is_told_with_the_file_that_it_did_not_take(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device") as refused:
        write_whole(tmp_path / "verdict.json", "first")
    assert refused_by_machine(refused.value).startswith(f"{tmp_path / 'verdict.json'} cannot be used: ")
