"""Checks of `synthprobe doctor` that are made only when they are named: of what people wrote, and of what leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from synthprobe.cli.checks import Level, ProjectAtHand
from synthprobe.cli.fix import known_fixes
from synthprobe.cli.lookup import RecordedIncidents, present_journeys
from synthprobe.cli.objectives import declared_objectives, intervals_of
from synthprobe.cli.page_changes import changed_since, last_changes
from synthprobe.errors import ConfigurationError
from synthprobe.evidence.issued import IssuedValues
from synthprobe.evidence.redaction import Redactor
from synthprobe.firstline.runbook_lint import Known, Snooze, lint, read_snoozes
from synthprobe.firstline.score_set import Sample, marks, read_score_set, remembered, wrongly_claimed
from synthprobe.firstline.shelf import read_runbooks, with_ready_made
from synthprobe.goals.objectives import lint as lint_objective
from synthprobe.journey.lint import remarks
from synthprobe.mistakes import nearest_or_all
from synthprobe.pipeline.coverage import DEFAULT, declared_objective, declared_rules
from synthprobe.runner.inventory import collected_journeys, tests_of
from synthprobe.targets.secrets import read_secret


def _source(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    """What in the source of journeys will hurt at night: sleeps, bare asserts, steps that mean nothing alone."""
    for place in project.paths or [project.root / name for name in project.config.journeys]:
        if not place.exists():
            raise ConfigurationError(f"There is no {place}. Give files or folders of journeys that are there.")
        for file in sorted(place.rglob("test_*.py")) if place.is_dir() else [place]:
            shown = file.relative_to(project.root) if file.is_relative_to(project.root) else file
            for remark in remarks(file):
                yield "wrong", f"{shown}:{remark.line}: {remark.rule}: {remark.text}"


def _runbooks(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    """Every page under the runbooks' folder: coverage, content, references, staleness, names."""
    folder = project.root / project.config.runbooks
    shelf = read_runbooks(folder, project.root)
    runbooks, refused = shelf.runbooks, list(shelf.refused)
    if not runbooks and not refused:
        raise ConfigurationError(
            f"There is no runbook under {project.config.runbooks}/. Begin one: synthprobe runbook new INCIDENT"
        )
    snoozes: tuple[Snooze, ...] = ()
    samples: tuple[Sample, ...] = ()
    try:
        snoozes = read_snoozes(folder)
        samples = read_score_set(folder)
    except ConfigurationError as error:
        refused.append(str(error))
    from synthprobe.cli.main import command_names  # which loads this module

    journeys = collected_journeys(project)
    recorded = RecordedIncidents(project).all()
    used = marks(recorded)
    doubted = {mark.runbook for mark in used}
    known = Known(
        journeys={journey.id: journey.runbook for journey in journeys},
        commands=command_names(),
        tests=tests_of(journeys),
        fixes=known_fixes(project).keys(),
        drills=[fault.name for plan in project.plugins.drills() for fault in plan.faults if fault.cause],
        changed=changed_since(project.root, runbooks),
        marks=used,
        rewritten=last_changes(project.root, (page for page in runbooks if page.id in doubted)),
        samples=(*samples, *remembered(recorded, {journey.id: journey.runbook for journey in journeys})),
    )
    findings = lint(with_ready_made(shelf).runbooks, known, datetime.now(UTC).date(), snoozes=snoozes)
    errors = [*refused, *(str(finding) for finding in findings if finding.error)]
    for text in errors:
        yield "wrong", text
    notices = [finding.text for finding in findings if not finding.error]
    for text in dict.fromkeys(notices):
        yield "warning", f"{notices.count(text)} of {len(runbooks)} runbooks: {text}"
    if known.samples:
        claims = sum(len(wrongly_claimed(page, known.samples)) for page in runbooks)
        yield "well", f"{len(known.samples)} failures whose page is known; claimed wrongly: {claims}."
    yield "well", f"{len(runbooks) + len(shelf.refused)} runbooks, {len(errors) or 'no'} errors."


def _objectives(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    """Objectives whose burn-rate rules cannot work at this interval, and those of journeys that are not there."""
    config = project.config
    known = present_journeys(project)
    for name, table in declared_objectives(config).items():
        objective, rules = declared_objective(name, table), declared_rules(name, table)
        for interval_s in intervals_of(config, known, name):
            try:
                sentences = lint_objective(objective, interval_s, rules)
            except ValueError as error:
                sentences = (str(error),)
            for sentence in sentences:
                yield "wrong", f"[objectives.{name}] {sentence}"
    words = {word: journey.id for journey in known.values() for word in (journey.title, journey.id)}
    tables = [("objectives", name) for name in config.objectives if name != DEFAULT]
    tables += [("aliases", name) for name in config.aliases]
    for table_name, name in tables:
        if known and name not in known:
            yield (
                "wrong",
                f"[{table_name}.{json.dumps(name, ensure_ascii=False)}] There is no journey with the id {name!r}, so "
                f"this does nothing. {nearest_or_all(name, words)} The id of a journey was expected, not its title.",
            )


def _leaks(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    """Secrets, and tokens issued to runs, in the final bytes of files: also inside zip, gzip and base64."""
    places = project.paths
    if not places:
        raise ConfigurationError("Which files are to be searched for secrets? Name them with --in PATH.")
    sources = project.config.secret_sources()
    issued = IssuedValues(project.folder)
    redactor = Redactor()
    missing = redactor.learn_declared(sources, project.environ, project.root)
    for source in project.secrets:
        redactor.add(read_secret(source, project.environ, source=source))
    known = len(sources) - len(missing) + len(project.secrets)
    unsearched = [name for name in missing if not project.target or name.startswith(f"{project.target}.")]
    if not known and not issued and not unsearched:
        raise ConfigurationError(
            "No secret is known, so a search would find nothing and prove nothing. Set the variables that the targets' "
            "secrets come from, or name one with --secret env:VARIABLE."
        )
    for name in missing:
        yield "wrong" if name in unsearched else "warning", f"not searched for: {name}, which cannot be read here"
    scanner = redactor.scanner
    scanner.issued = issued.rules
    tokens = f" and {len(issued)} issued tokens" if issued else ""
    for place in places:
        if not place.exists():
            raise ConfigurationError(f"{place} does not exist, so nothing was searched. Name a file or a folder.")
        findings = scanner.path(place)
        for finding in findings:
            yield "wrong", f"{finding.file}: {', '.join(finding.rules)}"
        count = f"{len(findings)} files hold one or cannot be looked into"
        yield "well", f"{known} secrets{tokens} searched for in {place}: {count}."


NAMED_CHECKS: dict[str, Callable[[ProjectAtHand], Iterator[tuple[Level, str]]]] = {
    "source": _source,
    "runbooks": _runbooks,
    "objectives": _objectives,
    "leaks": _leaks,
}
"""Each by the name that it is asked for with."""
