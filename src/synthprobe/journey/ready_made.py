"""Ready-made looks at what stands around a system: each is one line of a journey.

They stay within the wall of allowed hosts; those by HTTP go through the target's proxy and show its client
certificates, as the session does that they are given.
"""

from __future__ import annotations

import socket
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

from synthprobe.deadlines import OverdueError, within
from synthprobe.errors import ConfigurationError, ExpectationError, TargetError
from synthprobe.journey import steps
from synthprobe.journey.api import Api
from synthprobe.journey.deadline import certificate_ends
from synthprobe.journey.response import Response
from synthprobe.records.finding import About, Contradiction, Finding, Refusal
from synthprobe.targets.addresses import host_of
from synthprobe.targets.guardrails import egress_refusal

SECURITY_HEADERS: Mapping[str, str] = {
    "strict-transport-security": "max-age=",
    "x-content-type-options": "nosniff",
    "referrer-policy": "",
}
"""Headers that a page by HTTPS should have, and what each must hold."""


def certificate_holds(api: Api, *, days: int = 21, url: str = "") -> datetime:
    """Expect that a host's certificate is good today and will be for some time.

    Args:
        api: a session with the target.
        days: how long it must hold from now on.
        url: where to look; the target's own address without it.

    Returns:
        When it ends.

    Raises:
        ExpectationError: when it ends before.
        TargetError: when it does not hold now, or the host cannot be reached.
        ConfigurationError: when the address is none of ``https://``.

    Example:
        ``def test_certificate(api): certificate_holds(api, days=30)``
    """
    place = url or api.target.base_url
    if not place.startswith("https://"):
        raise ConfigurationError(f"{place} has no certificate. An address with https:// was expected: give url.")
    answer = api.request("HEAD", place, allow_redirects=False)
    ends = certificate_ends(answer.exchange.url)
    if ends is None:
        raise TargetError("tls", f"{place} showed no certificate that was checked. Remove tls_verify = false.")
    left = ends - datetime.now(UTC)
    if left < timedelta(days=days):
        got = f"one that ends on {ends:%Y-%m-%d}, in {left.days} days"
        _contradicted("header", f"a certificate that holds for {days} days", got, place)
    return ends


def redirects_to_https(api: Api, *, url: str = "") -> Response:
    """Expect that whoever comes by ``http://`` is sent on to ``https://`` of the same host.

    Args:
        api: a session with the target.
        url: where to look; the target's own host at port 80 without it.

    Returns:
        The answer that sends on.

    Raises:
        ExpectationError: when it answers otherwise.
        TargetError: when it cannot be reached.

    Example:
        ``def test_http_is_sent_on(api): redirects_to_https(api)``
    """
    host = urlsplit(api.target.base_url).hostname or ""
    place = url or f"http://{f'[{host}]' if ':' in host else host}/"
    answer = api.get(place, allow_redirects=False)
    to = urljoin(place, answer.headers.get("location", ""))
    is_sent_on = answer.status in {301, 302, 307, 308} and to.startswith("https://")
    if not is_sent_on or host_of(to) != host_of(place):
        got = f"status {answer.status}" + (f" to {to}" if answer.headers.get("location") else "")
        _contradicted("header", f"a redirect to https://{host_of(place)}", got, place, answer.status)
    return answer


def has_security_headers(api: Api, path: str = "/", *, headers: Mapping[str, str] = SECURITY_HEADERS) -> Response:
    """Expect the headers by which a site tells browsers to be careful.

    Args:
        api: a session with the target.
        path: the page to look at.
        headers: names in lower case, and what each must hold; ``""`` for anything.

    Returns:
        The answer.

    Raises:
        ExpectationError: with each header that is missing or holds something else.
        TargetError: when it cannot be reached.

    Example:
        ``def test_headers(api): has_security_headers(api, "/login")``
    """
    answer = api.get(path)
    wrong = [
        f"{name}: {answer.headers.get(name) or 'missing'}"
        for name, part in headers.items()
        if part.lower() not in answer.headers.get(name, "").lower() or not answer.headers.get(name)
    ]
    if wrong:
        wanted = ", ".join(f"{name} with {part!r}" if part else name for name, part in headers.items())
        _contradicted(
            "header", f"a page with the headers {wanted}", "; ".join(wrong), answer.exchange.url, answer.status
        )
    return answer


