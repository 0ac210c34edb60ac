"""After a run: judge what was recorded, judge it against what is remembered, explain it, tell who must know.

Each stage loads when it is used: most commands that look back need one of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "after_run": "afterwards",
    "beat_start": "telling",
    "end_blind": "blindness",
    "explain_run": "afterwards",
    "is_judged": "memory",
    "judge": "judging",
    "newest_run": "judging",
    "newest_runs": "judging",
    "open_history": "memory",
    "open_outbox": "spare",
    "read_progress": "judging",
    "read_results": "judging",
    "read_verdict": "judging",
    "remember": "memory",
    "stand": "coverage",
    "take_in": "memory",
    "write_verdict": "judging",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
