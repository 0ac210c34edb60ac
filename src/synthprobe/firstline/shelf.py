"""All runbooks of a project. What reads a page takes longer to load than a run that needs none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.errors import ConfigurationError
from synthprobe.firstline.runbook import Runbook

_SHIPPED = Path(__file__).with_name("ready_made")


class Shelf(Struct, frozen=True, kw_only=True):
    """All runbooks of a folder, and why others cannot be read."""

    runbooks: Sequence[Runbook] = ()
    refused: tuple[str, ...] = ()


def read_runbooks(folder: Path, root: Path | None = None) -> Shelf:
    """Read every runbook of a folder. One that cannot be read takes none of the others away."""
    root = root or folder.parent
    found, refused = [], []
    for path in sorted(folder.rglob("*.md")):
        if path.stem == "README":
            continue
        from synthprobe.firstline.runbooks import read_runbook

        try:
            found.append(read_runbook(path, root))
        except ConfigurationError as error:
            refused.append(str(error))
    return Shelf(runbooks=tuple(sorted(found, key=lambda runbook: runbook.id)), refused=tuple(refused))


def read_shelf(folder: Path, root: Path) -> Shelf:
    """A project's runbooks, with the ready-made ones."""
    return with_ready_made(read_runbooks(folder, root))


def with_ready_made(own: Shelf) -> Shelf:
    """Beside a project's runbooks, those of ready-made journeys of which it has none of that name."""
    return replace(own, runbooks=_WithReadyMade(own.runbooks))


class _WithReadyMade(Sequence[Runbook]):
    """Pages of ready-made journeys are read when a page is looked for."""

    def __init__(self, own: Sequence[Runbook]) -> None:
        self._own = own

    @cached_property
    def _all(self) -> Sequence[Runbook]:
        taken = {page.id for page in self._own}
        shipped = read_runbooks(_SHIPPED, _SHIPPED.parents[2]).runbooks
        return (*self._own, *(replace(page, shipped=True) for page in shipped if page.id not in taken))

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Runbook: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Runbook]: ...
    def __getitem__(self, index: int | slice) -> Runbook | Sequence[Runbook]:
        return self._all[index]
