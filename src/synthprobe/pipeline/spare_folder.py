"""Where a run goes on when the project's folder takes nothing: a private temporary folder, in memory if need be."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from synthprobe.alerts.outbox import Outbox
from synthprobe.files import owner_of_ours
from synthprobe.project import Project
from synthprobe.words import counted

if TYPE_CHECKING:
    from synthprobe.history.store import History

_STORE = "history.db"
_MEMORY = Path("/dev/shm")  # noqa: S108
"""Takes files where every disk is full; on Linux it is there."""


def spare_folder(root: Path) -> Path:
    """The spare place of a project; made when it is needed."""
    folder = next(iter(_places(root)), None)
    if folder is None:
        raise OSError("Neither the project's folder nor a temporary one takes any file. Make room on the disk.")
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_ours_alone(folder):
        raise PermissionError(f"{folder} is not ours alone; it was expected to be. Remove it.")
    return folder


def _is_ours_alone(folder: Path) -> bool:
    found = folder.lstat()
    is_open = os.name == "posix" and found.st_mode & 0o077  # the temporary folder of Windows is a user's own
    return not folder.is_symlink() and found.st_uid == owner_of_ours() and not is_open


def _kept(root: Path) -> list[Path]:
    """The spare places that there are."""
    return [folder for folder in _places(root) if folder.exists() and _is_ours_alone(folder)]


def _places(root: Path) -> list[Path]:
    """Where it may be; the first is where it takes files now."""
    found = [_MEMORY] if _MEMORY.is_dir() else []
    with contextlib.suppress(OSError):  # each of them is full
        found.insert(0, Path(tempfile.gettempdir()))
    digest = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:12]
    return [folder / f"synthprobe-spare-{owner_of_ours()}-{digest}" for folder in found]


def spare_runs(root: Path, target: str) -> list[Path]:
    """Where runs of a target are kept that the project took nothing of."""
    return [place / "runs" / target for place in _kept(root)]


def open_outbox(project: Project, shared: History | None = None) -> Outbox:
    """Open the project's outbox, or a spare one; its messages are also in a history that is shared."""
    kept = next((spare / _STORE for spare in _kept(project.root) if (spare / _STORE).exists()), None)
    return Outbox(project.folder / _STORE, lambda: spare_folder(project.root) / _STORE, kept=kept, shared=shared)


def bring_home(project: Project) -> list[str]:
    """Take verdicts that were kept in the spare place back into the project, and remove what is empty then."""
    taken = []
    for path in sorted(path for place in _kept(project.root) for path in place.glob("runs/*/*/verdict.json")):
        home = project.folder / "runs" / path.parent.parent.name / path.parent.name
        home.mkdir(parents=True, exist_ok=True)
        for file in path.parent.iterdir():
            if not (home / file.name).exists():
                shutil.copy2(file, home / file.name)
        shutil.rmtree(path.parent)
        taken.append(path)
    for place in _kept(project.root):
        for folder in (*place.glob("runs/*"), place / "runs", place):
            with contextlib.suppress(OSError):  # it is not there, or holds messages that wait
                folder.rmdir()
    return [f"Taken into the project: {counted(len(taken), 'verdict')} of {taken[0].parents[3]}."] if taken else []
