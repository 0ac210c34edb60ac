"""After a run: read what was recorded, judge it, and write the verdict before anything is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from synthprobe.errors import ReportError
from synthprobe.files import read_lines, write_whole
from synthprobe.records.address import shown_address
from synthprobe.records.decoding import from_json
from synthprobe.records.intervals import due_journeys
from synthprobe.records.journey import Journey
from synthprobe.records.result import Progress, Result, Run
from synthprobe.records.verdict import Verdict
from synthprobe.verdict.judge import (
    MUST_FAIL,
    MUST_PASS,
    Unseen,
    judge_canaries,
    judge_run,
    lost_attempts,
    saw_nothing,
    without_network,
)

T = TypeVar("T")
_LOOKED_BACK = 300  # runs, for journeys that were not due in the newest


def judge(
    folder: Path,
    *,
    missing: Callable[[Journey], Unseen] | str = "",
    cut_short: str = "",
    control: Callable[[], str] | None = None,
    write: bool = True,
) -> Verdict:
    """Judge a run from its folder, and write ``verdict.json``."""
    run = _read(folder / "run.json", Run)
    expected = {
        journey.id: journey
        for name in ("inventory.json", "collected.json")
        if (folder / name).exists()
        for journey in _read(folder / name, list[Journey])
    }
    due = due_journeys(expected.values(), run.slot, run.interval_s)
    recorded = read_results(folder)
    canaries = [result for result in recorded if result.journey.id in {MUST_FAIL, MUST_PASS}]
    results = [result for result in recorded if result not in canaries]
    blind, disbelieved = judge_canaries(canaries)
    verdict = judge_run(
        run,
        due,
        results,
        datetime.now(UTC),
        missing=missing if callable(missing) else lambda _: Unseen(cause=missing),
        blind=blind,
        disbelieved=disbelieved,
        cut_short=cut_short,
    )
    died = {(note.journey, note.attempt): note.step for note in read_progress(folder)}
    verdict = msgspec.structs.replace(verdict, notes=lost_attempts(verdict, died), not_due=len(expected) - len(due))
    if control is not None and saw_nothing(verdict) and (why := control()):
        verdict = without_network(verdict, why)
    build = next((r.build for j in verdict.journeys for r in j.results if r.build), "")
    verdict = msgspec.structs.replace(verdict, run=msgspec.structs.replace(run, build=run.build or build))
    if write:
        write_verdict(folder, verdict)
    return verdict


def write_verdict(folder: Path, verdict: Verdict) -> None:
    write_whole(folder / "verdict.json", msgspec.json.format(msgspec.json.encode(verdict)))


def read_verdict(path: Path) -> Verdict:
    return _read(path, Verdict)


def read_progress(folder: Path) -> list[Progress]:
    """Where each attempt at a journey was last."""
    last: dict[tuple[str, int], Progress] = {}
    for path in sorted((folder / "progress").glob("*.jsonl")):
        for note in read_lines(path, Progress):
            last[note.journey, note.attempt] = note
    return list(last.values())


def read_results(folder: Path) -> list[Result]:
    """Every result of a run, as far as it was written; a journey whose line was cut off stays expected."""
    journals = sorted((folder / "journal").glob("*.jsonl"))
    return [result for journal in journals for result in read_lines(journal, Result)]


def newest_run(root: Path, folder: str) -> Path:
    return _oldest_first(root, folder)[-1]


def _oldest_first(root: Path, folder: str) -> list[Path]:
    begun = sorted((root / folder / "runs").glob("*/*/run.json"), key=lambda path: path.stat().st_mtime)
    if not begun:
        raise ReportError(
            f"No run was found under {folder}/runs. Run the journeys first: pytest journeys, or synthprobe run."
        )
    return [path.parent for path in begun]


def newest_runs(root: Path, folder: str) -> list[Path]:
    """The newest run of each target, after those that judged what was not due in it; the newest of all last."""
    runs = _oldest_first(root, folder)
    newest = {run.parent: run for run in runs}
    earlier = [run for target in newest for run in _with_not_due([run for run in runs if run.parent == target])]
    return [*earlier, *newest.values()]


def _with_not_due(runs: list[Path]) -> Iterator[Path]:
    """Earlier runs of a target that judged what was not due in the newest, so that the pages know it as well."""
    seen: set[str] = set()
    wanted = 0
    for number, run in enumerate(reversed(runs[-_LOOKED_BACK:])):
        with suppress(ReportError):
            verdict = read_verdict(run / "verdict.json")
            found = {
                judgement.journey.id for judgement in verdict.journeys if not number or judgement.journey.every_s
            } - seen
            if number and found:
                yield run
            wanted = wanted - len(found) if number else verdict.not_due
            seen |= found
        if wanted < 1:
            return


def _read(path: Path, kind: type[T]) -> T:
    try:
        return from_json(shown_address(path.read_text("utf-8", "replace")), kind)
    except FileNotFoundError:
        raise ReportError(f"{path.parent} holds no {path.name}, so it is no run. Give the folder of a run.") from None
    except msgspec.DecodeError as error:
        raise ReportError(f"{path} cannot be read: {error}. The run was cut off; run the journeys again.") from None
