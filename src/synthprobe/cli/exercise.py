"""A runbook put to use in a drill: its Confirm is typed, its fix is applied, its Verify is read."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from synthprobe.cli.fix import known_fixes
from synthprobe.config import Config
from synthprobe.errors import SynthprobeError
from synthprobe.firstline.applying import FixDesk
from synthprobe.firstline.audit import RecordedAudit
from synthprobe.firstline.fixes import Fix
from synthprobe.firstline.identity import Actor
from synthprobe.firstline.runbook import Command, Runbook, holds
from synthprobe.history.store import History
from synthprobe.project import Project
from synthprobe.records.incident import Incident
from synthprobe.records.result import Outcome
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Target
from synthprobe.tools import run_tool

COMMAND_S = 120.0
_EXCERPT = 300


class Desk:
    """Where a runbook is followed: a copy of the project, so that a drill adds nothing to its memory or audit."""

    def __init__(self, project: Project, copy: Path, target: Target, variables: Mapping[str, Secret]) -> None:
        self.project, self.target = dataclasses.replace(project, root=copy), target
        self._secret = partial(project.secret, target)  # the copy holds no files of secrets
        self._mask = project.redactor
        for secret in variables.values():
            self._mask.add(secret)
        path = f"{Path(sys.executable).parent}{os.pathsep}{project.environ.get('PATH', '')}"
        self._environ = {
            **project.environ,
            **{name: secret.reveal() for name, secret in variables.items()},
            "BASE_URL": target.base_url,
            "PATH": path,
        }

    def confirm(self, runbook: Runbook) -> str:
        """Type the commands of Confirm, and compare what they print with what is expected beside them."""
        section = runbook.section("Confirm")
        commands = section.commands if section else ()
        return next(
            (
                mismatch
                for command in commands
                if (mismatch := self._compared(runbook, command, self._type(command)[1]))
            ),
            "",
        )

    def mend(
        self, runbook: Runbook, journeys: Sequence[str], rerun: Callable[[Sequence[str]], Mapping[str, Outcome]]
    ) -> str:
        """Plan the runbook's fix, then apply it with every rule of safety, approved by a second role where it asks."""
        try:
            fix = known_fixes(self.project).get(runbook.fix)
            if fix is None:
                return f"{runbook.path} names the fix {runbook.fix!r}, and there is none. See: synthprobe fix plan."
            return self._applied(fix, journeys, rerun)
        except SynthprobeError as error:
            return f"The fix {runbook.fix} was not applied. {self._mask.text(str(error))}"

    def verify(self, runbook: Runbook) -> str:
        """Run the probe that Verify names, and compare its independent read with what is expected."""
        section = runbook.section("Verify")
        commands = section.commands if section else ()
        if not any("synthprobe run" in command.shell for command in commands) or not any(
            command.says for command in commands
        ):
            return (
                f"Verify of {runbook.path} cannot be checked: a probe and an independent read with a line "
                "'Expected: ...' below it were expected."
            )
        for verify_command in commands:
            code, output = self._type(verify_command)
            if code and "synthprobe run" in verify_command.shell:
                return (
                    f"{runbook.path}:{verify_command.line}: the probe of Verify is not green: {self._excerpt(output)}"
                )
            if mismatch := self._compared(runbook, verify_command, output):
                return mismatch
        return ""

    def _applied(
        self, fix: Fix, journeys: Sequence[str], rerun: Callable[[Sequence[str]], Mapping[str, Outcome]]
    ) -> str:
        now = datetime.now(UTC)
        incident = Incident(
            id="drill",
            target=self.target.name,
            kind="failing",
            state="open",
            fingerprint="",
            signature="",
            title="A drill.",
            opened_at=now,
            first_seen_at=now,
            last_seen_at=now,
            journeys=tuple(journeys),
        )
        state = self.project.folder
        desk = FixDesk(
            config=self.project.config.fixes,
            target=self.target,
            folder=state,
            audit=RecordedAudit(partial(History.open, state / "history.db"), state),
            rerun=rerun,
            record=lambda *_: None,
            secret=self._secret,
            environ=self.project.environ,
            redactor=self._mask,
        )
        first = Actor(self._role("apply", fix.roles), "the one who applies")
        if desk.apply(fix, incident, first).plan is None:
            return f"The fix {fix.id} sees nothing to do, although the fault is on."
        done = desk.apply(fix, incident, first, really=True)
        if done.request:
            desk.approve(done.request, Actor(self._role("approve"), "the one who approves"))
            done = desk.apply(fix, incident, first, really=True)
        return "" if done.ok and done.changed else f"The fix {fix.id} did not help: {done.text}"

    def _role(self, power: str, among: Sequence[str] = ()) -> str:
        """A role that has the power; whether it may use it here is the desk of fixes' to say."""
        able = [role for role, powers in self.project.config.fixes.roles.items() if power in powers]
        return next((role for role in able if role in among), able[0] if able else "nobody")

    def _type(self, command: Command) -> tuple[int, str]:
        """Run a command as a person types it; its exit code, and all it printed."""
        try:
            return run_tool(
                ["sh", "-c", command.shell], timeout_s=COMMAND_S, environ=self._environ, cwd=self.project.root
            )
        except subprocess.TimeoutExpired:
            return 124, f"It did not end within {COMMAND_S:g} s."

    def _compared(self, runbook: Runbook, command: Command, output: str) -> str:
        mismatch = holds(command, output)
        if not mismatch:
            return ""
        return f"{runbook.path}:{command.line}: {mismatch} It printed: {self._excerpt(output)}"

    def _excerpt(self, output: str) -> str:
        text = " ".join(self._mask.text(output).split())
        return f"… {text[-_EXCERPT:]}" if len(text) > _EXCERPT else text or "nothing."  # what a run says is at its end


@contextmanager
def desk(project: Project, target: Target, variables: Mapping[str, Secret], run: Path) -> Iterator[Desk]:
    """A desk at which a run was just seen to fail."""
    with TemporaryDirectory(prefix="synthprobe-drill-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder)
        for part in (*project.config.journeys, project.config.runbooks, project.config.fixes.folder):
            if (project.root / part).is_dir():
                shutil.copytree(project.root / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in (name for name in project.config.plugins if name.endswith(".py")):
            (copy / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(project.root / part, copy / part)
        (copy / "synthprobe.toml").write_text(_settings(project.config, target), "utf-8")
        runs = copy / project.config.folder / "runs" / target.name
        runs.mkdir(parents=True)
        (runs / run.name).symlink_to(run.absolute(), target_is_directory=True)
        yield Desk(project, copy, target, variables)


def _settings(config: Config, target: Target) -> str:
    """The configuration of the copy: this target only, nobody is told, and nothing shared is written to."""
    settings = msgspec.to_builtins(config)
    for key in ("alerts", "heartbeat", "history"):
        del settings[key]
    settings["default_target"] = target.name
    settings["targets"] = {target.name: {k: v for k, v in msgspec.to_builtins(target).items() if k != "name"}}
    return "".join(f"{key} = {_toml(value)}\n" for key, value in settings.items() if value is not None)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        inside = ", ".join(f"{json.dumps(k)} = {_toml(v)}" for k, v in value.items() if v is not None)
        return f"{{{inside}}}"
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, (list, tuple)) else json.dumps(value)
