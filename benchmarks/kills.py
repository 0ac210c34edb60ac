"""Random kills, stops and signals over 30 journeys: one verdict each, none green unfinished, nothing lives on.

Each round is a run of its own project against a small server; at a random moment the supervisor, pytest or one of its
workers gets a signal. A journey may be `passed` only if the server saw its last request. `--rounds` and `--first` cut a
long series into parts, `--rows` keeps what the parts found in one file and prints the table over all of them. `--load`
has busy loops beside it until as many processes want the processor. Its exit code is 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

JOURNEYS, DEADLINE_S, ORPHANS_S = 30, 60.0, 2.0
PROMISED_S = {"SIGINT": 7.0, "SIGTERM": 4.0, "SIGHUP": 7.0}
EVENTS = (
    *(("supervisor", name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL")),
    *(("pytest", name) for name in ("SIGKILL", "SIGSTOP", "SIGTERM")),
    *(("worker", name) for name in ("SIGKILL", "SIGSTOP")),
)
BODY = f"""
import pytest

@pytest.mark.parametrize("number", range({JOURNEYS}))
def test_journey(api, number):
    api.get(f"/work/{{number}}").expect(200)
    api.get(f"/done/{{number}}").expect(200)
"""


class Server(ThreadingHTTPServer):
    """Remembers which journeys came to their end."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        self.done: set[int] = set()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        what, _, number = self.path.strip("/").partition("/")
        if what == "work":
            time.sleep(0.1)
        elif what == "done":
            self.server.done.add(int(number))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def prepare(folder: Path) -> Path:
    """What a complete run leaves behind, so that each round knows which journeys there are."""
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    code = begin(folder, server.server_port, 0).wait()
    server.shutdown()
    server.server_close()
    if code != 0:
        sys.exit(f"The run that prepares the rounds ended with exit code {code}; 0 was expected.")
    return folder / ".synthprobe" / "state" / "demo" / "inventory.json"


def begin(root: Path, port: int, workers: int, known: Path | None = None) -> subprocess.Popen[bytes]:
    (root / "journeys").mkdir(parents=True)
    if known is not None:
        (root / ".synthprobe" / "state" / "demo").mkdir(parents=True)
        shutil.copy2(known, root / ".synthprobe" / "state" / "demo")
    (root / "journeys" / "test_all.py").write_text(BODY)
    (root / "synthprobe.toml").write_text(
        f'second_attempts = 0\njourney_deadline_s = 10\n[targets.demo]\nbase_url = "http://127.0.0.1:{port}"\n'
    )
    return start(root, "-n", str(workers), "--deadline", str(DEADLINE_S))


def start(root: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "synthprobe", "run", "--slot", "now", *options]
    return subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def victims(run: psutil.Process, who: str) -> list[psutil.Process]:
    if who == "supervisor":
        return [run]
    children = family(run)
    direct = {child.pid for child in run.children()} if run.is_running() else set()
    return [child for child in children if (child.pid in direct) == (who == "pytest")]


