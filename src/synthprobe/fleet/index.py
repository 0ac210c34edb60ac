"""Which part a machine is to look at: as it was typed, or as the engine that started it says."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from synthprobe.errors import ConfigurationError

_ENGINES = (
    # variable, first index, variable of the first index, variable of how many there are
    ("JOB_COMPLETION_INDEX", 0, "", ""),
    ("CI_NODE_INDEX", 1, "", "CI_NODE_TOTAL"),
    ("SLURM_ARRAY_TASK_ID", 0, "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT"),
)
"""Kubernetes' Indexed Jobs count from 0, GitLab's ``parallel`` from 1, Slurm's arrays from what was asked for."""


class PartIndex(Struct, frozen=True, kw_only=True):
    """One part of how many."""

    number: int
    of: int


def part_index(given: str, environ: Mapping[str, str]) -> PartIndex:
    """Read which part is meant.

    Example:
        >>> part_index("auto/8", {"JOB_COMPLETION_INDEX": "0"})
        PartIndex(number=1, of=8)
    """
    first, _, last = given.partition("/")
    if first == "auto":
        first, total = _of_engine(given, environ)
        last = last or total
    if not (first.isdecimal() and last.isdecimal() and 1 <= int(first) <= int(last) <= 10_000):
        raise ConfigurationError(
            f"--part is {given!r}, which makes part {first or '?'} of {last or '?'}. A part and how many there are was "
            "expected: 3/8, or auto/8 where Kubernetes, GitLab or Slurm numbers the machines."
        )
    return PartIndex(number=int(first), of=int(last))


def _of_engine(given: str, environ: Mapping[str, str]) -> tuple[str, str]:
    for variable, begins, lowest, count in _ENGINES:
        if (value := environ.get(variable, "")).isdecimal():
            begins = int(environ.get(lowest) or begins) if lowest else begins
            return str(int(value) - begins + 1), environ.get(count, "") if count else ""
    names = ", ".join(variable for variable, *_ in _ENGINES)
    raise ConfigurationError(f"--part is {given!r}, and none of {names} is set. Say which part: --part 3/8.")
