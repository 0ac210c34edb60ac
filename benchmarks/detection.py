"""What the detector finds and how often it cries wolf, on recorded series, beside the rules others ship.

Run it as `python benchmarks/detection.py [FOLDER]`; FOLDER holds CSV files with timestamp,ms,status and defaults to
`../shared/data/latency` beside the repository. `--quick` takes every fifth start of an injected slowdown. Apache Otava
is installed once, in an environment of its own (`apache_otava.py`), and takes most of the time.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import sys
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from typing import ClassVar, Protocol

from apache_otava import NEWEST, RUNS, VERSION, Hunter, NotInstalled, Otava

from synthprobe.detection.degradation import StepDetector
from synthprobe.detection.suspicion import LOOK_AGAIN, is_calm

GROUPS = {
    "A quiet services, 5 min": ("petshop",),
    "C status pages, hourly and slower": ("lumonic", "mehatab"),
    "D dependencies, hourly": ("ms_",),
    "E request latency, 5 min": ("nab_ec2",),
}
COUNTED = ("A", "C", "E")
"""Groups whose false alarms are pooled: D is full of unlabelled slowdowns of hours."""

ALARM = 92
"""Evidence, in tenths, that is met once in 10,000 healthy runs at most."""

FACTORS = (1.3, 1.5, 2.0, 3.0, 5.0)
Series = list[tuple[float, float]]
Draw, Chance = Callable[[], float], Callable[[float], float]
Evidence = list[tuple[float, float]]
"""Evidence after each run: of a test, and of the same test where it knows the whole law."""


class Rule(Protocol):
    """Says after each run whether the step is in alarm."""

    def update(self, at: float, ms: float) -> bool: ...

    def follow(self, past: Series) -> bool:
        """Take the runs before a slowdown; whether the step is in alarm after them."""
        return [self.update(at, ms) for at, ms in past][-1]


class Ours(Rule):
    """The paging lane."""

    followed: ClassVar[dict[tuple[object, ...], bytes]] = {}

    def __init__(self) -> None:
        self.detector = StepDetector()

    def follow(self, past: Series) -> bool:
        key = (past[0], past[-1], len(past))
        if key not in self.followed:
            super().follow(past)
            self.followed[key] = self.detector.to_bytes()
        self.detector = StepDetector.from_bytes(self.followed[key])
        return self.detector.degraded

    def update(self, at: float, ms: float) -> bool:
        self.detector.update(at, ms)
        return self.detector.degraded


class TwiceTheMedian(Rule):
    """An alarm as soon as a run takes twice the median of the first day; `of` runs of the last five with `needed`."""

    def __init__(self, needed: int = 1, of: int = 1) -> None:
        self.first: list[float] = []
        self.limit = 0.0
        self.last: deque[bool] = deque(maxlen=of)
        self.needed = needed

    def update(self, at: float, ms: float) -> bool:
        if len(self.first) < 288:
            self.first.append(ms)
            self.limit = 2 * median(self.first)
            return False
        self.last.append(ms > self.limit)
        return sum(self.last) >= self.needed


class MedianAndDeviation(Rule):
    """An alarm above the rolling median of a day plus three median absolute deviations."""

    def __init__(self) -> None:
        self.window: deque[float] = deque()
        self.ordered: list[float] = []
        self.count = 0
        self.limit = math.inf

    def update(self, at: float, ms: float) -> bool:
        slow = len(self.ordered) >= 20 and ms > self.limit
        self.window.append(ms)
        insort(self.ordered, ms)
        if len(self.window) > 288:
            del self.ordered[bisect_left(self.ordered, self.window.popleft())]
        self.count += 1
        if self.count % 6 == 0:  # the deviation moves slowly
            middle = self.ordered[len(self.ordered) // 2]
            self.limit = middle + 3 * 1.4826 * median(abs(value - middle) for value in self.ordered)
        return slow


RULES: dict[str, Callable[[], Rule]] = {
    "synthprobe": Ours,
    "2 x median of the first day": TwiceTheMedian,
    "3 of 5 over 2 x median": lambda: TwiceTheMedian(3, 5),
    "rolling median + 3 MAD": MedianAndDeviation,
}
STRICT = 1e-16
"""A strict chance beside Otava's default of 0.001: it still raises more false alarms than are wanted."""


