"""What is wrong with the runbooks: coverage, content, references, staleness, names, snoozes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import yaml
from msgspec import Struct

from synthprobe.errors import ConfigurationError
from synthprobe.firstline.read_only import only_reads
from synthprobe.firstline.runbook import FORMER_KEYS, LABELS, SECTIONS, Runbook, identifies, unfinished
from synthprobe.firstline.score_set import Mark, Sample, wrongly_claimed
from synthprobe.records.decoding import from_values
from synthprobe.triage.rules import RULES

Rule = Literal["coverage", "content", "reference", "stale", "name", "tie", "claim", "snooze"]
SNOOZES = "snoozes.yaml"

_UNUSED = ", so the page matches no failure and covers nothing"
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
_PERSON = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr)\.? [A-Z]\w+|\b(?:[Aa]sk|[Cc]all|[Pp]hone|[Pp]age|[Tt]ell) [A-Z][a-z]+ [A-Z][a-z]+"
)
_ROLE = re.compile(r"[a-z][a-z0-9]*([ -][a-z0-9]+)*")
_FINGERPRINT = re.compile(r"v\d+:[0-9a-f]{16}")
_FIX = re.compile(r"synthprobe fix (?:plan|apply) ([a-z][\w-]*)")
_RUN = re.compile(r"(?:synthprobe run|pytest)((?: +[^\s`]+)+)")
_RULES = ("nothing-fits", *(rule for _, rule, _ in RULES))
_ORDINARY = (
    "",
    "expected: status 200",
    "Locator expected to be visible",
    "Timeout <duration> exceeded.",
    "Internal Server Error",
    "assert False",
)
"""What is said of any failure."""
_WAITS = timedelta(days=90)
"""How far ahead a snooze may reach."""


class Finding(Struct, frozen=True):
    """One thing that is wrong."""

    path: str
    rule: Rule
    line: int
    text: str
    error: bool = True

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


class Snooze(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A finding that is known and accepted until a day.

    Attributes:
        what: id of the runbook or journey.
        until: the last day.
    """

    what: str
    rule: Rule
    until: date
    why: str
    owner: str


class Known(Struct, frozen=True, kw_only=True):
    """What runbooks may refer to. An empty collection is not checked, but for fixes: a project may have none."""

    journeys: Mapping[str, str] = {}
    commands: Collection[str] = ()
    tests: Collection[str] = ()
    fixes: Collection[str] | None = None
    drills: Collection[str] = ()
    changed: Mapping[str, Collection[str]] = {}
    marks: Sequence[Mark] = ()
    rewritten: Mapping[str, datetime] = {}
    samples: Sequence[Sample] = ()


def read_snoozes(folder: Path) -> tuple[Snooze, ...]:
    """Read ``snoozes.yaml`` of the runbooks' folder."""
    path = folder / SNOOZES
    if not path.exists():
        return ()
    try:
        given: Any = yaml.safe_load(path.read_text("utf-8")) or []
        return from_values(given, tuple[Snooze, ...])
    except (OSError, ValueError, yaml.YAMLError) as error:  # a day that no calendar has is a ValueError
        raise ConfigurationError(
            f"{folder.name}/{SNOOZES} cannot be read: {error}. Each entry needs what, rule, until, why and owner."
        ) from None


def lint(
    runbooks: Sequence[Runbook], known: Known, today: date, *, snoozes: Sequence[Snooze] = ()
) -> tuple[Finding, ...]:
    """Look for all that is wrong with the runbooks."""
    found = [finding for runbook in runbooks for finding in _one(runbook, known, today)]
    bad = {finding.path for finding in found if finding.rule == "content" and finding.error}
    found += _coverage([runbook for runbook in runbooks if runbook.path not in bad], known)
    found += _ties(runbooks)
    found += _claims(runbooks, known.samples)
    ids = {runbook.id for runbook in runbooks}
    gone = "It supersedes {!r}, and there is no such runbook. Correct the name, or take it out."
    missing = ((runbook.path, id) for runbook in runbooks for id in runbook.supersedes if id not in ids)
    found += [Finding(path, "reference", 1, gone.format(id)) for path, id in missing]
    names = {runbook.path: runbook.id for runbook in runbooks}
    asleep = {(snooze.what, snooze.rule) for snooze in snoozes if snooze.until >= today}
    awake = [finding for finding in found if (names.get(finding.path, finding.path), finding.rule) not in asleep]
    texts = (text for snooze in snoozes for text in _snoozed(snooze, {*ids, *known.journeys}, today))
    awake += [Finding(SNOOZES, "snooze", 1, text) for text in texts]
    return tuple(sorted(awake, key=lambda f: (not f.error, f.path, f.line)))


