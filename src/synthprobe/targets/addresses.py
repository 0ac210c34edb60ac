"""Addresses read as browsers read them (WHATWG URL), so that Python and the browser never disagree about a host."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from synthprobe.errors import ConfigurationError, TargetError

if TYPE_CHECKING:
    from can_ada import URL

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
"""Names of this machine, of which it is not to be seen which one a system was started with."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_WRITTEN_HOST = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/*(?:[^/?#]*@)?(\[[^]/?#]*\]|[^/?#:]*)(?::\d*)?(?:[/?#]|$)")
_IPV6 = re.compile(r"[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+")
_ENCODED_DELIMITER = re.compile(r"%(2f|5c|2e|3b|00|25)|;", re.IGNORECASE)


def read_address(address: str, base: str = "") -> URL | None:
    """An address in its parts."""
    from can_ada import parse  # collecting journeys needs no addresses

    try:
        return parse(base) + address if base else parse(address)
    except (ValueError, TypeError):  # the latter for half a letter
        return None


def host_of(url: str) -> str:
    """The host of an address as it is compared: as browsers write it, without port, brackets and trailing dot."""
    read = read_address(url)
    return read.hostname.lower().strip("[]").rstrip(".") if read else ""


@cache
def normal_host(pattern: str) -> str:
    """A host, or ``*.`` and a host, in the one form in which hosts are compared; empty when it is none."""
    star, host = ("*.", pattern[2:]) if pattern.startswith("*.") else ("", pattern)
    bare = host.strip("[]") if host.startswith("[") else host
    if not bare or re.search(r"[\s/?#@\\%*]", bare) or (":" in bare and not _IPV6.fullmatch(bare)):
        return ""
    written = f"http://{f'[{bare}]' if ':' in bare else bare}/"
    return "" if odd_address(written) or not host_of(written) else star + host_of(written)


def matches_host(host: str, pattern: str) -> bool:
    """Whether a host, as `host_of` gives it, is that of a configured pattern, or below it."""
    known = normal_host(pattern)
    return host.endswith(known[1:]) if known.startswith("*.") else host == known


def origin_of(url: str) -> str:
    """Scheme, host and port of an address."""
    read = read_address(url)
    if read is None or not read.hostname:
        return ""
    return f"{read.protocol}//{read.host}" if read.origin == "null" else read.origin


def is_at(url: str, site: str) -> bool:
    """Whether an address leads to host and port of a site, by whatever protocol, where it is no HTTP."""
    read, own = read_address(url), read_address(site)
    if read and own and read.protocol == "tcp:":
        url = f"{own.protocol}//{read.host}"
    if read and own and is_own_machine(url) and is_own_machine(site):
        return (read.protocol, read.port) == (own.protocol, own.port)
    return origin_of(url) == origin_of(site)


def is_own_machine(url: str) -> bool:
    """Whether an address is of the machine that asks."""
    return host_of(url) in LOOPBACK


def is_of_site(url: str, site: str) -> bool:
    """Whether an address is of the site of another one: the same domain, or the same host where it has no name."""
    if is_own_machine(url) and is_own_machine(site):
        return True
    host, own = host_of(url), host_of(site)
    named = not re.fullmatch(r"[\d.]+|[0-9a-f:]*:[0-9a-f:.]*", own)
    return host == own or (named and host.split(".")[-2:] == own.split(".")[-2:])


def other_place(url: str, site: str) -> str:
    """Host and port of an address, where they are not those of a site; empty where either is not known."""
    read, own = read_address(url), read_address(site)
    if not (read and own and read.hostname and own.hostname):
        return ""
    return "" if (host_of(url), read.port) == (host_of(site), own.port) else read.host


def path_of(url: str) -> str:
    """The path of an address, with dots resolved."""
    read = read_address(url)
    return read.pathname if read else ""


def is_plain_path(path: str) -> bool:
    """Whether a path means the same to every server: some decode a slash or a dot once more, or cut at a semicolon."""
    return not _ENCODED_DELIMITER.search(path)


def odd_address(address: str) -> str:
    """Why programs may read an address differently, so that nothing should be sent there."""
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
    """The address that a browser would ask for, in the only form in which it is sent."""
    read = read_address(address, base)
    why = odd_address(address)
    if why or read is None:
        raise ConfigurationError(why or f"The address {address!r} is none, so nothing was sent. Correct it.")
    return read.href


def led_to(location: str, asked: str) -> str:
    """Where an answer to that address leads."""
    try:
        return resolve(location, asked)
    except ConfigurationError as error:
        raise TargetError("egress", f"{asked} was redirected. {error}") from None
