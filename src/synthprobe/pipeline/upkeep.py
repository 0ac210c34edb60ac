"""What a machine keeps of the past, by age, count and size: failures longer than successes, and nothing for ever."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from synthprobe.config import KeepConfig
from synthprobe.files import write_whole
from synthprobe.pipeline.run_state import is_remembered
from synthprobe.project import Project

EVERY_S = 3600.0
_DAY_S = 86_400.0
_NEWEST = 3
_LINES, _RECORD_BYTES = 2_000, 1_000_000
_ALIVE_S = 86_400.0


def tidy_if_due(project: Project) -> None:
    """Remove what is kept no longer, unless that was done within the hour."""
    state = project.folder
    mark = state / "state" / "tidied"
    now = datetime.now(UTC).timestamp()
    if mark.exists() and abs(now - mark.stat().st_mtime) < EVERY_S:
        return
    tidy(state, project.config.keep, now)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    os.utime(mark)


def tidy(state: Path, keep: KeepConfig, now: float) -> list[Path]:
    gone: list[Path] = []
    for target in _entries(state / "runs"):
        gone += _runs(_entries(target), keep, now)
    pictures = (picture for target in _entries(state / "last-good") for picture in _entries(target))
    gone += [picture for picture in pictures if now - picture.stat().st_mtime > keep.failures_days * _DAY_S]
    gone += _files(state.glob("*.damaged-*"), keep, now)
    for path in gone:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    _shorten(state / "heartbeat.jsonl")
    return gone


def _runs(folders: Sequence[Path], keep: KeepConfig, now: float) -> list[Path]:
    """Runs of one target: first those in which all was well, then the others, the oldest first."""
    runs = sorted(folders, key=lambda folder: folder.stat().st_mtime)
    fixed = {folder for folder in runs if not _may_go(folder, now)} | set(runs[-_NEWEST:])
    broken = {folder for folder in runs if any(_entries(folder / "evidence"))}
    days = {True: keep.failures_days, False: keep.days}
    order = [*(run for run in runs if run not in broken), *(run for run in runs if run in broken)]
    return _over(
        [run for run in order if run not in fixed],
        lambda run: now - run.stat().st_mtime > days[run in broken] * _DAY_S,
        count=len(runs) - keep.runs,
        size=sum(map(_size, runs)) - keep.megabytes * 1e6,
    )


def _may_go(folder: Path, now: float) -> bool:
    """A run that is on, or that the history has still to take in, stays."""
    if (folder / "verdict.json").exists():
        return is_remembered(folder) or now - folder.stat().st_mtime > 30 * _DAY_S
    return now - folder.stat().st_mtime > _ALIVE_S


def _files(found: Iterable[Path], keep: KeepConfig, now: float) -> list[Path]:
    files = sorted(found, key=lambda path: path.stat().st_mtime)
    return _over(
        files,
        lambda path: now - path.stat().st_mtime > keep.failures_days * _DAY_S,
        count=len(files) - _NEWEST * 3,  # a damaged history may have two files beside it
        size=sum(map(_size, files)) - keep.megabytes * 1e6,
    )


def _over(order: Sequence[Path], is_old: Callable[[Path], bool], *, count: int, size: float) -> list[Path]:
    """What goes: the old, and of the others as many from the front as there are too many or too large."""
    gone = []
    for path in order:
        if is_old(path) or count > 0 or size > 0:
            gone.append(path)
            count, size = count - 1, size - _size(path)
    return gone


def _shorten(record: Path) -> None:
    if record.exists() and record.stat().st_size > _RECORD_BYTES:
        lines = record.read_bytes().splitlines(keepends=True)[-_LINES:]
        write_whole(record, b"".join(lines))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _size(path: Path) -> int:
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)
