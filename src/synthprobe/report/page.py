"""What every page of the site shares: one look, one way to write moments, durations and what a target said."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from synthprobe.records.figures import shown_score
from synthprobe.records.plain_text import plain_line
from synthprobe.words import explanation

if TYPE_CHECKING:
    from jinja2 import Environment


@cache  # each template is compiled once, however many pages are made of it
def pages() -> Environment:
    """The templates of the site's pages."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("synthprobe.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"duration": duration, "utc": utc, "explanation": explanation}
    return environment


def duration(seconds: float, is_score: bool = False) -> str:
    """A duration as people read it, or the score that a step is measured in."""
    if is_score:
        return shown_score(seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def utc(moment: datetime) -> str:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def as_text(text: str) -> str:
    r"""A text that stands in Markdown as it is, in one line, so that nothing a target said is markup."""
    return re.sub(r"([\\`*_\[\]<>&|~#!])", r"\\\1", plain_line(text))
