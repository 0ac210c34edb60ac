"""A PostgreSQL of the tests' own, from the distribution's package."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MISSING = (
    "PostgreSQL is not installed, and the history is tested on it. Install it with: "
    "apt-get install postgresql (or .ci/install-postgres)"
)


@contextmanager
def server() -> Iterator[str]:
    """URL of the server's database ``postgres``; ended and removed at the end."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not binaries:
        raise RuntimeError(MISSING)
    bin_ = binaries[-1].parent
    folder = Path(tempfile.mkdtemp(prefix="synthprobe-pg-"))
    user, prefix = "tester", []
    if os.geteuid() == 0:  # PostgreSQL refuses to be root
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        prefix = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    initdb = [bin_ / "initdb", "-D", data, "-A", "trust", "-U", user, "--no-sync", "-E", "UTF8", "--locale=C"]
    control = [*prefix, bin_ / "pg_ctl", "-D", data, "-s"]
    options = f"-p {port} -h 127.0.0.1 -k {folder} -F -c full_page_writes=off -c synchronous_commit=off"
    try:
        subprocess.run([*prefix, *initdb], check=True, capture_output=True, cwd="/")
        subprocess.run(
            [*control, "-o", options, "-w", "-l", folder / "log", "start"],
            check=True,
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        yield f"postgresql+psycopg://{user}@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")
        shutil.rmtree(folder, ignore_errors=True)
