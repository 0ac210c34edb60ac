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


_ROUTE = re.compile(r"!?/[\w.~%@:+,!/-]*")
_WHICH = re.compile(r"(?<=/)(?=[^/]*\d|[^/]{33})[^/]+")


def place_of(url: str) -> str:
    """Where a page is: its path, and the route that an application of one page keeps in the fragment.

    What of a route says which of many it shows, or may be a token, is left out.

    Example:
        >>> place_of("http://host/a?b=1#/orders/5?c=2"), place_of("http://host/a#top")
        ('/a#/orders/<id>', '/a')
    """
    path, route = path_of(url) or "/", url.partition("#")[2].partition("?")[0]
    return f"{path}#{_WHICH.sub('<id>', route)}" if _ROUTE.fullmatch(route) else path


def shown_address(text: str) -> str:
    """A text whose addresses hold no user and password, for whatever is shown or stored.

    Example:
        >>> shown_address("GET http://probe:Winter-77@127.0.0.1:8016/a")
        'GET http://****@127.0.0.1:8016/a'
    """
    return _USER_INFO.sub("****@", text)
