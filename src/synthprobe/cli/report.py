"""``synthprobe report``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from synthprobe import pipeline
from synthprobe.cli.terminal import open_console
from synthprobe.config import Config, find_root, read_config
from synthprobe.report.site import publish, serve
from synthprobe.respond.runbook_pages import publish_runbooks
from synthprobe.respond.runbooks import read_runbooks

_console = open_console()


def report(
    runs: Annotated[list[Path] | None, typer.Argument(help="Folders of runs; the newest run without it.")] = None,
    site: Annotated[Path | None, typer.Option(help="Folder the site is made in.")] = None,
    serve_site: Annotated[bool, typer.Option("--serve", help="Serve the site until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(help="Port to serve at; 0 takes a free one.")] = 0,
) -> None:
    """Make the on-call page and the Allure report of recorded runs."""
    root = find_root(Path.cwd())
    config = read_config(root)
    folders = [run.absolute() for run in runs] if runs else [pipeline.newest_run(root, config.folder)]
    for folder in folders:
        if not (folder / "verdict.json").exists():
            pipeline.judge(folder)
    page = make_site(root, config, folders, site=site)
    _console.print(f"On-call page: {page}")
    if serve_site:
        serve_until_interrupted(page.parent, port)


def make_site(
    root: Path,
    config: Config,
    folders: Sequence[Path],
    *,
    site: Path | None = None,
    labels: Mapping[Path, str] | None = None,
) -> Path:
    """Publish runs as the configuration says.

    Args:
        root: the project's root.
        config: the project's configuration.
        folders: the runs' folders, judged.
        site: where to; the configured folder's ``site`` without it.
        labels: a word that tells runs of one target apart.

    Returns:
        The on-call page.
    """
    site = site or root / config.folder / "site"
    runbooks = publish_runbooks(read_runbooks(root / config.runbooks, root), site)
    base = config.report.site_url.rstrip("/")
    if base:
        runbooks = {id: f"{base}/{page}" for id, page in runbooks.items()}
    if pattern := config.report.runbook_url:
        read = [pipeline.read_verdict(folder / "verdict.json") for folder in folders]
        ids = {id for verdict in read for one in verdict.journeys for id in (one.runbook, one.journey.runbook) if id}
        runbooks |= {id: pattern.replace("{id}", id) for id in ids}
    return publish(
        folders,
        site,
        labels=labels,
        runbooks=runbooks,
        site_url=config.report.site_url,
        retention=config.report.keep,
        state=root / config.folder / "state",
        warn=lambda sentence: _console.print(f"warning: {sentence}", markup=False),
    )


def serve_until_interrupted(site: Path, port: int = 0) -> None:
    """Serve a site on this machine until Ctrl-C.

    Args:
        site: the site's folder.
        port: the port; any free one for 0.
    """
    server = serve(site, port)
    _console.print(f"Open http://127.0.0.1:{server.server_port}/  (Ctrl-C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
