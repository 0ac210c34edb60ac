"""A real S3 server (SeaweedFS), and a line to it that is slow, or gone in the middle of an upload."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

PARTS = ("master", "volume", "filer", "s3")
_WEED = str(Path(sys.executable).with_name("weed"))
KEYS = {"accessKey": "probe", "secretKey": "hush-hush-7"}


class S3Server:
    """The server; what it has is in its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = dict(zip(PARTS, _free_ports(len(PARTS)), strict=True))
        actions = ["Admin", "Read", "Write", "List", "Tagging"]
        identity = {"name": "probe", "credentials": [KEYS], "actions": actions}
        (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = {
            "dir": self.folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "s3.config": self.folder / "s3.json",
            "s3.port.iceberg": 0, "s3.port.lance": 0, "s3.iam": "false", "master.volumeSizeLimitMB": 64,
            "volume.max": 8, "master.electionTimeout": "1s", "master.telemetry": "false", "s3": "true", "filer": "true",
        }  # fmt: skip
        options |= {f"{part}.port": port for part, port in self.ports.items()}
        command = [
            _WEED,
            f"-logdir={self.folder}",
            "server",
            *(f"-{name}={value}" for name, value in options.items()),
        ]
        with (self.folder / "out").open("ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, cwd=self.folder)
        ends = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, (self.folder / "out").read_text()[-2000:]
            assert time.monotonic() < ends, (self.folder / "out").read_text()[-2000:]
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports["s3"]), 1):
                return

    def limit(self, bucket: str, megabytes: int, until: Callable[[], bool]) -> None:
        """Give a bucket a quota, and have it looked at until it is seen."""
        at = [f"-{part}=127.0.0.1:{self.ports[part]}" for part in ("master", "filer")]
        with subprocess.Popen([_WEED, "shell", *at], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as shell:
            assert shell.stdin
            shell.stdin.write(f"lock\ns3.bucket.quota -name={bucket} -op=set -sizeMB={megabytes}\n".encode())
            ends = time.monotonic() + 60
            while not until():
                assert time.monotonic() < ends, f"the quota of {bucket} was not seen"
                shell.stdin.write(b"s3.bucket.quota.enforce -apply\n")
                shell.stdin.flush()
                threading.Event().wait(0.3)  # the server counts what it holds every few seconds
            shell.stdin.write(b"unlock\nexit\n")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


class Line:
    """Passes bytes on to the server, and counts them: each answer late, or the server killed after so many bytes."""

    def __init__(self, server: S3Server, *, late_s: float = 0.0, killed_after: int = 0) -> None:
        self.server, self.late_s, self.killed_after, self.sent = server, late_s, killed_after, 0
        self.ended = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.ended.set()
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                try:
                    far = socket.create_connection(("127.0.0.1", self.server.ports["s3"]), 5)
                except OSError:
                    near.close()
                    continue
                for source, sink, answers in ((near, far, False), (far, near, True)):
                    threading.Thread(target=self._pass_on, args=(source, sink, answers), daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if answers and self.late_s and self.ended.wait(self.late_s):
                    break
                self.sent += 0 if answers else len(data)
                if 0 < self.killed_after <= self.sent:
                    self.server.kill()
                    break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


def _free_ports(count: int) -> list[int]:
    """Free ports whose twin, 10,000 above, is a port too: the server takes it for its own calls."""
    ports: list[int] = []
    with contextlib.ExitStack() as held:
        while len(ports) < count:
            listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = listener.getsockname()[1]
            with contextlib.suppress(OSError):
                if port < 55_000:
                    held.enter_context(socket.create_server(("127.0.0.1", port + 10_000)))
                    ports.append(port)
    return ports
