"""What starting costs: the help, a run of one trivial journey, and the plugin in a session that does not use it.

CPU seconds of the process and its children, user and system, each the least of some alternating rounds:
`python benchmarks/startup.py --rounds 5`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rich.console import Console
from rich.table import Table

JOURNEY = """
def test_it_is_there(api):
    api.get("/").expect(200)
"""


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


@contextmanager
def served() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def cpu_s(folder: Path, *command: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name, served() as address:
        project, ordinary = Path(name) / "project", Path(name) / "ordinary"
        (project / "journeys").mkdir(parents=True)
        (project / "journeys" / "test_root.py").write_text(JOURNEY)
        (project / "synthprobe.toml").write_text(f'[targets.demo]\nbase_url = "{address}"\n')
        ordinary.mkdir()
        (ordinary / "test_sum.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n")
        commands = {
            "help": (project, "synthprobe", "--help"),
            "pytest": (project, "pytest", "journeys", "-q"),
            "run": (project, "synthprobe", "run"),
            "without": (ordinary, "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:synthprobe"),
            "with": (ordinary, "pytest", "-q", "-p", "no:cacheprovider"),
        }
        seen: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds + 1):  # the first one compiles
            for name, command in commands.items():
                seen[name].append(cpu_s(*command))
    least = {name: min(values[1:]) for name, values in seen.items()}
    table = Table(title=f"CPU seconds, least of {rounds} rounds, Python {sys.version.split()[0]}")
    for heading in ("figure", "measured", "at most"):
        table.add_column(heading, justify="left" if heading == "figure" else "right")
    table.add_row("synthprobe --help", f"{least['help']:.2f}", "0.25")
    table.add_row("synthprobe run of one API journey, over pytest", f"{least['run'] - least['pytest']:.2f}", "0.50")
    table.add_row("the plugin in an ordinary session", f"{least['with'] - least['without']:.3f}", "0.02")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
