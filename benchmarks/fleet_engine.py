"""What Temporal costs beside the commands it types: a slot of 200 API journeys, in three parts at once.

    python benchmarks/fleet_engine.py

Each round looks at the slot twice, by turns: three workers on a real Temporal server, and the same commands typed at
once without any engine. CPU is that of the workers, the server and all they started, against that of the commands;
PostgreSQL and the site are in neither.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path

import psutil
from startup import served

from synthprobe import eventually
from synthprobe_demo.postgres import running_postgres
from synthprobe_demo.temporal_server import TemporalServer, running_temporal

JOURNEYS = """
import pytest

@pytest.mark.parametrize("number", range({journeys}))
def test_it_is_there(api, number):
    api.get("/").expect(200)
"""
PARTS = 3
SYNTHPROBE = (sys.executable, "-m", "synthprobe")
CPU_SHARE, SECONDS = 1.05, 3.0


class Bench:
    """A project with a target for each slot, and what runs its slots."""

    def __init__(self, folder: Path, server: TemporalServer, base_url: str, journeys: int, rounds: int) -> None:
        self._folder, self._server = folder, server
        (folder / "journeys").mkdir()
        (folder / "journeys" / "test_site.py").write_text(JOURNEYS.format(journeys=journeys))
        names = [f"{how}{number}" for number in range(rounds) for how in ("typed", "temporal")]
        targets = "".join(f'[targets.{name}]\nbase_url = "{base_url}"\nlocations = ["fra"]\n' for name in names)
        (folder / "synthprobe.toml").write_text(
            f'default_target = "typed0"\ninterval_s = 86400\n[history]\nurl = "env:HISTORY"\n{targets}'
        )

    def begin(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*SYNTHPROBE, *words], cwd=self._folder, stdout=subprocess.DEVNULL)

    def typed(self, target: str) -> None:
        """The commands of a slot, without an engine."""
        here = ("--target", target, "--slot", "now")
        assert self.begin("run", *here, "--plan", str(PARTS)).wait() == 0
        looks = [
            self.begin("run", *here, "--part", f"{number}/{PARTS}", "--location", "fra")
            for number in range(1, PARTS + 1)
        ]
        assert [look.wait() for look in looks] == [0] * PARTS
        assert self.begin("run", *here, "--conclude").wait() == 0

    def scheduled(self, target: str) -> None:
        """The same slot, begun by Temporal and given to its workers."""
        temporal = (self._server.program, "--address", self._server.address)
        subprocess.run([*temporal, "schedule", "trigger", "--schedule-id", f"synthprobe-{target}"], check=True)
        query = f"WorkflowId STARTS_WITH 'synthprobe-{target}'"
        asked = ("workflow", "list", "-o", "json", "--query", query)
        (begun,) = eventually(
            lambda: json.loads(self._server.asked(*asked).stdout) or False, within="30s", every="100ms"
        )
        flow = begun["execution"]["workflowId"]
        assert self._server.asked("workflow", "result", "--workflow-id", flow).returncode == 0


def cpu_s(processes: Sequence[psutil.Process]) -> float:
    """CPU seconds of processes and of all they started that has ended; of ourselves only what we started."""
    return sum(sum(process.cpu_times()[2 if process.pid == os.getpid() else 0 : 4]) for process in processes)


def measured(act: Callable[[str], None], target: str, processes: Sequence[psutil.Process]) -> tuple[float, float]:
    began, before = time.perf_counter(), cpu_s(processes)
    act(target)
    return time.perf_counter() - began, cpu_s(processes) - before


def main() -> int:
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--journeys", type=int, default=200)
    given.add_argument("--rounds", type=int, default=3)
    chosen = given.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="synthprobe-bench-")))
        postgres, base_url = stack.enter_context(running_postgres()), stack.enter_context(served())
        os.environ["HISTORY"] = postgres.url().replace("postgresql:", "postgresql+psycopg:")
        (folder / "temporal").mkdir()
        server = stack.enter_context(running_temporal(folder / "temporal"))
        (folder / "project").mkdir()
        bench = Bench(folder / "project", server, base_url, chosen.journeys, chosen.rounds)
        here = ("worker", "--location", "fra", "--address", server.address)
        for number in range(chosen.rounds):
            words = ("--capacity", "0", "--parts", str(PARTS), "--target", f"temporal{number}")
            assert bench.begin(*here, *words).wait() == 0
        workers = [bench.begin(*here, "--capacity", "1") for _ in range(PARTS)]
        stack.callback(lambda: [worker.terminate() for worker in workers] and [worker.wait() for worker in workers])
        engine = [psutil.Process(worker.pid) for worker in workers]
        engine += [child for child in psutil.Process().children() if "start-dev" in child.cmdline()]
        took: dict[str, list[tuple[float, float]]] = {"typed": [], "temporal": []}
        for number in range(chosen.rounds):
            took["typed"].append(measured(bench.typed, f"typed{number}", [psutil.Process()]))
            took["temporal"].append(measured(bench.scheduled, f"temporal{number}", engine))
            print(
                f"round {number + 1}: "
                + ", ".join(f"{how} {times[-1][0]:.1f} s (CPU {times[-1][1]:.1f})" for how, times in took.items())
            )
    (typed_s, typed_cpu), (engine_s, engine_cpu) = (
        [statistics.median(column) for column in zip(*times, strict=True)] for times in took.values()
    )
    print(f"{chosen.journeys} journeys in {PARTS} parts, {chosen.rounds} rounds, medians")
    print(f"Temporal's CPU {engine_cpu / typed_cpu:.2f} × that of the commands; at most {CPU_SHARE} is wanted")
    print(f"a slot takes {engine_s - typed_s:+.1f} s; at most {SECONDS:g} is wanted")
    print(f"{date.today()}, Python {sys.version.split()[0]}, {len(os.sched_getaffinity(0))} cores")
    return 0 if engine_cpu <= CPU_SHARE * typed_cpu and engine_s - typed_s <= SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
