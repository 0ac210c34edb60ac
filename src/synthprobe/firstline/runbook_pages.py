"""Runbooks as people read them: a page of the site, and a draft to begin with."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from synthprobe.files import write_whole
from synthprobe.firstline.runbook import Runbook
from synthprobe.firstline.runbooks import parser
from synthprobe.records.figures import shown_score
from synthprobe.records.incident import Incident
from synthprobe.records.plain_text import plain_line
from synthprobe.records.result import Result, Step

CAUSES = {
    "code": "the program itself does something wrong; only its makers can change that",
    "config": "a setting or a permission is not what it should be",
    "data": "a record is wrong or missing; the program is well",
    "dependency": "another system that this one asks is slow, wrong or silent",
    "infra": "something that should run does not, or one server of several is ill",
    "user": "one person's account, unit or own view; everybody else is well",
    "probe": "the monitor itself could not look",
    "unknown": "nobody knows yet; the page holds until a closer one is written",
}
"""What a class of cause means, for whoever reads a page."""


BEFORE = "README.md"
"""The file beside the runbooks that says how to get the address and a session, before a command is typed."""


def before_typing(folder: Path) -> Path | None:
    """The project's own page of what to do before a command of a runbook is typed."""
    page = folder / BEFORE
    return page if page.is_file() else None


def opening(runbook: Runbook, where: str) -> tuple[str, str]:
    """What a person must know before the first command."""
    variables = sorted(set(re.findall(r"\$((?:BASE_URL|TOKEN)\w*)", runbook.body)))
    need = ", ".join(f"`${name}`" for name in variables)
    means = "the system's address" + (", and a session for each `$TOKEN`" if "$TOKEN" in need else "")
    first = "Start with the *Fallback* below."
    if not variables:
        return first, "Its commands need no address and no session."
    return (
        f"{first} The commands need {need}: {means}.",
        f"How to get them: {where}."
        if where
        else f"How to get them is not written down: ask the {runbook.owner}, and write it into `runbooks/{BEFORE}`.",
    )


def as_followed(runbook: Runbook) -> str:
    """The body as it is read: where there is a fix, its commands stand before the steps by hand."""
    section = runbook.section("Fix")
    if not runbook.fix or section is None:
        return runbook.body
    instructions = _environment().overlay(autoescape=False).get_template("by_fix.md.j2").render(fix=runbook.fix)
    lines = runbook.body.splitlines()
    place = section.line - runbook.body_line + 1
    return "\n".join([*lines[:place], *instructions.splitlines(), *lines[place:]]) + "\n"


def render(runbook: Runbook, *, home: str = "../index.html", before: str = "") -> str:
    """A runbook as a page that needs nothing else: raw HTML in the file is shown as text."""
    where = f"[before typing a command]({before})" if before else ""
    # html is off in our parser, and it refuses javascript: links
    first, body = parser().render("\n\n".join(opening(runbook, where))), parser().render(as_followed(runbook))
    page = _environment().get_template("runbook.html.j2")
    return page.render(runbook=runbook, opening=first, body=body, home=home, causes=CAUSES)


@cache
def _environment() -> Environment:
    loader = ChoiceLoader([PackageLoader("synthprobe.firstline"), PackageLoader("synthprobe.report")])  # one look
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def publish_runbooks(runbooks: Sequence[Runbook], site: Path, *, before: str = "") -> dict[str, str]:
    """Write every runbook's page into the site, and ``runbooks/index.html``, which lists them by cause."""
    folder = site / "runbooks"
    folder.mkdir(parents=True, exist_ok=True)
    addresses = {}
    link = "README.html" if before else ""
    if before:
        template = _environment().get_template("before.html.j2")
        write_whole(folder / link, template.render(body=parser().render(before), home="../index.html"))
    for runbook in runbooks:
        page = folder / f"{runbook.id}.html"
        write_whole(page, render(runbook, before=link))
        addresses[runbook.id] = f"runbooks/{page.name}"
    ordered = sorted(runbooks, key=lambda runbook: (runbook.cause_class, runbook.title))
    groups = [(cause, list(ours)) for cause, ours in groupby(ordered, key=lambda runbook: runbook.cause_class)]
    index = _environment().get_template("runbooks.html.j2").render(groups=groups, home="../index.html", causes=CAUSES)
    write_whole(folder / "index.html", index)
    return addresses


def draft_id(incident: Incident) -> str:
    """The id of a runbook begun from an incident."""
    parts = (incident.journeys[0] if incident.journeys else "", incident.id)
    return re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")


def draft(incident: Incident, result: Result | None = None) -> str:
    """A runbook to begin with, of what was recorded; what only people know is marked TODO."""
    how = f"{incident.resolved_how} by {incident.resolved_by}" if incident.resolved_how else "not resolved yet"
    environment = _environment().overlay(autoescape=False)
    environment.filters |= {"plain": _plain, "yaml": _yaml}
    return environment.get_template("draft.md.j2").render(
        name=draft_id(incident),
        incident=incident,
        cause=incident.triage,
        how=plain_line(how),
        repeat=result.repeat.replace("pytest ", "synthprobe run ", 1) if result else "synthprobe run",
        steps=_steps(result.steps) if result else ["- (no result is at hand)"],
        evidence=result.evidence if result else (),
    )


def _steps(steps: Sequence[Step], depth: int = 0) -> list[str]:
    lines = []
    for step in steps:
        took = shown_score(step.duration_s) if step.vital == "score" else f"{step.duration_s:.1f} s"
        mark = "" if step.status == "passed" else " (broken)"
        lines.append(f"{'  ' * depth}- {_plain(step.title)}: {took}{mark}")
        lines += _steps(step.steps, depth + 1)
    return lines


def _plain(text: str) -> str:
    """What the target said, so that it is neither Markdown nor HTML nor a second line."""
    line = " ".join(plain_line(text).split())
    return f"`{html.escape(line, quote=False).replace('`', chr(39))}`" if line else ""


def _yaml(text: str) -> str:
    return json.dumps(plain_line(text), ensure_ascii=False)
