"""What a year of history costs against a day: 105,120 runs of 50 journeys of 5 steps, one backend operation a step.

The year is written as retention would have left it (14 days one by one, hours up to 90 days, days up to a year), not
run by run. One run is then taken in and the state of its 250 steps read and written, on the day's and the year's store
in turns. The state is a real detector's after a week of runs. ``--postgresql`` starts a server of the system's package
and measures it as well; ``--url postgresql+psycopg://…`` takes one that runs: two databases are made and removed again.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from synthprobe.history.database import METADATA
from synthprobe.history.sketch import bucket, encode
from synthprobe.history.store import History
from synthprobe.model.incident import Incident
from synthprobe.verdict.degradation import StepDetector

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "history"))
from made_history import verdict
from postgres import running_postgres

JOURNEYS, STEPS = 50, 5
EVERY = timedelta(minutes=5)
NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
WEEK = 7 * 288
CHANCE = random.Random(1)
HOUR, DAY = 3_600_000, 86_400_000


def ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def series() -> list[int]:
    """Numbers as a first run gives them: the steps and whole journeys, and the operations."""
    return list(range(1, JOURNEYS * (2 * STEPS + 1) + 1))


def roll_up(count: int) -> tuple[int, int, int, int, int, int, bytes]:
    times = [max(1, round(CHANCE.lognormvariate(13, 0.25))) for _ in range(min(count, 40))]
    total = round(sum(times) * count / len(times))
    return count, 0, total, 0, min(times), max(times), encode(Counter(map(bucket, times)))


def rows(days: float) -> Iterator[tuple[str, Iterator[tuple[object, ...]]]]:
    """All rows of a store that saw so many days, table by table, in the order of their keys."""
    raw_from = ms(NOW - timedelta(days=min(days, 14)))
    hours_from = ms(NOW - timedelta(days=min(days, 90)))
    days_from = ms(NOW - timedelta(days=days))
    count = round((ms(NOW) - raw_from) / 300_000)
    at = [(raw_from + n * 300_000, n + 10) for n in range(count)]
    all_series = series()
    steps, operations = all_series[: JOURNEYS * (STEPS + 1)], all_series[JOURNEYS * (STEPS + 1) :]

    def one() -> int:
        return round(CHANCE.lognormvariate(13, 0.25))

    yield "runs", ((n, f"run-x{n}", "demo", "", when // 300_000, when, when + 20_000, "") for when, n in at)
    yield (
        "attempts",
        ((n, j, 1, "p", when, 2_000_000, None, None) for when, n in at for j in range(1, JOURNEYS + 1)),
    )
    yield "observations", ((j, when, n, "p", None) for j in range(1, JOURNEYS + 1) for when, n in at)
    yield "steps", ((s, when, n, 1, one(), None, 0, 0) for s in steps for when, n in at)
    yield "server_timing", ((s, when, n, 1, 2, one()) for s in operations for when, n in at)
    for table, span, begin, end, runs in (
        ("hourly", HOUR, hours_from, raw_from, 12),
        ("daily", DAY, days_from, hours_from, 288),
    ):
        yield (
            table,
            (
                (s, when, *roll_up(runs)) if s <= len(steps) else (s, when, *roll_up(runs)[:-1], b"")
                for s in all_series
                for when in range(begin, end, span)
            ),
        )
    letters = "-" + "p" * JOURNEYS
    slots = range(days_from // 300_000, ms(NOW) // 300_000)
    yield "slots", (("demo", slot, "", slot * 300_000, letters) for slot in slots)


def fill_sqlite(path: Path, days: float) -> None:
    with sqlite3.connect(path) as connection:
        for table, values in rows(days):
            marks = ", ".join("?" * len(METADATA.tables[table].columns))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)


def fill_postgresql(url: str, days: float) -> None:
    import psycopg

    with psycopg.connect(
        make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    ) as connection:
        for table, values in rows(days):
            with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for value in values:
                    copy.write_row(value)
        connection.commit()
        connection.autocommit = True
        connection.execute("ANALYZE")


def state() -> bytes:
    """A step's detector after a week."""
    detector = StepDetector()
    for n in range(WEEK):
        detector.update(1.7e9 + 300.0 * n, CHANCE.lognormvariate(6, 0.2))
    return detector.to_bytes()


def incident(number: int) -> Incident:
    return Incident(
        id=f"bench-{number}",
        target="demo",
        kind="failing",
        state="open",
        fingerprint=f"fingerprint {number}",
        signature=f"signature {number}",
        title=f"Journey {number}, step 2: 503 where 200 was expected",
        opened_at=NOW,
        first_seen_at=NOW,
        last_seen_at=NOW,
        journeys=(f"journey-{number}",),
        step="step 2",
    )


def one_run(place: str, spool: Path, number: int) -> tuple[float, float]:
    """Milliseconds of taking in a run, and of reading and writing the state."""
    made = verdict(at=NOW + number * EVERY, journeys=JOURNEYS, steps=STEPS, run_id=f"bench-{number}")
    began = time.perf_counter()
    with History.open(place, spool=spool) as history:
        assert history.ingest(made)
        middle = time.perf_counter()
        known = history.detector_states("demo")
        history.put_detector_states("demo", known)
        assert len(known) == JOURNEYS * STEPS
    return (middle - began) * 1000, (time.perf_counter() - middle) * 1000


