"""What makes an authority of one's own known to Chromium is made once, and only its user can have made it."""

from __future__ import annotations

import os
import time

import pytest
from authority import Authority

from synthprobe.journey import trust


@pytest.fixture
def session(tmp_path, monkeypatch):
    """The database of each new session of one user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    authorities = Authority(tmp_path).file.read_text()

    def begin(more: str = "") -> bytes:
        trust.trusting_home.cache_clear()
        with open(f"{trust.trusting_home(authorities + more)}/.pki/nssdb/cert9.db", "rb") as file:
            return file.read()

    return begin


def test_the_next_session_takes_what_was_made(session, tmp_path):
    first = session()
    (kept,) = (tmp_path / "synthprobe").iterdir()
    assert session() == first
    assert [kept] == list((tmp_path / "synthprobe").iterdir())
    session("\n")
    assert len(list((tmp_path / "synthprobe").iterdir())) == 2


def test_what_others_could_have_written_is_not_taken(session, tmp_path):
    session()
    (kept,) = (tmp_path / "synthprobe").iterdir()
    (kept / "cert9.db").write_bytes(b"planted")
    kept.chmod(0o777)
    assert session() != b"planted"


def test_what_no_session_asks_for_is_removed(session, tmp_path):
    session()
    (kept,) = (tmp_path / "synthprobe").iterdir()
    os.utime(kept, (0, time.time() - 40 * 86400))
    session("\n")
    assert not kept.exists()


def test_a_cache_that_cannot_be_written_costs_nothing(session, tmp_path):
    (tmp_path / "synthprobe").write_text("a file, not a folder")
    assert session()
