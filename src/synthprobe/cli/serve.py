"""``synthprobe serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from synthprobe.cli.terminal import until_interrupted
from synthprobe.config import Project
from synthprobe.errors import ConfigurationError
from synthprobe.report.addresses import SCHEMES, wrong_with_url
from synthprobe.report.serving import OWN_NAMES
from synthprobe.report.serving import serve as serve_store
from synthprobe.report.store import FolderStore, Store, open_store


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
        raise ConfigurationError(f"{place} cannot be served. A folder, or one of {', '.join(SCHEMES)}:// {wrong}")
    return open_store(place)
