"""A fixed task on the machine the probe stands on: when it is slow, slow journeys say nothing of the target."""

from __future__ import annotations

import hashlib
import socket
import time

_ROUNDS = 3
_BLOCK = bytes(1_000_000)


def measure_reference_ms() -> float:
    """Time hashing ten megabytes and two hundred messages over loopback."""
    return min(_round_ms() for _ in range(_ROUNDS))


def _round_ms() -> float:
    began = time.perf_counter()
    digest = hashlib.sha256()
    for _ in range(10):
        digest.update(_BLOCK)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        peer, _ = server.accept()
        with peer:
            for _ in range(200):
                client.sendall(b"x")
                peer.recv(1)
    return (time.perf_counter() - began) * 1000