def resolves(api: Api, host: str = "", *, to: Collection[str] = ()) -> tuple[str, ...]:
    """Expect that a name has addresses, as this machine's resolver knows it.

    Args:
        api: a session with the target.
        host: an allowed host; the target's own without it.
        to: addresses, one of which each answer must be; any will do without.

    Returns:
        The addresses.

    Raises:
        ExpectationError: when there is another address.
        TargetError: when the name is not known, or is not answered in time.
        ConfigurationError: when it may not be asked for, or the target's proxy resolves the name and this machine
            does not.

    Example:
        ``def test_name(api): resolves(api, to=["192.0.2.7"])``
    """
    name, _ = _direct(api, host, 443)
    try:
        with _looked(f"{name} resolves"):
            found = within(
                api.target.timeout_s, f"The name {name}", lambda: socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
            )
    except (socket.gaierror, OverdueError) as error:
        why = "is not answered in time" if isinstance(error, OverdueError) else "is not known here"
        raise TargetError("dns", f"The name {name} {why}.", _refusal("dns", name)) from None
    addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
    if to and set(addresses) - set(to):
        _contradicted("fields", f"only {', '.join(to)} of {name}", ", ".join(addresses), f"dns:{name}")
    return addresses


def accepts_connections(api: Api, port: int, *, host: str = "") -> None:
    """Expect that something listens at a port (TCP).

    Args:
        api: a session with the target.
        port: the port.
        host: an allowed host; the target's own without it.

    Raises:
        TargetError: when the connection is refused, or not made in time.
        ConfigurationError: when it may not be made, or the host is behind the target's proxy.

    Example:
        ``def test_mail_is_taken(api): accepts_connections(api, 25)``
    """
    name, place = _direct(api, host, port)
    try:
        with _looked(f"{place} takes connections"):
            socket.create_connection((name, port), timeout=api.target.timeout_s).close()
    except OSError as error:
        kind = "refused" if isinstance(error, ConnectionRefusedError) else "no connection"
        kind = "dns" if isinstance(error, socket.gaierror) else kind
        why = f"{place} takes no connection: {error.strerror or error}."
        raise TargetError(kind, why, _refusal(kind, place)) from None


def domain_holds(api: Api, domain: str, *, rdap: str, days: int = 30) -> datetime:
    """Expect that a domain is registered for some time, as its registry says (RDAP).

    Args:
        api: a session with the target, which must allow the registry's host.
        domain: the registered domain, for example ``example.org``.
        rdap: the registry's service, up to before ``/domain/``.
        days: how long it must be registered from now on.

    Returns:
        When it ends.

    Raises:
        ExpectationError: when it ends before, or the registry does not say when.
        TargetError: when the registry cannot be reached.
        ConfigurationError: when it is not allowed.

    Example:
        ``def test_domain(api): domain_holds(api, "example.org", rdap="https://rdap.example.net")``
    """
    answer = api.get(f"{rdap.rstrip('/')}/domain/{domain}").expect(200)
    events = answer.json.get("events", ()) if isinstance(answer.json, dict) else ()
    dates = [event.get("eventDate", "") for event in events if event.get("eventAction") == "expiration"]
    try:
        ends = datetime.fromisoformat(dates[0])
    except (IndexError, ValueError):
        _contradicted("json", "an event with the action expiration and its date", "none", answer.exchange.url, 200)
    left = ends - datetime.now(UTC)
    if left < timedelta(days=days):
        got = f"one that ends on {ends:%Y-%m-%d}, in {left.days} days"
        _contradicted("header", f"a domain that is registered for {days} days", got, answer.exchange.url, 200)
    return ends


def _direct(api: Api, host: str, port: int) -> tuple[str, str]:
    """A host that is asked without HTTP: allowed, and not behind a proxy."""
    name = host or urlsplit(api.target.base_url).hostname or ""
    place = f"{f'[{name}]' if ':' in name else name}:{port}"
    if why := egress_refusal(api.target, f"http://{place}/"):
        raise ConfigurationError(why)
    proxy = api.target.proxy
    if proxy is not None and proxy.serves(f"http://{place}/"):
        raise ConfigurationError(
            f"{name} is reached through the target's proxy, so this machine neither resolves it nor connects to it. "
            "Look at it by api.get or certificate_holds, or add it to proxy.bypass."
        )
    api.guard.pace_request()
    return host_of(f"http://{place}/"), place


def _looked(title: str) -> AbstractContextManager[None]:
    """A step of the running journey, if one runs."""
    return steps.step(title) if steps.current() else nullcontext()


def _refusal(kind: str, place: str) -> Finding:
    return Finding(refusal=Refusal(kind=kind, url=f"tcp://{place}"))


def _contradicted(about: About, expected: str, got: str, url: str, status: int = 0) -> NoReturn:
    found = Contradiction(about=about, expected=expected, got=got, method="GET", url=url, status=status)
    text = f"{url}: {expected} was expected, got {got}."
    raise ExpectationError(text, finding=Finding(contradiction=found))
