"""After a run: judge what was recorded, judge it against what is remembered, explain it, tell who must know."""

from synthprobe.pipeline.afterwards import after_run, explain_run
from synthprobe.pipeline.blindness import end_blind
from synthprobe.pipeline.coverage import stand
from synthprobe.pipeline.judging import (
    judge,
    newest_run,
    newest_runs,
    read_progress,
    read_results,
    read_verdict,
    write_verdict,
)
from synthprobe.pipeline.memory import is_judged, open_history, remember, take_in
from synthprobe.pipeline.spare import open_outbox
from synthprobe.pipeline.telling import beat_start

__all__ = [
    "after_run",
    "beat_start",
    "end_blind",
    "explain_run",
    "is_judged",
    "judge",
    "newest_run",
    "newest_runs",
    "open_history",
    "open_outbox",
    "read_progress",
    "read_results",
    "read_verdict",
    "remember",
    "stand",
    "take_in",
    "write_verdict",
]
