"""Where a project is: the folder with ``synthprobe.toml``, or with a ``[tool.synthprobe]`` table."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from synthprobe.errors import ConfigurationError

NO_PROJECT = "No synthprobe.toml here. Begin with: synthprobe init, or change to the folder of the project."
NAMES = ("synthprobe.toml", "pyproject.toml")

_TABLE = re.compile(rb"""^\s*\[\s*["']?tool["']?\s*\.\s*["']?synthprobe["']?\s*[].]""", re.MULTILINE)


def project_at(start: Path) -> Path | None:
    """The nearest project at a folder or above it."""
    return next((folder for folder in (start, *start.parents) if is_project(folder)), None)


def is_project(folder: Path) -> bool:
    """Whether a folder holds a configuration; a ``pyproject.toml`` without our table is not read."""
    try:
        if os.path.lexists(folder / NAMES[0]):
            return True
        content = (folder / NAMES[1]).read_bytes()
    except OSError:
        return False
    if b"synthprobe" not in content:
        return False
    try:
        return "synthprobe" in tomllib.loads(content.decode("utf-8-sig")).get("tool", {})
    except (ValueError, AttributeError, TypeError):
        return _TABLE.search(content) is not None


class Written(NamedTuple):
    """The configuration as it is written: the file's name and text, the keys of the table in it, and the table."""

    name: str
    text: str
    above: tuple[str, ...]
    table: dict[str, Any]


def read_table(root: Path) -> Written:
    """The configuration as it is written; an empty one when there is none."""
    for name, keys in zip(NAMES, ((), ("tool", "synthprobe")), strict=True):
        try:
            text = (root / name).read_text("utf-8-sig")
            table: Any = tomllib.loads(text)
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:  # TOML of a wrong form, bytes that are no text, endless digits
            raise ConfigurationError(f"{root / name} cannot be read: {error}. Correct it, then start again.") from None
        for key in keys:
            table = table.get(key, {}) if isinstance(table, dict) else {}
        if table or not keys:
            return Written(name, text, keys, table)
    return Written(NAMES[0], "", (), {})
