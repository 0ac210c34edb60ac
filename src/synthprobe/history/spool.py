"""Verdicts that could not be stored, kept as files until the store can take them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from synthprobe.model.verdict import Verdict


class Spooled(Struct, frozen=True, kw_only=True):
    """A verdict that waits.

    Attributes:
        reason: why it could not be stored.
        verdict: the verdict.
    """

    reason: str
    verdict: Verdict


class Spool:
    """A folder of verdicts that wait."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, verdict: Verdict, reason: str) -> Path:
        """Keep a verdict, once for each run."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{verdict.run.id}.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(Spooled(reason=reason, verdict=verdict)))
        temporary.replace(path)
        return path

    def waiting(self) -> Iterator[tuple[Path, Spooled | None]]:
        """Every file that waits, oldest run first."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                yield path, msgspec.json.decode(path.read_bytes(), type=Spooled)
            except FileNotFoundError:
                continue  # another process was quicker
            except (OSError, msgspec.DecodeError):
                yield path, None
