"""``synthprobe fix``: safe, recorded fixes; ``synthprobe audit``: what was done with them, and whether it is whole."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from typing import Annotated

import typer
from msgspec.structs import replace

from synthprobe import pipeline
from synthprobe.cli.lookup import RecordedIncidents, account, fixing_actor, signatures_of
from synthprobe.cli.options import AsJson, BaseUrl, TargetName, complete_fixes, complete_incidents, complete_roles
from synthprobe.cli.terminal import open_console, print_json
from synthprobe.errors import AuditError, ConfigurationError, FixRefused
from synthprobe.firstline import policy
from synthprobe.firstline.applying import FixDesk
from synthprobe.firstline.audit import AuditEntry, RecordedAudit
from synthprobe.firstline.fixes import Fix, load_fixes
from synthprobe.mistakes import nearest_or_all
from synthprobe.project import Project
from synthprobe.records.result import Outcome
from synthprobe.runner import RunOrder, run_journeys
from synthprobe.targets.target import Target

app = typer.Typer(no_args_is_help=True)
_console = open_console()

_Id = Annotated[str, typer.Argument(autocompletion=complete_fixes, help="Id of the fix.")]
_Incident = Annotated[str, typer.Option(autocompletion=complete_incidents, help="Id of the incident.")]
_Inputs = Annotated[list[str] | None, typer.Option("--input", help="`name=value`, as the fix asks.")]
_Role = Annotated[str, typer.Option("--by", autocompletion=complete_roles, help="Your role.")]


@app.command("plan")
def plan(
    fix: Annotated[
        str | None, typer.Argument(autocompletion=complete_fixes, help="Id of the fix; all there are without it.")
    ] = None,
    incident: _Incident = "",
    target: TargetName = None,
    base_url: BaseUrl = None,
    inputs: _Inputs = None,
    as_json: AsJson = False,
) -> None:
    """Look at the target now, and say what the fix would do; without FIX, which fixes there are. Changes nothing."""
    if fix is None:
        _list(as_json=as_json)
        return
    if not incident:
        raise ConfigurationError(
            "--incident is missing: the incident that the fix is for. See: synthprobe incident list"
        )
    desk, chosen_fix, incidents = _desk(fix, target, base_url)
    planned = desk.plan(chosen_fix, incidents.get(incident), _pairs(inputs), who=account())
    if as_json:
        plan = planned and {"seen": planned.seen, "steps": planned.steps, "changes": planned.touches}
        print_json({"fix": chosen_fix.id, "needed": plan is not None, "plan": desk.redactor.data(plan)})
        return
    if planned is None:
        _console.print(f"{chosen_fix.title}: not needed, the target is as it should be.")
        return
    _console.print(desk.redactor.text(f"Seen now: {planned.seen}"))
    for step in planned.steps:
        _console.print(desk.redactor.text(f"Would: {step}"))
    _console.print(desk.redactor.text(f"Changes: {', '.join(planned.touches)}"))
    _console.print(f"Undo: {'cannot be undone, ' + chosen_fix.irreversible if chosen_fix.irreversible else 'yes'}")
    _console.print("Nothing was changed. To do it: synthprobe fix apply, with the same words and --by ROLE --really.")


@app.command("apply")
def apply(
    fix: _Id,
    incident: _Incident,
    by: _Role,
    really: Annotated[bool, typer.Option("--really", help="Change the target; a dry run without it.")] = False,
    automatic: Annotated[bool, typer.Option("--automatic", help="No person asks.")] = False,
    target: TargetName = None,
    base_url: BaseUrl = None,
    inputs: _Inputs = None,
) -> None:
    """Apply a fix and verify it; a dry run without `--really`. Exit code 1 when it did not help."""
    desk, chosen_fix, incidents = _desk(fix, target, base_url)
    who = fixing_actor(by, Project.here())
    done = desk.apply(chosen_fix, incidents.get(incident), who, _pairs(inputs), really=really, automatic=automatic)
    for note in desk.audit.notes:
        _console.print(note)
    if done.ok and done.changed:  # the monitor closes it; by what, only this command knows
        mended = incidents.get(incident)
        incidents.put(replace(mended, resolved_how="fix", resolved_by=who.role, resolved_mark=who.mark))
    _console.print(done.text)
    raise typer.Exit(0 if done.ok else 1)


@app.command("approve")
def approve(request: Annotated[str, typer.Argument(help="The request, as printed.")], by: _Role) -> None:
    """Approve a fix that somebody else asked for."""
    project = Project.here()
    audit = recorded_audit(project)
    asked = [entry for entry in audit.known() if entry.digest == request]
    desk, _, _ = _desk(asked[0].fix if asked else "", asked[0].target if asked else None, None, known=bool(asked))
    entry = desk.approve(request, fixing_actor(by, project, approves=True))
    _console.print(f"Approved until {entry.expires:%H:%M} UTC: {entry.fix} for {entry.incident}.")


def _list(*, as_json: bool) -> None:
    """The fixes there are, who may apply them, and whether they can be undone."""
    project = Project.here()
    fixes = known_fixes(project)
    if as_json:
        print_json({"fixes": [_fix_data(fix) for fix in fixes.values()]})
        return
    if not fixes:
        written_as = (files("synthprobe.cli") / "scaffold" / "fix.txt").read_text("utf-8").rstrip()
        _console.print(f"There are no fixes in {project.config.fixes.folder}/. {written_as}")
    for known_fix in fixes.values():
        undo = f"cannot be undone: {known_fix.irreversible}" if known_fix.irreversible else "can be undone"
        asks = ", needs approval" if known_fix.approval else ""
        inputs = f", inputs: {', '.join(known_fix.inputs)}" if known_fix.inputs else ""
        _console.print(f"{known_fix.id}: {known_fix.title} ({', '.join(known_fix.roles)}{asks}; {undo}{inputs})")


def _fix_data(fix: Fix) -> dict[str, object]:
    names = ("id", "title", "roles", "writes", "approval", "irreversible")
    return {name: getattr(fix, name) for name in names} | {"inputs": list(fix.inputs)}


def _desk(
    fix: str, target_name: str | None, base_url: str | None, *, known: bool = True
) -> tuple[FixDesk, Fix, RecordedIncidents]:
    project = Project.here()
    target = project.config.target(target_name, base_url=base_url)
    fixes = known_fixes(project, fix if known else None)
    if not known:
        raise FixRefused("There is no such request. See: synthprobe audit.")
    incidents = RecordedIncidents(project)
    desk = FixDesk(
        config=project.config.fixes,
        target=target,
        folder=project.folder,
        audit=recorded_audit(project),
        rerun=lambda journeys: _rerun(project, target, journeys),
        record=incidents.record,
        secret=partial(project.secret, target),
        environ=project.environ,
        signatures=signatures_of(project),
    )
    return desk, fixes[fix], incidents


def _rerun(project: Project, target: Target, journeys: Sequence[str]) -> Mapping[str, Outcome]:
    """Run only these journeys again; where they stand is known from earlier runs."""
    places: dict[str, str] = {}
    runs = (project.folder / "runs").glob("*/*/collected.json")
    for inventory in sorted(runs, key=lambda path: path.stat().st_mtime):
        for journey in json.loads(inventory.read_text()):
            places[journey["id"]] = journey["node_id"]
    paths = [places[journey] for journey in journeys if journey in places]
    if len(paths) < len(journeys):
        return {}
    order = RunOrder(paths=tuple(paths), address_given=True)
    _, verdict = run_journeys(project, target, order)
    return {judgement.journey.id: judgement.outcome for judgement in verdict.journeys}


def known_fixes(project: Project, fix: str | None = None) -> dict[str, Fix]:
    """Every fix; an unknown one is refused."""
    fixes = load_fixes(project.root / project.config.fixes.folder, project.config.fixes.roles)
    if fix is not None and fix not in fixes:
        raise ConfigurationError(f"There is no fix {fix!r}. {nearest_or_all(fix, list(fixes))}")
    return fixes


def _pairs(given: Sequence[str] | None) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in given or ():
        name, separator, value = pair.partition("=")
        if not separator:
            raise ConfigurationError(f"The input {pair!r} has no value; --input name=value was expected.")
        if name in pairs:
            raise ConfigurationError(
                f"The input {name!r} is given twice, {pairs[name]!r} and {value!r}. Give it once; a fix for two things "
                "is applied twice."
            )
        pairs[name] = value
    return pairs


def recorded_audit(project: Project) -> RecordedAudit:
    folder = project.folder
    place = f"{socket.gethostname()}:{folder.resolve()}" if project.config.history.url else ""
    return RecordedAudit(partial(pipeline.open_history, project), folder, place)


def audit(
    fix: Annotated[str | None, typer.Option(autocompletion=complete_fixes, help="Only this fix.")] = None,
    as_json: AsJson = False,
    begin: Annotated[
        bool, typer.Option("--begin-anew", help="Begin a new one after one that cannot be believed.")
    ] = False,
    by: Annotated[
        str, typer.Option("--by", autocompletion=complete_roles, help="Your role, one that may approve fixes.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why the audit cannot be believed any more, in a line.")] = "",
) -> None:
    """List what was planned, refused, approved and applied, oldest first, and check that no line was tampered with.

    Exit code 2 names the first line that was changed, removed or put in between; 1 when the lines could not be
    compared with the shared history.
    """
    project = Project.here()
    if begin:
        _begin_anew(project, by, reason)
        return
    if by or reason:
        raise ConfigurationError("--by and --reason belong to --begin-anew.")
    known = recorded_audit(project)
    entries = known.entries()
    listed = [entry for entry in entries if fix in {None, entry.fix}]
    if not listed:
        known_fixes(project, fix)
    if as_json:
        print_json({"entries": listed, "notes": known.notes})
        raise typer.Exit(1 if known.notes else 0)
    for entry in listed:
        digest = f" {entry.digest}" if entry.digest else ""
        what = f"{entry.fix} on {entry.target} for {entry.incident}" if entry.fix else "anew"
        _console.print(
            f"{entry.number} {entry.at:%Y-%m-%d %H:%M:%S} {entry.event} {what} by {entry.role}{digest}: {entry.text}"
        )
    if not listed:
        _console.print(f"Nothing was planned or applied yet{f' with {fix}' if fix else ''}.")
    if entries:
        _console.print(f"The audit is whole: {'1 entry' if len(entries) == 1 else f'{len(entries)} entries'}.")
    for note in known.notes:
        _console.print(note)
    raise typer.Exit(1 if known.notes else 0)


def _begin_anew(project: Project, by: str, reason: str) -> None:
    """Begin a new audit after one that cannot be believed, which stays as evidence."""
    if not by or not reason.strip():
        raise ConfigurationError(
            "--begin-anew needs --by ROLE, and --reason: why the audit cannot be believed any more."
        )
    who, known = fixing_actor(by, project), recorded_audit(project)
    policy.check_role(project.config.fixes, who.role, "approve")
    try:
        known.entries()
    except AuditError as error:
        text = f"{reason.strip()} ({error})"
    else:
        raise ConfigurationError("The audit is whole, so no new one is begun. Nothing was changed.")
    first = AuditEntry(
        at=datetime.now(UTC), event="begun", fix="", target="", incident="", role=who.role, who=who.mark, text=text
    )
    known.begin(first)
    _console.print("A new audit was begun; the former one stays in the history, and what it counts is not reset.")
