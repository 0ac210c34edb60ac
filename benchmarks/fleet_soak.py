"""Many slots of a small target, judged one after the other: none lost, none judged twice, files and memory flat.

    python benchmarks/fleet_soak.py                 # 168 slots of an hour: a week
    python benchmarks/fleet_soak.py --slots 2016 --interval 300

No journey runs; parts, leases, conclusions and messages are real, on a real PostgreSQL. From a location nothing can be
looked at for a day, and then it comes back. Every 7th slot a part is handed out twice, every 5th is concluded by two
machines. The hourly tidying comes as often as slots of that length would bring it.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from machines import Fleet, outcomes

from synthprobe_demo.postgres import running_postgres

KEPT = 100


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--slots", type=int, default=168)
    given.add_argument("--interval", type=int, default=3600)
    chosen = given.parse_args()
    with tempfile.TemporaryDirectory(prefix="synthprobe-soak-") as place, running_postgres() as server:
        url = server.url().replace("postgresql:", "postgresql+psycopg:")
        fleet = Fleet(Path(place), url, more='[[alerts.routes]]\nname = "nobody"\nto = ["env:NO_PAGER"]\n')
        fleet.settings = f"interval_s = {chosen.interval}\n{fleet.settings}[keep]\nruns = {KEPT}\n"
        tidied = Path(place) / "centre" / ".synthprobe" / "state" / "tidied"
        first = int(time.time()) // chosen.interval - chosen.slots
        day = range(first + chosen.slots // 3, first + chosen.slots // 3 + 86_400 // chosen.interval)
        twice, began = 0, time.perf_counter()
        sizes: list[tuple[float, int]] = []
        for number, slot in enumerate(range(first, first + chosen.slots)):
            plan = fleet.plan(slot=slot)
            fleet.look(plan, but=("sin", "fra") if number % 7 == 0 else ("sin",))
            if number % 7 == 0:  # handed out twice, and both finish
                slow, quick = (fleet.lease(plan, "fra", seconds=seconds, name=f"m{seconds}") for seconds in (0, 60))
                twice += fleet.finish(quick, plan, name="m60") and fleet.finish(slow, plan, name="m0")
            if slot not in day:
                fleet.finish(fleet.lease(plan, "sin"), plan)
            made = fleet.conclude(slot)
            assert set(outcomes(made).values()) == {"passed"}, made
            if tidied.exists():
                os.utime(tidied, (tidied.stat().st_atime, tidied.stat().st_mtime - chosen.interval))
            if number % 5 == 0:
                assert "was concluded by" in fleet.conclude(slot, "other")["nothing_done"]
            if number % max(chosen.slots // 8, 1) == 0:
                sizes.append((_now_mb(), sum(1 for path in Path(place).rglob("*") if path.is_file())))
                print(f"slot {number + 1:>5}: memory {sizes[-1][0]:.0f} MB, {sizes[-1][1]} files", flush=True)
        with fleet.history() as history:
            since = datetime.fromtimestamp(first * chosen.interval, UTC)
            judged = history.judged_slots(fleet.target, since, datetime.now(UTC) + timedelta(days=1))
        incidents = fleet.incidents()
    lost = chosen.slots - len({seen.slot for seen in judged})
    print(f"{chosen.slots} slots in {time.perf_counter() - began:.0f} s (CPU {time.process_time():.0f} s)")
    print(f"{lost} lost, {len(judged) - chosen.slots + lost} judged twice, {twice} parts counted twice")
    kinds = ", ".join(" ".join(incident[name] for name in ("kind", "location", "state")) for incident in incidents)
    print(f"incidents: {kinds}")
    print(f"memory after the first eighth {sizes[1][0]:.0f} MB, at the end {sizes[-1][0]:.0f} MB")
    right = [(incident["kind"], incident["location"]) for incident in incidents] == [("monitor blind", "sin")]
    return 0 if right and lost == 0 and twice == 0 and len(judged) == chosen.slots else 1


def _now_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    sys.exit(main())
