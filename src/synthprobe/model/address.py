"""Addresses as they are compared and shown: what a masked or broken one holds never raises."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_USER_INFO = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as a browser writes them: lower case, without the port everybody knows.

    Example:
        >>> origin_of("HTTPS://Host:443/a"), origin_of("http://[::1]:8016"), origin_of("none")
        ('https://host', 'http://[::1]:8016', '')
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if not parts.hostname:
        return ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    known = {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != known else "")


def path_of(url: str) -> str:
    """The path of an address, also of a masked one.

    Example:
        >>> path_of("http://[masked]@host/a?b=1"), path_of("/a")
        ('/a', '/a')
    """
    try:
        return urlsplit(url).path
    except ValueError:
        rest = url.partition("://")[2].partition("?")[0].partition("#")[0]
        return "/" + rest.partition("/")[2]


def shown_address(text: str) -> str:
    """A text whose addresses hold no user and password, for whatever is shown or stored.

    Example:
        >>> shown_address("GET http://probe:Winter-77@127.0.0.1:8016/a")
        'GET http://****@127.0.0.1:8016/a'
    """
    return _USER_INFO.sub("****@", text)
