"""``synthprobe drill``: a fault is switched on in the dispatch centre; its runbook must lead from there to green."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import requests
import typer
from rich.table import Table

from synthprobe import pipeline
from synthprobe.cli.demo import centre
from synthprobe.cli.exercise import desk, sign_in
from synthprobe.cli.terminal import open_console
from synthprobe.config import Config, find_root, read_config
from synthprobe.demo.faults import DECOYS, KINDS, Kind
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.model.result import Outcome
from synthprobe.model.verdict import Verdict
from synthprobe.respond.matching import match, tell
from synthprobe.respond.runbook_stamp import stamp
from synthprobe.respond.runbooks import Exercise, Runbook, read_runbooks
from synthprobe.supervisor import RunOrder, run_journeys
from synthprobe.targets.target import Target
from synthprobe.verdict.triage import is_vague

_console = open_console()
_NEVER_CODE = {"data", "config", "user"}


@dataclass(frozen=True)
class Drilled:
    """What came of one fault or decoy."""

    name: str
    truth: str
    noticed: tuple[str, ...]
    said: str = ""
    rule: str = ""
    runbook: str = ""
    wanted_runbook: str = ""
    tied: tuple[str, ...] = ()
    followed: str = ""
    unproved: str = ""
    called_code: tuple[str, ...] = ()

    def wrong(self) -> str:
        """What did not hold, as a sentence; empty when all did."""
        if self.truth == "decoy":
            return f"The decoy was taken for a fault by {', '.join(self.noticed)}." if self.noticed else ""
        if not self.noticed:
            return "No journey that was expected to notice it did."
        if self.called_code and self.truth in _NEVER_CODE:
            return f"A {self.truth} fault was called code in {', '.join(self.called_code)}."
        if self.said not in {self.truth, "unknown"}:
            return f"It was classed as {self.said} by the rule {self.rule}; {self.truth} was expected."
        if not self.wanted_runbook or self.runbook != self.wanted_runbook:
            wanted = self.wanted_runbook or f"one with 'drill: {self.name}'"
            return f"The runbook {self.runbook or 'none'} was matched; {wanted} was expected."
        if self.tied:
            return (
                f"{', '.join(self.tied)} fits as well as {self.runbook}; one page was expected. Let one match closer."
            )
        return self.unproved


class Drill:
    """Runs journeys against a centre that is put in one state after the other."""

    def __init__(
        self, root: Path, config: Config, target: Target, address: dict[str, Any], workers: int, *, whole: bool = False
    ) -> None:
        self.root, self.target, self.workers, self.whole = root, target, workers, whole
        self.config = msgspec.structs.replace(config, second_attempts=0)
        self.control, self.token = address["control_url"], {"X-Control-Token": address["control_token"]}
        self.places: dict[str, str] = {}
        shelf = read_runbooks(root / config.runbooks, root)
        for sentence in shelf.refused:
            _console.print(sentence)
        self.pages = shelf.runbooks
        self.runbooks = {one.drill: one for one in self.pages if one.drill}

    def healthy(self) -> tuple[str, ...]:
        """Journeys that do not pass although nothing is wrong."""
        _, verdict = self._run(())
        self.places = {one.journey.id: one.journey.node_id for one in verdict.journeys}
        return tuple(one.journey.id for one in verdict.journeys if one.outcome != "passed")

    def fault(self, kind: Kind) -> Drilled:
        """Drill one fault, with every journey or those that are expected to notice it; follow its runbook to green."""
        tokens = sign_in(self.root, self.target)
        self._switch("faults", kind.name, on=True)
        try:
            expected = () if self.whole else kind.noticed_by
            folder, verdict = self._run([self.places[id] for id in expected if id in self.places])
            drilled = self._noticed(kind, verdict)
            return drilled if drilled.wrong() else self._follow(drilled, folder, tokens)
        finally:
            self._switch("faults", kind.name, on=False)

    def _noticed(self, kind: Kind, verdict: Verdict) -> Drilled:
        noticed = [one for one in verdict.journeys if one.outcome in {"failed", "degraded"}]
        order = {id: place for place, id in enumerate(kind.noticed_by)}
        # the most telling journey speaks for the fault, as it does for an incident
        lead = min(noticed, key=lambda one: (is_vague(one.triage), order.get(one.journey.id, 99)), default=None)
        runbook = self.runbooks.get(kind.name)
        subject = next((one.subject for one in tell(verdict) if lead and one.verdict.journey == lead.journey), None)
        return Drilled(
            name=kind.name,
            truth=kind.cause,
            noticed=tuple(one.journey.id for one in noticed),
            said=lead.triage.cause_class if lead and lead.triage else "",
            rule=lead.triage.rule if lead and lead.triage else "",
            runbook=lead.runbook if lead else "",
            wanted_runbook=runbook.id if runbook else "",
            tied=match(self.pages, subject).tied if subject else (),
            called_code=tuple(one.journey.id for one in noticed if one.triage and one.triage.cause_class == "code"),
        )

    def _follow(self, drilled: Drilled, folder: Path, tokens: Mapping[str, str]) -> Drilled:
        runbook: Runbook = self.runbooks[drilled.name]
        with desk(self.root, self.config, self.target, tokens, folder) as place:
            wrong = place.confirm(runbook)
            if not wrong and runbook.fix:
                how, wrong = f"fixed by {runbook.fix}", place.mend(runbook, drilled.noticed, self._again)
            elif not wrong:
                self._switch("faults", drilled.name, on=False)
                how, wrong = "no fix: healed by the drill", self._still(drilled.noticed)
            wrong = wrong or place.verify(runbook)
        return replace(drilled, unproved=wrong) if wrong else replace(drilled, followed=f"confirmed, {how}, verified")

    def _still(self, journeys: Sequence[str]) -> str:
        bad = [f"{id}: {outcome}" for id, outcome in self._again(journeys).items() if outcome != "passed"]
        return f"The drill healed the fault, and not all journeys pass again: {', '.join(bad)}." if bad else ""

    def _again(self, journeys: Sequence[str]) -> Mapping[str, Outcome]:
        _, verdict = self._run([self.places[id] for id in journeys])
        return {one.journey.id: one.outcome for one in verdict.journeys}

    def decoy(self, name: str) -> Drilled:
        """Run every journey under a decoy, which nobody may notice."""
        self._switch("decoys", name, on=True)
        try:
            _, verdict = self._run(())
        finally:
            self._switch("decoys", name, on=False)
        noticed = tuple(one.journey.id for one in verdict.journeys if one.outcome != "passed")
        return Drilled(name=name, truth="decoy", noticed=noticed)

    def _run(self, paths: Sequence[str]) -> tuple[Path, Verdict]:
        order = RunOrder(paths=tuple(paths), workers=0 if paths else self.workers, quiet=True)
        folder, verdict = run_journeys(self.root, self.config, self.target, order)
        return folder, pipeline.explain_run(self.root, self.config, folder, verdict)

    def _switch(self, group: str, name: str, *, on: bool) -> None:
        url = f"{self.control}/{group}/{name}"
        try:
            requests.post(url, json={"on": on}, headers=self.token, timeout=30).raise_for_status()
        except requests.RequestException as error:
            raise ToolError(
                f"The dispatch centre does not take the switch of {name} ({type(error).__name__}), so nothing more can "
                "be drilled. It was expected to run until the drill ends. Look whether something stopped it, and drill "
                "again what is not listed above."
            ) from None


def drill(
    names: Annotated[list[str] | None, typer.Argument(help="Faults and decoys of the dispatch centre.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every fault and every decoy.")] = False,
    score: Annotated[bool, typer.Option("--score", help="Show which class was said for which.")] = False,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="With every journey, as a scheduled run; without it, those that should notice."),
    ] = False,
    workers: Annotated[int, typer.Option("--workers", "-n", help="Parallel workers for whole runs.", min=0)] = 3,
    stamped: Annotated[
        bool, typer.Option("--stamp", help="Write date and revision into each runbook that held.")
    ] = False,
) -> None:
    """Prove on the dispatch centre that faults are found, classed, and ended by following their runbooks.

    Exit code 0: all held, and every decoy stayed silent. 1: something did not; the table says what.
    """
    kinds = {kind.name: kind for kind in KINDS}
    chosen = [*kinds, *DECOYS] if everything else list(names or ())
    unknown = [name for name in chosen if name not in kinds and name not in DECOYS]
    if unknown or not chosen:
        raise ConfigurationError(
            f"There is no fault or decoy {', '.join(map(repr, unknown)) or 'given'}. "
            f"Known ones: {', '.join([*kinds, *DECOYS])}. Use --all for every one of them."
        )
    root = find_root(Path.cwd())
    config = read_config(root)
    exercise = Exercise(at=datetime.now(UTC).date(), revision=_revision(root)) if stamped else None
    done = []
    with centre() as address:
        it = Drill(root, config, config.target("demo", base_url=address["base_url"]), address, workers, whole=whole)
        if bad := it.healthy():
            raise ConfigurationError(
                f"{', '.join(bad)} did not pass although nothing is wrong. Correct that first; nothing was drilled."
            )
        for name in chosen:
            result = it.fault(kinds[name]) if name in kinds else it.decoy(name)
            done.append(result)
            wrong = result.wrong()
            said = f"{result.said}, {result.runbook}: {result.followed}" if result.truth != "decoy" else "silent"
            _console.print(f"{'✗' if wrong else '✓'} {name}: {wrong or said}")
            if exercise and not wrong and name in it.runbooks:
                stamp(root / it.runbooks[name].path, exercise)
    if score:
        _console.print(_matrix(done))
    failed = [one for one in done if one.wrong()]
    _console.print(f"{len(done) - len(failed)} of {len(done)} held.")
    raise typer.Exit(1 if failed else 0)


def _revision(root: Path) -> str:
    """The revision that is drilled, marked when files differ from it; taken before any file is stamped."""
    command = ["git", "describe", "--always", "--exclude", "*", "--abbrev=12", "--dirty"]
    try:
        return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        raise ConfigurationError(
            "--stamp writes down the revision that was drilled, and git knows none here. "
            "Drill inside a repository with at least one commit, or leave --stamp out."
        ) from None


def _matrix(done: Sequence[Drilled]) -> Table:
    """Rows are the truth, columns what was said."""
    faults = [one for one in done if one.truth != "decoy"]
    counted = Counter((one.truth, one.said or "not found") for one in faults)
    classes = ["code", "infra", "config", "data", "dependency", "user"]
    said = [*classes, *sorted({say for _, say in counted} - set(classes))]
    table = Table(title="Class of the fault (rows), class that was said (columns)")
    for heading in ("", *said, "faults"):
        table.add_column(heading, justify="right" if heading else "left")
    for truth in classes:
        total = sum(counted[truth, say] for say in said)
        if total:
            table.add_row(truth, *(str(counted[truth, say] or "") for say in said), str(total))
    return table
