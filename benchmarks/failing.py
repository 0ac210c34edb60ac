"""The lane of failures that come and go: how often it cries wolf, and how soon it finds a worse rate.

Independent failures with a fixed seed, a million runs at each usual rate, of 25 steps that begin anew. The first
row is what is shipped, the others
are its neighbours: the least share of failures it is made to find, the times of the usual share, and the evidence at
which the alarm opens. When an alarm is cleared makes no difference that shows here. `--runs` makes it shorter.
"""

from __future__ import annotations

import argparse
import random
import sys
from datetime import date
from statistics import median

from rich.console import Console
from rich.table import Table

from synthprobe.detection.failing import Failing

SHIPPED = Failing()
RULES: tuple[tuple[float, float, float], ...] = (
    (SHIPPED.least_bad, SHIPPED.times, SHIPPED.alarm_at),
    (0.15, 8.0, 7.0),
    (0.15, 6.0, 7.0),
    (0.15, 6.0, 7.5),
    (0.15, 4.0, 7.2),
    (0.20, 4.0, 7.2),
)
USUAL = (0.005, 0.01, 0.02, 0.05)
WORSE = (0.1, 0.3, 1.0)
FROM = (0.001, 0.02)
ONSETS, LEARNED = 1000, 3000
STEPS, WEEK = 25, 2016
AT_MOST = 0.5


def lane(rule: tuple[float, float, float]) -> Failing:
    least_bad, times, alarm_at = rule
    return Failing(least_bad=least_bad, times=times, alarm_at=alarm_at)


def false_alarms(rule: tuple[float, float, float], usual: float, runs: int) -> tuple[float, float]:
    """How many a step raises in its first week, and how many per 10,000 runs from the second on."""
    chance, first, later = random.Random(11), 0, 0
    for _ in range(STEPS):
        watched = lane(rule)
        for n in range(runs // STEPS):
            raised = watched.add(chance.random() >= usual, 300.0 * n)
            first, later = first + (raised and n < WEEK), later + (raised and n >= WEEK)
    return first / STEPS, later / (runs - STEPS * WEEK) * 1e4


def delays(rule: tuple[float, float, float], usual: float, worse: float) -> list[int]:
    """Runs until the alarm, once the usual rate was learned."""
    chance, learned = random.Random(12), lane(rule)
    for n in range(LEARNED):
        learned.add(n % round(1 / usual) > 0, 300.0 * n)
    while learned.total or learned.alarm:
        learned.add(True, 0.0)
    state, found = learned.state(), []
    for _ in range(ONSETS):
        watched = lane(rule)
        watched.restore(state)
        runs = 1
        while not watched.add(chance.random() >= worse, 300.0 * runs):
            runs += 1
        found.append(runs)
    return sorted(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000_000, help="runs at each usual rate")
    runs = parser.parse_args().runs
    alarms = Table(
        title=f"False alarms per 10,000 runs from week two on, a step's in week one; {runs:,} runs at each rate"
    )
    found = Table(title="Runs until it is found: median, p90, share found within 12")
    for table, heads in (
        (alarms, [f"{usual:.1%}" for usual in USUAL]),
        (found, [f"{usual:.1%}→{worse:.0%}" for usual in FROM for worse in WORSE]),
    ):
        for head in ("least", "times", "alarm", *heads):
            table.add_column(head, justify="right")
    missed = []
    for rule in RULES:
        named = [f"{rule[0]:.0%}", f"{rule[1]:g}", f"{rule[2]:g}"]
        rates = [false_alarms(rule, usual, runs) for usual in USUAL]
        alarms.add_row(*named, *(f"{rate:.2f} {first:.1f}" for first, rate in rates))
        if rule is RULES[0]:
            missed = [usual for usual, (_, rate) in zip(USUAL, rates, strict=True) if rate > AT_MOST]
        cells = []
        for usual in FROM:
            for worse in WORSE:
                took = delays(rule, usual, worse)
                within = sum(runs <= 12 for runs in took) / len(took)
                cells.append(f"{median(took):.0f} {took[len(took) * 9 // 10]} {within:.0%}")
        found.add_row(*named, *cells)
    console = Console(width=100)
    console.print(alarms)
    console.print(found)
    for usual in missed:
        console.print(f"MISSED {usual:.1%}: more than {AT_MOST} false alarms per 10,000")
    console.print(f"{date.today()}, Python {sys.version.split()[0]}, seeds 11 and 12, first row as shipped")
    return bool(missed)


if __name__ == "__main__":
    raise SystemExit(main())
