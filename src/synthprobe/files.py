"""Files that are there whole, or stay as they were."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path


def owner_of_ours() -> int:
    """Who owns the files that this account makes, by number; on Windows, which has none, 0 as its files say."""
    return os.getuid() if hasattr(os, "getuid") else 0


def write_whole(path: Path, content: bytes | str) -> Path:
    """Write a file in one move, so that nobody ever reads half of it; its folder is there already."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        return temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
