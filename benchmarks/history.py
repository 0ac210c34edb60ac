"""What a year of history costs against a day: 105,120 runs of 50 journeys of 5 steps, one backend operation a step.

The year is written as retention would have left it (14 days one by one, hours up to 90 days, days up to a year), not
run by run. Then all that follows a run's verdict is done, on the day's and the year's store in turns: the 300 detectors
of its steps and journeys are read, fed and written, the run is taken in, its incidents looked after. Each detector is a
real one after a week of runs. ``--postgresql`` starts a server of the system's package and measures it as well;
``--url postgresql+psycopg://…`` takes one that runs: two databases are made and removed again.
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import make_url

from synthprobe import pipeline
from synthprobe.cli import remembered
from synthprobe.cli.impact import make_board
from synthprobe.cli.measurements import Measurements
from synthprobe.config import Config, read_config
from synthprobe.detection.degradation import StepDetector
from synthprobe.detection.watch import States, watch
from synthprobe.history.database import METADATA
from synthprobe.history.rollups import bucket, encode
from synthprobe.history.store import History
from synthprobe.project import Project
from synthprobe.records.incident import Incident
from synthprobe.records.verdict import Verdict

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "history"))
from made_history import verdict

from synthprobe_demo.postgres import running_postgres

JOURNEYS, STEPS = 50, 5
STEP_MS = 400.0
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

    def duration_us() -> int:
        return round(CHANCE.lognormvariate(13, 0.25))

    yield "runs", ((n, f"run-x{n}", "demo", "", when // 300_000, when, when + 20_000, "") for when, n in at)
    yield (
        "attempts",
        ((n, j, 1, "p", when, 2_000_000, None, None) for when, n in at for j in range(1, JOURNEYS + 1)),
    )
    yield "observations", ((j, when, n, "p", None) for j in range(1, JOURNEYS + 1) for when, n in at)
    yield "steps", ((s, when, n, 1, duration_us(), None, 0, 0) for s in steps for when, n in at)
    yield "server_timing", ((s, when, n, 1, 2, duration_us()) for s in operations for when, n in at)
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


def detector(usual_ms: float) -> bytes:
    """A step's detector after a week."""
    made = StepDetector()
    for n in range(WEEK):
        made.update(ms(NOW) / 1000 - 300.0 * (WEEK - n), usual_ms * CHANCE.lognormvariate(0, 0.2))
    return made.to_bytes()


def learned() -> dict[tuple[str, str], bytes]:
    """What is known of each step and journey, as a run leaves it."""
    known = watch(one_verdict(0), {}).states
    of_journey, of_step = detector(STEP_MS * STEPS), detector(STEP_MS)
    return {key: with_detector(state, of_step if key[1] else of_journey) for key, state in known.items()}


def with_detector(state: bytes, detector: bytes) -> bytes:
    _, *rest = msgspec.msgpack.decode(state)
    return msgspec.msgpack.encode([detector, *rest])


def one_verdict(number: int) -> Verdict:
    return verdict(at=NOW + number * EVERY, journeys=JOURNEYS, steps=STEPS, ms=STEP_MS, run_id=f"bench-{number}")


def incident(number: int) -> Incident:
    return Incident(
        id=f"bench-{number}",
        target="demo",
        kind="failing",
        state="open",
        fingerprint=f"fingerprint {number}",
        signature=f"signature {number}",
        title=f"Another {number}, step 2: 503 where 200 was expected",
        opened_at=NOW,
        first_seen_at=NOW,
        last_seen_at=NOW,
        journeys=(f"another-{number}",),
        step="step 2",
    )


def one_run(place: str, here: Path, number: int) -> float:
    """Milliseconds of all that follows the verdict of a run."""
    (root, config), made = project(place, here), one_verdict(number)
    folder = root / config.folder / "runs" / "demo" / f"{made.run.slot}-{made.run.id}"
    folder.mkdir(parents=True)
    began = time.perf_counter()
    after = pipeline.after_run(Project(root, config), folder, made)
    took = (time.perf_counter() - began) * 1000
    assert (after.count("passed"), after.notes) == (JOURNEYS, ()), after.notes
    return took


