"""Marked changes of the target, kept in ``changes.toml`` beside the configuration, so they are reviewed and last."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from synthprobe.errors import ConfigurationError
from synthprobe.files import write_whole
from synthprobe.mistakes import read_reviewed
from synthprobe.records.impact import Change

FILE = "changes.toml"
_AHEAD = timedelta(days=366)
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class _ChangeFile(Struct, frozen=True, kw_only=True):
    change: tuple[Change, ...] = ()


def read_changes(root: Path) -> tuple[Change, ...]:
    """The marked changes of a project."""
    expected = (
        "Each change is a table [[change]] with at (a time with its zone), title, and perhaps operation, saves "
        '(0 to 1) and expected ("slower").'
    )
    changes = read_reviewed(root / FILE, _ChangeFile, expected).change
    for change in changes:
        _check(change)
    return tuple(sorted(changes, key=lambda marked_change: marked_change.at))


def mark_change(root: Path, change: Change) -> Path:
    """Add a change to the file; what stands there already is left as it is."""
    _check(change)
    if any(known.title == change.title for known in read_changes(root)):
        raise ConfigurationError(f"A change {change.title!r} is marked already in {FILE}. Give this one another title.")
    lines = [
        "[[change]]",
        f"at = {change.at.astimezone(UTC).isoformat(timespec='seconds')}",
        f"title = {_quoted(change.title)}",
    ]
    if change.operation:
        lines.append(f"operation = {_quoted(change.operation)}")
    if change.saves != 1.0:
        lines.append(f"saves = {change.saves!r}")
    if change.expected:
        lines.append(f"expected = {_quoted(change.expected)}")
    path = root / FILE
    try:
        before = path.read_text("utf-8") if path.exists() else ""
        return write_whole(path, (before.rstrip() + "\n\n" if before.strip() else "") + "\n".join(lines) + "\n")
    except OSError as error:
        raise ConfigurationError(f"{FILE} cannot be written: {error.strerror}. Check the folder's rights.") from None


def _check(change: Change) -> None:
    if change.at.tzinfo is None:
        raise ConfigurationError(
            f"The change {change.title!r} has a time without a zone: {change.at:%Y-%m-%dT%H:%M:%S}. Add Z for UTC."
        )
    if not _FIRST <= change.at < _LAST:
        raise ConfigurationError(
            f"The change {change.title!r} went live in the year {change.at.year}: one from 2000 on was expected. "
            "Correct its time."
        )
    if not change.title.strip():
        raise ConfigurationError("A change needs a title that says what was done.")
    if not 0 < change.saves <= 1:
        raise ConfigurationError(
            f"The change {change.title!r} saves {change.saves!r} of its row: a part above 0 and up to 1 was expected."
        )


def parse_moment(text: str, now: datetime) -> datetime:
    """The time of a change as it is typed."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is not a time: one like 2026-03-02T12:00Z was expected.") from None
    if moment.tzinfo is None:
        raise ConfigurationError(f"{text!r} has no zone. Add Z for UTC: {text}Z.")
    if moment < _FIRST or moment - now > _AHEAD:
        raise ConfigurationError(
            f"{text!r} is too far away: a time from 2000 on and at most a year ahead was expected. Correct the year."
        )
    return moment


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
