"""``synthprobe report`` makes the site, ``synthprobe serve`` shows one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from synthprobe import pipeline
from synthprobe.cli import remembered
from synthprobe.cli.impact import make_board
from synthprobe.cli.review import ops_data
from synthprobe.cli.terminal import open_console, until_interrupted
from synthprobe.config import Config
from synthprobe.deadlines import all_within
from synthprobe.errors import ConfigurationError
from synthprobe.firstline.shelf import read_shelf
from synthprobe.pipeline.publishing import site_of
from synthprobe.project import Project
from synthprobe.report.addresses import safe_name, wrong_with_url
from synthprobe.report.board import DAYS
from synthprobe.report.index import Index, read_index, whole_runs
from synthprobe.report.ops_page import render_ops
from synthprobe.report.run_files import Bundle, JudgedRun, Whole
from synthprobe.report.serving import OWN_NAMES
from synthprobe.report.serving import serve as serve_store
from synthprobe.report.site import publish
from synthprobe.report.status_page import StatusTarget, render_status
from synthprobe.report.store import FolderStore, Store, open_store

PUBLISH_S = 600.0
"""Seconds everything may take together; what is not made by then is left out, with a sentence."""

_console = open_console()


def report(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Folders of runs; the newest of each target without it.")
    ] = None,
    site: Annotated[Path | None, typer.Option(help="Folder the site is made in.")] = None,
    serve_site: Annotated[bool, typer.Option("--serve", help="Serve the site until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="Port to serve at; 0 takes a free one.", min=0, max=65535)] = 0,
    publish_at: Annotated[
        str | None,
        typer.Option(
            "--publish",
            metavar="VISIBILITY",
            help="The site will be published at a place of this visibility; production needs `private`.",
        ),
    ] = None,
) -> None:
    """Make the on-call page and the Allure report of recorded runs."""
    project = Project.here(must_exist=not runs)
    with all_within(PUBLISH_S):
        folders = (
            [run.absolute() for run in runs] if runs else pipeline.newest_runs(project.root, project.config.folder)
        )
        for folder in folders:
            if not (folder / "verdict.json").exists():
                pipeline.explain_run(project, folder, pipeline.judge(folder))
        if publish_at is not None:
            refuse_publishing(project.config, folders, site or project.folder / "site", publish_at)
        page = make_site(project, folders, site=site)
    _console.print(f"On-call page: {page}")
    if serve_site:
        until_interrupted(serve_store(FolderStore(page.parent.absolute()), port))


def refuse_publishing(config: Config, folders: Sequence[Path], site: Path, visibility: str) -> None:
    """See that nothing of production gets to a place that is not shown to be private."""
    if visibility.strip().lower() == "private":
        return
    held = {pipeline.read_verdict(folder / "verdict.json").run.target for folder in folders}
    held |= {entry.target for entry in read_index(FolderStore(site.absolute()))[0].runs}
    harmless = {name for name, target in config.targets.items() if not target.production} | set(config.report.public)
    if refused := sorted(held - harmless):
        known = f"is {visibility.strip()!r}" if visibility.strip() else "is not known"
        raise ConfigurationError(
            f"The site holds runs of {', '.join(refused)}, which is production, and the visibility of the place it was "
            f"to be published at {known}; 'private' was expected. Nothing was made. Publish it at a private place, or "
            f"allow it: public = {json.dumps(refused)} in [report] of synthprobe.toml."
        )


def make_site(
    project: Project, folders: Sequence[Path], *, site: Path | None = None, labels: Mapping[Path, str] | None = None
) -> Path:
    """Publish runs in a folder, with everything that can be made of them."""
    site, labels = site or project.folder / "site", labels or {}
    shelf = read_shelf(project.root / project.config.runbooks, project.root)
    for sentence in shelf.refused:
        _warn(sentence)
    runs = [
        JudgedRun(folder=path, verdict=pipeline.read_verdict(path / "verdict.json"), label=labels.get(path, ""))
        for path in folders
    ]
    verdicts = [run.verdict for run in runs]
    store = FolderStore(site.absolute())
    made = site_of(
        project,
        verdicts,
        shelf.runbooks,
        _warn,
        _pages_beside(project, {verdict.run.target for verdict in verdicts}, store),
        Whole(state=project.folder / "state", site_url=project.config.report.site_url),
    )
    publish(store, runs, made, remembered.now())
    return site / "index.html"


def _pages_beside(project: Project, targets: Set[str], store: Store) -> dict[str, Bundle]:
    """The impact board and the operating measures of each target, and the status page; made anew each time."""
    pages = {
        "status.html": Bundle(title="The status page with its badges", made_of="", make=partial(_make_status, project))
    }
    for name in sorted(targets & set(project.config.targets)):
        pages[f"board/{safe_name(name)}"] = Bundle(
            title=f"The impact board of {name}", made_of="", make=partial(_make_board, project, name, store)
        )
        pages[f"ops/{safe_name(name)}"] = Bundle(
            title=f"The page of {name}'s operating measures", made_of="", make=partial(_make_ops, project, name)
        )
    return pages


def _make_board(project: Project, name: str, store: Store, index: Index, place: Path) -> None:
    make_board(project, project.config.target(name), place, runs=whole_runs(store, index, name, _warn))


def _make_ops(project: Project, name: str, _: Index, place: Path) -> None:
    render_ops(ops_data(project, name), place)


def _make_status(project: Project, index: Index, place: Path) -> None:
    """What outsiders may see of the targets that users depend on; of all, where none is called production."""
    runs = {run.verdict.run.target: run for run in index.shown if run.verdict.run.target in project.config.targets}
    production = {name for name in runs if project.config.targets[name].production}
    targets = []
    for name in sorted(production or runs):
        with remembered.opened(project, name) as past:
            targets.append(StatusTarget(run=runs[name], days=past.days(DAYS)))
    render_status(targets, place, remembered.now())


def _warn(sentence: str) -> None:
    _console.print(f"warning: {sentence}")


def serve(
    place: Annotated[
        str | None,
        typer.Argument(metavar="FOLDER|URL", help="Folder, or address of a store; the project's without it."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.", min=0, max=65_535)] = 0,
    host: Annotated[str, typer.Option(help="Address of this machine to listen at.")] = "127.0.0.1",
    names: Annotated[
        list[str] | None,
        typer.Option("--name", help="A name people open it by, for a proxy in front; may be repeated."),
    ] = None,
) -> None:
    """Serve a published site, read-only, until Ctrl-C."""
    if host not in {"127.0.0.1", "localhost", "::1"} and not names:
        raise ConfigurationError(
            f"--host {host} is reached from other machines. Say by which name with --name, and put a proxy that signs "
            "people in before it: whoever reaches it reads all evidence."
        )
    until_interrupted(
        serve_store(_store(place), port, host=host, names=names or ()), names[0] if names else OWN_NAMES[0]
    )


def _store(place: str | None) -> Store:
    if place is None:
        project = Project.here()
        folder = project.folder / "site"
        return open_store(project.config.publish.url) if project.config.publish.url else FolderStore(folder)
    if "://" not in place:
        return FolderStore(Path(place).absolute())
    if wrong := wrong_with_url(place):
        raise ConfigurationError(f"{place} cannot be served. A folder, or an address: {wrong}")
    return open_store(place)
