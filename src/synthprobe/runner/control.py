"""A place that has nothing to do with the target: when it cannot be reached either, the network here is at fault."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

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
