"""``synthprobe sweep``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cache, partial
from typing import Annotated, Any

import typer

from synthprobe import pipeline
from synthprobe.cli.lookup import known_actor
from synthprobe.cli.options import BaseUrl, TargetName, complete_roles
from synthprobe.cli.terminal import open_console, print_records
from synthprobe.errors import ConfigurationError
from synthprobe.hooks import PythonKind
from synthprobe.journey.api import Api
from synthprobe.journey.guard import Guard
from synthprobe.journey.kinds import Access
from synthprobe.journey.sweeping import Swept, signed_in, sweep
from synthprobe.journey.sweeping import give_up as give_up_entry
from synthprobe.project import Project
from synthprobe.records.plain_text import plain_line
from synthprobe.targets.target import Target

_ORDER = ("left", "not tried", "in use", "removed", "gone")


def sweep_command(
    target: TargetName = None,
    base_url: BaseUrl = None,
    limit: Annotated[int, typer.Option(help="Entries that are tried at most.", min=1)] = 50,
    give_up: Annotated[
        str | None, typer.Option(metavar="TOKEN", help="Close this entry although its object may stay.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why it is given up, in a line.")] = "",
    by: Annotated[str, typer.Option(autocompletion=complete_roles, help="Your role, who gives it up.")] = "",
) -> None:
    """Remove the test data that killed runs left at a target.

    Only objects that carry a token of the ledger, only after their lease. Exit code 0: nothing is left that was not
    left before. 1: something is. 2: usage or configuration.
    """
    console = open_console()
    project = Project.here()
    chosen = project.config.target(target, base_url=base_url)
    if give_up is not None:
        role = known_actor(by, project).role
        with pipeline.open_history(project) as history:
            entry = give_up_entry(chosen, history, give_up, reason=plain_line(reason), role=role)
        console.print(f"Given up by {role}: {entry.kind} {entry.token}. {entry.reason}")
        return
    if reason or by:
        raise ConfigurationError("--reason and --by belong to an entry that is given up. Name it with --give-up TOKEN.")

    def access() -> Access:
        if reason := project.stopped(chosen):
            console.print(f"Nothing was swept at target {chosen.name}. {reason}")
            raise typer.Exit(1)
        return doors.enter_context(_access(project, chosen))

    kinds = project.plugins.kinds
    lock = project.folder / f"sweep-{chosen.name}.lock"
    with ExitStack() as doors, pipeline.open_history(project) as history:
        found = sweep(chosen, kinds, history, access, now=datetime.now(UTC), limit=limit, lock=lock)
        for note in history.notes:
            console.print(f"note: {note}")
    if not found:
        console.print(f"Nothing to sweep at target {chosen.name}.")
        return
    _print_swept(found)
    counts: Counter[str] = Counter(swept.status for swept in found)
    console.print(", ".join(f"{counts[status]} {status}" for status in _ORDER if counts[status]) + ".")
    if any(swept.is_news for swept in found):
        raise typer.Exit(1)


@contextmanager
def _access(project: Project, target: Target) -> Iterator[Access]:
    """Sessions and pages of the sweeper, each opened once it is needed."""
    redactor = project.redactor
    guard = Guard(target)
    guard.mutates = (*target.testdata, *project.plugins.kinds)
    shown = project.credentials(target)

    secret = partial(project.secret, target, needed_by="sweeper")

    with ExitStack() as opened:

        @cache
        def api() -> Api:
            return signed_in(Api(target, redactor, guard=guard, credentials=shown), target.sweeper, secret)

        @cache
        def browser() -> Any:
            from synthprobe.browser.commanded_browser import commanded_browser

            return opened.enter_context(commanded_browser(project.config.browser.executable, guard, shown, redactor))

        @cache
        def page(kind: PythonKind) -> Any:
            made = browser().new_page(base_url=target.base_url)
            made.set_default_timeout(kind.within_s * 1000)
            if kind.log_in is not None:
                kind.log_in(made, secret)
            return made

        yield Access(api=api, page=page)


def _print_swept(found: list[Swept]) -> None:
    headings = ("What", "Kind", "Token", "Created", "Run", "Why")
    rows = [
        (
            swept.status,
            swept.entry.kind,
            swept.entry.token,
            f"{swept.entry.at:%Y-%m-%d %H:%M:%S}",
            swept.entry.run_id,
            swept.detail,
        )
        for swept in sorted(found, key=lambda swept: (_ORDER.index(swept.status), swept.entry.at))
    ]
    print_records(open_console(), headings, rows, whole={*headings} - {"Why"})
