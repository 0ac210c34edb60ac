"""The page of operating measures: how calm the work is, and what to write down next."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from msgspec import Struct

from synthprobe.files import write_whole
from synthprobe.goals.measures import ENOUGH
from synthprobe.records.measure import Measures
from synthprobe.report.addresses import safe_name
from synthprobe.report.page import pages

_GROUPS = (
    ("Detection", ("detected_first", "lead")),
    (
        "What the first line can do alone",
        ("first_line", "covered", "covered_minutes", "repeats", "repeats_without_runbook", "since_escalation"),
    ),
    ("Interruptions", ("pages_per_shift", "sleep", "actionable")),
    ("Single points of knowledge", ("responders", "one_head")),
    ("What fixes gave back", ("bought_back",)),
)


class OpsData(Struct, frozen=True, kw_only=True):
    """All that the page shows."""

    measures: Measures
    made_at: datetime
    notes: tuple[str, ...] = ()


def render_ops(data: OpsData, site: Path) -> Path:
    known = {measure.id: measure for measure in data.measures.measures}
    groups = [(title, [known[id] for id in ids if id in known]) for title, ids in _GROUPS]
    html = (
        pages()
        .get_template("ops.html.j2")
        .render(data=data, measures=data.measures, groups=groups, answer=answer(data.measures), enough=ENOUGH)
    )
    folder = site / "ops" / safe_name(data.measures.target)
    folder.mkdir(parents=True, exist_ok=True)
    return write_whole(folder / "index.html", html)


def answer(measures: Measures) -> str:
    """What to do next, in one sentence."""
    if not measures.incidents:
        return "No incident is recorded in this window, so there is nothing to count."
    if measures.one_head:
        n = len(measures.one_head)
        what = "One failure is" if n == 1 else f"{n} failures are"
        return (
            f"{what} known to one person only, and no runbook tells of {'it' if n == 1 else 'them'}. Write that down."
        )
    bare = next(measure for measure in measures.measures if measure.id == "repeats_without_runbook")
    if bare.hits:
        what = "One repeat has" if bare.hits == 1 else f"{bare.hits} repeats have"
        return f"{what} no runbook. Write that down next."
    return "Every repeat has a runbook, and nothing that was resolved is known to one person only."
