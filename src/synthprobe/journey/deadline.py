"""A requests adapter whose deadline bounds the whole call: connecting, headers, body and redirects.

requests' own timeout bounds one socket read, so a server that sends a byte now and then holds a call for ever.
Here a timer shuts the call's socket down when its time is up. All that knows the inside of requests and urllib3 is in
this file.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util.connection import allowed_gai_family, create_connection
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

from synthprobe.deadlines import OverdueError, within
from synthprobe.errors import ConfigurationError, TargetError
from synthprobe.journey.clock import monotonic
from synthprobe.journey.trust import like_browsers
from synthprobe.records.journey import duration_s

TRIED = "requests>=2.32,<3"

NEXT_ADDRESS_S = 0.25
"""Seconds after which the next address of a host is tried as well, as RFC 8305 (Happy Eyeballs) has it."""

Phase = Literal["connecting", "tunnel", "handshake", "answer"]
_RESOLVING_S = 30.0
_calls = threading.local()


_certificates: dict[tuple[str, int], datetime] = {}


def certificate_ends(url: str) -> datetime | None:
    """When the certificate ends that was shown for an address at the newest connection."""
    place = urlsplit(url)
    return _certificates.get((place.hostname or "", place.port or 443))


class Deadline:
    """The time one call has in all."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.expired = False
        self.addresses: tuple[str, ...] = ()
        self.status = 0
        self._has_answered = False
        self.is_noted = False
        """Whether what is sent is to be noted as what another client sends; an `Api` records it itself."""
        self._began = monotonic()
        self.enters("connecting")
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def left_s(self) -> float:
        """Seconds left, never below a millisecond."""
        return max(self._began + self.limit_s - monotonic(), 0.001)

    @property
    def used_up_by(self) -> Phase:
        """What the time went by with: a connection that slow redirects left no time for is not what took it."""
        took_long = monotonic() - self._phase_began > self.limit_s / 2
        return "answer" if self._has_answered and not took_long else self.phase

    def enters(self, phase: Phase) -> None:
        """Name what is waited for from now on."""
        self.phase, self._phase_began = phase, monotonic()

    def answered(self, status: int) -> None:
        """The head of an answer came."""
        self.status = status
        self._has_answered = True

    def guards(self, sock: socket.socket | None) -> None:
        """Name the socket that is shut down at the deadline."""
        with self._lock:
            self._socket = sock
            if self.expired:
                self._shut()

    def expire(self) -> None:
        """The time is up."""
        with self._lock:
            self.expired = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):  # it has ended by itself
                self._socket.shutdown(socket.SHUT_RDWR)


def current_deadline() -> Deadline | None:
    """The deadline of the call that the current thread makes, if it makes one."""
    return getattr(_calls, "deadline", None)


def limit_of(timeout: object, otherwise_s: float) -> float:
    """Seconds a call may take in all."""
    parts = timeout if isinstance(timeout, (tuple, list)) else (timeout,)
    try:
        given = [duration_s(part) for part in parts if part is not None]
        if len(parts) > 2:
            raise ValueError(f"{timeout!r} has {len(parts)} parts; one duration or two were expected.")
    except ValueError as error:
        raise ConfigurationError(f"timeout cannot be used: {error}") from None
    return sum(given) if given and len(given) == len(parts) else otherwise_s


@contextmanager
def deadline(limit_s: float) -> Iterator[Deadline]:
    """Bound all that the current thread sends through a `BoundedAdapter`."""
    bound = Deadline(limit_s)
    timer = threading.Timer(limit_s, bound.expire)
    timer.daemon = True
    timer.start()
    _calls.deadline = bound
    try:
        yield bound
    finally:
        timer.cancel()
        _calls.deadline = None


@contextmanager
def bounded_session(limit_s: float, max_bytes: int = 1_000_000) -> Iterator[requests.Session]:
    """A session for a few calls that must end in time, whatever the other side does."""
    with requests.Session() as session, deadline(limit_s):
        for scheme in ("http://", "https://"):
            session.mount(scheme, BoundedAdapter(max_bytes))
        yield session


