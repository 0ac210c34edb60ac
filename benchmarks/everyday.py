"""What every day costs: `synthprobe run` beside pytest with the plugin, and `synthprobe report` of that run.

The 30 journeys of the dispatch centre with two workers, in alternating rounds, against one centre that is not counted.
CPU seconds are those of the whole process tree: on a machine with other work they tell more than the wall does.
`python benchmarks/everyday.py --rounds 3`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from overhead import measured

from synthprobe_demo.process import running_centre

ROOT = Path(__file__).parents[1]
PARTS = ("journeys", "runbooks", "fixes", "synthprobe.toml", "conftest.py", "pyproject.toml")


def project(folder: Path) -> Path:
    """A copy of the dispatch centre's project, without a past."""
    folder.mkdir()
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, folder / part)
    return folder


def main() -> None:
    """Measure all, and print the figures beside their targets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    found: dict[str, list[dict[str, float]]] = {"pytest -n 2": [], "synthprobe run": [], "synthprobe report": []}
    with tempfile.TemporaryDirectory() as name, running_centre() as centre:
        ours, plain = project(Path(name) / "run"), project(Path(name) / "pytest")
        address = ["--base-url", centre.base_url]
        ways = {
            "pytest -n 2": (plain, ["pytest", "-q", "-n", "2", "journeys", *address]),
            "synthprobe run": (ours, ["synthprobe", "run", "--workers", "2", *address]),
        }
        for number in range(rounds):
            for way in list(ways) if number % 2 == 0 else list(reversed(ways)):
                folder, words = ways[way]
                found[way].append(measured(folder, words))
                print(f"{way}: {found[way][-1]}", flush=True)
            found["synthprobe report"].append(measured(ours, ["synthprobe", "report"]))
            print(f"synthprobe report: {found['synthprobe report'][-1]}", flush=True)
    middle = {
        way: {key: statistics.median(measurement[key] for measurement in seen) for key in seen[0]}
        for way, seen in found.items()
    }
    print(f"the 30 journeys of the dispatch centre, median of {rounds} alternating rounds")
    for way, figures in middle.items():
        print(f"{way:20} CPU {figures['cpu']:6.2f} s   wall {figures['wall']:6.2f} s")
    run, bare = middle["synthprobe run"], middle["pytest -n 2"]
    for what, value, limit in (
        ("wall of run, × pytest -n 2", run["wall"] / bare["wall"], 1.10),
        ("CPU of run, × pytest -n 2", run["cpu"] / bare["cpu"], 1.10),
        ("CPU of report, s", middle["synthprobe report"]["cpu"], 4.0),
    ):
        print(f"{'reached' if value <= limit else 'MISSED ':8} {what}: {value:.2f}, at most {limit:g}")
    print(f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f}")


if __name__ == "__main__":
    main()
