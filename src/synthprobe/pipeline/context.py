"""A judged run, and what the stages after it share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from synthprobe.firstline.runbook import Runbook
from synthprobe.pipeline.judging import write_verdict
from synthprobe.project import Project
from synthprobe.records.verdict import Verdict
from synthprobe.targets.windows import Window


@dataclass
class Context:
    """A run whose verdict stands: a stage adds to the verdict, or a sentence to the notes."""

    project: Project
    folder: Path
    verdict: Verdict
    runbooks: Sequence[Runbook] = ()
    windows: Sequence[Window] = ()
    notes: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.notes = list(self.verdict.notes)

    def with_notes(self) -> Verdict:
        """The verdict with every note, each said once."""
        self.verdict = replace(self.verdict, notes=tuple(dict.fromkeys(self.notes)))
        return self.verdict

    def write(self) -> Verdict:
        """The same, written."""
        write_verdict(self.folder, self.with_notes())
        return self.verdict
