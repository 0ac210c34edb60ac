"""What the pictures of steps that are well cost: CPU of runs that take each, and of runs that have them already.

Journeys of pages with three steps each at one dispatch centre, in pairs of runs; pictures are taken once a day, so a
day's runs share the difference. Its exit code is 1 when that is more than a hundredth.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from synthprobe_demo.process import running_centre

MOST = 0.01
JOURNEYS = """
import pytest
from synthprobe import step

@pytest.mark.parametrize("n", range(5))
def test_board(page, n):
    with step("open the sign-in page"):
        page.goto("/login")
        page.get_by_label("User name").fill("dispatcher1")
        page.get_by_label("Password").fill("dispatch-Harbor-1")
    with step("sign in"):
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("button", name="New incident").wait_for()
    with step("search"):
        page.get_by_role("link", name="Search").click()
        page.get_by_label("Query").fill("Proba")
        page.get_by_role("button", name="Search").click()
        page.get_by_test_id("result-count").get_by_text("found").wait_for()
"""


def cpu_s(root: Path) -> float:
    """CPU seconds of a run, browsers and drivers included."""
    inner = [sys.executable, "-m", "pytest", "journeys", "-q"]
    command = [sys.executable, str(Path(__file__).with_name("overhead.py")), "--measure", *inner]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    return float(json.loads(done.stdout)["cpu"])


def main() -> int:
    """Measure, print and judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, help="pairs of runs")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="synthprobe-last-good-") as folder:
        root = Path(folder)
        with running_centre() as centre:
            (root / "journeys").mkdir()
            (root / "journeys" / "test_pages.py").write_text(JOURNEYS)
            (root / "synthprobe.toml").write_text(f'[targets.demo]\nbase_url = "{centre.base_url}"\n')
            cpu_s(root)  # compiles what is imported
            pairs = []
            for _ in range(given.pairs):
                shutil.rmtree(root / ".synthprobe" / "last-good")
                pairs.append((cpu_s(root), cpu_s(root)))
        kept = len(list(root.rglob("last-good/**/*.png")))
    print(f"{kept} pictures of 15 steps; CPU s of a run that takes them, and of one that has them:")
    for taking, having in pairs:
        print(f"  {taking:6.2f}  {having:6.2f}")
    taking, having = (statistics.median(column) for column in zip(*pairs, strict=True))
    worst = 0.0
    for minutes in (1, 5, 15):
        share = max(taking - having, 0.0) / (24 * 60 / minutes * having)
        worst = max(worst, share)
        print(f"a run every {minutes:2} min: {share:.3%} of a day's CPU, at most {MOST:.0%}")
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
