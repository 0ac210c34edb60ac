"""``synthprobe drill``: a fault is switched on; its runbook must lead from there to green."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from synthprobe import pipeline
from synthprobe.cli.drill_results import Drilled, Paired, incidents_of, wrong_pages
from synthprobe.cli.exercise import desk
from synthprobe.cli.options import complete_faults
from synthprobe.cli.page_changes import git
from synthprobe.cli.terminal import open_console
from synthprobe.errors import ConfigurationError
from synthprobe.firstline.matching import match, tell
from synthprobe.firstline.runbook import Exercise, Runbook
from synthprobe.firstline.runbooks import stamp
from synthprobe.firstline.score_set import sampled, write_score_set
from synthprobe.firstline.shelf import read_runbooks
from synthprobe.hooks import DrillPlan, DrillSystem, Fault
from synthprobe.project import Project
from synthprobe.records.result import Outcome
from synthprobe.records.verdict import Verdict
from synthprobe.runner import RunOrder, run_journeys
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Target
from synthprobe.triage.causes import is_vague

_console = open_console()


class Drill:
    """Runs journeys against a system that is put in one state after the other."""

    def __init__(
        self, project: Project, target: Target, system: DrillSystem, workers: int, *, whole: bool = False
    ) -> None:
        self.project = project.with_config(second_attempts=0)
        self.target, self.workers, self.whole = target, workers, whole
        self.system = system
        self.places: dict[str, str] = {}
        shelf = read_runbooks(project.root / project.config.runbooks, project.root)
        for sentence in shelf.refused:
            _console.print(sentence)
        self.pages = shelf.runbooks
        self.runbooks = {runbook.drill: runbook for runbook in self.pages if runbook.drill}

    def healthy(self) -> tuple[str, ...]:
        """Journeys that do not pass although nothing is wrong, and why; who did not is asked once more."""
        _, verdict = self._run(())
        self.places = {journey.journey.id: journey.journey.node_id for journey in verdict.journeys}
        if wrong := [journey.journey.node_id for journey in verdict.journeys if journey.outcome != "passed"]:
            _, verdict = self._run(wrong)
        return tuple(
            f"{journey.journey.id} is {journey.outcome} ({journey.cause or 'no cause is known'})"
            for journey in verdict.journeys
            if journey.outcome != "passed"
        )

    def fault(self, fault: Fault) -> Drilled:
        """Drill one fault, with every journey or those that are expected to notice it; follow its runbook to green."""
        variables = self.system.environment(lambda name: self.project.secret(self.target, name))
        with ExitStack() as healing:
            healing.enter_context(self.system.broken(fault.name))
            expected = () if self.whole else fault.noticed_by
            folder, verdict = self._run([self.places[id] for id in expected if id in self.places])
            drilled = self._noticed(fault, verdict)
            return drilled if drilled.wrong() else self._follow(drilled, folder, variables, healing)

    def _noticed(self, fault: Fault, verdict: Verdict) -> Drilled:
        noticed = [judgement for judgement in verdict.journeys if judgement.outcome in {"failed", "degraded"}]
        order = {id: place for place, id in enumerate(fault.noticed_by)}
        # the most telling journey speaks for the fault, as it does for an incident
        lead = min(
            noticed,
            key=lambda judgement: (is_vague(judgement.triage), order.get(judgement.journey.id, 99)),
            default=None,
        )
        runbook = self.runbooks.get(fault.name)
        subjects = {subject.subject.journey: subject.subject for subject in tell(verdict)}
        subject = subjects.get(lead.journey.id) if lead else None
        return Drilled(
            name=fault.name,
            truth=fault.cause or "decoy",
            noticed=tuple(judgement.journey.id for judgement in noticed),
            cause_class=lead.triage.cause_class if lead and lead.triage else "",
            rule=lead.triage.rule if lead and lead.triage else "",
            runbook=lead.runbook if lead else "",
            wanted_runbook=runbook.id if runbook else "",
            tied=match(self.pages, subject).tied if subject else (),
            called_code=tuple(
                judgement.journey.id
                for judgement in noticed
                if judgement.triage and judgement.triage.cause_class == "code"
            ),
            incidents=incidents_of(verdict),
            wrong_pages=wrong_pages(verdict, {runbook.id} if runbook else set()),
            ran=tuple(judgement.journey.id for judgement in verdict.journeys),
            samples=tuple(
                sampled(fault.name, runbook.id if runbook else "", subjects[judgement.journey.id])
                for judgement in noticed
                if judgement.journey.id in subjects
            ),
        )

    def pair(self, first_fault: Fault, other: Fault) -> Paired:
        with ExitStack() as healing:
            healing.enter_context(self.system.broken(first_fault.name))
            healing.enter_context(self.system.broken(other.name))
            _, verdict = self._run(())
        right = {self.runbooks[fault.name].id for fault in (first_fault, other) if fault.name in self.runbooks}
        return Paired(
            names=(first_fault.name, other.name),
            incidents=incidents_of(verdict),
            right_pages=tuple(sorted({judgement.runbook for judgement in verdict.journeys} & right)),
            wrong_pages=wrong_pages(verdict, right),
        )

    def _follow(self, drilled: Drilled, folder: Path, variables: Mapping[str, Secret], healing: ExitStack) -> Drilled:
        runbook: Runbook = self.runbooks[drilled.name]
        with desk(self.project, self.target, variables, folder) as place:
            wrong = place.confirm(runbook)
            if not wrong and runbook.fix:
                how, wrong = f"fixed by {runbook.fix}", place.mend(runbook, drilled.noticed, self._again)
            elif not wrong:
                healing.close()
                how, wrong = "no fix: healed by the drill", self._still(drilled.noticed)
            wrong = wrong or place.verify(runbook)
        return replace(drilled, unproved=wrong) if wrong else replace(drilled, followed=f"confirmed, {how}, verified")

    def _still(self, journeys: Sequence[str]) -> str:
        bad = [f"{id}: {outcome}" for id, outcome in self._again(journeys).items() if outcome != "passed"]
        return f"The drill healed the fault, and not all journeys pass again: {', '.join(bad)}." if bad else ""

    def _again(self, journeys: Sequence[str]) -> Mapping[str, Outcome]:
        _, verdict = self._run([self.places[id] for id in journeys])
        return {judgement.journey.id: judgement.outcome for judgement in verdict.journeys}

    def decoy(self, decoy: Fault) -> Drilled:
        """Run every journey under a decoy, which nobody may notice."""
        with self.system.broken(decoy.name):
            _, verdict = self._run(())
        noticed = tuple(judgement.journey.id for judgement in verdict.journeys if judgement.outcome != "passed")
        return Drilled(name=decoy.name, truth="decoy", noticed=noticed)

    def _run(self, paths: Sequence[str]) -> tuple[Path, Verdict]:
        order = RunOrder(paths=tuple(paths), workers=0 if paths else self.workers)
        folder, verdict = run_journeys(self.project, self.target, order)
        return folder, pipeline.explain_run(self.project, folder, verdict)


def drill(
    names: Annotated[
        list[str] | None,
        typer.Argument(autocompletion=complete_faults, help="Faults and decoys of the project's plugins."),
    ] = None,
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
    pairs: Annotated[
        bool,
        typer.Option(
            "--pairs", help="The named faults two by two, both at once, with every journey; without names 12 of them."
        ),
    ] = False,
) -> None:
    """Prove on a system that may be broken that faults are found, classed, and ended by following their runbooks.

    Exit code 0: all held, and every decoy stayed silent. 1: something did not; the table says what.
    3: it was asked to end before; the system is healed first.
    """
    project = Project.here()
    plans = project.plugins.drills()
    if not plans:
        raise ConfigurationError(
            "No plugin of this project offers a drill. Write one, docs/guides/drills.md shows how, and name it under "
            "plugins in synthprobe.toml."
        )
    known = {fault.name: (plan, fault) for plan in plans for fault in plan.faults}
    chosen = list(known) if everything else list(names or ())
    unknown = [name for name in chosen if name not in known]
    if unknown or not (chosen or pairs):
        raise ConfigurationError(
            f"There is no fault or decoy {', '.join(map(repr, unknown)) or 'given'}. "
            f"Known ones: {', '.join(known)}. Use --all for every one of them."
        )
    if pairs:
        raise typer.Exit(_drill_pairs(project, plans, names, workers))
    exercise = Exercise(at=datetime.now(UTC).date(), revision=_revision(project.root)) if stamped else None
    done: list[Drilled] = []
    with suppress(KeyboardInterrupt):
        for plan in plans:
            if faults := [known[name][1] for name in chosen if known[name][0] is plan]:
                done.extend(_drilled(project, plan, faults, exercise, workers, whole=whole))
    if score:
        _console.print(_matrix(done))
    if found := [drilled for drilled in done if drilled.truth != "decoy" and drilled.noticed]:
        opened = sum(len(drilled.incidents) for drilled in found)
        _console.print(f"{opened} incidents for {len(found)} causes: {opened / len(found):.2f} per cause.")
    failed = [drilled for drilled in done if drilled.wrong()]
    _console.print(f"{len(done) - len(failed)} of {len(done)} held.")
    raise typer.Exit(_exit_code(chosen, [drilled.name for drilled in done], failed))


def _exit_code(wanted: Sequence[str], done: Collection[str], failed: Sequence[object]) -> int:
    """How the command ends; what it did not come to is said."""
    if left := [name for name in wanted if name not in done]:
        _console.print(f"It was asked to end, and all is healed. Not drilled to the end: {', '.join(left)}.")
        return 3
    return 1 if failed else 0


def _drilled(
    project: Project, plan: DrillPlan, faults: Sequence[Fault], exercise: Exercise | None, workers: int, *, whole: bool
) -> Iterator[Drilled]:
    """Drill faults of one system, and print each as it is done."""
    with _started(project, plan, workers, whole=whole) as it:
        for fault in faults:
            result = it.fault(fault) if fault.cause else it.decoy(fault)
            wrong = result.wrong()
            held = f"{result.cause_class}, {result.runbook}: {result.followed}" if fault.cause else "silent"
            _console.print(f"{'✗' if wrong else '✓'} {fault.name}: {wrong or held}")
            if len(result.incidents) > 1:
                _say_incidents(result.incidents)
            if exercise and not wrong and fault.name in it.runbooks:
                stamp(project.root / it.runbooks[fault.name].path, exercise)
            if exercise and result.samples:
                write_score_set(project.root / project.config.runbooks, fault.name, result.ran, result.samples)
            yield result


@contextmanager
def _started(
    project: Project, plan: DrillPlan, workers: int, *, whole: bool = False, is_known_well: bool = False
) -> Iterator[Drill]:
    """A system that is well, to be broken."""
    if project.config.target(plan.target).production:
        raise ConfigurationError(
            f"A drill wants to break {plan.target!r}, which is a production target. Name another target in its plan."
        )
    with plan.start() as system:
        drill = Drill(
            project, project.config.target(plan.target, base_url=system.base_url), system, workers, whole=whole
        )
        if not is_known_well and (bad := drill.healthy()):
            raise ConfigurationError(
                f"Nothing is broken yet, and still {'; '.join(bad)}. Correct that first; nothing was drilled."
            )
        yield drill


def _drill_pairs(project: Project, plans: Sequence[DrillPlan], names: Sequence[str] | None, workers: int) -> int:
    """Drill faults two by two, and print how many incidents came of each pair; the exit code."""
    done: list[Paired] = []
    wanted: list[tuple[DrillPlan, Fault, Fault]] = []
    for plan in plans:
        faults = [fault for fault in plan.faults if fault.cause and (not names or fault.name in names)]
        wanted += [(plan, *pair) for pair in combinations(faults if names else of_each_class(faults), 2)]
    if not wanted:
        raise ConfigurationError("No pair can be made of these faults. Name at least two faults of one system.")
    with suppress(KeyboardInterrupt):
        seen_well: list[DrillPlan] = []
        for plan, fault, other in wanted:  # started anew for each: what a healed fault left in the data is no cause
            with _started(project, plan, workers, is_known_well=plan in seen_well) as it:
                seen_well.append(plan)
                done.append(_printed(it.pair(fault, other)))
    opened, wrong = sum(len(pair.incidents) for pair in done), sum(len(pair.wrong_pages) for pair in done)
    share = f"{opened / max(len(done), 1):.2f} per pair, 2.00 wanted"
    _console.print(f"{opened} incidents for {len(done)} pairs: {share}; wrong pages: {wrong}.")
    named = [f"{fault.name} and {other.name}" for _, fault, other in wanted]
    return _exit_code(named, [" and ".join(pair.names) for pair in done], [pair for pair in done if pair.wrong()])


def _printed(paired: Paired) -> Paired:
    wrong = ", ".join(paired.wrong_pages)
    what = f"{len(paired.incidents)} incidents, {len(paired.right_pages)} of 2 runbooks"
    also = f"; a page of another fault is called the runbook: {wrong}" if wrong else ""
    _console.print(f"{'✗' if paired.wrong() else '✓'} {' and '.join(paired.names)}: {what}{also}")
    _say_incidents(paired.incidents)
    return paired


def of_each_class(faults: Sequence[Fault]) -> list[Fault]:
    """Twelve faults, of each class one after the other."""
    by_class: dict[str, list[Fault]] = {}
    for fault in faults:
        by_class.setdefault(fault.cause or "", []).append(fault)
    ranked = [(place, fault) for group in by_class.values() for place, fault in enumerate(group)]
    return [fault for _, fault in sorted(ranked, key=lambda pair: pair[0])[:12]]


def _say_incidents(incidents: Sequence[str]) -> None:
    for line in incidents:
        _console.print(f"    {line}")


def _revision(root: Path) -> str:
    """The revision that is drilled, marked when files differ from it; taken before any file is stamped."""
    if found := git(root, "describe", "--always", "--exclude", "*", "--abbrev=12", "--dirty"):
        return found.strip()
    raise ConfigurationError(
        "--stamp writes down the revision that was drilled, and git knows none here. "
        "Drill inside a repository with at least one commit, or leave --stamp out."
    )


def _matrix(done: Sequence[Drilled]) -> Table:
    """Rows are the truth, columns what was said."""
    faults = [drilled for drilled in done if drilled.truth != "decoy"]
    counted = Counter((drilled.truth, drilled.cause_class or "not found") for drilled in faults)
    classes = ["code", "infra", "config", "data", "dependency", "user"]
    columns = [*classes, *sorted({say for _, say in counted} - set(classes))]
    table = Table(title="Class of the fault (rows), class that was said (columns)")
    for heading in ("", *columns, "faults"):
        table.add_column(heading, justify="right" if heading else "left")
    for truth in classes:
        total = sum(counted[truth, say] for say in columns)
        if total:
            table.add_row(truth, *(str(counted[truth, say] or "") for say in columns), str(total))
    return table
