"""``synthprobe scan``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from synthprobe.cli.terminal import open_console
from synthprobe.config import find_root, read_config
from synthprobe.errors import ConfigurationError
from synthprobe.evidence.issued import IssuedValues
from synthprobe.evidence.redaction import Redactor
from synthprobe.targets.secrets import read_secret


def scan(
    path: Annotated[Path, typer.Argument(help="The file or folder whose final bytes are searched.")],
    secret: Annotated[
        list[str] | None, typer.Option(help="One more secret: env:VARIABLE or file:/path. May be repeated.")
    ] = None,
) -> None:
    """Search a folder for secrets and for tokens issued to runs, inside zip, gzip and base64. Exit code 1: found."""
    if not path.exists():
        raise ConfigurationError(f"{path} does not exist, so nothing was searched. Name a file or a folder.")
    out = open_console()
    root = find_root(Path.cwd())
    config = read_config(root)
    sources = config.secret_sources()
    issued = IssuedValues(root / config.folder)
    redactor = Redactor()
    missing = redactor.learn_declared(sources, root)
    known = len(sources) - len(missing)
    for source in secret or ():
        redactor.add(read_secret(source, os.environ, source=source))
        known += 1
    if not known and not issued:
        raise ConfigurationError(
            "No secret is known, so a search would find nothing and prove nothing. Set the variables that the targets' "
            "secrets come from, or name one with --secret env:VARIABLE."
        )
    for name in missing:
        out.print(f"not searched for: {name}, which cannot be read here")
    scanner = redactor.scanner()
    scanner.issued = issued.rules
    findings = scanner.path(path)
    for finding in findings:
        out.print(f"{finding.file}: {', '.join(finding.rules)}")
    tokens = f" and {len(issued)} issued tokens" if issued else ""
    out.print(
        f"{known} secrets{tokens} searched for in {path}: {len(findings)} files hold one or cannot be looked into."
    )
    if findings:
        raise typer.Exit(1)
