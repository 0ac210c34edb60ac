"""After a run: read what was recorded, judge it, and write the verdict before anything is published."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from synthprobe.errors import ReportError
from synthprobe.model.journey import Journey
from synthprobe.model.result import Result, Run
from synthprobe.model.verdict import Verdict
from synthprobe.verdict.judge import judge_run

T = TypeVar("T")


def judge(folder: Path) -> Verdict:
    """Judge a run from its folder, and write ``verdict.json``.

    Args:
        folder: the run's folder.

    Returns:
        The verdict.

    Raises:
        ReportError: when the folder holds no run.
    """
    run = _read(folder / "run.json", Run)
    inventory = folder / "inventory.json"
    expected = _read(inventory, list[Journey]) if inventory.exists() else []
    verdict = judge_run(run, expected, read_results(folder), datetime.now(UTC))
    build = next((r.build for j in verdict.journeys for r in j.results if r.build), "")
    verdict = msgspec.structs.replace(verdict, run=msgspec.structs.replace(run, build=run.build or build))
    temporary = folder / "verdict.json.tmp"
    temporary.write_bytes(msgspec.json.format(msgspec.json.encode(verdict)))
    temporary.replace(folder / "verdict.json")
    return verdict


def read_results(folder: Path) -> list[Result]:
    """Every result of a run, as far as it was written; a line cut off by a kill is left out.

    Args:
        folder: the run's folder.

    Returns:
        The results, in the order they were written by each worker.
    """
    results = []
    for journal in sorted((folder / "journal").glob("*.jsonl")):
        for line in journal.read_bytes().splitlines():
            try:
                results.append(msgspec.json.decode(line, type=Result))
            except msgspec.DecodeError:
                continue  # its journey stays expected, so it is judged unknown
    return results


def newest_run(root: Path, folder: str) -> Path:
    """The run that started last, of any target.

    Args:
        root: the project's root.
        folder: where runs are kept.

    Returns:
        The run's folder.

    Raises:
        ReportError: when there is none.
    """
    runs = sorted((root / folder / "runs").glob("*/*/run.json"), key=lambda path: path.stat().st_mtime)
    if not runs:
        raise ReportError(
            f"No run was found under {folder}/runs. Run the journeys first: pytest journeys, or synthprobe run."
        )
    return runs[-1].parent


def _read(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        raise ReportError(f"{path.parent} holds no {path.name}, so it is no run. Give the folder of a run.") from None
    except msgspec.DecodeError as error:
        raise ReportError(f"{path} cannot be read: {error}. The run was cut off; run the journeys again.") from None
