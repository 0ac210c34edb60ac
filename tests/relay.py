"""A way to a server that can be cut or freeze, as a network can."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress


class Relay:
    """What is on it ends when it is cut, and nothing new passes; once it has passed `may_pass` bytes it is silent."""

    def __init__(self, upstream: int) -> None:
        self.upstream, self.is_cut = upstream, False
        self.may_pass, self.passed = 10**9, 0
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        self.is_cut = True
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            if self.is_cut:
                here.close()
                continue
            there = socket.create_connection(("127.0.0.1", self.upstream))
            self._ends += [here, there]
            for source, sink in ((here, there), (there, here)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(4096):
                if self.passed + len(data) > self.may_pass:
                    return  # frozen: the connection stays, and nothing comes
                self.passed += len(data)
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)
