"""The day and revision a drill last proved a runbook at, written into its front matter."""

from __future__ import annotations

import re
from pathlib import Path

from synthprobe.errors import ConfigurationError
from synthprobe.firstline.runbook import Exercise

_LINE = re.compile(
    r"^last_exercised:[^\r\n#]*?(?P<note>[ \t]+#[^\r\n]*)?(?=\r?$)(?:\r?\n[ \t]+[^\r\n]+)*", re.MULTILINE
)


def stamp(path: Path, exercise: Exercise) -> None:
    """Write when a runbook was proved. Every other byte of the file stays as it is."""
    try:
        text = path.read_bytes().decode("utf-8")
        front = re.match(r"---\r?\n.*?^---", text, re.DOTALL | re.MULTILINE)
        found = _LINE.search(text, 0, front.end()) if front else None
        if found is None:
            raise ConfigurationError(
                f"{path.name} has no line 'last_exercised: ...' in its front matter, so the drill cannot be noted. "
                "Add 'last_exercised: never'."
            )
        line = f'last_exercised: {{at: {exercise.at}, revision: "{exercise.revision}"}}{found["note"] or ""}'
        path.write_bytes((text[: found.start()] + line + text[found.end() :]).encode())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be stamped: {error}. Correct that, then drill again.") from None
