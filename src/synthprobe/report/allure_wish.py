"""The folder that ``--alluredir`` names: it gets the results of the run's own folder, reconciled."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from synthprobe.errors import ReportError
from synthprobe.records.verdict import Verdict
from synthprobe.report.allure_results import reconcile

_WISH = "alluredir.txt"


def wished_folder(given: str | None, *, clean: bool) -> Path | None:
    """Where the author of the journeys wants Allure's results as well."""
    if not given:
        return None
    wished = Path(os.path.abspath(given))
    if clean:
        shutil.rmtree(wished, ignore_errors=True)
    return wished


def note_wish(run_dir: Path, wished: Path | None) -> None:
    """Leave the wish to whoever judges the run."""
    if wished is not None:
        (run_dir / _WISH).write_text(str(wished), "utf-8")


def grant_allure(run_dir: Path, verdict: Verdict, wished: Path | None = None) -> str:
    """Copy the results, in line with the verdict, to where they are wanted as well."""
    wish = run_dir / _WISH
    if wished is None and not wish.exists():
        return ""
    wished = wished or Path(wish.read_text("utf-8"))
    try:
        reconcile(run_dir, verdict)
        wished.mkdir(parents=True, exist_ok=True)
        for path in (run_dir / "allure-results").iterdir():
            temporary = wished / f".{path.name}.tmp"
            shutil.copyfile(path, temporary)
            temporary.replace(wished / path.name)
    except ReportError as error:
        return str(error)
    except OSError as error:
        return f"Allure's results could not be copied to {wished}: {error.strerror or error}. They are in {run_dir}."
    return ""
