"""Addresses read as browsers read them (WHATWG URL), so that Python and the browser never disagree about a host."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from synthprobe.errors import TargetError

if TYPE_CHECKING:
    from ada_url import URL

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WRITTEN_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/*(?:[^/?#]*@)?(\[[^]/?#]*\]|[^/?#:]*)(?::\d*)?(?:[/?#]|$)")
_ENCODED_DELIMITER = re.compile(r"%(2f|5c|2e|3b|00|25)|;", re.IGNORECASE)


def read_address(address: str, base: str = "") -> URL | None:
    """An address in its parts.

    Args:
        address: an address, or one that is relative to the base.
        base: what it is relative to.

    Returns:
        The parts; None when no browser could read it.

    Example:
        >>> read_address("/board", "https://CAD.example.org/login").href
        'https://cad.example.org/board'
    """
    try:
        return _parser()(address, base=base or None)
    except ValueError:
        return None


@cache
def _parser() -> type[URL]:
    from ada_url import URL  # collecting journeys needs no addresses

    return URL


def host_of(url: str) -> str:
    """The host of an address as it is compared: as browsers write it, without port, brackets and trailing dot.

    Args:
        url: an address.

    Returns:
        The host; empty when there is none.

    Example:
        >>> host_of("https://user@CAD.example.org.:8443/board"), host_of("http://evil.test\\\\@cad.example.org/")
        ('cad.example.org', 'evil.test')
    """
    read = read_address(url)
    return read.hostname.lower().strip("[]").rstrip(".") if read else ""


def origin_of(url: str) -> str:
    """Scheme, host and port of an address.

    Args:
        url: an address.

    Returns:
        The origin; empty when there is none.

    Example:
        >>> origin_of("https://CAD.example.org:443/board")
        'https://cad.example.org'
    """
    read = read_address(url)
    return read.origin if read and read.hostname else ""


def path_of(url: str) -> str:
    """The path of an address, with dots resolved.

    Args:
        url: an address.

    Returns:
        The path; empty when there is none.

    Example:
        >>> path_of("https://cad.example.org/login/../api/units?all=1")
        '/api/units'
    """
    read = read_address(url)
    return read.pathname if read else ""


def is_plain_path(path: str) -> bool:
    """Whether a path means the same to every server: some decode a slash or a dot once more, or cut at a semicolon.

    Args:
        path: of an address, with dots resolved.

    Returns:
        True when nothing in it can turn into another path.

    Example:
        >>> is_plain_path("/api/login"), is_plain_path("/api/units%2f..%2flogin")
        (True, False)
    """
    return not _ENCODED_DELIMITER.search(path)


def odd_address(address: str) -> str:
    """Why programs may read an address differently, so that nothing should be sent there.

    Args:
        address: as somebody wrote it, absolute or relative.

    Returns:
        A sentence; empty when there is only one way to read it.

    Example:
        >>> odd_address("http://2130706433/")
        "The address 'http://2130706433/' is not sent: its host '2130706433' is read as '127.0.0.1'. Write it so."
    """
    why = _oddness(address)
    return f"The address {address!r} is not sent: {why}" if why else ""


def _oddness(address: str) -> str:
    if _CONTROL.search(address):
        return "it holds a control character, which browsers drop and other programs keep. Write it without."
    if "\\" in re.split(r"[?#]", address, maxsplit=1)[0]:
        return "it holds a backslash, which browsers read as a slash and other programs do not. Write / or %5C."
    if not _SCHEME.match(address):
        return ""
    read, found = read_address(address), _WRITTEN_HOST.match(address)
    if read is None:
        return "no browser can read it. Correct it."
    written = found[1].lower().rstrip(".") if found else ""
    if not read.hostname or written == read.hostname.rstrip(".") or written.startswith("["):
        return ""
    if not written.isascii() and "xn--" in read.hostname:
        return ""  # a name in a language's own letters
    return f"its host {written!r} is read as {read.hostname!r}. Write it so."


def resolve(address: str, base: str = "") -> str:
    """The address that a browser would ask for, in the only form in which it is sent.

    Args:
        address: as the journey or the target wrote it.
        base: what it is relative to.

    Returns:
        The whole address.

    Raises:
        TargetError: ``egress``, when programs may read it differently.

    Example:
        >>> resolve("to/../units", "https://cad.example.org/api/")
        'https://cad.example.org/api/units'
    """
    read = read_address(address, base)
    why = odd_address(address)
    if why or read is None:
        raise TargetError("egress", why or f"The address {address!r} is none, so nothing was sent. Correct it.")
    return read.href
