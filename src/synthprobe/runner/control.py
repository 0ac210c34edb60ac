"""A place that has nothing to do with the target: when it cannot be reached either, the network here is at fault."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

_TIMEOUT_S = 3.0


def ask_control(url: str) -> str:
    """Try to open a connection to the control host."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443)
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_S):
            return ""
    except OSError as error:
        return (
            f"Neither the target nor the control host {host} can be reached from here "
            f"({error.strerror or error}). Look at this machine's network; nothing is known of the target."
        )
