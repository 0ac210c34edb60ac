"""Where a history is, as its URL says; loads no database."""

from __future__ import annotations

import re
from pathlib import Path

EXPECTED = "postgresql://HOST/DATABASE was expected, with the user and @ before the host."
"""What a user's own words would look like is masked like a user, so the sentence names none."""

_SQLITE = "sqlite:///"
_POSTGRESQL = re.compile(
    r"postgres(ql(\+\w+)?)?://"
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
        return f"It is of no kind that is known; sqlite:///PATH or {EXPECTED}"
    port = found["port"] or "0"
    if not port.isascii() or not port.isdecimal() or int(port[:6]) > 65_535:
        return "Its port is no number up to 65535; postgresql://HOST:PORT/DATABASE was expected."
    return ""


def place_of(url: str, root: Path) -> str:
    """A url as SQLAlchemy takes it, whose path, if it is one of SQLite, does not depend on the working folder."""
    if url.startswith(_SQLITE):
        return f"{_SQLITE}{root / url.removeprefix(_SQLITE)}"
    return f"postgresql://{url.removeprefix('postgres://')}" if url.startswith("postgres://") else url
