"""Where every command finds the audit: in the history."""

from __future__ import annotations

import socket
from functools import partial

from synthprobe import pipeline
from synthprobe.config import Project
from synthprobe.firstline.audit import RecordedAudit


def recorded_audit(project: Project) -> RecordedAudit:
    """The project's audit."""
    folder = project.folder
    place = f"{socket.gethostname()}:{folder.resolve()}" if project.config.history.url else ""
    return RecordedAudit(partial(pipeline.open_history, project), folder, place)