def play(number: int, known: Path) -> dict[str, object]:
    """One round."""
    chance = random.Random(number)
    who, name = EVENTS[number % len(EVENTS)]
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="synthprobe-kills-", ignore_cleanup_errors=True) as folder:
        root = Path(folder) / "project"
        run = begin(root, server.server_port, 2 if who == "worker" else chance.choice([0, 2]), known)
        process = psutil.Process(run.pid)
        wanted = chance.randrange(0, JOURNEYS)  # journeys that came to their end before it strikes
        until = time.monotonic() + DEADLINE_S
        while (
            run.poll() is None and time.monotonic() < until and (len(server.done) < wanted or not victims(process, who))
        ):
            time.sleep(0.02)
        before = family(process)
        chosen = victims(process, who)
        if chosen and run.poll() is None:
            chance.choice(chosen).send_signal(getattr(signal, name))
        struck = time.monotonic()
        try:
            run.wait(timeout=DEADLINE_S + 30)
            took = time.monotonic() - struck
        except subprocess.TimeoutExpired:
            run.kill()
            took = float("inf")
        left = psutil.wait_procs(before, timeout=ORPHANS_S)[1]
        for orphan in left:
            orphan.kill()
        if not list(root.glob(".synthprobe/runs/demo/*/verdict.json")):  # the next run judges what a kill left
            server.done, finished = set(), set(server.done)
            start(root, "journeys/test_all.py::test_journey[0]").wait(timeout=90)
            server.done = finished
        verdicts = [json.loads(path.read_bytes()) for path in root.glob(".synthprobe/runs/demo/*/verdict.json")]
    server.shutdown()
    server.server_close()
    whole = [verdict for verdict in verdicts if len(verdict["journeys"]) == JOURNEYS]
    judged = Counter(judgement["journey"]["id"] for verdict in whole[:1] for judgement in verdict["journeys"])
    outcomes = Counter(judgement["outcome"] for verdict in whole[:1] for judgement in verdict["journeys"])
    green = {
        int(judgement["journey"]["node_id"].rpartition("[")[2].rstrip("]"))
        for verdict in whole[:1]
        for judgement in verdict["journeys"]
        if orphan["outcome"] == "passed"
    }
    promised = PROMISED_S.get(name) if who == "supervisor" else DEADLINE_S + 10
    return {
        "round": number,
        "who": who,
        "signal": name,
        "code": run.returncode,
        "took_s": took,
        "late": promised is not None and took > promised,
        "one verdict each": len(whole) == 1 and len(judged) == JOURNEYS and set(judged.values()) == {1},
        "green unfinished": len(green - server.done),
        "orphans": len(left),
        "passed": outcomes["passed"],
        "unknown": outcomes["unknown"],
        "failed": outcomes["failed"],
        "load": os.getloadavg()[0],
    }


@contextmanager
def loaded(wanted: int) -> Iterator[None]:
    """Busy loops beside what runs here, as many as are missing."""
    loops = max(0, wanted - round(os.getloadavg()[0]))
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        while os.getloadavg()[0] < wanted - 1:
            time.sleep(1)
        yield
    finally:
        for loop in busy:
            loop.kill()
            loop.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--load", type=int, default=0)
    args = parser.parse_args()
    with (
        loaded(args.load),
        tempfile.TemporaryDirectory(prefix="synthprobe-kills-") as folder,
        ThreadPoolExecutor(args.at_once) as pool,
    ):
        known = prepare(Path(folder) / "project")
        rows = list(pool.map(play, range(args.first, args.first + args.rounds), itertools.repeat(known)))
    if args.rows:
        with args.rows.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        rows = [json.loads(line) for line in args.rows.read_text().splitlines()]
    table = Table(
        "who", "signal", "rounds", "one verdict each", "green unfinished", "orphans", "longest s", "late", "codes"
    )
    broken = 0
    for event in EVENTS:
        rounds = [row for row in rows if (row["who"], row["signal"]) == event]
        if not rounds:
            continue
        whole = sum(bool(row["one verdict each"]) for row in rounds)
        sums = [sum(int(row[key]) for row in rounds) for key in ("green unfinished", "orphans", "late")]  # type: ignore[call-overload]
        broken += len(rounds) - whole + sum(sums)
        longest = max(float(row["took_s"]) for row in rounds)  # type: ignore[arg-type]
        codes = Counter(str(row["code"]) for row in rounds)
        code_counts = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items()))
        green, orphans, late = map(str, sums)
        table.add_row(
            *event, str(len(rounds)), f"{whole}/{len(rounds)}", green, orphans, f"{longest:.1f}", late, code_counts
        )
    console = Console(width=130)
    console.print(table)
    loads = sorted(float(row.get("load", 0)) for row in rows)  # type: ignore[arg-type]
    console.print(
        f"{len(rows)} rounds of {JOURNEYS} journeys; {broken} broken promises; load {loads[0]:.1f} to {loads[-1]:.1f}."
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
