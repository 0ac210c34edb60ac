"""After a run: judge what was recorded, judge it against what is remembered, explain it, tell who must know.

Each stage loads when it is used: most commands that look back need one of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthprobe.pipeline.afterwards import after_part as after_part
    from synthprobe.pipeline.afterwards import after_run as after_run
    from synthprobe.pipeline.afterwards import explain_run as explain_run
    from synthprobe.pipeline.afterwards import seen_by as seen_by
    from synthprobe.pipeline.against_past import shelf_of as shelf_of
    from synthprobe.pipeline.blindness import end_blind as end_blind
    from synthprobe.pipeline.coverage import stand as stand
    from synthprobe.pipeline.judging import judge as judge
    from synthprobe.pipeline.judging import newest_run as newest_run
    from synthprobe.pipeline.judging import newest_runs as newest_runs
    from synthprobe.pipeline.judging import read_progress as read_progress
    from synthprobe.pipeline.judging import read_results as read_results
    from synthprobe.pipeline.judging import read_verdict as read_verdict
    from synthprobe.pipeline.judging import write_verdict as write_verdict
    from synthprobe.pipeline.memory import is_judged as is_judged
    from synthprobe.pipeline.memory import open_history as open_history
    from synthprobe.pipeline.memory import take_in as take_in
    from synthprobe.pipeline.notification import beat_start as beat_start
    from synthprobe.pipeline.spare_folder import open_outbox as open_outbox

_NAMES = {
    "afterwards": "after_part after_run explain_run seen_by",
    "blindness": "end_blind",
    "against_past": "shelf_of",
    "coverage": "stand",
    "judging": "judge newest_run newest_runs read_progress read_results read_verdict write_verdict",
    "memory": "is_judged open_history take_in",
    "spare_folder": "open_outbox",
    "notification": "beat_start",
}
_HOMES = {name: stage for stage, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
