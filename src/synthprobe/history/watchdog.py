"""Ends what is asked of a database that does not answer any more, however it froze."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine, event

from synthprobe.deadlines import left_s

_LOOK_S = 0.1


class Watchdog:
    """Shuts the sockets of a server's connections down when the time is over, so that whoever waits for one goes on.

    A server that froze answers every probe of the network, so no keepalive and no timeout of its own finds it.
    """

    def __init__(self, seconds: float) -> None:
        self.bit = False
        self._ends = time.monotonic() + seconds
        self._done = threading.Event()
        self._connections: list[Any] = []

    @contextlib.contextmanager
    def over(self, engine: Engine | None) -> Iterator[None]:
        """Watch what is done with an engine. A file needs none: its locks are waited for in slices."""
        if engine is None or engine.dialect.name != "postgresql":
            yield
            return
        # the first connection of an engine is asked a few things before it can be checked out
        listened = [("connect", self._connected), ("checkout", self._connected)]
        for name, listener in listened:
            event.listen(engine, name, listener, insert=True)
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._done.set()
            for name, listener in listened:
                event.remove(engine, name, listener)
            thread.join()

    def _connected(self, connection: Any, *_: Any) -> None:
        self._connections.append(connection)

    def _watch(self) -> None:
        while not self._done.wait(_LOOK_S):
            if self._ends <= time.monotonic() or left_s(math.inf) <= 0:
                self.bit = True
                for connection in self._connections:
                    _shut_down(connection)


def _shut_down(connection: Any) -> None:
    # the number may be another file's by now, unless the connection still says that it is open
    with contextlib.suppress(Exception):
        if not connection.closed:
            with socket.socket(fileno=os.dup(connection.fileno())) as copy:
                copy.shutdown(socket.SHUT_RDWR)
