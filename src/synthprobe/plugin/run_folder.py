"""The folder of a run that pytest begins itself, or that the supervisor began, and how far a worker in it is."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from synthprobe.evidence.redaction import Redactor
from synthprobe.files import write_whole
from synthprobe.journey.clock import real_now
from synthprobe.plugin.gate import is_a_run
from synthprobe.plugin.options import project_of
from synthprobe.records.decoding import from_json
from synthprobe.records.journey import Journey
from synthprobe.records.result import PART, RUN_FOLDERS, Progress, Run, Share
from synthprobe.report.allure_wish import grant_wish
from synthprobe.targets.target import Target


class RunFolder:
    """Where a run is written down. It is made once there is a journey to judge, so that what was no run leaves none."""

    def __init__(self, path: Path, run: Run, *, recorded: bool, begun: bool = False) -> None:
        self.path = path
        self.run = run
        self.recorded = recorded
        self.begun = begun
        self.alluredir: Path | None = None

    @classmethod
    def of(cls, config: pytest.Config, target: Target, scratch: Path) -> RunFolder:
        recorded = is_a_run(config)
        worker = getattr(config, "workerinput", None)
        if worker is not None:
            run = from_json(worker["synthprobe_run"], Run)
            return cls(Path(worker["synthprobe_folder"]), run, recorded=recorded, begun=worker["synthprobe_begun"])
        project, given = project_of(config), config.option.synthprobe_run_folder
        command = shlex.join(["pytest", *config.invocation_params.args])
        run = project.run(target, None, command=command, identifiers=project.plugins.identifiers())
        path = project.folder / "runs" / target.name / f"{run.slot}-{run.id}"
        if given:
            path = Path(given).absolute()
        if not recorded:
            return cls(path if given and config.option.collectonly else scratch / "run", run, recorded=False)
        folder = cls(path, run, recorded=True, begun=(path / "run.json").exists())
        if folder.begun:  # the supervisor began this run; it does not know who moved the address
            begun = from_json((path / "run.json").read_bytes(), Run)
            folder.run = msgspec.structs.replace(begun, base_url=target.base_url)
            folder.begin()
        return folder

    def begin(self) -> None:
        for part in RUN_FOLDERS:
            (self.path / part).mkdir(parents=True, exist_ok=True)
        write_whole(self.path / "run.json", msgspec.json.encode(self.run))

    def share(self) -> Share | None:
        """What this run looks at; nothing when it looks at all."""
        path = self.path / PART
        return from_json(path.read_bytes(), Share) if path.exists() else None

    def collected(self, journeys: Sequence[Journey]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / "collected.json", msgspec.json.encode(journeys))  # each worker: any may die before

    def hand_over(self) -> str:
        """At the end of an unsupervised session, bring Allure's results to where ``--alluredir`` wants them."""
        if self.alluredir is None or not (self.path / "run.json").exists():
            return ""
        from synthprobe import pipeline  # most sessions are not judged here

        verdict = pipeline.judge(self.path, missing="It did not run in this session.", write=False)
        return grant_wish(self.path, verdict, self.alluredir)


class ProgressWriter:
    """Told of every step of one attempt."""

    def __init__(
        self, folder: Path, worker: str, journey: str, attempt: int, redactor: Redactor, within_s: float
    ) -> None:
        self._path = folder / "progress" / f"{worker}.jsonl"
        self._journey = journey
        self._attempt = attempt
        self._redactor = redactor
        self._within_s = within_s
        self._open: dict[str, str] = {}
        self._write()

    def allow(self, within_s: float, *, broken: str = "") -> None:
        """The body is over, in that step if it broke; what comes now has seconds of its own."""
        if self._within_s:
            self._write(within_s=within_s, broken=self._redactor.late_text(broken))

    def end(self) -> None:
        self._open.clear()
        self._write(ended=True)

    def step_started(self, key: str, title: str, around: str) -> None:
        self._open[key] = self._redactor.late_text(title)
        self._write()

    def step_ended(self, key: str, error: BaseException | None) -> None:
        self._open.pop(key, None)

    def _write(self, *, within_s: float = 0.0, broken: str = "", ended: bool = False) -> None:
        note = Progress(
            journey=self._journey,
            attempt=self._attempt,
            step=" › ".join(self._open.values()) or broken,
            at=real_now(),
            pid=os.getpid(),
            within_s=within_s or self._within_s,
            ended=ended,
        )
        with suppress(OSError), self._path.open("ab") as file:  # it only helps; a full disk costs no journey
            file.write(msgspec.json.encode(note) + b"\n")
