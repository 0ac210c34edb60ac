"""The folder of a run that pytest begins itself, or that the supervisor began before it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from synthprobe.files import write_whole
from synthprobe.plugin.gate import is_a_run
from synthprobe.plugin.options import project_of
from synthprobe.records.journey import Journey
from synthprobe.records.result import PART, RUN_FOLDERS, Run, Share, new_run_id
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
        """The folder of this session."""
        recorded = is_a_run(config)
        worker = getattr(config, "workerinput", None)
        if worker is not None:
            run = msgspec.json.decode(worker["synthprobe_run"], type=Run)
            return cls(Path(worker["synthprobe_folder"]), run, recorded=recorded, begun=worker["synthprobe_begun"])
        project, now, given = project_of(config), datetime.now(UTC), config.option.synthprobe_run_folder
        slot = int(now.timestamp()) // project.config.interval_s
        run = Run(
            id=new_run_id(now),
            target=target.name,
            base_url=target.base_url,
            slot=slot,
            started_at=now,
            location=project.config.location,
            command=shlex.join(["pytest", *config.invocation_params.args]),
            identifiers=project.plugins.identifiers(),
        )
        path = project.folder / "runs" / target.name / f"{slot}-{run.id}"
        if given:
            path = Path(given).absolute()
        if not recorded:
            return cls(path if given and config.option.collectonly else scratch / "run", run, recorded=False)
        folder = cls(path, run, recorded=True, begun=(path / "run.json").exists())
        if folder.begun:  # the supervisor began this run; it does not know who moved the address
            begun = msgspec.json.decode((path / "run.json").read_bytes(), type=Run)
            folder.run = msgspec.structs.replace(begun, base_url=target.base_url)
            folder.begin()
        return folder

    def begin(self) -> None:
        """Make the folder, and write down which run it is."""
        for part in RUN_FOLDERS:
            (self.path / part).mkdir(parents=True, exist_ok=True)
        write_whole(self.path / "run.json", msgspec.json.encode(self.run))

    def share(self) -> Share | None:
        """What this run looks at; nothing when it looks at all."""
        path = self.path / PART
        return msgspec.json.decode(path.read_bytes(), type=Share) if path.exists() else None

    def collected(self, journeys: Sequence[Journey]) -> None:
        """Write down which journeys must be judged."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / "collected.json", msgspec.json.encode(journeys))  # each worker: any may die before

    def hand_over(self) -> str:
        """At the end of an unsupervised session, bring Allure's results to where ``--alluredir`` wants them."""
        if self.alluredir is None or not (self.path / "run.json").exists():
            return ""
        from synthprobe import pipeline  # most sessions are not judged here

        verdict = pipeline.judge(self.path, missing="It did not run in this session.", write=False)
        return grant_wish(self.path, verdict, self.alluredir)