def prepared(place: str, here: Path, days: float, states: States) -> None:
    shared = place if place.startswith("postgresql") else ""
    with History.open(Path(tempfile.mkdtemp(dir=here)) / "history.db" if shared else place, shared=shared) as history:
        assert history.ingest(verdict(at=NOW, journeys=JOURNEYS, steps=STEPS, run_id="first")), history.notes
        history.put_detector_states("demo", states)
        for number in range(JOURNEYS):
            history.put_incident(incident(number))
        history.prune(datetime.now(UTC))  # every run does so, once an hour
    if place.startswith("postgresql"):
        fill_postgresql(place, days)
    else:
        fill_sqlite(Path(place), days)


def measure(name: str, day: str, year: str, here: Path, rounds: int) -> list[tuple[str, float, float | None]]:
    states = learned()
    prepared(day, here, 1, states)
    prepared(year, here, 365, states)
    times: dict[str, list[float]] = {day: [], year: []}
    for number in range(1, rounds + 1):
        for place in (day, year):
            times[place].append(one_run(place, here, number))
    whole = {place: statistics.median(found) for place, found in times.items()}
    ranking, board = board_ms(year, here)
    return [
        (f"{name}: one run, a day of history, ms", whole[day], None),
        (f"{name}: one run, a year of history, ms", whole[year], 300),
        (f"{name}: year against day, ×", whole[year] / whole[day], 1.5),
        (f"{name}: state of a step, largest, KB", max(map(len, states.values())) / 1000, 64),
        (f"{name}: ranking of 7 days, ms", ranking, 1000),
        (f"{name}: the board's pages, ms", board, None),
    ]


def board_ms(place: str, here: Path) -> tuple[float, float]:
    """Milliseconds of the ranking, and of all pages of the board."""
    root, config = project(place, here)
    target = config.target("demo")
    with remembered.opened(Project(root, config), "demo") as past:
        began = time.perf_counter()
        rows = Measurements(past).ranked(7)
        middle = time.perf_counter()
    assert len(rows) == JOURNEYS * STEPS + STEPS  # an operation is one row wherever it runs
    began_page = time.perf_counter()
    make_board(Project(root, config), target, root / "site")
    return (middle - began) * 1000, (time.perf_counter() - began_page) * 1000


def project(place: str, here: Path) -> tuple[Path, Config]:
    """A project folder whose history is the one given."""
    root = Path(tempfile.mkdtemp(dir=here))
    text = '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n'
    if "://" in place:
        text += f"[history]\nurl = {json.dumps(place)}\n"
    else:
        (root / ".synthprobe").mkdir()
        (root / ".synthprobe" / "history.db").symlink_to(place)
    (root / "synthprobe.toml").write_text(text)
    return root, read_config(root)


def peak_mb() -> float:
    """Of this process alone: what getrusage tells includes the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024


def alone(place: str, do: str) -> float:
    """Peak memory, MB, of a process that does only one thing to a store; `m` is this module."""
    import subprocess

    code = (
        f"import sys, runpy; from pathlib import Path; place = sys.argv.pop(); m = runpy.run_path({__file__!r}); {do}; "
        "print(m['peak_mb']())"
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
        lines = measure("SQLite", day, year, here, options.rounds)
        after_run = alone(year, f"m['one_run'](place, Path(place).parent, {options.rounds + 1})")
        board = alone(year, "m['board_ms'](place, Path(place).parent)")
        lines.append(("SQLite: memory of the pipeline after a run, MB", after_run, 150))
        lines.append(("SQLite: memory of making the board, MB", board, None))
        lines.append(("SQLite: file of a year, MB", Path(year).stat().st_size / 1e6, 150))
        if not options.no_pack:
            began = time.perf_counter()
            memory = alone(year, "m['History'].open(place).pack(Path(place).with_name('pack'))")
            lines.append(("pack of a year, MB", (here / "pack").stat().st_size / 1e6, 8))
            lines.append(("packing, s", time.perf_counter() - began, None))
            lines.append(("packing: memory, MB", memory, None))
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
        lines = measure("PostgreSQL", day, year, here, rounds)
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
