"""What a slot of many journeys and locations costs beside a real PostgreSQL: planned, taken in, concluded.

    python benchmarks/fleet.py                  # 10,000 journeys × 5 locations × 5 steps, 12 slots
    python benchmarks/fleet.py --slots 2 --states

Results are made, not measured: no journey runs. Every part goes through its lease, its machine's file and the shared
database, as `synthprobe run --part` hands it over; the conclusion is that of `run --conclude`, without a channel.
Each machine's work is done here one after the other, in one process; its CPU seconds are without the database's.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from synthprobe import pipeline
from synthprobe.config import read_config
from synthprobe.detection.watch import watch
from synthprobe.fleet.conclude import conclude
from synthprobe.fleet.plan import plan_slot
from synthprobe.pipeline.afterwards import seen_by
from synthprobe.project import Project
from synthprobe.records.fleet import Place, Plan
from synthprobe.records.journey import Journey
from synthprobe.records.result import Failure, Result, Run, Step
from synthprobe.records.verdict import JourneyVerdict, Verdict
from synthprobe_demo.postgres import running_postgres

INTERVAL_S = 300
LIMITS = {"plan": 2.0, "ingest": 60.0, "conclude": 20.0}
MEGABYTES, FLAT = 500, 1.3


def verdict_of(plan: Plan, location: str, part: int, steps: int, journeys: int) -> Verdict:
    at = datetime.fromtimestamp(plan.slot * INTERVAL_S + 5, UTC)
    run = Run(
        id=f"{plan.target}-{plan.slot}-{location}-{part}", target=plan.target, base_url="http://127.0.0.1:9",
        slot=plan.slot, started_at=at, location=location, part=part,
    )  # fmt: skip
    judged = []
    for journey in plan.parts[part - 1].journeys:
        number = int(journey.id.partition(" ")[2])
        bad = number < 3 or (location == "l0" and number % 100 == 0)  # three fail everywhere, 1 in 100 from one place
        failure = Failure(kind="expectation", ours=False, message="expected 200, got 500", detail="", step="step 0")
        took_s = 0.1 + (number % 7) / 50 + (plan.slot % 5) / 200
        parts = tuple(
            Step(title=f"step {i}", status="failed" if bad and i == 0 else "passed", started_at=at, duration_s=took_s)
            for i in range(steps)
        )
        outcome = "failed" if bad else "passed"
        cause = "expected 200, got 500" if bad else ""
        result = Result(
            run_id=run.id, target=plan.target, journey=journey, attempt=1, outcome=outcome, cause=cause, started_at=at,
            duration_s=took_s * steps, steps=parts, failure=failure if bad else None,
        )  # fmt: skip
        judged.append(JourneyVerdict(journey=journey, outcome=outcome, cause=cause, results=(result,)))
    return Verdict(run=run, journeys=tuple(judged), finished_at=at + timedelta(seconds=60))


class Bench:
    def __init__(self, folder: Path, url: str, target: str, journeys: int, locations: int, parts: int) -> None:
        self.folder, self.target, self.parts = folder, target, parts
        self.locations = tuple(f"l{number}" for number in range(locations))
        self.journeys = [
            Journey(id=f"journey {n}", node_id=f"journeys/test_{n % 100}.py::test_{n}", title=f"journey {n}", owner="o")
            for n in range(journeys)
        ]
        self.settings = f'[history]\nurl = "{url}"\n[targets.{target}]\nbase_url = "http://127.0.0.1:9"\n'
        self.took: dict[str, list[float]] = {name: [] for name in LIMITS}
        self.cpu: dict[str, list[float]] = {name: [] for name in LIMITS}
        self.state_bytes = 0

    def machine(self, name: str) -> Path:
        root = self.folder / self.target / name
        root.mkdir(parents=True, exist_ok=True)
        (root / "synthprobe.toml").write_text(self.settings)
        return root

    def slot(self, slot: int, steps: int, *, states: bool) -> None:
        centre = self.machine("centre")
        config = read_config(centre)
        began = time.perf_counter(), time.process_time()
        with pipeline.open_history(Project(centre, config)) as history:
            durations = history.fleet.durations(self.target)
            made = plan_slot(
                self.journeys, durations, self.parts, target=self.target, slot=slot, locations=self.locations
            )
            plan = history.fleet.keep_plan(made)
        self._note("plan", began)
        ingest_s = ingest_cpu_s = 0.0
        for location in self.locations:
            root = self.machine(location)
            for part in plan.parts:
                verdict = verdict_of(plan, location, part.number, steps, len(self.journeys))
                place = Place(target=self.target, slot=slot, location=location, part=part.number)
                ids = {journey.id for journey in part.journeys}
                began = time.perf_counter(), time.process_time()
                with pipeline.open_history(Project(root, config)) as history:
                    state, ours = history.fleet.lease(place, location, 60)
                    assert ours
                    learned = {}
                    if states:
                        known = history.detector_states(self.target, location=location, journeys=ids)
                        learned = watch(verdict, known).states
                        self.state_bytes = sum(map(len, learned.values())) // len(learned)
                    assert history.ingest(verdict, (), learned, part=seen_by(verdict, place, state.token))
                ingest_s += time.perf_counter() - began[0]
                ingest_cpu_s += time.process_time() - began[1]
        self.took["ingest"].append(ingest_s)
        self.cpu["ingest"].append(ingest_cpu_s)
        began = time.perf_counter(), time.process_time()
        done = conclude(Project(centre, config, {}), config.target(self.target), str(slot))
        self._note("conclude", began)
        assert done.verdict is not None
        assert len(done.verdict.journeys) == len(self.journeys)
        assert done.verdict.count("failed") == 3, done.verdict.count("failed")

    def _note(self, name: str, began: tuple[float, float]) -> None:
        self.took[name].append(time.perf_counter() - began[0])
        self.cpu[name].append(time.process_time() - began[1])


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--journeys", type=int, default=10_000)
    given.add_argument("--locations", type=int, default=5)
    given.add_argument("--steps", type=int, default=5)
    given.add_argument("--slots", type=int, default=12)
    given.add_argument("--parts", type=int, default=20)
    given.add_argument("--states", action="store_true", help="also learn what is usual of each step, and keep it")
    chosen = given.parse_args()
    url_options = ("synchronous_commit=on", "shared_buffers=256MB", "max_wal_size=4GB")
    with tempfile.TemporaryDirectory(prefix="synthprobe-bench-") as place, running_postgres(*url_options) as server:
        url = server.url().replace("postgresql:", "postgresql+psycopg:")
        small = Bench(Path(place), url, "small", 100, chosen.locations, 1)
        large = Bench(Path(place), url, "large", chosen.journeys, chosen.locations, chosen.parts)
        first = int(time.time()) // INTERVAL_S - chosen.slots
        for slot in range(first, first + chosen.slots):
            for bench in (small, large):
                bench.slot(slot, chosen.steps, states=chosen.states)
            print(
                f"slot {slot - first + 1:>2}: "
                + ", ".join(f"{name} {large.took[name][-1]:.2f} s (CPU {large.cpu[name][-1]:.2f})" for name in LIMITS),
                flush=True,
            )
    return report(small, large, chosen)


def report(small: Bench, large: Bench, chosen: argparse.Namespace) -> int:
    size = f"{chosen.journeys:,} journeys × {chosen.locations} locations × {chosen.steps} steps, {chosen.slots} slots"
    print(f"\n{size}, {chosen.parts} parts{', with what is usual of each step' if chosen.states else ''}")
    missed = 0

    def say(name: str, value: float, unit: str, limit: float) -> None:
        nonlocal missed
        missed += value > limit
        print(f"{'reached' if value <= limit else 'MISSED '}  {name}: {value:.2f} {unit}, at most {limit:g}")

    for name, limit in LIMITS.items():
        say(f"{name}, median of a slot", statistics.median(large.took[name]), "s", limit)
        say(f"{name}, longest", max(large.took[name]), "s", limit)
    say("memory of this process", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MB", MEGABYTES)
    each = [
        sum(statistics.median(seconds) for seconds in bench.cpu.values()) / len(bench.journeys)
        for bench in (small, large)
    ]
    say(f"CPU of a journey, × that of 100 journeys ({each[0] * 1000:.2f} ms)", each[1] / each[0], "", FLAT)
    if chosen.states:
        print(f"what is usual of one step takes {large.state_bytes} bytes after {chosen.slots} slots")
    print(f"{date.today()}, Python {sys.version.split()[0]}, {len(os.sched_getaffinity(0))} cores")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
