"""``synthprobe record``: Playwright's code generator, then a journey made of what it wrote."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from synthprobe.cli.terminal import open_console
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.journey.recorded import journey_from

_console = open_console()


def record(
    url: Annotated[str, typer.Argument(help="Address to begin at.")],
    to: Annotated[Path, typer.Option("--to", help="File of the journey.")] = Path("journeys/test_recorded.py"),
    owner: Annotated[str, typer.Option(help="The role or team to tell.")] = "",
    script: Annotated[
        Path | None, typer.Option("--from", help="A script that playwright codegen wrote already; nothing is recorded.")
    ] = None,
) -> None:
    """Record what you do in a browser, and write it as a journey: steps with titles, secrets replaced."""
    if to.exists():
        raise ConfigurationError(f"{to} is there already and is kept. Give another file with --to.")
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"The address is {url!r}; one that begins with http:// or https:// was expected.")
    try:
        text = script.read_text("utf-8") if script is not None else _recorded(url)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{script} cannot be read: {error}. Give a script of playwright codegen.") from None
    made = journey_from(text, url, owner=owner)
    to.parent.mkdir(parents=True, exist_ok=True)
    to.write_text(made.text, "utf-8")
    _console.print(f"{to}: {made.steps} steps. Read it, name each step as a user would, then: pytest {to}")
    for name in made.secrets:
        _console.print(
            f'Declare what was typed there as a secret: {name} = "env:{name.upper()}" in [targets.NAME.secrets]'
        )


def _recorded(url: str) -> str:
    with tempfile.TemporaryDirectory(prefix="synthprobe-record-") as folder:
        written = Path(folder) / "recorded.py"
        command = [sys.executable, "-m", "playwright", "codegen", "--target", "python-pytest", "-o", str(written), url]
        code = subprocess.run(command, check=False).returncode
        if code or not written.exists():
            raise ToolError(
                f"Playwright's code generator ended with code {code} and wrote nothing. It needs a display and its own "
                "Chromium: playwright install chromium. Record elsewhere, then: synthprobe record URL --from FILE"
            )
        return written.read_text("utf-8")
