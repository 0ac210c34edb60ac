"""Where a run goes on when the project's folder takes nothing: a private folder of the system's temporary ones."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from synthprobe.alerts.outbox import Outbox
from synthprobe.errors import HistoryError
from synthprobe.files import owner_of_ours
from synthprobe.pipeline.former_stores import take_outbox
from synthprobe.project import Project

if TYPE_CHECKING:
    from synthprobe.history.store import History

_STORE = "history.db"


def spare_folder(root: Path) -> Path:
    """The spare place of a project; made when it is needed."""
    folder = _place(root)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    is_open = os.name == "posix" and found.st_mode & 0o077  # the temporary folder of Windows is a user's own
    if folder.is_symlink() or found.st_uid != owner_of_ours() or is_open:
        raise PermissionError(f"{folder} is not ours alone; it was expected to be. Remove it.")
    return folder


def _place(root: Path) -> Path:
    digest = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"synthprobe-spare-{owner_of_ours()}-{digest}"


def spare_runs(root: Path, target: str) -> Path:
    """Where runs of a target are kept that the project took nothing of; it need not be there."""
    return _place(root) / "runs" / target


def open_outbox(project: Project, shared: History | None = None) -> Outbox:
    """Open the project's outbox, or a spare one; its messages are also in a history that is shared."""
    place = project.folder
    kept = (_place(project.root) / _STORE).exists()
    outbox = Outbox(place / _STORE, lambda: spare_folder(project.root) / _STORE, kept_in_spare=kept, shared=shared)
    with contextlib.suppress(HistoryError, OSError):  # is taken in the next time
        take_outbox(outbox.history, place / "outbox")
    return outbox


def bring_home(project: Project) -> list[str]:
    """Take verdicts that were kept in the spare place back into the project."""
    if not _place(project.root).exists():
        return []
    folder = spare_folder(project.root)
    taken = 0
    for path in sorted(folder.glob("runs/*/*/verdict.json")):
        home = project.folder / "runs" / path.parent.parent.name / path.parent.name
        home.mkdir(parents=True, exist_ok=True)
        for file in path.parent.iterdir():
            if not (home / file.name).exists():
                shutil.copy2(file, home / file.name)
        shutil.rmtree(path.parent)
        taken += 1
    return [f"{taken} verdicts that were kept in {folder} are in the project now."] if taken else []
