"""What the machine itself does to a run: its clock was set, it is slow, its network reaches no place at all."""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

NOTED_S = 2.0
"""Seconds the clock may be off after a run before that is noted; time servers correct less all day."""


def passed_s() -> float:
    """Seconds that no clock setting changes; where the system can tell, those it slept are among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


class ClockWatch:
    """Compares the wall clock with the monotonic one, from now on."""

    def __init__(self, wall: Callable[[], float] = time.time, passed: Callable[[], float] = passed_s) -> None:
        self._wall, self._passed = wall, passed
        self._began = wall() - passed()

    def note(self) -> str:
        """What a person must know of the times in the report."""
        jumped_s = self._wall() - self._passed() - self._began
        if abs(jumped_s) <= NOTED_S:
            return ""
        return (
            f"The clock of this machine jumped by {jumped_s:+.0f} s during the run, so times in the report are off by "
            "as much, before or after the jump; durations are right. Look at what sets this clock, for example with "
            "timedatectl."
        )


_ROUNDS = 3
_BLOCK = bytes(1_000_000)


def measure_reference_ms() -> float:
    """Time hashing ten megabytes and two hundred messages over loopback; 0 where the machine has none."""
    try:
        return min(_round_ms() for _ in range(_ROUNDS))
    except OSError:
        return 0.0


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


_TIMEOUT_S = 3.0


def ask_control(url: str, proxies: Callable[[str], Mapping[str, str]] = lambda _: {}) -> str:
    """Try to open a connection to the control host, through the target's proxy where it has one."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    try:
        if through := proxies(url):
            return _ask_through(url, host, through)
        with socket.create_connection((host, port), timeout=_TIMEOUT_S):
            return ""
    except OSError as error:
        return (
            f"Neither the target nor the control host {host} can be reached from here "
            f"({error.strerror or error}). Look at this machine's network; nothing is known of the target."
        )


def _ask_through(url: str, host: str, proxies: Mapping[str, str]) -> str:
    import requests  # most runs reach their target

    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.head(url, proxies=dict(proxies), timeout=_TIMEOUT_S, allow_redirects=False)
        except requests.exceptions.SSLError:
            return ""  # it was reached
        except requests.RequestException as error:
            why = type(error).__name__
        else:
            if answer.status_code != 407:
                return ""
            why = "407, it asks for a user"
    return (
        f"Neither the target nor the control host {host} can be reached through the target's proxy ({why}). Look at "
        "the proxy; nothing is known of the target."
    )
