"""Markdown in which nothing that a target said is markup."""

from __future__ import annotations

import re

from synthprobe.records.plain_text import plain_line


def as_text(said: str) -> str:
    r"""Make a text stand in Markdown as it is, in one line, also as a cell of a table."""
    return re.sub(r"([\\`*_\[\]<>&|~#!])", r"\\\1", plain_line(said))
