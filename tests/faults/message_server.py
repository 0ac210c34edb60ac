"""A real WebSocket server: greets, remembers what each path was sent, and echoes it."""

from __future__ import annotations

import base64
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_KEY = b"sec-websocket-key: "
_CLOSE, _TEXT = 8, 1


class MessageServer:
    """Messages by path, in the order in which they came."""

    def __init__(self) -> None:
        self.messages: dict[str, list[str]] = {}
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        """Accept until closed."""
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(accepted,), daemon=True).start()

    def close(self) -> None:
        """Accept nobody more."""
        self._listening.close()

    def _talk(self, accepted: socket.socket) -> None:
        with accepted, accepted.makefile("rb") as read:
            path, key = read.readline().split(b" ")[1].decode(), b""
            while line := read.readline().strip():
                key = line[len(_KEY) :] if line.lower().startswith(_KEY) else key
            accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
            head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            accepted.sendall(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + _frame(_TEXT, b"welcome"))
            came = self.messages.setdefault(path, [])
            while first := read.read(1):
                size, mask = read.read(1)[0] & 0x7F, read.read(4)
                message = bytes(byte ^ mask[at % 4] for at, byte in enumerate(read.read(size)))
                accepted.sendall(_frame(first[0] & 15, message))
                if first[0] & 15 == _CLOSE:
                    break
                came.append(message.decode())


def _frame(kind: int, message: bytes) -> bytes:
    return bytes([0x80 | kind, len(message)]) + message


@contextmanager
def message_server() -> Iterator[MessageServer]:
    """A server that runs meanwhile."""
    server = MessageServer()
    threading.Thread(target=server.serve, daemon=True).start()
    yield server
    server.close()
