"""Addresses as they are compared and shown: what a masked or broken one holds never raises."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_USER_INFO = re.compile(r"(?<=://)[^/?#\s\"'<>]*@")


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