def read(folder: Path) -> dict[str, list[Series]]:
    """The passed runs of every series, by group."""
    found: dict[str, list[Series]] = {name: [] for name in GROUPS}
    for path in sorted(folder.glob("*.csv")):
        group = next((name for name, starts in GROUPS.items() if path.name.startswith(starts)), None)
        if group is None:
            continue
        series = []
        with path.open(newline="") as lines:
            for row in csv.DictReader(lines):
                ms = float(row["ms"]) if row["ms"] else math.nan
                if row["status"] == "1" and ms > 0:
                    series.append((float(row["timestamp"]), ms))
        found[group].append(series)
    return found


def false_alarms(make: Callable[[], Rule], series: Series) -> int:
    """Openings, 12 runs apart, that the 24 runs after do not confirm: their median is under 1.25 x that before."""
    rule, before, last, wrong = make(), False, -99, 0
    for n, (at, ms) in enumerate(series):
        alarm = rule.update(at, ms)
        if alarm and not before and n - last > 12:
            after = median(ms for _, ms in series[n : n + 24])
            wrong += after < 1.25 * median(ms for _, ms in series[max(0, n - 144) : n])
        last = n if alarm else last
        before = alarm
    return wrong


def interval(count: int, runs: int) -> str:
    """Alarms per 10,000 runs with the exact 95 % interval of a Poisson count (Garwood)."""

    def chance(limit: float, upto: int) -> float:
        return (
            sum(math.exp(-limit + k * math.log(limit) - math.lgamma(k + 1)) for k in range(upto + 1)) if limit else 1.0
        )

    def solve(wanted: Callable[[float], bool]) -> float:
        low, high = 0.0, 10.0 * count + 20
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if wanted(middle) else (low, middle)
        return low

    least = solve(lambda limit: 1 - chance(limit, count - 1) < 0.025) if count else 0.0
    most = solve(lambda limit: chance(limit, count) > 0.025)
    return f"{count / runs * 1e4:6.2f} ({least / runs * 1e4:.2f} to {most / runs * 1e4:.2f})"


