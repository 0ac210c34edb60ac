"""What is told of a step whose level changes: worse in an alarm, better and lost again, a lost mode, spells.

Made noise with fixed seeds, quiet (sigma 0.1) and noisy (0.35), runs every five minutes. `--steps` makes it shorter.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
from collections.abc import Callable, Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from synthprobe.detection.degradation import StepDetector

SIGMAS = (0.1, 0.35)
WORSE = ((1.5, 10, 15.0), (2.0, 4, 4.0), (2.0, 60, 4.0), (2.0, 200, 4.0))
LOST = (40, 100, 200, 600)


class Step:
    """A step that is watched, with noise of its own."""

    def __init__(self, seed: int, sigma: float) -> None:
        self.detector, self.noise, self.sigma, self.runs = StepDetector(), random.Random(seed), sigma, 0

    def see(self, runs: int, level: Callable[[], float], lanes: Sequence[str] = ("paging",)) -> list[int]:
        """After how many runs something was told in these lanes."""
        alarm_runs = []
        for number in range(1, runs + 1):
            alarms = self.detector.update(300.0 * self.runs, level() * math.exp(self.noise.gauss(0, self.sigma)))
            alarm_runs += [number for alarm in alarms if alarm.lane in lanes]
            self.runs += 1
        return alarm_runs


def changed(seed: int, sigma: float, levels: Sequence[tuple[int, float]], lanes: Sequence[str]) -> list[int]:
    """What is told of the last of some levels."""
    step = Step(seed, sigma)
    alarm_runs: list[int] = []
    for runs, level in levels:
        alarm_runs = step.see(runs, lambda level=level: level, lanes)
    return alarm_runs


def mode(seed: int, sigma: float, fast: float, level: float, runs: int) -> tuple[list[int], int]:
    """What is told when 400 of a fast 40 and a slow 400, or what lies between, is all there is; and told before."""
    step = Step(seed, sigma)
    before = step.see(500, lambda: 40 if step.noise.random() < fast else 400)
    return step.see(runs, lambda: level), len(before)


def spells(seed: int, sigma: float, days: int, slow: Callable[[int], bool]) -> list[int]:
    """On which days two hours at three times the usual are told."""
    step, alarm_days = Step(seed, sigma), []
    for day in range(days):
        step.see(144, lambda: 200.0)
        factor = 3.0 if slow(day) else 1.0
        alarm_days += [day] if step.see(24, lambda factor=factor: 200.0 * factor) else []
        step.see(120, lambda: 200.0)
    return alarm_days


def figures(found: Sequence[list[int]], within: int) -> str:
    first = sorted(alarm_runs[0] for alarm_runs in found if alarm_runs and alarm_runs[0] <= within)
    middle = f", after {first[len(first) // 2]}" if first else ""
    return f"{100 * len(first) / len(found):.0f} %{middle}"


def rows(steps: int, sigma: float) -> dict[str, str]:
    made: dict[str, str] = {}
    for factor, runs, worse in WORSE:
        levels = [(400, 200.0), (runs, 200 * factor), (12, 200 * worse)]
        found = [changed(seed, sigma, levels, ("paging",)) for seed in range(steps)]
        made[f"× {factor:g} for {runs} runs, then × {worse:g}, within 12"] = figures(found, 12)
    for runs in LOST:
        found = [
            changed(seed, sigma, [(800, 400), (runs, 200), (12, 400)], ("paging", "report")) for seed in range(steps)
        ]
        made[f"halved for {runs} runs, then as before, within 12"] = figures(found, 12)
    before = 0
    for name, fast, level, within in (
        ("80 % fast, all slow, within 12", 0.8, 400, 12),
        ("70 % fast, all slow, within 24", 0.7, 400, 24),
        ("80 % fast, all between, within 24", 0.8, 130, 24),
    ):
        seen = [mode(seed, sigma, fast, level, within) for seed in range(steps)]
        made[name] = figures([alarm_runs for alarm_runs, _ in seen], within)
        before += sum(wrong for _, wrong in seen)
    made["false alarms before, per 10,000"] = f"{before / (3 * 500 * steps) * 1e4:.2f}"
    few = max(steps // 10, 3)
    days = [spells(seed, sigma, 9, lambda day: day in {5, 6, 7}) for seed in range(few)]
    weeks = [spells(seed, sigma, 28, lambda day: day % 7 == 2) for seed in range(few)]
    for name, found, on in (("day", days, (5, 6, 7)), ("week", weeks, (2, 9, 16, 23))):
        percentages = ", ".join(f"{100 * sum(day in alarm_days for alarm_days in found) / few:.0f}" for day in on)
        made[f"two hours at × 3 in each {name}: told the first time, the second ..., %"] = percentages
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=100, help="steps of each row; a tenth of it for spells")
    steps = parser.parse_args().steps
    table = Table(title=f"Told, and after how many runs in the middle; {steps} steps a row")
    for head in ("", *(f"sigma {sigma:g}" for sigma in SIGMAS)):
        table.add_column(head)
    columns = [rows(steps, sigma) for sigma in SIGMAS]
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    Console(width=110).print(table)
    print(f"{date.today()}, Python {sys.version.split()[0]}, seeds from 0")


if __name__ == "__main__":
    main()
