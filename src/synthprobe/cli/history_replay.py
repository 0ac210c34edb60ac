"""``synthprobe history replay``: what the detector would have said of a recorded series."""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from synthprobe.cli.terminal import open_console
from synthprobe.errors import ToolError
from synthprobe.verdict.degradation import Alarm, StepDetector

_COLUMNS = ("timestamp", "ms", "status")
_STATUS = {"1": True, "1.0": True, "true": True, "passed": True}
_STATUS |= {"0": False, "0.0": False, "false": False, "failed": False}
_LATEST = 253_402_300_800.0  # the year 10,000


def replay(
    file: Annotated[Path, typer.Argument(help="CSV with the columns timestamp, ms, status (1 passed, 0 failed).")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line for each alarm.")] = False,
) -> None:
    """Run the detector over a recorded series, and show every alarm it would have raised."""
    rows = list(_rows(file))
    passed_over = [n for n, row in enumerate(rows) if row is None]
    usable = sorted(((row, n) for n, row in enumerate(rows) if row is not None), key=lambda one: one[0][0])
    detector, alarms = StepDetector(), []
    for row, n in usable:
        alarms += [replace(alarm, index=n) for alarm in detector.update(*row)]
    if as_json:
        for alarm in alarms:
            sys.stdout.write(json.dumps(_line(alarm)) + "\n")
    else:
        _show(file, detector, alarms)
    if passed_over:
        open_console(stderr=True).print(
            f"{len(passed_over)} rows have no usable time, duration or status and were passed over: "
            f"{', '.join(map(str, passed_over[:10]))}{' ...' if len(passed_over) > 10 else ''} (counted from 0).",
            markup=False,
        )


def _rows(file: Path) -> Iterator[tuple[float, float, bool] | None]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            reader.fieldnames = names = [name.strip().lower() for name in reader.fieldnames or ()]
            wrong = [name for name in _COLUMNS if names.count(name) != 1]
            if wrong:
                twice = any(name in names for name in wrong)
                raise ToolError(
                    f"{file} has {'more than one' if twice else 'no'} column {', '.join(wrong)}. A CSV with the "
                    "header timestamp,ms,status was expected: seconds since the epoch or an ISO 8601 time, "
                    "milliseconds, and 1 for passed or 0 for failed."
                )
            for row in reader:
                yield _row(row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ToolError(
            f"{file} cannot be read as CSV: {reason}. Give a file with the header timestamp,ms,status."
        ) from None


def _row(row: dict[str, Any]) -> tuple[float, float, bool] | None:
    """A row that cannot be used is nothing, but counts as a row."""
    try:
        ok = _STATUS[str(row["status"]).strip().lower()]
        at = _seconds(str(row["timestamp"]).strip())
        ms = float(row["ms"]) if ok or str(row["ms"]).strip() else math.nan
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    if not 0 <= at < _LATEST or (ok and not (math.isfinite(ms) and ms > 0)):
        return None
    return at, ms, ok


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


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
    return line if alarm.lane == "paging" else {**line, "lane": alarm.lane}


def _show(file: Path, detector: StepDetector, alarms: list[Alarm]) -> None:
    console = open_console()
    for alarm in alarms:
        at = datetime.fromtimestamp(alarm.time, UTC)
        console.print(f"{at:%Y-%m-%d %H:%M} {alarm.lane:8} {alarm.sentence(file.stem)}", markup=False)
    paging = sum(alarm.lane == "paging" for alarm in alarms)
    console.print(f"{paging} alarms, {len(alarms) - paging} reports.", markup=False)
    if detector.ready:
        console.print(
            f"Usually {detector.usual_ms:.0f} ms. The least slowdown this step can show is "
            f"{detector.smallest_visible():.2f} ×.",
            markup=False,
        )
    else:
        console.print("Too few runs to judge by: 20 are needed.", markup=False)