def prepared(place: str, spool: Path, days: float, states: dict[tuple[str, str], bytes]) -> None:
    with History.open(place, spool=spool) as history:
        assert history.ingest(verdict(at=NOW, journeys=JOURNEYS, steps=STEPS, run_id="first")), history.notes
        history.put_detector_states("demo", states)
        for number in range(JOURNEYS):
            history.put_incident(incident(number))
    if place.startswith("postgresql"):
        fill_postgresql(place, days)
    else:
        fill_sqlite(Path(place), days)


def measure(name: str, day: str, year: str, spool: Path, rounds: int) -> list[tuple[str, float, float | None]]:
    states = {(f"journey-{j}", f"step {s}"): state() for j in range(JOURNEYS) for s in range(STEPS)}
    prepared(day, spool, 1, states)
    prepared(year, spool, 365, states)
    times: dict[str, list[tuple[float, float]]] = {day: [], year: []}
    for number in range(1, rounds + 1):
        for place in (day, year):
            times[place].append(one_run(place, spool, number))
    whole = {place: statistics.median(a + b for a, b in found) for place, found in times.items()}
    with History.open(year, spool=spool) as history:
        began = time.perf_counter()
        found = history.operations("demo", NOW - timedelta(days=30), NOW + timedelta(days=1))
        impact = (time.perf_counter() - began) * 1000
        assert len(found) == JOURNEYS * STEPS
    return [
        (f"{name}: one run, a day of history, ms", whole[day], None),
        (f"{name}: one run, a year of history, ms", whole[year], 300),
        (f"{name}: of it taking in, ms", statistics.median(a for a, _ in times[year]), None),
        (f"{name}: of it state of 250 steps, ms", statistics.median(b for _, b in times[year]), None),
        (f"{name}: year against day, ×", whole[year] / whole[day], 1.5),
        (f"{name}: state of a step, largest, KB", max(map(len, states.values())) / 1000, 64),
        (f"{name}: operations of 30 days, ms", impact, 1000),
    ]


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def pipeline_memory_mb(place: str) -> float:
    """Peak memory of a process that only takes in one run and reads and writes the state."""
    import subprocess

    code = (
        "import resource, sys; sys.argv = ['', sys.argv[1]]; import runpy; "
        f"m = runpy.run_path({__file__!r}); from pathlib import Path; "
        "m['one_run'](sys.argv[1], Path(sys.argv[1] + '.spool'), 999); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    return float(subprocess.run([sys.executable, "-c", code, place], check=True, capture_output=True, text=True).stdout)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--url", help="URL of a PostgreSQL server's database")
    parser.add_argument("--postgresql", action="store_true", help="start a PostgreSQL of the system's package")
    parser.add_argument("--no-pack", action="store_true", help="leave out packing, which takes minutes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        day, year = str(here / "day.db"), str(here / "year.db")
        lines = measure("SQLite", day, year, here / "s", options.rounds)
        lines.append(("SQLite: memory of the pipeline after a run, MB", pipeline_memory_mb(year), 150))
        lines.append(("SQLite: file of a year, MB", Path(year).stat().st_size / 1e6, 150))
        with History.open(year, spool=here / "s") as history:
            began = time.perf_counter()
            if not options.no_pack:
                lines.append(("pack of a year, MB", history.pack(here / "pack") / 1e6, 8))
                lines.append(("packing, s", time.perf_counter() - began, None))
                lines.append(("packing: memory, MB", peak_mb(), None))
        if options.url:
            lines += postgresql(options.url, here, options.rounds)
        if options.postgresql:
            with running_postgres("fsync=on") as server:
                url = server.url().replace("postgresql:", "postgresql+psycopg:")
                lines += postgresql(url, here, options.rounds)
    table = Table(title="50 journeys of 5 steps every 5 minutes")
    for column in ("figure", "measured", "at most"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for name, value, limit in lines:
        table.add_row(name, f"{value:.1f}" if value >= 10 else f"{value:.2f}", f"{limit:g}" if limit else "")
    console = Console()
    console.print(table)
    missed = [(name, value, limit) for name, value, limit in lines if limit and value > limit]
    for name, value, limit in missed:
        console.print(f"MISSED {name}: {value:.2f}, at most {limit:g}")
    console.print(f"{date.today()}, Python {sys.version.split()[0]}")
    return bool(missed)


def postgresql(url: str, here: Path, rounds: int) -> list[tuple[str, float, float | None]]:
    import psycopg

    admin = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    names = ("synthprobe_bench_day", "synthprobe_bench_year")
    try:
        with psycopg.connect(admin, autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS {name}")
                connection.execute(f"CREATE DATABASE {name}")
        day, year = (make_url(url).set(database=name).render_as_string(hide_password=False) for name in names)
        lines = measure("PostgreSQL", day, year, here / "p", rounds)
        with psycopg.connect(admin, autocommit=True) as connection:
            size = connection.execute(f"SELECT pg_database_size('{names[1]}')").fetchone()
            assert size
            lines.append(("PostgreSQL: database of a year, MB", size[0] / 1e6, None))
        return lines
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            for name in names:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


if __name__ == "__main__":
    raise SystemExit(main())
