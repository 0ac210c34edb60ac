"""A company's proxy (proxy.py, a process of its own), and one that is not well."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CompanyProxy:
    """A running proxy."""

    def __init__(self, port: int, log: Path) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self._log = log

    def asked(self) -> str:
        """What it was asked for, as it wrote it down."""
        return self._log.read_text()


@contextmanager
def company_proxy(folder: Path, *options: str) -> Iterator[CompanyProxy]:
    """Start one; its log has a line for each connection that has ended."""
    port_file, log = folder / "proxy.port", folder / "proxy.log"
    command = [sys.executable, "-m", "proxy", "--port", "0", "--num-workers", "1", "--num-acceptors", "1"]
    command += ["--port-file", str(port_file), "--log-file", str(log), "--data-dir", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder) as process:
        try:
            ends = time.monotonic() + 30
            while not (port_file.exists() and port_file.read_text().strip()):
                assert process.poll() is None, "the proxy ended"
                assert time.monotonic() < ends, "the proxy did not start"
                time.sleep(0.02)
            yield CompanyProxy(int(port_file.read_text().split()[0]), log)
        finally:
            process.terminate()


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """Something at a proxy's address that says this to everybody, or nothing at all; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                kept.append(connection)
                if answer is not None:
                    connection.recv(65536)
                    connection.sendall(answer)
                    connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
