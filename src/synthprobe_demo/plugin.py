"""What the dispatch centre adds to synthprobe: its drill, and how its identifiers look."""

from __future__ import annotations

from collections.abc import Mapping

from synthprobe.hooks import DrillPlan, Fault, hookimpl
from synthprobe_demo.faults import DECOYS, KINDS
from synthprobe_demo.process import running_centre


@hookimpl
def synthprobe_drill() -> DrillPlan:
    """The 36 faults of the dispatch centre and its 9 decoys."""
    decoys = [Fault(name=name, cause=None, summary=summary) for name, summary in DECOYS.items()]
    return DrillPlan(target="demo", faults=(*KINDS, *decoys), start=running_centre)


@hookimpl
def synthprobe_normalise() -> Mapping[str, str]:
    """Numbers of incidents, units and beats."""
    return {
        r"\b[A-Z]{2,4}-\d{2}-\d{4,}\b": "<incident>",
        r"\b(?!(?:UTF|ISO|RFC|HTTP|SHA|TLS|WGS|MD|IPV)-)[A-Z]{1,5}-\d{1,4}\b": "<unit>",
    }
