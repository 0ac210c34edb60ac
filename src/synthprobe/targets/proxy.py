"""A company's proxy, through which a target is reached: its table, and what it means when it refuses."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Literal
from urllib.parse import quote, urlsplit

from msgspec import Struct

from synthprobe.mistakes import undeclared_secret
from synthprobe.records.address import shown_address
from synthprobe.targets.addresses import host_of, matches_host, normal_host


class Proxy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A proxy between the probe and a target: ``[targets.NAME.proxy]``.

    API sessions and browsers go through it, behind the wall of allowed hosts.
    """

    address: str
    bypass: tuple[str, ...] = ()
    user: str = ""
    secret: str = ""

    def wrong(self, table: str, secrets: Collection[str]) -> Iterator[tuple[str, str]]:
        """Each key that cannot be used, and why, as the rest of a sentence that begins with the file's name."""
        if why := wrong_address(self.address):
            yield "address", f"has {table}.address = {shown_address(self.address)!r}{why}"
        for host in self.bypass:
            if not normal_host(host):
                yield (
                    "bypass",
                    f"has the host {host!r} in {table}.bypass. A host name without scheme, port and path was expected, "
                    'for example "intern.example.org", or "*.example.org" for every host below it.',
                )
        if ":" in self.user or not self.user.isprintable():
            yield "user", f"has {table}.user = {self.user!r}. A name without a colon was expected."
        elif bool(self.user) != bool(self.secret):
            key, other = ("user", "secret") if self.user else ("secret", "user")
            yield key, f"has {table}.{key} and no {table}.{other}. Give both, or none when the proxy asks nobody."
        yield from undeclared_secret(self.secret, table, secrets, "PROXY_PASSWORD")

    def serves(self, url: str) -> bool:
        """Whether an address is asked for through the proxy."""
        return not any(matches_host(host_of(url), known) for known in self.bypass)

    def with_password(self, password: str) -> str:
        """The address as libraries take it, with user and password in it. Never shown."""
        if not self.user:
            return self.address
        scheme, _, place = self.address.partition("://")
        return f"{scheme}://{quote(self.user, safe='')}:{quote(password, safe='')}@{place}"


def wrong_address(address: str) -> str:
    """Why an address is not that of a proxy; empty when it is."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if "@" in address:
        return (
            ", which holds a user or password. Take it out, and write user and secret beside it: secret is the name of "
            "one of the target's secrets."
        )
    if parts.path.lower().endswith(".pac") or parts.scheme.startswith("pac"):
        return (
            ", a PAC file: a program that names a proxy for each address, so that nobody could say beforehand where "
            "journeys go. Look up which proxy it names for the target, write that address, and what it answers with "
            "DIRECT into bypass."
        )
    if parts.scheme in {"https", "socks", "socks4", "socks5", "socks5h"}:
        return f", a proxy of the kind {parts.scheme}. One for HTTP and CONNECT was expected, spoken to by http://."
    if parts.scheme != "http" or not parts.hostname or port in {None, 0} or parts.path.strip("/") or parts.query:
        return ". Scheme, host and port were expected, for example http://proxy.example.org:3128."
    return ""


class ProxyFault(Struct, frozen=True):
    """Why a request got no further than the proxy.

    Attributes:
        kind: ``proxy`` when the target was not asked, ``no connection`` when the proxy says that it cannot reach it,
            ``tls`` when the host's certificate does not hold.
        of_all: whether it holds for every host, and not only for the one that was asked for.
    """

    kind: Literal["proxy", "no connection", "tls"]
    text: str
    of_all: bool = False


def out_of_reach(proxy: Proxy, why: str) -> ProxyFault:
    """Nobody answers at the proxy's address."""
    text = (
        f"The proxy {proxy.address} cannot be reached ({why}), so the target was not asked. Look whether it runs and "
        "whether this machine may use it; its address is proxy.address of the target."
    )
    return ProxyFault("proxy", text, of_all=True)


def silent(proxy: Proxy, where: str) -> ProxyFault:
    """The proxy was asked for a connection and said nothing: it, or what is behind it, stands still."""
    text = (
        f"The proxy {proxy.address} did not answer CONNECT {where} in time, so it is not known whether the target "
        "would have. Look at the proxy's log."
    )
    return ProxyFault("proxy", text)


def unanswered(where: str, why: str) -> ProxyFault:
    """A host that is reached without the proxy, and is not."""
    return ProxyFault("no connection", f"{where}, which stands in proxy.bypass, cannot be reached ({why}).")


def broke_off(proxy: Proxy, where: str) -> ProxyFault:
    """The proxy closed the connection instead of an answer."""
    text = (
        f"The proxy {proxy.address} closed the connection instead of an answer for {where}, so it is not known whether "
        "the target was asked. Is it a proxy for HTTP and CONNECT? Look at its log."
    )
    return ProxyFault("proxy", text)


def refused(proxy: Proxy, where: str, status: int, reason: str, takes: str = "") -> ProxyFault:
    """The proxy answered itself, and not with a connection; ``takes`` is its ``Proxy-Authenticate``."""
    answer = f"{status} {reason}".strip()
    if status == 407:
        schemes = [scheme for scheme in ("Negotiate", "NTLM", "Digest") if scheme.lower() in takes.lower()]
        if schemes and "basic" not in takes.lower():
            way = (
                f"It takes {' or '.join(schemes)} only, and synthprobe sends Basic: run a proxy on this machine that "
                "signs in there, for example cntlm or px, and write its address."
            )
        elif proxy.user:
            way = f"It does not take the user {proxy.user!r} with the password that is the secret {proxy.secret!r}."
        else:
            way = "Write user and secret beside its address."
        return ProxyFault(
            "proxy", f"The proxy {proxy.address} asks for a user ({answer}), so the target was not asked. {way}", True
        )
    if status >= 500:
        return ProxyFault("no connection", f"The proxy {proxy.address} says that it cannot reach {where} ({answer}).")
    text = (
        f"The proxy {proxy.address} refuses {where} ({answer}), so the target was not asked. Have it allowed there, "
        "or, if it is reached without the proxy, add the host to proxy.bypass of the target."
    )
    return ProxyFault("proxy", text)
