"""Starts what a test starts with ``python -m`` from a process that is prepared for it (``prepared_python.py``)."""

from __future__ import annotations

import array
import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from execnet.gateway_io import popen_bootstrapline

PROGRAMS = ("pytest", "synthprobe", "synthprobe_demo")
_KEPT_VARIABLES = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "COVERAGE", "MALLOC")
"""Beginnings of variables that a Python reads when it begins: where these differ, it has to begin afresh."""
_PR_SET_CHILD_SUBREAPER = 36


def read_at_start(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name.startswith(_KEPT_VARIABLES)}


def _adopt(*, orphans: bool) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0)


def is_ours(command: Any) -> bool:
    """Whether it is a program of ours, or a worker of a pytest that is one."""
    if not isinstance(command, list | tuple) or len(command) < 3 or command[0] != sys.executable:
        return False
    return (command[1] == "-m" and command[2] in PROGRAMS) or list(command[1:]) == ["-u", "-c", popen_bootstrapline]


class Prepared:
    """The process that has its libraries loaded, started when it is first needed, and such for other variables."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._others: dict[frozenset[tuple[str, str]], Prepared | None] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._variables: dict[str, str] = {}

    def suiting(self, environ: Mapping[str, str]) -> Prepared | None:
        """Who began as a Python with these variables begins; nobody where they were never seen before."""
        with self._lock:
            if self._line is None:
                self._begin(os.environ)
            variables = read_at_start(environ)
            if variables == self._variables:
                return self
            other = self._others.get(key := frozenset(variables.items()))
            if other is None and key in self._others:
                other = Prepared()
                other._begin(environ)
            self._others[key] = other
            return other

    def fork(self, order: Mapping[str, Any], streams: Sequence[int]) -> int:
        """Start what is ordered, as a child of this process."""
        with self._lock:
            line = self._line
            assert line is not None
            _adopt(orphans=True)  # the fork of a fork becomes ours
            try:
                text = json.dumps(order).encode()
                rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", streams))]
                line.sendmsg([struct.pack("!I", len(text))], rights)
                line.sendall(text)
                return int(struct.unpack("!i", received(line, 4))[0])
            finally:
                _adopt(orphans=False)

    def _begin(self, environ: Mapping[str, str]) -> None:
        self._variables = read_at_start(environ)
        self._line, theirs = socket.socketpair()
        self._folder = tempfile.TemporaryDirectory(prefix="prepared-")
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(f"{self._folder.name}/door")
            door.listen()
            given = [theirs.fileno(), door.fileno()]
            command = [sys.executable, _SERVER, *map(str, given)]
            self._process = UsualPopen(command, pass_fds=given, stdin=subprocess.DEVNULL, env=environ)
        theirs.close()

    def found(self, line: socket.socket, variables: Mapping[str, str]) -> None:
        """Order from this one, which was forked for it."""
        self._line, self._variables = line, dict(variables)

    def command(self) -> dict[str, str]:
        """Variables with which a shell finds a ``synthprobe`` that is prepared as well."""
        self.suiting(os.environ)
        assert self._folder is not None
        path = Path(self._folder.name) / "synthprobe"
        if not path.exists():
            path.write_text(f"#!{sys.executable} -SE\n{_COMMAND.read_text()}")
            path.chmod(0o700)
        found = f"{path.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}"
        return {"PATH": found, "SYNTHPROBE_TESTS_PREPARED": f"{path.parent}/door"}

    def end(self) -> None:
        """End it; what was forked from it goes on."""
        for other in filter(None, self._others.values()):
            other.end()
        if self._line is not None and self._process is not None:
            self._line.close()
            self._process.wait(timeout=20)
        if self._folder is not None:
            self._folder.cleanup()


def received(line: socket.socket, size: int) -> bytes:
    text = b""
    while len(text) < size:
        if not (more := line.recv(size - len(text))):
            raise EOFError
        text += more
    return text


_COMMAND = Path(__file__).with_name("prepared_command.py")
_SERVER = os.fspath(Path(__file__).with_name("prepared_python.py"))
UsualPopen = subprocess.Popen
PREPARED = Prepared()


class FromPrepared(UsualPopen):
    """Starts our own programs from the prepared process, everything else as ever."""

    def _execute_child(self, args: Any, executable: Any, preexec: Any, close: Any, passed: Any, *given: Any) -> None:
        cwd, env, _startup, _flags, shell, *pipes, restore, gid, gids, uid, umask, new_session, group = given
        special = executable or preexec or passed or shell or not close or gid or gids or uid
        special = special or not restore or umask != -1 or group != -1 or not (cwd is None or os.path.isdir(cwd))
        prepared = None if special or not is_ours(args) else PREPARED.suiting(os.environ if env is None else env)
        if prepared is None:
            return super()._execute_child(args, executable, preexec, close, passed, *given)
        order = {
            "command": [os.fspath(word) for word in args[2 if args[1] == "-m" else 1 :]],
            "cwd": os.path.abspath(os.fspath(cwd or ".")),
            "environ": dict(os.environ if env is None else env),
            "new_session": bool(new_session),
        }
        child_in, _, _, child_out, _, child_error = pipes
        ends = [0 if child_in == -1 else child_in, 1 if child_out == -1 else child_out]
        self.pid = prepared.fork(order, [*ends, 2 if child_error == -1 else child_error])
        self._child_created = True
        self._close_pipe_fds(*pipes)
