"""Sentences beside a verdict: what goes wrong after it, and which third parties were not reached."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from synthprobe.errors import SynthprobeError
from synthprobe.records.verdict import Verdict


@contextmanager
def noted(notes: list[str]) -> Iterator[None]:
    """Let no error of the block cost the verdict."""
    try:
        yield
    except (SynthprobeError, OSError) as error:
        notes.append(str(error))
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        notes.append(
            f"A part of what follows a run broke off ({type(error).__name__}: {error}, in {where.name}); the rest was "
            "done. This is a fault of synthprobe; please report it."
        )


def third_parties(verdict: Verdict) -> list[str]:
    """The list of hosts that pages asked for in vain, so that somebody decides on each; nothing when there are none."""
    asked = Counter(
        host for judgement in verdict.journeys if judgement.results for host in judgement.results[-1].refused_hosts
    )
    if not asked:
        return []
    listed = ", ".join(f"{host} ({count} {'journey' if count == 1 else 'journeys'})" for host, count in asked.items())
    return [
        f"Third parties that pages asked for and did not reach: {listed}. What a journey needs belongs into "
        "allowed_hosts of the target; what users do without belongs into blocked_hosts, and is not listed then."
    ]
