"""A file is there whole, or stays as it was."""

import pytest

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
