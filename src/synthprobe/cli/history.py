"""``synthprobe history``: copies, and what the detector would have said of a recorded series."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.cli.terminal import open_console
from synthprobe.detection.degradation import Alarm, StepDetector
from synthprobe.errors import ConfigurationError, HistoryError, ToolError
from synthprobe.project import Project
from synthprobe.words import counted

if TYPE_CHECKING:
    from synthprobe.history.store import History

app = typer.Typer(no_args_is_help=True)
_console = open_console()


@contextmanager
def _history() -> Iterator[History]:
    with pipeline.open_history(Project.here()) as history:
        count = len(history.notes)
        _say(history.notes)
        try:
            yield history
        finally:
            _say(history.notes[count:])


def _say(notes: Sequence[str]) -> None:
    for note in notes:
        _console.print(f"note: {note}")


@app.command()
def copy(
    to: Annotated[Path | None, typer.Option("--to", help="Write to this file.")] = None,
    source: Annotated[Path | None, typer.Option("--from", help="Read this file.")] = None,
    pack: Annotated[
        bool, typer.Option("--pack", help="A small one, for the cache of a CI runner whose disk does not last.")
    ] = False,
) -> None:
    """Copy the history to a file or back: all of it, between two databases, or with --pack what a CI cache can hold.

    All is read into an empty history only. A pack goes to where no history is; one that cannot be read is said, and
    is no error: the history begins anew.
    """
    if (to is None) == (source is None):
        raise ConfigurationError("Give --to FILE or --from FILE; exactly one of both was expected.")
    if source is not None and pack:
        _unpack(source)
        return
    with _history() as history:
        if to is not None and pack:
            _console.print(f"{history.pack(to) / 1e3:,.0f} KB were written to {to}.")
        elif to is not None:
            _console.print(f"{history.export(to)} rows were written to {to}.")
        elif source is not None:
            _console.print(f"{history.import_(source)} rows were read from {source}.")


def _unpack(file: Path) -> None:
    from synthprobe.history.transfer import read_pack

    project = Project.here()
    path = project.folder / "history.db"
    if path.exists():
        raise HistoryError(f"{path} is there already and is kept. Move it away, then copy again.")
    try:
        read_pack(file, path)
    except HistoryError as error:
        _console.print(f"note: {error}")
        return
    _console.print(f"The history of {file} is in place.")


_EXPECTED = {
    "timestamp": "seconds since the epoch or an ISO 8601 time",
    "ms": "milliseconds above zero",
    "status": "1 for passed or 0 for failed",
}
_STATUS = {"1": True, "1.0": True, "true": True, "passed": True}
_STATUS |= {"0": False, "0.0": False, "false": False, "failed": False}
_LATEST = 253_402_300_800.0  # the year 10,000
_TOO_FEW = "Too few runs to judge by: 20 are needed."
_UNSORTED = 0.1
"""Share of steps backwards from which a file is taken to be unsorted; fewer are a clock that was set back."""


class _Row(Struct, frozen=True):
    """A run as its row tells it; ``text`` is the whole row, to know it again."""

    number: int
    at: float
    ms: float
    ok: bool
    text: str


class _Unusable(Struct, frozen=True):
    """A row that says nothing certain: the first column that is to blame, and what stands there."""

    number: int
    column: str
    found: str


@app.command("replay")
def replay(
    file: Annotated[Path, typer.Argument(help="CSV with the columns timestamp, ms, status (1 passed, 0 failed).")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each alarm.")] = False,
) -> None:
    """Run the detector over a recorded series, and show every alarm it would have raised."""
    rows = list(_rows(file))
    unusable = [row for row in rows if isinstance(row, _Unusable)]
    taken, order = _in_order([row for row in rows if isinstance(row, _Row)])
    if not taken:
        raise ToolError(_nothing_to_judge(file, unusable))
    runs = [row for before, row in pairwise([None, *taken]) if row and (before is None or row.text != before.text)]
    detector, alarms = StepDetector(), []
    for row in runs:
        alarms += [
            replace(alarm, index=row.number) for alarm in detector.update(row.at, row.ms, row.ok, once_more=False)
        ]
    if as_json:
        for alarm in alarms:
            sys.stdout.write(json.dumps(_line(alarm)) + "\n")
    else:
        _show(file, detector, alarms)
    too_few = _TOO_FEW if as_json and not detector.ready else ""
    for note in (_passed_over(unusable), order, _repeated(len(taken) - len(runs)), too_few):
        if note:
            open_console(stderr=True).print(note)


def _in_order(rows: list[_Row]) -> tuple[list[_Row], str]:
    """The rows as they are taken, and what is to be said of it: a clock that was set back is no unsorted file."""
    back = [(before, row) for before, row in pairwise(rows) if row.at < before.at]
    if not back:
        return rows, ""
    before, row = back[0]
    where = f"The times go backwards at row {row.number}, from {_utc(before.at)} to {_utc(row.at)}"
    where += f", and {len(back) - 1} more times" if len(back) > 1 else ""
    forward = sum(row.at > before.at for before, row in pairwise(rows))
    if len(back) < _UNSORTED * (len(back) + forward):
        return rows, f"{where}: the rows are taken in the order of the file."
    newest_first = len(back) > forward
    ordered = sorted(reversed(rows) if newest_first else rows, key=lambda row: row.at)
    return ordered, f"{where}: the file is not sorted, so its rows are taken in the order of their times."


def _passed_over(unusable: Sequence[_Unusable]) -> str:
    if not unusable:
        return ""
    numbers = ", ".join(str(row.number) for row in unusable[:10])
    return (
        f"{len(unusable)} rows have no usable time, duration or status and were passed over: "
        f"{numbers}{' ...' if len(unusable) > 10 else ''} (counted from 0). {_blamed(unusable)}"
    )


def _nothing_to_judge(file: Path, unusable: Sequence[_Unusable]) -> str:
    if not unusable:
        expected = ", ".join(f"{column} ({what})" for column, what in _EXPECTED.items())
        return f"{file} has no rows, so nothing could be judged. One row for each run was expected: {expected}."
    rows = counted(len(unusable), "row")
    return f"{file} has {rows} and none can be used, so nothing could be judged. {_blamed(unusable)}"


def _blamed(unusable: Sequence[_Unusable]) -> str:
    """Each column that is to blame, how often, with an example of what stands there and what was expected."""
    first = {row.column: row for row in reversed(unusable)}
    sentences = [
        f"Column {column}: {counted(count, 'row')}, for example {first[column].found!r} in row {first[column].number}; "
        f"expected was {_EXPECTED[column]}."
        for column, count in Counter(row.column for row in unusable).most_common()
    ]
    return " ".join(sentences)


def _repeated(count: int) -> str:
    if not count:
        return ""
    return f"{counted(count, 'row')} said in every column what the row before said: the same run, which counts once."


def _rows(file: Path) -> Iterator[_Row | _Unusable]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            reader.fieldnames = names = [name.strip().lower() for name in reader.fieldnames or ()]
            wrong = [name for name in _EXPECTED if names.count(name) != 1]
            if wrong:
                twice = any(name in names for name in wrong)
                raise ToolError(
                    f"{file} has {'more than one' if twice else 'no'} column {', '.join(wrong)}. A CSV with the "
                    "header timestamp,ms,status was expected: seconds since the epoch or an ISO 8601 time, "
                    "milliseconds, and 1 for passed or 0 for failed."
                )
            for number, row in enumerate(reader):
                yield _row(number, row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ToolError(
            f"{file} cannot be read as CSV: {reason}. Give a file with the header timestamp,ms,status."
        ) from None


def _row(number: int, row: dict[str, Any]) -> _Row | _Unusable:
    """A row that cannot be used counts as a row; of a failed run what it took does not matter."""
    cells = {column: (row[column] or "").strip() for column in _EXPECTED}
    at, ms, ok = _seconds(cells["timestamp"]), _number(cells["ms"]), _STATUS.get(cells["status"].lower())
    blamed = {
        "timestamp": not 0 <= at < _LATEST,
        "status": ok is None,
        "ms": ok is True and not (math.isfinite(ms) and ms > 0),
    }
    for column, wrong in blamed.items():
        if wrong:
            return _Unusable(number, column, cells[column][:60])
    return _Row(number, at, ms, ok is True, "\x1f".join(map(str, row.values())))


def _seconds(text: str) -> float:
    """Seconds since the epoch; not a number when it is no time."""
    if not math.isnan(number := _number(text)):
        return number
    try:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _line(alarm: Alarm) -> dict[str, Any]:
    line: dict[str, Any] = {
        "index": alarm.index,
        "time": alarm.time,
        "rule": alarm.rule,
        "since": alarm.since,
        "ratio": round(alarm.ratio, 4),
        "usual_ms": round(alarm.usual_ms, 3),
        "now_ms": round(alarm.now_ms, 3),
    }
    if alarm.first_since:
        line |= {"first_since": alarm.first_since, "first_ratio": round(alarm.first_ratio, 4)}
    return line if alarm.lane == "paging" else {**line, "lane": alarm.lane}


def _show(file: Path, detector: StepDetector, alarms: list[Alarm]) -> None:
    console = open_console()
    for alarm in alarms:
        console.print(f"{_utc(alarm.time)} {alarm.lane:8} {alarm.sentence(file.stem)}")
    paging = sum(alarm.lane == "paging" for alarm in alarms)
    console.print(f"{paging} alarms, {len(alarms) - paging} reports.")
    if detector.ready:
        console.print(
            f"Usually {detector.usual_ms:.0f} ms. The least slowdown this step can show is "
            f"{detector.smallest_visible():.2f} ×."
        )
    else:
        console.print(_TOO_FEW)


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}"
