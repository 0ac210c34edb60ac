"""What each target's database counted of its statements: one file a target, in which only what changed is kept."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct, field

from synthprobe.config import HistoryConfig
from synthprobe.errors import ToolError
from synthprobe.files import read_lines, read_record, write_whole
from synthprobe.goals.statements import count_between, join
from synthprobe.project import Project
from synthprobe.records.decoding import from_json
from synthprobe.records.impact import Counted, Snapshot

FOLDER = "statements"
FINE_DAYS = 2.0
"""Days for which every difference is kept, or ``raw_days`` where that is less; then there is one for each hour."""
_EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


class _Head(Struct, frozen=True):
    """What of a line has to be read to know whether the rest of it has to."""

    since: datetime
    at: datetime
    names: dict[str, str] = field(default_factory=dict)


def add_snapshot(project: Project, target: str, snapshot: Snapshot) -> Path:
    """Keep what changed since the last snapshot of a target's database; the first of a day ends what is too old."""
    path = _path(project, target)
    kept = path.with_suffix(".last.json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        last, made = read_record(kept, Snapshot, None), []
        heads = list(read_lines(path, _Head))
        names = {id: name for head in heads for id, name in head.names.items()}
        if last is not None and _follows(last, snapshot) and not (heads and heads[-1].since == last.at):
            made.append(count_between(last, snapshot))
        with path.open("ab") as file:
            file.write(b"".join(b"\n" + line for line in _lines(made, names)))
        write_whole(kept, msgspec.json.encode(snapshot))
        if last is not None and last.at.date() != snapshot.at.date():
            lines = rolled_up(_read(path, *_EVER), snapshot.at, project.config.history)
            write_whole(path, b"".join(b"\n" + line for line in _lines(lines, {})))
    except OSError as error:
        raise ToolError(
            f"The snapshot cannot be kept in {path.name}: {error.strerror}. Check disk and rights."
        ) from None
    return path


def read_counted(project: Project, target: str, since: datetime, until: datetime) -> list[Counted]:
    return sorted(_read(_path(project, target), since, until), key=lambda record: record.at)


def rolled_up(records: Iterable[Counted], now: datetime, keep: HistoryConfig) -> list[Counted]:
    """What retention leaves."""
    fine, hourly = min(keep.raw_days, FINE_DAYS), keep.hourly_days

    def span(record: Counted) -> str:
        days = (now - record.at) / timedelta(days=1)
        return (
            record.at.isoformat()
            if days < fine
            else f"{record.at:%Y-%m-%dT%H}"
            if days < hourly
            else f"{record.at:%Y-%m-%d}"
        )

    young = [record for record in records if now - record.at < timedelta(days=keep.daily_days)]
    return [join(list(group)) for _, group in itertools.groupby(young, span)]


def _path(project: Project, target: str) -> Path:
    return project.folder / FOLDER / f"{target}.jsonl"


def _follows(last: Snapshot, snapshot: Snapshot) -> bool:
    """Whether two snapshots are of one database, and the clock went on between them."""
    return last.at < snapshot.at and last.database in {"", snapshot.database}


def _lines(records: Iterable[Counted], names: dict[str, str]) -> Iterator[bytes]:
    """One line each; a statement's text stands where the file names it first."""
    for record in records:
        new = {id: name for id, name in record.names.items() if id not in names}
        names |= new
        forgotten = tuple(id for id in record.forgotten if id in names)
        yield msgspec.json.encode(msgspec.structs.replace(record, names=new, forgotten=forgotten))


def _read(path: Path, since: datetime, until: datetime) -> list[Counted]:
    """Records of a window, the first with the names of what they all count, wherever in the file they stand."""
    names: dict[str, str] = {}
    found = []
    for line in _stream(path):
        with contextlib.suppress(msgspec.DecodeError):
            head = from_json(line, _Head)
            names |= head.names
            if since <= head.since and head.at < until:
                found.append(from_json(line, Counted))
    if found:
        ran = {row.id for record in found for row in record.rows}
        used_names = {id: name for id, name in names.items() if id in ran}
        found[0] = msgspec.structs.replace(found[0], names=used_names)
    return found


def _stream(path: Path) -> Iterator[bytes]:
    with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
        yield from (line for line in file if line.strip())
