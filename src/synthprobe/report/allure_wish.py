"""The folder that ``--alluredir`` names: it gets the results of the journeys, once they are judged."""

from __future__ import annotations

from pathlib import Path

from synthprobe.errors import ReportError
from synthprobe.records.verdict import Verdict

_WISH = "alluredir.txt"


def note_wish(run_dir: Path, wished: Path) -> None:
    """Leave the wish to whoever judges the run."""
    (run_dir / _WISH).write_text(str(wished), "utf-8")


def grant_wish(run_dir: Path, verdict: Verdict, wished: Path | None = None) -> str:
    """Write the results to where they are wanted; why that was not possible."""
    wish = run_dir / _WISH
    if wished is None and not wish.exists():
        return ""
    from synthprobe.report.allure_results import write_results  # most runs are not asked for any

    try:
        write_results(run_dir, verdict, wished or Path(wish.read_text("utf-8")))
    except (OSError, ReportError) as error:
        return str(error)
    return ""
