"""What the journeys notice: every fault of the dispatch centre, switched on alone, and every decoy.

Exit code 1 when a fault was not noticed, when a healthy run or a decoy was noticed, or when an expected journey passed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

import requests
from rich.console import Console
from rich.table import Table

from synthprobe.cli.demo import centre
from synthprobe.config import Config, read_config
from synthprobe.demo.faults import DECOYS, KINDS
from synthprobe.model.verdict import JourneyVerdict
from synthprobe.supervisor import run_journeys
from synthprobe.targets.target import Target

HEALTHY = "(healthy)"


class Matrix:
    """Runs journeys under one state after the other."""

    def __init__(self, root: Path, config: Config, target: Target, address: dict[str, str], workers: int) -> None:
        self.root, self.config, self.target, self.workers = root, config, target, workers
        self.control = address["control_url"]
        self.token = {"X-Control-Token": address["control_token"]}
        self.nodes: dict[str, str] = {}

    def switch(self, group: str, name: str, *, on: bool) -> None:
        url = f"{self.control}/{group}/{name}"
        requests.post(url, json={"on": on}, headers=self.token, timeout=30).raise_for_status()

    def noticed(self, group: str = "", name: str = "", only: tuple[str, ...] = ()) -> list[JourneyVerdict]:
        """The journeys that did not pass in that state."""
        if group:
            self.switch(group, name, on=True)
        health = requests.get(f"{self.target.base_url}/healthz", timeout=30)
        try:
            paths = [self.nodes[id] for id in only] if only else []
            _, verdict = run_journeys(
                self.root, self.config, self.target, workers=0 if only else self.workers, paths=paths, quiet=True
            )
        finally:
            if group:
                self.switch(group, name, on=False)
        assert health.status_code == 200, f"/healthz answered {health.status_code} during {name}"
        self.nodes = self.nodes or {one.journey.id: one.journey.node_id for one in verdict.journeys}
        return [one for one in verdict.journeys if one.outcome != "passed"]


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="faults and decoys; all without it")
    parser.add_argument("--expected-journeys", action="store_true", help="run only what is expected to notice")
    parser.add_argument("--workers", "-n", type=int, default=2)
    parser.add_argument("--healthy", type=int, default=1, help="healthy runs before and between")
    given = parser.parse_args()
    root = Path(__file__).parents[1]
    config = read_config(root)
    table = Table(title="What the journeys notice")
    for heading in ("", "state", "class", "journeys not passed", "outcome", "cause"):
        table.add_column(heading)
    console, wrong, by_class, total = Console(width=190, highlight=False), 0, Counter[str](), Counter[str]()
    with centre() as address:
        matrix = Matrix(root, config, config.target("demo", base_url=address["base_url"]), address, given.workers)

        def row(state: str, group: str, cause: str, expected: tuple[str, ...] = ()) -> bool:
            began = time.monotonic()
            only = expected if given.expected_journeys and expected else ()
            found = matrix.noticed(group, state, only) if group else matrix.noticed()
            silent = sorted(set(expected) - {one.journey.id for one in found})
            right = bool(found) and not silent if expected else not found
            table.add_row(
                "✓" if right else "✗",
                state,
                cause,
                ", ".join(one.journey.id for one in found) + (f" (silent: {', '.join(silent)})" if silent else ""),
                ", ".join(sorted({one.outcome for one in found})) or "passed",
                next((one.cause for one in found if not expected or one.journey.id in expected), "")[:110],
            )
            console.print(f"{'ok' if right else 'WRONG':6}{state:28}{time.monotonic() - began:5.1f} s", soft_wrap=True)
            if not right:
                for one in found:
                    console.print(f"      {one.journey.id}: {one.outcome}: {one.cause[:300]}", soft_wrap=True)
                console.print(f"      silent: {silent}")
            return right

        for _ in range(given.healthy):
            wrong += not row(HEALTHY, "", "")
        for kind in KINDS:
            if not given.names or kind.name in given.names:
                right = row(kind.name, "faults", kind.cause, kind.noticed_by)
                total[kind.cause] += 1
                by_class[kind.cause] += right
                wrong += not right
        for name in DECOYS:
            if not given.names or name in given.names:
                wrong += not row(name, "decoys", "decoy")
    console.print(table)
    if total:
        console.print("Noticed: " + ", ".join(f"{cause} {by_class[cause]} of {total[cause]}" for cause in total))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
