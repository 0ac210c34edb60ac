"""A real PostgreSQL, started from the system's package in a folder of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from synthprobe.errors import ToolError


class Postgres:
    """A running server that listens at a port of loopback."""

    def __init__(self, port: int, call: Callable[..., None]) -> None:
        self.port = port
        self._call = call

    def restart(self, meanwhile: Callable[[], object]) -> None:
        """Stop, do something, and start."""
        self._call("pg_ctl", "-w", "-m", "fast", "stop")
        try:
            meanwhile()
        finally:
            self._call("start")

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"


@contextmanager
def running_postgres(*settings: str) -> Iterator[Postgres]:
    """Start a server that trusts this machine, and stop it at the end.

    Args:
        settings: lines like ``shared_preload_libraries=pg_stat_statements``.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not found:
        raise ToolError("A PostgreSQL server is needed, and none is installed. Install it: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="synthprobe-pg-"))
    # PostgreSQL refuses to run as root.
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    if as_user:
        shutil.chown(folder, "postgres", "postgres")
    data, port = folder / "data", free_port()
    options = [
        "listen_addresses=127.0.0.1",
        f"port={port}",
        f"unix_socket_directories={folder}",
        "fsync=off",
        *settings,
    ]

    def call(program: str, *arguments: str) -> None:
        if program == "start":
            settled = " ".join(f"-c {option}" for option in options)
            program, arguments = "pg_ctl", ("-w", "-l", str(folder / "log"), "-o", settled, "start")
        subprocess.run(
            [*as_user, str(found[-1] / program), "-D", str(data), *arguments],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    try:
        call("initdb", "-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        call("start")
        try:
            yield Postgres(port, call)
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """A port on loopback that nothing listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