def _snoozed(snooze: Snooze, subjects: Collection[str], today: date) -> Iterator[str]:
    named = f"The snooze of {snooze.what} ({snooze.rule}, {snooze.owner})"
    if snooze.until < today:
        yield f"{named} ended on {snooze.until}. Repair it, or say why it may wait."
    if snooze.until > today + _WAITS:
        yield f"{named} lasts until {snooze.until}; {_WAITS.days} days are the most. Give a nearer day."
    if snooze.what not in subjects:
        yield f"{named} names no runbook and no journey. Correct 'what', or take it out."
    if not snooze.why.strip():
        yield f"{named} gives no reason. Say under 'why' what it waits for."
    if not _ROLE.fullmatch(snooze.owner):
        yield f"{named} has no role as its owner. Name a role or team, for example records-desk."


def covered(runbooks: Sequence[Runbook], known: Known) -> tuple[int, int]:
    """How many journeys have a default page that can be followed."""
    missing = list(_coverage(runbooks, known))
    return len(known.journeys) - len(missing), len(known.journeys)


def _one(runbook: Runbook, known: Known, today: date) -> Iterator[Finding]:
    finding = partial(Finding, runbook.path)
    if Path(runbook.path).stem != runbook.id:
        yield finding("reference", 2, f"The id is {runbook.id!r} and the file is named otherwise. Make them the same.")
    if not _ROLE.fullmatch(runbook.owner):
        yield finding(
            "name", 3, f"The owner {runbook.owner!r} is no role. Name a role or team, for example records-desk."
        )
    if unfinished(runbook.title) or unfinished(runbook.owner):
        yield finding("content", 3, f"The title or the owner is unfinished{_UNUSED}. Write them.")
    yield from _content(runbook)
    lines = runbook.body.splitlines()
    for number, line in enumerate(lines, runbook.body_line):
        if found := _EMAIL.search(line) or _PERSON.search(line):
            yield finding("name", number, f"{found[0]!r} names a person. People change; write the role instead.")
        if unfinished(line):
            yield finding("content", number, f"Something here is unfinished{_UNUSED}. Finish it, or leave it out.")
    yield from _references(runbook, known)
    yield from _staleness(runbook, known, today)


def _content(runbook: Runbook) -> Iterator[Finding]:
    finding = partial(Finding, runbook.path, "content")
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
            if not only_reads(command.shell):
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


def _references(runbook: Runbook, known: Known) -> Iterator[Finding]:
    finding = partial(Finding, runbook.path, "reference")
    matches = runbook.matches
    for journey in (*runbook.journeys, *matches.journeys):
        if known.journeys and journey not in known.journeys:
            yield finding(1, f"There is no journey {journey!r}. Correct the name, or take it out.")
    for entry in (labels for labels in matches.knows if not identifies(labels)):
        text = (
            f"knows has {_shown(entry)}, which identifies no failure: name its fingerprint, a message, or a rule and "
        )
        yield finding(1, f"{text}the request. What is wider belongs to general_for.")
    for entry in (labels for labels in matches.general_for if not labels or not set(labels) <= {"journey", "class"}):
        yield finding(1, f"general_for has {_shown(entry)}; a journey, a class, or both were expected.")
    for labels in (*matches.known, *matches.general):
        for name in labels:
            if name not in LABELS:
                yield finding(1, f"{name!r} is no label. Known labels: {', '.join(LABELS)}.")
        rule = labels.get("rule", "*")
        if not any(fnmatchcase(known_rule, rule) for known_rule in _RULES):
            yield finding(1, f"The label rule {rule!r} fits no rule of triage. Known: {', '.join(sorted(_RULES))}.")
        journey = labels.get("journey", "*")
        if known.journeys and not any(fnmatchcase(known_journey, journey) for known_journey in known.journeys):
            yield finding(1, f"The label journey {journey!r} fits no journey.")
    for fingerprint in (labels["fingerprint"] for labels in matches.known if "fingerprint" in labels):
        if not _FINGERPRINT.fullmatch(fingerprint):
            text = (
                f"{fingerprint!r} is no fingerprint: v1: and 16 hexadecimal digits, as synthprobe incident show prints."
            )
            yield finding(1, text)
    for pattern in (labels["message"] for labels in matches.known if "message" in labels):
        try:
            wide = next((message for message in _ORDINARY if re.search(pattern, message)), "")
        except re.error as error:
            yield finding(1, f"/{pattern}/ is no regular expression: {error}.")
        else:
            if wide:
                yield finding(1, f"/{pattern}/ fits any {wide!r}, so it identifies no failure. Name words of its own.")
    if not (matches.known or matches.general):
        yield finding(1, "It matches nothing: give knows or general_for.")
    former = [name for name in FORMER_KEYS if getattr(matches, name)]
    if former:
        yield finding(1, f"Former names are used: {', '.join(former)}. Write knows and general_for.", error=False)
    if runbook.fix and known.fixes is not None and runbook.fix not in known.fixes:
        yield finding(1, f"There is no fix {runbook.fix!r}. See: synthprobe fix plan.")
    if runbook.drill and known.drills and runbook.drill not in known.drills:
        yield finding(1, f"There is no fault {runbook.drill!r} to drill with.")
    for section in runbook.sections:
        for command in section.commands:
            for word in re.findall(r"^\s*(synthprobe [a-z]+(?: [a-z]+)?)", command.shell, re.MULTILINE):
                if known.commands and not any(
                    word == command or word.startswith(f"{command} ") for command in known.commands
                ):
                    yield finding(command.line, f"There is no command {word!r}.")

    for number, line in enumerate(runbook.body.splitlines(), runbook.body_line):
        for id in _FIX.findall(line):
            if known.fixes is not None and id not in known.fixes:
                yield finding(number, f"There is no fix {id!r}. See: synthprobe fix plan.")
        for word in (word for words in _RUN.findall(line) for word in words.split()):
            test = word.partition("[")[0].rstrip("/").strip("\"'")
            if (
                known.tests
                and _names_tests(test)
                and not any(known_test == test or known_test.startswith(f"{test}/") for known_test in known.tests)
            ):
                yield finding(number, f"There is no journey {test!r}. Correct the name.")


