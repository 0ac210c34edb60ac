"""What a journey's author imports. Names load on first use, so that this import stays light."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthprobe.errors import ConfigurationError, ExpectationError, SynthprobeError, TargetError
    from synthprobe.expect.eventually import eventually
    from synthprobe.expect.response import Response
    from synthprobe.model.journey import Journey
    from synthprobe.probes.api import Api
    from synthprobe.probes.freshness import freshness
    from synthprobe.probes.steps import Recorder, recording, step
    from synthprobe.probes.testdata import TestData
    from synthprobe.respond.fixes import Plan, Work, fix
    from synthprobe.targets.secrets import Secret
    from synthprobe.targets.target import Target

__all__ = [
    "Api",
    "ConfigurationError",
    "ExpectationError",
    "Journey",
    "Plan",
    "Recorder",
    "Response",
    "Secret",
    "SynthprobeError",
    "Target",
    "TargetError",
    "TestData",
    "Work",
    "eventually",
    "fix",
    "freshness",
    "recording",
    "step",
]

_HOMES = {
    "Api": "synthprobe.probes.api",
    "ConfigurationError": "synthprobe.errors",
    "ExpectationError": "synthprobe.errors",
    "Journey": "synthprobe.model.journey",
    "Plan": "synthprobe.respond.fixes",
    "Recorder": "synthprobe.probes.steps",
    "Response": "synthprobe.expect.response",
    "Secret": "synthprobe.targets.secrets",
    "SynthprobeError": "synthprobe.errors",
    "Target": "synthprobe.targets.target",
    "TargetError": "synthprobe.errors",
    "TestData": "synthprobe.probes.testdata",
    "Work": "synthprobe.respond.fixes",
    "eventually": "synthprobe.expect.eventually",
    "fix": "synthprobe.respond.fixes",
    "freshness": "synthprobe.probes.freshness",
    "recording": "synthprobe.probes.steps",
    "step": "synthprobe.probes.steps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'synthprobe' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
