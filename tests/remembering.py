"""Judged runs are taken into the history, as by whatever looks back."""

from datetime import UTC, datetime

from synthprobe import pipeline
from synthprobe.errors import SynthprobeError
from synthprobe.project import Project


def remember(project: Project, target: str) -> list[str]:
    """Take the runs of a target that were judged and not remembered yet into the history; what is to be said of it."""
    try:
        with pipeline.open_history(project) as history:
            unread = pipeline.take_in(history, project.folder / "runs" / target)
            if history.available:
                history.prune_if_due(datetime.now(UTC))
            return unread + history.notes
    except (SynthprobeError, OSError) as error:
        return [str(error)]