def starts(all_series: list[Series], each: int) -> Iterator[tuple[Series, int]]:
    """Where slowdowns are injected: in the second half of each series, the same places for every rule."""
    chosen = random.Random(1)
    for series in all_series:
        for _ in range(each):
            if len(series) > 100:
                yield series, chosen.randrange(len(series) // 2, len(series) - 13)


def found_within(
    make: Callable[[], Rule], all_series: list[Series], slow: Callable[[int], float], each: int, runs: int = 12
) -> list[int]:
    """Runs until the alarm for each injected slowdown; 0 where there was none within so many."""
    delays = []
    for series, start in starts(all_series, each):
        rule = make()
        if rule.follow(series[max(0, start - 2400) : start]):
            continue
        part = series[start : start + runs]
        delays.append(next((n for n, (at, ms) in enumerate(part, 1) if rule.update(at, ms * slow(n))), 0))
    return delays


def share(delays: list[int], within: int) -> str:
    return f"{100 * sum(0 < delay <= within for delay in delays) / max(len(delays), 1):3.0f}"


def with_reruns(all_series: list[Series], factor: float, most: int, each: int) -> tuple[list[int], str]:
    """Scheduled runs until the alarm when a suspicious run is repeated up to `most` times; and what it costs.

    The next recorded points stand for the re-runs, so they are taken to be independent.
    """
    delays, reruns, alarms, scheduled = [], 0, 0, 0
    for series, start in starts(all_series, each):
        quiet = series[max(0, start - 2400) : start]
        before = Ours()
        if before.follow(quiet):
            continue
        detector = before.detector
        for at, ms in quiet[-200:]:
            scheduled += 1
            count, alarm = _reruns_of_healthy(detector, at, ms, most, quiet)
            reruns, alarms = reruns + count, alarms + alarm
        rest = iter([ms * factor for _, ms in series[start : start + 13 * (most + 1)]])
        delay = 0
        for n in range(1, 4):
            ms = next(rest, None)
            if ms is None:
                break
            at = series[start][0] + n  # a second apart, so that they are runs of their own
            known, surprises = StepDetector.from_bytes(detector.to_bytes()), [detector.surprise(at, ms)]
            detector.update(at, ms)
            while len(surprises) <= most and not detector.degraded and not is_calm(surprises):
                again = next(rest, None)
                if again is None:
                    break
                surprises.append(known.surprise(at, again))
                detector.update(at, again, scheduled=False)
            if detector.degraded:
                delay = n
                break
        delays.append(delay)
    return delays, f"{100 * reruns / max(scheduled, 1):.0f} % extra, {alarms} false alarms in {scheduled:,} runs"


def _reruns_of_healthy(detector: StepDetector, at: float, ms: float, most: int, quiet: Series) -> tuple[int, bool]:
    surprises = [detector.surprise(at, ms)]
    if not most or is_calm(surprises):
        return 0, False
    again = StepDetector.from_bytes(detector.to_bytes())
    again.update(at + 1, ms)
    source = random.Random(int(ms * 1000))
    while len(surprises) <= most and not is_calm(surprises) and not again.degraded:
        rerun = source.choice(quiet)[1]
        surprises.append(detector.surprise(at, rerun))
        again.update(at, rerun, scheduled=False)
    return len(surprises) - 1, len(surprises) > 1 and again.degraded


BUSY: dict[str, Callable[[float], float]] = {
    "x 3 for two hours": lambda hour: 3.0 if 8 <= hour < 10 else 1.0,
    "x 2 in office hours": lambda hour: 2.0 if 8 <= hour < 18 else 1.0,
    "up and down by x 3": lambda hour: 3.0 ** (0.5 - 0.5 * math.cos(hour * math.pi / 12)),
}


def busy_days(seed: int, sigma: float, busy: Callable[[float], float], most: int) -> tuple[int, int, StepDetector]:
    """Alarms on days 1 to 5 and 6 to 30 of a step with busy hours, whose suspicious runs are repeated."""
    source, detector, alarms = random.Random(seed), StepDetector(), [0, 0]
    for n in range(288 * 30):
        at = 300.0 * n

        def took(at: float = at) -> float:
            return 200 * busy(at / 3600 % 24) * math.exp(source.gauss(0, sigma))

        ms, left = took(), 0
        if most and not detector.degraded and detector.surprise(at, ms) >= LOOK_AGAIN:
            left, known, surprises = most, StepDetector.from_bytes(detector.to_bytes()), [detector.surprise(at, ms)]
        raised = detector.update(at, ms)
        while left and not is_calm(surprises) and not detector.degraded:
            again, left = took(), left - 1
            surprises.append(known.surprise(at, again))
            raised += detector.update(at, again, scheduled=False)
        alarms[n >= 288 * 5] += sum(alarm.lane == "paging" for alarm in raised)
    return *alarms, detector


def found_in_busy_days(detector: StepDetector, sigma: float, busy: Callable[[float], float]) -> list[int]:
    """Runs until a step that takes twice as long from some hour of the next day on is found; 0: not within 12."""
    source, state, delays = random.Random(9), detector.to_bytes(), []
    for hour in range(0 if not detector.degraded else 24, 24):
        known, delay = StepDetector.from_bytes(state), 0
        for n in range(12):
            at = 300.0 * (288 * 30 + 12 * hour + n)
            known.update(at, 400 * busy(at / 3600 % 24) * math.exp(source.gauss(0, sigma)))
            delay = delay or known.degraded * (n + 1)
        delays.append(delay)
    return delays


def noisy(seed: int, runs: int) -> Series:
    """Noise like that of a probe on a shared runner: one run in 50 is slow by any factor up to a hundred.

    Sigma of the logarithm 0.33 to 0.38, p99 / p50 3.3 to 3.8, p99.9 / p50 28 to 32, autocorrelation 0.02 to 0.03.
    """
    source, level, series = random.Random(seed), 0.0, []
    sigma, share_of_slow = source.uniform(0.20, 0.28), source.uniform(0.018, 0.024)
    for n in range(runs):
        if n % 2016 == 0:
            level = source.gauss(0, 0.05)
        took = source.gauss(0, sigma)
        if source.random() < share_of_slow:
            took = max(took, 0.5 + 0.93 * source.expovariate(1))
        series.append((1.6e9 + 700.0 * n, 140 * math.exp(level + took)))
    return series


def with_cold_starts(seed: int, runs: int) -> Series:
    """A quiet step of which one run in twelve takes twice the usual and more."""
    source = random.Random(seed)
    took = [source.gauss(0, 0.12) + (0.7 + source.expovariate(2) if source.random() < 0.08 else 0) for _ in range(runs)]
    return [(300.0 * n, 200 * math.exp(exponent)) for n, exponent in enumerate(took)]


def ceiling(all_series: list[Series], factor: float, runs: int = 3) -> float:
    """The share the best possible test of so many runs finds, at one false alarm in 10,000.

    A likelihood ratio (Neyman and Pearson, 1933) that knows the factor and the law of noise of each thousand runs,
    which it takes to be independent. The threshold comes from runs that are slow, weighted back to healthy ones.
    """
    found = []
    for part in (series[n : n + 1008] for series in all_series for n in range(0, max(len(series) - 1007, 1), 1008)):
        evidence = evidence_of(part, factor)
        drawn = sorted((sum(evidence() for _ in range(runs)) for _ in range(2000)), reverse=True)
        weight, over = 0.0, 0
        for total in drawn:
            weight += math.exp(-total) / len(drawn)
            if weight > 1e-4:
                break
            over += 1
        found.append(over / len(drawn))
    return sum(found) / len(found)


def law_of(series: Series, reach: float) -> tuple[Draw, Chance]:
    """Draws the logarithm of a healthy duration, and how likely one is.

    The law is that of the recorded runs, smoothed; one more than they are may be anything (Laplace's rule).
    """
    source = random.Random(9)
    law = sorted(math.log(ms) for _, ms in series)
    width = max(0.03, (law[3 * len(law) // 4] - law[len(law) // 4]) / 4)
    wide, strange = law[-1] - law[0] + 2 * reach + 4 * width, 1 / (len(law) + 1)

    def draw() -> float:
        usual = source.random() >= strange
        y = source.choice(law) + source.uniform(-width, width)
        return y if usual else law[0] - reach - 2 * width + source.uniform(0, wide)

    def chance(y: float) -> float:
        near = bisect_left(law, y + width) - bisect_left(law, y - width)
        return (1 - strange) * near / (2 * width * len(law)) + strange / wide

    return draw, chance


def evidence_of(series: Series, factor: float) -> Callable[[], float]:
    """Draws the logarithm of how much likelier a slow run is with the slowdown than without."""
    shift = math.log(factor)
    draw, chance = law_of(series, shift)

    def evidence() -> float:
        y = draw()
        return math.log(chance(y) / chance(y + shift))

    return evidence


def sequential(all_series: list[Series], factor: float, most: int, extra: float, known: int) -> float:
    """The share a sequential test finds (Wald, 1945) that does not know the factor, for that share of extra runs.

    It weighs 2, 3 and 5 alike and knows the law from `known` of the recorded runs. Both limits are the same for all
    series: the lower leaves `extra` re-runs a healthy run, the upper one false alarm in 10,000.
    """
    source, shifts, tries = random.Random(9), [math.log(times) for times in (2.0, 3.0, 5.0)], 300
    healthy, slow, alike = [], [], []

    def mean(sums: list[float]) -> float:
        return math.log(sum(map(math.exp, sums)) / len(sums))

    def path(draw: Draw, laws: tuple[Chance, Chance], moved: float) -> Evidence:
        totals, after = [[0.0] * 3, [0.0] * 3], []
        for y in [draw() + moved for _ in range(most + 1)]:
            for law, total in zip(laws, totals, strict=True):
                for n, shift in enumerate(shifts):
                    total[n] += math.log(law(y - shift) / law(y))
            after.append((mean(totals[0]), mean(totals[1])))
        return after

    for series in all_series:
        draw, chance = law_of(series, shifts[-1])
        laws = law_of(source.sample(series, min(known, len(series))), shifts[-1])[1], chance
        healthy += [path(draw, laws, 0.0) for _ in range(tries)]
        slow += [path(draw, laws, math.log(factor)) for _ in range(tries)]
        alike += [path(draw, laws, shifts[n % 3]) for n in range(tries)]

    def ending(path: Evidence, calm: float, alarm: float) -> tuple[int, float]:
        """Re-runs, and how much likelier healthy runs are to raise this alarm; 0 when there was none."""
        for n, (evidence, true) in enumerate(path):
            if n and evidence >= alarm:
                return n, math.exp(-true)
            if evidence < calm:
                return n, 0.0
        return most, 0.0

    def least(low: float, high: float, met: Callable[[float], bool]) -> float:
        for _ in range(16):
            middle = (low + high) / 2
            low, high = (low, middle) if met(middle) else (middle, high)
        return high

    def is_cheap(calm: float, *, alarm: float) -> bool:
        return sum(ending(path, calm, alarm)[0] for path in healthy) <= extra * len(healthy)

    def is_sure(alarm: float, *, calm: float) -> bool:
        return sum(ending(path, calm, alarm)[1] for path in alike) <= 1e-4 * len(alike)

    alarm = ALARM / 10
    for _ in range(3):
        calm = least(-8, 8, partial(is_cheap, alarm=alarm))
        alarm = least(0, 20, partial(is_sure, calm=calm))
    return sum(ending(path, calm, alarm)[1] > 0 for path in slow) / len(slow)


def ceiling_with_reruns(all_series: list[Series], factor: float, most: int, extra: float) -> float:
    """The share the best possible test finds in one scheduled run with so many re-runs, for that share of extra runs.

    As `ceiling`; after each run it knows whether another is worth its price (dynamic programming), and the price is
    the one at which healthy runs cost no more than `extra` a run.
    """
    drawn = []
    for series in all_series:
        evidence = evidence_of(series, factor)
        drawn.append([10 * sorted(evidence() for _ in range(2000))[20 * n + 10] for n in range(100)])

    def at_price(steps: list[float], price: float) -> tuple[float, float]:
        """Share found, and re-runs a healthy run: by evidence in tenths, weighted back from slow runs to healthy."""
        known = {at: (float(at >= ALARM), 0.0) for at in range(-150, 151)}
        for left in range(most):
            after = {}
            for at in known:
                then = [known[max(-150, min(150, round(at + step)))] for step in steps]
                share, cost = (sum(column) / len(steps) for column in zip(*then, strict=True))
                cost += math.exp(-at / 10)
                after[at] = (share, cost) if share > price * cost else (0.0, 0.0)
                if at >= ALARM and left < most - 1:  # one run alone raises none
                    after[at] = (1.0, 0.0)
            known = after
        first = [known[max(-150, min(150, round(step)))] for step in steps]
        return sum(share for share, _ in first) / len(first), sum(cost for _, cost in first) / len(first)

    low, high = 0.0, 4.0
    for _ in range(8):
        price = (low + high) / 2
        low, high = (
            (low, price) if sum(at_price(steps, price)[1] for steps in drawn) <= extra * len(drawn) else (price, high)
        )
    return sum(at_price(steps, high)[0] for steps in drawn) / len(drawn)


def print_false_alarms(groups: dict[str, list[Series]], rules: dict[str, Callable[[], Rule]]) -> None:
    print("False alarms per 10,000 runs (95 % interval)")
    runs = {group: sum(map(len, all_series)) for group, all_series in groups.items()}
    pooled = [group for group in groups if group[0] in COUNTED]
    runs["pooled, without D"], runs["pooled"] = sum(runs[group] for group in pooled), sum(runs.values())
    print(f"{'':30}" + "".join(f"{group[:26]:<27}" for group in runs))
    print(f"{'runs':30}" + "".join(f"{n:<27,}" for n in runs.values()))
    for name, make in rules.items():
        wrong = {
            group: sum(false_alarms(make, series) for series in all_series) for group, all_series in groups.items()
        }
        wrong["pooled, without D"], wrong["pooled"] = sum(wrong[group] for group in pooled), sum(wrong.values())
        print(f"{name:30}" + "".join(f"{interval(wrong[group], runs[group]):<27}" for group in runs))
    aside = [series for group in pooled for series in groups[group][1::2]]
    wrong_aside, runs_aside = sum(false_alarms(Ours, series) for series in aside), sum(map(len, aside))
    print(f"\nsynthprobe, every second series, set aside while it was made: {interval(wrong_aside, runs_aside)}")


def print_other_noise(groups: dict[str, list[Series]]) -> None:
    """Where the counted groups are too short: noise that is made, and the first day of each series."""
    made = [noisy(seed, 100_000) for seed in range(100, 104)]
    wrong = sum(false_alarms(Ours, series) for series in made)
    print(f"\nsynthprobe on noise like a shared runner's, 400,000 runs, seeds 100 to 103: {interval(wrong, 400_000)}")
    wrong = sum(false_alarms(Ours, with_cold_starts(seed, 100_000)) for seed in (1, 2))
    print(
        f"synthprobe where one run in 12 takes twice the usual, 200,000 runs, seeds 1 and 2: {interval(wrong, 200_000)}"
    )
    days = [series[: 288 + 20] for group, all_series in groups.items() if group[0] in COUNTED for series in all_series]
    wrong, runs = sum(false_alarms(Ours, day) for day in days), sum(len(day) - 20 for day in days)
    print(f"synthprobe on the first 288 judged runs of each series, {runs:,} runs: {interval(wrong, runs)}")


def print_found(group: str, all_series: list[Series], rules: dict[str, Callable[[], Rule]], each: int) -> None:
    print(f"\nFound within 1 / 3 / 12 runs, %: {group}")
    print(f"{'':30}" + "".join(f"x {factor:<16}" for factor in FACTORS))
    for name, make in rules.items():
        line = f"{name:30}"
        for factor in FACTORS:
            delays = found_within(make, all_series, lambda _, by=factor: by, each)
            line += f"{' '.join(share(delays, within) for within in (1, 3, 12)):18}"
        print(line)
    best = "".join(f"{'    ' + format(100 * ceiling(all_series, factor), '4.0f'):18}" for factor in FACTORS)
    print(f"{'best possible of 3 runs':30}{best}")
    creep = found_within(Ours, all_series, lambda n: 1 + min(n, 72) / 72, each, runs=72)
    print(f"synthprobe, creep to x 2 over 72 runs, found within 72: {share(creep, 72)} %")
    source = random.Random(5)
    ragged = found_within(Ours, all_series, lambda _: 3.0 if source.random() < 0.3 else 1.0, each, runs=72)
    print(f"synthprobe, 30 % of runs at x 3, found within 12 / 72: {share(ragged, 12)} {share(ragged, 72)} %")


def print_missed(quiet: list[Series], each: int) -> None:
    """In which series a tripled step is not found in time, and how many of their healthy runs are as slow."""
    missed, tried, slow = [], 0, []
    for series in quiet:
        delays = found_within(Ours, [series], lambda _: 3.0, each, runs=3)
        tried += len(delays)
        missed.append(delays.count(0))
        usual = median(ms for _, ms in series)
        slow.append(100 * sum(ms > 2 * usual for _, ms in series) / len(series))
    worst = sorted(range(len(quiet)), key=lambda n: -missed[n])[:4]
    figures = ", ".join(f"{missed[n]} ({slow[n]:.0f} %)" for n in worst)
    print(
        f"\nx 3 not found within 3 runs: {sum(missed)} of {tried}. The most in one series, and how many of its healthy"
    )
    print(f"  runs take twice the usual: {figures}; in half of all series {median(slow):.1f} % do")


def print_claims(all_series: list[Series], each: int) -> None:
    """Whether a step can show what it says it can."""
    known: list[tuple[float, int]] = []
    for series, start in starts(all_series, each):
        before = Ours()
        if before.follow(series[max(0, start - 2400) : start]):
            continue
        least, state = before.detector.smallest_visible(), before.detector.to_bytes()
        for factor in FACTORS:
            detector, delay = StepDetector.from_bytes(state), 0
            for n, (at, ms) in enumerate(series[start : start + 12], 1):
                detector.update(at, ms * factor)
                if detector.degraded:
                    delay = n
                    break
            known.append((factor / least, delay))
    print("\nThe least a step says it can show, v, in groups A and C")
    for times, within in ((1.0, 12), (1.3, 3), (1.9, 3)):
        delays = [delay for ratio, delay in known if ratio >= times]
        print(f"  slower by {times} v and more: {share(delays, within)} % of {len(delays)} found within {within} runs")


def print_reruns(groups: dict[str, list[Series]], each: int) -> None:
    print(f"\nRe-runs of a suspicious run: found within 1 / 3 scheduled runs, %, and its cost; {each} starts a series")
    for name, all_series in groups.items():
        for most in (0, 8):
            line = f"  {name}, up to {most}"
            for factor in (1.5, 2.0, 3.0):
                delays, extra = with_reruns(all_series, factor, most, each)
                line += f"   x {factor}: {share(delays, 1)} {share(delays, 3)}"
            print(f"{line}   {extra}")


def print_best(quiet: list[Series], noise: list[Series]) -> None:
    print("\nBest possible with up to 8 re-runs: x 2.0 found within one scheduled run, %")
    for name, all_series, extra in (
        ("quiet services, looked at", quiet, 0.12),
        ("a shared runner's noise", noise, 0.15),
    ):
        print(f"  {name}, {extra:.0%} extra: {100 * ceiling_with_reruns(all_series, 2.0, 8, extra):.1f}")
    for known in (3000, 1296, 288):
        share = sequential(noise, 2.0, 8, 0.15, known)
        print(f"  the same noise, the factor is not known, the law from {known:,} of the runs: {100 * share:.1f}")


def print_days() -> None:
    print("\nBusy hours of each day, in made noise: alarms a step on days 1 to 5, and per 10,000 runs on days 6 to 30,")
    print("without and with re-runs; then x 2 at any hour, found within 12 runs, %")
    for sigma in (0.1, 0.2, 0.35):
        for name, busy in BUSY.items():
            line, delays = f"  sigma {sigma}, {name}:", []
            for most in (0, 8):
                days = [busy_days(seed, sigma, busy, most) for seed in range(5)]
                early, late = (sum(column) for column in list(zip(*days, strict=True))[:2])
                line += f"  {early / len(days):.1f}, {late / len(days) / 0.72:.1f}"
                delays += [delay for *_, detector in days for delay in found_in_busy_days(detector, sigma, busy)]
            print(f"{line}   {share(delays, 12)}")


def print_cost() -> None:
    detector, noise = StepDetector(), random.Random(1)
    samples = [(300.0 * n, 200 * math.exp(noise.gauss(0, 0.3))) for n in range(20_000)]
    began = time.process_time()
    for at, ms in samples:
        detector.update(at, ms)
    each_us = (time.process_time() - began) / len(samples) * 1e6
    print(f"\n{each_us:.1f} microseconds an update, {len(detector.to_bytes()):,} bytes of state a step")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(__file__).parents[2] / "shared" / "data" / "latency"
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--each", type=int, default=30, help="slowdowns injected in each series")
    parser.add_argument(
        "--part", help="one part alone: alarms, other, quiet, status, missed, claims, reruns, best, days, cost"
    )
    parser.add_argument("--alone", action="store_true", help="without Apache Otava")
    given = parser.parse_args()
    groups = read(given.folder) if given.folder.is_dir() else {}
    if not any(groups.values()):
        sys.exit(f"There are no series in {given.folder}. Give a folder of CSV files with timestamp,ms,status.")
    each = 6 if given.quick else given.each
    began, rules = time.monotonic(), dict(RULES)
    print(f"{date.today()}, Python {sys.version.split()[0]}, {sum(map(len, groups.values()))} series")
    hunter = None
    try:
        if given.alone:
            raise NotInstalled("it was not asked for")
        hunter = Hunter()
        rules |= {f"Apache Otava, p {p:g}": partial(Otava, hunter, p) for p in (0.001, STRICT)}
        print(f"Apache Otava {VERSION}: an upward change point in the last {NEWEST} of the newest {RUNS} runs\n")
    except NotInstalled as error:
        print(f"Apache Otava {VERSION}: not tried, {error}\n")

    quiet, noise = next(iter(groups.values())), [noisy(seed, 3000) for seed in range(300, 328)]
    parts: dict[str, Callable[[], None]] = {
        "alarms": lambda: print_false_alarms(groups, rules),
        "other": lambda: print_other_noise(groups),
        "quiet": lambda: print_found(next(iter(groups)), quiet, rules, each),
        "status": lambda: print_found(list(groups)[1], groups[list(groups)[1]], rules, each),
        "missed": lambda: print_missed(quiet, each),
        "claims": lambda: print_claims([series for group in list(groups)[:2] for series in groups[group]], each),
        "reruns": lambda: print_reruns(
            {
                "quiet services, looked at": quiet[::2],
                "quiet services, set aside": quiet[1::2],
                "a shared runner's noise": noise,
            },
            each,
        ),
        "best": lambda: print_best(quiet[::2], noise),
        "days": print_days,
        "cost": print_cost,
    }
    for name, part in parts.items():
        if given.part in (None, name):
            part()
    if hunter is not None:
        print(f"Apache Otava: {hunter.each_ms():.1f} ms a run")
        hunter.close()
    print(f"{(time.monotonic() - began) / 60:.0f} minutes for all of this")


if __name__ == "__main__":
    main()