def _names_tests(word: str) -> bool:
    return bool(re.fullmatch(r"[\w.][\w./-]*", word.partition("::")[0])) and (".py" in word or "/" in word)


def _staleness(runbook: Runbook, known: Known, today: date) -> Iterator[Finding]:
    finding = partial(Finding, runbook.path, "stale", 1)
    marks = [mark for mark in known.marks if mark.runbook == runbook.id]
    if (since := known.rewritten.get(runbook.id)) is not None:
        marks = [mark for mark in marks if mark.at > since]
    if len(marks) > 1 and all(mark.worth != "helped" for mark in marks[-2:]):
        days = " and ".join(f"{mark.worth} on {mark.at:%Y-%m-%d}" for mark in marks[-2:])
        yield finding(f"It did not help twice in a row: {days}. Rewrite it as it is now, and commit it.")
    last = runbook.last_exercised
    if last is None:
        if runbook.drill:
            yield finding("No drill has proved it yet.", error=False)
        return
    if last.at > today:
        yield finding(f"It says it was proved on {last.at}, which is still to come. Let a drill write the day.")
    if last.at + timedelta(days=runbook.review_after) < today:
        yield finding(f"It was last proved on {last.at}, more than {runbook.review_after} days ago. Drill it again.")
    for name in known.changed.get(runbook.id, ()):
        yield finding(f"{name}, which it names, changed since the last drill on {last.at}. Drill it again.")


def _coverage(runbooks: Sequence[Runbook], known: Known) -> Iterator[Finding]:
    ids = {runbook.id for runbook in runbooks if runbook.finished}
    defaults = {journey for runbook in runbooks if runbook.finished for journey in runbook.matches.journeys}
    for journey, page in sorted(known.journeys.items()):
        if page not in ids and journey not in defaults:
            problem = (
                f"names the runbook {page!r}, and there is no such page that can be followed"
                if page
                else "names no runbook"
            )
            yield Finding(
                journey, "coverage", 1, f"The journey {journey!r} {problem}. Write one, or snooze it with a date."
            )


def _ties(runbooks: Sequence[Runbook]) -> Iterator[Finding]:
    for runbook, other in combinations(sorted(runbooks, key=lambda r: r.id), 2):
        if runbook.id == other.id:
            yield Finding(
                path=other.path, line=2, rule="tie", text=f"The id {runbook.id!r} is taken by {runbook.path}."
            )
            continue
        a, b = runbook.matches, other.matches
        same = [
            *(f"the general page for {x}" for x in a.journeys if x in b.journeys),
            *(f"{_shown(x)} and {_shown(y)}" for x in a.known for y in b.known if _could_tie(x, y)),
        ]
        for what in same:
            text = f"It ties with {other.path} on {what}. Let one of them match more closely."
            yield Finding(path=runbook.path, line=1, rule="tie", text=text)


def _could_tie(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    if a.keys() != b.keys():
        return False  # which of them fit at once is shown by failures only
    exact = {"message", "fingerprint"} & a.keys()
    return all(
        a[name] == b[name] if name in exact else fnmatchcase(a[name], b[name]) or fnmatchcase(b[name], a[name])
        for name in a
    )


def _claims(runbooks: Sequence[Runbook], samples: Sequence[Sample]) -> Iterator[Finding]:
    """Pages that say they know failures whose right page is another one."""
    for runbook in runbooks:
        if wrong := wrongly_claimed(runbook, samples):
            of = ", ".join(dict.fromkeys(f"{sample.of} ({sample.subject.journey})" for sample in wrong))
            text = f"It wrongly claims {len(wrong)} of {len(samples)} failures whose page is known: {of}. Narrow it."
            yield Finding(path=runbook.path, line=1, rule="claim", text=text)


def _shown(entry: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {value}" for name, value in entry.items()) + "}"
