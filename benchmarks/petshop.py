"""Whether real slowdowns of a real shop are found: 28 that Amazon made in its PetShop and recorded, and its quiet days.

    git clone https://github.com/amazon-science/petshop-root-cause-analysis FOLDER
    python benchmarks/petshop.py FOLDER

The data set (CC-BY-4.0) holds five-minute averages of each part of the shop: two quiet days at low traffic and two at
high, and for each slowdown the five minutes before and the twenty after it began. A slowdown of the front page is put
behind the quiet days of the same traffic, as it was recorded. It counts as large where it came to 1.5 times their
median. Prints how many are found within three runs from the one in which it began, and how many alarms came before; and
what `detection.py` asks of quiet services on those of the days at high traffic, which are not in its folder.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from detection import Ours, Series, false_alarms, found_within, interval, share, with_reruns
from msgspec import Struct

from synthprobe.detection.degradation import StepDetector
from synthprobe.detection.suspicion import is_calm

TRAFFIC = ("low_traffic", "high_traffic")
PAGE, MOST, LARGE, FIVE_MINUTES = "PetSite", 8, 1.5, 300.0
LONG = 500
"""Runs of a part that is busy enough to be judged: most have 589."""


class Slowdown(Struct, frozen=True, kw_only=True):
    """A recorded slowdown: the quiet days, what follows them, and in which run of that it began."""

    name: str
    quiet: Series
    runs: Series
    first: int

    @property
    def peak(self) -> float:
        return max(ms for _, ms in self.runs) / median(ms for _, ms in self.quiet)


def latencies(path: Path) -> dict[str, Series]:
    """The average latency of each part of the shop, in milliseconds."""
    with path.open(newline="") as lines:
        parts, metrics, statistics, _, *rows = csv.reader(lines)
    return {
        part: [(float(row[0]), 1000 * float(row[n])) for row in rows if row[n]]
        for n, (part, metric, statistic) in enumerate(zip(parts, metrics, statistics, strict=True))
        if (metric, statistic) == ("latency", "Average")
    }


def slowdowns(folder: Path) -> Iterator[Slowdown]:
    for traffic in TRAFFIC:
        quiet = latencies(folder / "dataset" / traffic / "noissue" / "metrics.csv")[PAGE]
        for path in sorted((folder / "dataset" / traffic).glob("*/issue_*/target.json")):
            target = json.loads(path.read_text())["target"]
            if (target["node"], target["metric"]) != (PAGE, "latency"):
                continue
            recorded = latencies(path.with_name("metrics.csv"))[PAGE]
            shift = quiet[-1][0] + FIVE_MINUTES - recorded[0][0]
            yield Slowdown(
                name="/".join(path.parts[-4:-1]),
                quiet=quiet,
                runs=[(at + shift, ms) for at, ms in recorded],
                first=sum(at + FIVE_MINUTES <= target["timestamp"] for at, _ in recorded),
            )


def again(slowdown: Slowdown, run: int, reruns: str) -> Iterator[float]:
    """What the re-runs of that run take."""
    if reruns == "next":
        yield from [ms for _, ms in slowdown.runs[run + 1 :]]
    elif reruns == "same":
        source, usual = random.Random(run), median(ms for _, ms in slowdown.quiet)
        while True:
            yield slowdown.runs[run][1] * source.choice(slowdown.quiet)[1] / usual


def found_after(slowdown: Slowdown, reruns: str) -> int:
    """Runs until the alarm, from the one in which the slowdown began; 0 or less before it, 99 never."""
    detector = StepDetector()
    for at, ms in slowdown.quiet:
        detector.update(at, ms)
    for run, (at, ms) in enumerate(slowdown.runs):
        known, surprises = StepDetector.from_bytes(detector.to_bytes()), [detector.surprise(at, ms)]
        detector.update(at, ms)
        for taken in again(slowdown, run, reruns):
            if len(surprises) > MOST or detector.degraded or is_calm(surprises):
                break
            surprises.append(known.surprise(at, taken))
            detector.update(at, taken, scheduled=False)
        if detector.degraded:
            return run - slowdown.first + 1
    return 99


def print_quiet(folder: Path, each: int) -> None:
    parts = latencies(folder / "dataset" / TRAFFIC[1] / "noissue" / "metrics.csv").values()
    quiet = [series for series in parts if len(series) >= LONG]
    runs, wrong = sum(map(len, quiet)), sum(false_alarms(Ours, series) for series in quiet)
    print(f"\nQuiet days at high traffic, {len(quiet)} parts, {runs:,} runs")
    print(f"  {wrong} false alarms; per 10,000 runs {interval(wrong, runs).strip()}")
    for most in (0, MOST):
        line = f"  up to {most} re-runs, found within 1 / 3 runs, %"
        for factor in (1.5, 2.0, 3.0):
            if most:
                delays, extra = with_reruns(quiet, factor, most, each)
            else:
                delays, extra = found_within(Ours, quiet, lambda _, by=factor: by, each), f"of {len(quiet) * each} each"
            line += f"   x {factor}: {share(delays, 1)} {share(delays, 3)}"
        print(f"{line}   {extra}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--each", type=int, default=30, help="slowdowns put into each series")
    parser.add_argument("--verbose", action="store_true", help="each slowdown")
    given = parser.parse_args()
    if not (given.folder / "dataset").is_dir():
        sys.exit(f"There is no folder dataset in {given.folder}. Give a clone of petshop-root-cause-analysis.")
    all_slowdowns = list(slowdowns(given.folder))
    large = [slowdown for slowdown in all_slowdowns if slowdown.peak >= LARGE]
    print(f"Found within 1 / 3 runs, of {len(large)} that came to {LARGE} x and more, and of all {len(all_slowdowns)}")
    for reruns, title in {
        "none": "no re-runs",
        "next": "the next recorded runs stand for the re-runs",
        "same": "a re-run takes what the run took, times a quiet run over the usual",
    }.items():
        after = {slowdown.name: found_after(slowdown, reruns) for slowdown in all_slowdowns}
        line = " ".join(
            f"{sum(0 < after[slowdown.name] <= within for slowdown in counted)}"
            for counted in (large, all_slowdowns)
            for within in (1, 3)
        )
        print(f"  {title}: {line}, before it began {sum(n <= 0 for n in after.values())}")
        if given.verbose:
            for slowdown in all_slowdowns:
                took = " ".join(f"{ms:.0f}" for _, ms in slowdown.runs)
                print(f"    {slowdown.name:28} x {slowdown.peak:.2f} {took:26} {after[slowdown.name]}")
    print_quiet(given.folder, given.each)


if __name__ == "__main__":
    main()
