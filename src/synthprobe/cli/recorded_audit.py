"""Where every command finds the audit: in the history."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path

from synthprobe import pipeline
from synthprobe.config import Config
from synthprobe.firstline.audit import RecordedAudit


def recorded_audit(root: Path, config: Config) -> RecordedAudit:
    """The project's audit."""
    folder = root / config.folder
    place = f"{socket.gethostname()}:{folder.resolve()}" if config.history.url else ""
    return RecordedAudit(partial(pipeline.open_history, root, config), folder, place)