class _Guarded(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        bound = current_deadline()
        if bound is not None:
            bound.enters("connecting")
            bound.addresses = ()
        try:
            found = within(bound.left_s if bound is not None else _RESOLVING_S, f"The name {self.host}", self._resolve)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except OverdueError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        limit_s = bound.left_s if bound is not None else self.timeout
        if bound is not None:
            bound.addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
        try:
            sock = _connect(found, limit_s, self.socket_options)
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"No connection to {self.host} within {limit_s} s") from error
        except OSError as error:
            raise NewConnectionError(self, f"Failed to establish a new connection: {error}") from error
        if bound is not None:
            bound.enters("handshake" if isinstance(self, HTTPSConnection) else "answer")
            bound.guards(sock)  # before a TLS handshake, which can drip as well
        return sock

    def _resolve(self) -> list[Any]:
        return socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)

    def request(self, *args: Any, **kwargs: Any) -> None:
        bound = current_deadline()
        if bound is not None and self.sock is not None:
            bound.enters("answer")
            bound.guards(self.sock)
        super().request(*args, **kwargs)
        if bound is not None:
            bound.enters("answer")
            bound.guards(self.sock)


def _connect(found: Sequence[Any], limit_s: float | None, options: Any) -> socket.socket:
    """A connection to whichever address answers first; one that swallows connections does not hold up the next."""
    if len({address for *_, address in found}) == 1:
        return create_connection(found[0][4][:2], limit_s, socket_options=options)
    with ThreadPoolExecutor(max_workers=1) as beside:  # Playwright's loop may run in this thread
        sock = beside.submit(asyncio.run, _first(found, limit_s)).result()
    sock.settimeout(limit_s)
    for option in options or ():
        sock.setsockopt(*option)
    return sock


async def _first(found: Sequence[Any], limit_s: float | None) -> socket.socket:
    from aiohappyeyeballs import start_connection  # hosts with one address need it not

    async with asyncio.timeout(limit_s):
        return await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_S, interleave=1)


class _GuardedTLS(_Guarded, HTTPSConnection):
    def connect(self) -> None:
        """Trust what a browser trusts."""
        own = self.ssl_context or create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs))
        self.ssl_context = like_browsers(own)
        super().connect()
        shown: Any = self.sock.getpeercert() if isinstance(self.sock, ssl.SSLSocket) else None
        if shown:  # one that was checked
            host, port = self._tunnel_host or self.host, self._tunnel_port or self.port
            _certificates[host, port] = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)

    def _tunnel(self) -> None:
        """Ask a proxy for a connection to the host."""
        if (bound := current_deadline()) is not None:
            bound.enters("tunnel")
        super()._tunnel()
        if bound is not None:
            bound.enters("handshake")


class _GuardedPool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _GuardedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


_POOLS: Any = {"http": _GuardedPool, "https": _GuardedTLSPool}


class BoundedAdapter(HTTPAdapter):
    """Sends within the current deadline, and reads at most so many decoded bytes."""

    listens = False
    """Whether what came until the deadline is the whole answer, as of a stream that never ends."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that the deadline can shut down."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> urllib3.ProxyManager:
        """Use such connections behind a proxy as well."""
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Send one request and read its whole body."""
        bound = current_deadline()
        if bound is not None:
            kwargs["timeout"] = bound.left_s
        kwargs["stream"] = True
        response = super().send(request, **kwargs)
        if bound is not None:
            bound.answered(response.status_code)
        chunks: list[bytes] = []
        size = 0
        try:
            for chunk in response.raw.stream(65536, decode_content=True):
                size += len(chunk)
                if size > self.max_bytes:
                    raise TargetError(
                        "too large",
                        f"{request.method} {request.url} answered with more than {self.max_bytes / 1e6:g} MB after "
                        "decoding, so it was not read on. Raise max_body_mb of the target if that is right.",
                    )
                chunks.append(chunk)
        except urllib3.exceptions.HTTPError as error:
            silent = isinstance(error, urllib3.exceptions.ReadTimeoutError)  # the socket's own clock may be first
            if not (self.listens and bound is not None and (bound.expired or silent)):
                raise requests.exceptions.ChunkedEncodingError(error, request=request, response=response) from error
        except BaseException:
            response.close()
            raise
        finally:
            response.raw.release_conn()
        if bound is not None and bound.expired and not (self.listens and chunks):
            # a header that was cut off looks like a complete answer to http.client
            raise requests.exceptions.ReadTimeout(request=request)
        response._content = b"".join(chunks)
        response._content_consumed = True  # type: ignore[attr-defined]
        return response
