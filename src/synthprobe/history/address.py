"""Where a history is, as its URL says; loads no database."""

from __future__ import annotations

import re
from pathlib import Path

_SQLITE = "sqlite:///"
_POSTGRESQL = re.compile(
    r"postgresql(\+\w+)?://"
    r"([^:/]*(:[^@]*)?@)?"  # a user, and a password that may hold anything
    r"(\[[^/?]+\]|[^/:?]+)?(:(?P<port>[^/?]*))?"
    r"(/[^?]*)?(\?.*)?"
)


def wrong_with(url: str) -> str:
    """What keeps a history's URL from being used."""
    if url.startswith("sqlite:"):
        path = url.removeprefix(_SQLITE)
        if url in {"sqlite:", "sqlite:/", "sqlite://"} or not path or path.startswith((":memory:", "file:")):
            return "It keeps the history in memory, so every verdict would be lost; sqlite:///PATH was expected."
        return "" if url.startswith(_SQLITE) else "sqlite:///PATH was expected, with three slashes before the path."
    found = _POSTGRESQL.fullmatch(url)
    if found is None:
        return "It is of no kind that is known; sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE was expected."
    port = found["port"] or "0"
    if not port.isascii() or not port.isdecimal() or int(port[:6]) > 65_535:
        return "Its port is no number up to 65535; postgresql+psycopg://USER@HOST:PORT/DATABASE was expected."
    return ""


def place_of(url: str, root: Path) -> str:
    """A url whose path, if it is one of SQLite, does not depend on the working folder."""
    return f"{_SQLITE}{root / url.removeprefix(_SQLITE)}" if url.startswith(_SQLITE) else url
