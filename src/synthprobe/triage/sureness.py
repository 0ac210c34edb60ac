"""How sure a rule is: the share of its verdicts that were right on systems that are not ours; a benchmark prints it."""

from __future__ import annotations

from typing import Literal

Sure = Literal["high", "medium", "low"]

SCORED: dict[str, tuple[int, int]] = {
    "account-refused": (25, 29),
    "account-state": (5, 6),
    "blocked-by-policy": (2, 2),
    "cached": (1, 1),
    "certificate": (6, 6),
    "clock-ahead": (1, 1),
    "delivery": (23, 28),
    "feed-stale": (2, 12),
    "forbidden": (34, 38),
    "grant": (11, 11),
    "lacks-resource": (11, 11),
    "live": (1, 1),
    "missing-script": (3, 4),
    "never-answered": (5, 7),
    "new-build": (1, 2),
    "node-split": (1, 1),
    "not-json": (0, 7),
    "null-island": (1, 1),
    "read-after-write": (8, 20),
    "role-split": (1, 1),
    "rule": (6, 16),
    "script-error": (1, 9),
    "sentinel": (58, 81),
    "server-error": (17, 50),
    "session-lost": (3, 5),
    "slow-upstream": (2, 4),
    "token-refused": (14, 14),
    "two-builds": (1, 1),
    "unreachable": (55, 57),
    "upstream-named": (1, 2),
    "whole-hours": (0, 1),
}
"""Situations in which a rule was right, and all in which it spoke, on 2026-11-29, as `benchmarks/first_sight.py` prints
them: of systems that are not ours and whose records are kept. Only those count in which at most two classes are true.
A verdict that was wrong when its situation was scored first is wrong for ever, however the rule was mended since. A
rule that is not scored yet is sure of nothing."""

_HIGH, _MEDIUM = 0.9, 0.8


def sure_of(rule: str) -> Sure:
    """How sure a rule is: how likely its next verdict is right, by Laplace's rule of succession; low names no class."""
    right, verdicts = SCORED.get(rule, (0, 0))
    share = (right + 1) / (verdicts + 2)
    return "high" if share >= _HIGH else "medium" if share > _MEDIUM else "low"
