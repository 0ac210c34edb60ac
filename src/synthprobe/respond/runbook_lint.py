"""What is wrong with the runbooks: coverage, content, references, staleness, names, snoozes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml
from msgspec import Struct

from synthprobe.errors import ConfigurationError
from synthprobe.respond.runbooks import LABELS, SECTIONS, Command, Runbook

Rule = Literal["coverage", "content", "reference", "stale", "name", "tie", "snooze"]
SNOOZES = "snoozes.yaml"

_UNFINISHED = re.compile(r"\b(TODO|TBD|FIXME|XXX)\b|lorem ipsum", re.IGNORECASE)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_PERSON = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr)\.? [A-Z]\w+|\b(?:[Aa]sk|[Cc]all|[Pp]hone|[Pp]age|[Tt]ell) [A-Z][a-z]+ [A-Z][a-z]+"
)
_ROLE = re.compile(r"[a-z][a-z0-9]*([ -][a-z0-9]+)*")
_WRITES = re.compile(r"-X\s*(?!GET|HEAD)[A-Z]+|--request\s+(?!GET|HEAD)|\s(-d|--data\S*|--json|-T|-F)\s")
_READS = re.compile(r"synthprobe (run|doctor|report|runbook|incident (list|show)|history|audit|fix (list|plan|log))\b")


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong.

    Attributes:
        path: the file.
        line: from 1.
        rule: which rule found it.
        text: a sentence: what is wrong, and what to do.
        error: whether it makes ``runbook lint`` fail; a notice does not.
    """

    path: str
    line: int
    rule: Rule
    text: str
    error: bool = True

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class Snooze(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that is known and accepted until a day.

    Attributes:
        what: id of the runbook or journey.
        rule: the rule that is snoozed.
        until: the last day.
        why: the reason.
        owner: the role that accepted it.
    """

    what: str
    rule: Rule
    until: date
    why: str
    owner: str


class Known(Struct, frozen=True, kw_only=True):
    """What runbooks may refer to. An empty collection is not checked, but for fixes: a project may have none.

    Attributes:
        journeys: the journeys, each with the id of its default page.
        commands: the commands of the command line, for example ``synthprobe run``.
        tests: journeys as commands name them, for example ``journeys/test_board.py::test_it_loads``.
        fixes: ids of the project's fixes; not checked when it is ``None``.
        drills: faults that a drill can inject.
        changed: days on which files last changed, by path; a runbook that names one must be newer.
    """

    journeys: Mapping[str, str] = {}
    commands: Collection[str] = ()
    tests: Collection[str] = ()
    fixes: Collection[str] | None = None
    drills: Collection[str] = ()
    changed: Mapping[str, date] = {}


def read_snoozes(folder: Path) -> tuple[Snooze, ...]:
    """Read ``snoozes.yaml`` of the runbooks' folder.

    Args:
        folder: where the runbooks are.

    Returns:
        The snoozes; none when there is no such file.

    Raises:
        ConfigurationError: when it cannot be read.
    """
    path = folder / SNOOZES
    if not path.exists():
        return ()
    try:
        given: Any = yaml.safe_load(path.read_text("utf-8")) or []
        return msgspec.convert(given, tuple[Snooze, ...])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise ConfigurationError(
            f"{folder.name}/{SNOOZES} cannot be read: {error}. Each entry needs what, rule, until, why and owner."
        ) from None


def lint(
    runbooks: Sequence[Runbook], known: Known, today: date, *, snoozes: Sequence[Snooze] = ()
) -> tuple[Finding, ...]:
    """Look for all that is wrong with the runbooks.

    Args:
        runbooks: all there are.
        known: what they may refer to.
        today: the day, for staleness and snoozes.
        snoozes: findings that are accepted until a day.

    Returns:
        The findings, errors first, by file and line; a runbook with an error of content covers nothing.
    """
    found = [finding for runbook in runbooks for finding in _one(runbook, known, today)]
    bad = {finding.path for finding in found if finding.rule == "content" and finding.error}
    found += _coverage([one for one in runbooks if one.path not in bad], known)
    found += _ties(runbooks)
    names = {one.path: one.id for one in runbooks}
    awake = []
    for finding in found:
        subject = names.get(finding.path, finding.path)
        if not any(s.what == subject and s.rule == finding.rule and s.until >= today for s in snoozes):
            awake.append(finding)
    awake += [
        Finding(
            path=SNOOZES,
            line=1,
            rule="snooze",
            text=f"The snooze of {s.what} ({s.rule}, {s.owner}) ended on {s.until}. Repair it, or say why it may wait.",
        )
        for s in snoozes
        if s.until < today
    ]
    return tuple(sorted(awake, key=lambda f: (not f.error, f.path, f.line)))


def covered(runbooks: Sequence[Runbook], known: Known) -> tuple[int, int]:
    """How many journeys have a default page that can be followed.

    Args:
        runbooks: all there are.
        known: the journeys.

    Returns:
        How many have one, and how many there are.
    """
    missing = list(_coverage(runbooks, known))
    return len(known.journeys) - len(missing), len(known.journeys)


def _one(runbook: Runbook, known: Known, today: date) -> Iterator[Finding]:
    def finding(rule: Rule, line: int, text: str, *, error: bool = True) -> Finding:
        return Finding(path=runbook.path, line=line, rule=rule, text=text, error=error)

    if Path(runbook.path).stem != runbook.id:
        yield finding("reference", 2, f"The id is {runbook.id!r} and the file is named otherwise. Make them the same.")
    if not _ROLE.fullmatch(runbook.owner):
        yield finding(
            "name", 3, f"The owner {runbook.owner!r} is no role. Name a role or team, for example records-desk."
        )
    yield from _content(runbook)
    lines = runbook.body.splitlines()
    for number, line in enumerate(lines, runbook.body_line):
        if found := _EMAIL.search(line) or _PERSON.search(line):
            yield finding("name", number, f"{found[0]!r} names a person. People change; write the role instead.")
        if _UNFINISHED.search(line):
            yield finding("content", number, "Something here is unfinished. Finish it, or leave it out.")
    yield from _references(runbook, known)
    yield from _staleness(runbook, known, today)


def _content(runbook: Runbook) -> Iterator[Finding]:
    def finding(line: int, text: str) -> Finding:
        return Finding(path=runbook.path, line=line, rule="content", text=text)

    titles = [section.title for section in runbook.sections]
    for title in SECTIONS:
        if title not in titles:
            yield finding(runbook.body_line, f'The section "## {title}" is missing.')
    for section in runbook.sections:
        if not section.text:
            yield finding(section.line, f'The section "{section.title}" is empty.')
        if section.title not in SECTIONS:
            yield finding(section.line, f'"{section.title}" is no section of a runbook. Known: {", ".join(SECTIONS)}.')
    if [title for title in titles if title in SECTIONS] != [title for title in SECTIONS if title in titles]:
        yield finding(runbook.body_line, f"The sections are not in their order: {', '.join(SECTIONS)}.")
    confirm, fix, verify = (runbook.section(title) for title in ("Confirm", "Fix", "Verify"))
    if confirm is not None:
        if not confirm.commands:
            yield finding(confirm.line, "Confirm has no command. Give two or three that only read.")
        for command in confirm.commands:
            if not command.says:
                yield finding(command.line, "The command has no line 'Expected: ...' below it.")
            if not _only_reads(command):
                yield finding(command.line, "A command of Confirm must only read. Move it to Fix.")
        if "Otherwise:" not in confirm.text:
            yield finding(confirm.line, "Confirm does not say what to do on another output: add 'Otherwise: ...'.")
    if fix is not None:
        if not fix.commands:
            yield finding(fix.line, "Fix has no command.")
        if not fix.steps or fix.text.count("Undo:") < fix.steps:
            yield finding(fix.line, "Each numbered step of Fix needs its own 'Undo: ...'.")
    if verify is not None and not verify.commands:
        yield finding(verify.line, "Verify has no command. Name the probe that must pass, and one independent read.")


def _only_reads(command: Command) -> bool:
    lines = [line.strip() for line in re.sub(r"\\\n", " ", command.shell).splitlines() if line.strip()]
    return all(bool(_READS.match(line)) or (line.startswith("curl ") and not _WRITES.search(line)) for line in lines)


def _references(runbook: Runbook, known: Known) -> Iterator[Finding]:
    def finding(line: int, text: str) -> Finding:
        return Finding(path=runbook.path, line=line, rule="reference", text=text)

    matches = runbook.matches
    for journey in (*runbook.journeys, *matches.default_for):
        if known.journeys and journey not in known.journeys:
            yield finding(1, f"There is no journey {journey!r}. Correct the name, or take it out.")
    for labels in matches.labels:
        for name in labels:
            if name not in LABELS:
                yield finding(1, f"{name!r} is no label. Known labels: {', '.join(LABELS)}.")
        journey = labels.get("journey", "*")
        if known.journeys and not any(fnmatchcase(one, journey) for one in known.journeys):
            yield finding(1, f"The label journey {journey!r} fits no journey.")
    for pattern in matches.messages:
        try:
            re.compile(pattern)
        except re.error as error:
            yield finding(1, f"/{pattern}/ is no regular expression: {error}.")
    if not (matches.fingerprints or matches.labels or matches.messages or matches.default_for):
        yield finding(1, "It matches nothing: give fingerprints, labels, messages or default_for.")
    if runbook.fix and known.fixes is not None and runbook.fix not in known.fixes:
        yield finding(1, f"There is no fix {runbook.fix!r}. See: synthprobe fix list.")
    if runbook.drill and known.drills and runbook.drill not in known.drills:
        yield finding(1, f"There is no fault {runbook.drill!r} to drill with.")
    for section in runbook.sections:
        for command in section.commands:
            for word in re.findall(r"^\s*(synthprobe [a-z]+(?: [a-z]+)?)", command.shell, re.MULTILINE):
                if known.commands and not any(word == one or word.startswith(f"{one} ") for one in known.commands):
                    yield finding(command.line, f"There is no command {word!r}.")
            for test in re.findall(r"[\w./-]+\.py(?:::\w+)+", command.shell):
                if known.tests and test not in known.tests:
                    yield finding(command.line, f"There is no journey {test!r}. Correct the name.")


def _staleness(runbook: Runbook, known: Known, today: date) -> Iterator[Finding]:
    def finding(text: str, *, error: bool = True) -> Finding:
        return Finding(path=runbook.path, line=1, rule="stale", text=text, error=error)

    last = runbook.last_exercised
    if last is None:
        if runbook.drill:
            yield finding("No drill has proved it yet.", error=False)
        return
    if last.at + timedelta(days=runbook.review_after) < today:
        yield finding(f"It was last proved on {last.at}, more than {runbook.review_after} days ago. Drill it again.")
    for path, day in known.changed.items():
        if day > last.at and path in runbook.body:
            yield finding(f"{path}, which it names, changed on {day}, after the last drill on {last.at}.")


def _coverage(runbooks: Sequence[Runbook], known: Known) -> Iterator[Finding]:
    ids = {one.id for one in runbooks}
    defaults = {journey for one in runbooks for journey in one.matches.default_for}
    for journey, page in sorted(known.journeys.items()):
        if page not in ids and journey not in defaults:
            said = (
                f"names the runbook {page!r}, and there is no such page that can be followed"
                if page
                else "names no runbook"
            )
            text = f"The journey {journey!r} {said}. Write one, or snooze it with a date."
            yield Finding(path=journey, line=1, rule="coverage", text=text)


def _ties(runbooks: Sequence[Runbook]) -> Iterator[Finding]:
    for one, other in combinations(sorted(runbooks, key=lambda r: r.id), 2):
        if one.id == other.id:
            yield Finding(path=other.path, line=2, rule="tie", text=f"The id {one.id!r} is taken by {one.path}.")
            continue
        a, b = one.matches, other.matches
        same = [
            *(f"the fingerprint {x}" for x in a.fingerprints if x in b.fingerprints),
            *(f"the expression /{x}/" for x in a.messages if x in b.messages),
            *(f"the default page of {x}" for x in a.default_for if x in b.default_for),
            *(f"the labels {x} and {y}" for x in a.labels for y in b.labels if _could_tie(x, y)),
        ]
        for what in same:
            text = f"It ties with {other.path} on {what}. Let one of them match more closely."
            yield Finding(path=one.path, line=1, rule="tie", text=text)


def _could_tie(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    if len(a) != len(b):
        return False  # more labels come first
    return all(fnmatchcase(a[name], b[name]) or fnmatchcase(b[name], a[name]) for name in a.keys() & b.keys())
