"""The audit of earlier versions, which kept it in files, is taken in once and believed no more than before."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from synthprobe.cli.fix import recorded_audit
from synthprobe.config import Config
from synthprobe.errors import AuditError
from synthprobe.firstline import audit
from synthprobe.project import Project

NOW = datetime(2026, 11, 2, 3, 0, tzinfo=UTC)


def written(root: Path) -> list[audit.AuditEntry]:
    """An audit of three lines and its head, as they were written."""
    folder, lines = root / ".synthprobe", list[audit.AuditEntry]()
    for text in ("planned", "applying", "applied"):
        entry = audit.AuditEntry(
            at=NOW, event=text, fix="mend", target="demo", incident="I-1", role="engineer", who="a", text=text
        )
        lines.append(audit._after(lines, entry))
    folder.mkdir()
    (folder / "audit.jsonl").write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    (folder / "audit.head").write_text(f"3 {lines[-1].hash}\n")
    return lines


def test_the_files_of_an_earlier_version_are_taken_in_once(tmp_path):
    lines = written(tmp_path)
    made = recorded_audit(Project(tmp_path, Config()))
    assert made.entries() == made.known() == lines
    assert not list((tmp_path / ".synthprobe").glob("audit.[jh]*"))
    fourth = made.append(msgspec.structs.replace(lines[0], text="later"))
    assert (fourth.number, fourth.previous) == (4, lines[2].hash)
    files = tmp_path / "other"
    files.mkdir()
    written(files)
    for path in (files / ".synthprobe").iterdir():  # from a cache, once more
        path.rename(tmp_path / ".synthprobe" / path.name)
    assert [line.number for line in recorded_audit(Project(tmp_path, Config())).entries()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda text: b"".join(text.splitlines(keepends=True)[:-1]), 3),
        (lambda text: b"", 1),
        (lambda text: text.replace(b'"text":"applying"', b'"text":"planned"'), 2),
        (lambda text: text[:-30], 3),
    ],
    ids=["shortened", "emptied", "changed", "cut off"],
)
def test_files_that_were_tampered_with_are_no_more_believed_than_before(tmp_path, change, line):
    written(tmp_path)
    path = tmp_path / ".synthprobe" / "audit.jsonl"
    path.write_bytes(change(path.read_bytes()))
    for _ in range(2):
        with pytest.raises(AuditError, match=f"Line {line} of the audit"):
            recorded_audit(Project(tmp_path, Config())).entries()
