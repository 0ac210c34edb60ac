"""A requests adapter whose deadline bounds the whole call: connecting, headers, body and redirects.

requests' own timeout bounds one socket read, so a server that sends a byte now and then holds a call for ever.
Here a timer shuts the call's socket down when its time is up.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from synthprobe.errors import TargetError

_calls = threading.local()


class Deadline:
    """The time one call has in all.

    Args:
        limit_s: seconds.
    """

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.expired = False
        self._ends = time.monotonic() + limit_s
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def left_s(self) -> float:
        """Seconds left, never below a millisecond."""
        return max(self._ends - time.monotonic(), 0.001)

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


@contextmanager
def deadline(limit_s: float) -> Iterator[Deadline]:
    """Bound all that the current thread sends through a `BoundedAdapter`.

    Args:
        limit_s: seconds.

    Yields:
        The deadline, to ask whether it expired.
    """
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
    """A session for a few calls that must end in time, whatever the other side does.

    Args:
        limit_s: seconds for all calls together.
        max_bytes: bytes of an answer that are read.

    Yields:
        The session.
    """
    with requests.Session() as session, deadline(limit_s):
        for scheme in ("http://", "https://"):
            session.mount(scheme, BoundedAdapter(max_bytes))
        yield session


def _guard(connection: Any) -> None:
    bound: Deadline | None = getattr(_calls, "deadline", None)
    if bound is not None:
        bound.guards(connection.sock)


class _Guarded(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        sock = super()._new_conn()
        if bound := getattr(_calls, "deadline", None):
            bound.guards(sock)  # before a TLS handshake, which can drip as well
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            _guard(self)
        super().request(*args, **kwargs)
        _guard(self)


class _GuardedTLS(_Guarded, HTTPSConnection):
    pass


class _GuardedPool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _GuardedTLSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedTLS


class BoundedAdapter(HTTPAdapter):
    """Sends within the current deadline, and reads at most so many decoded bytes.

    Args:
        max_bytes: bytes of the decoded body that are read before the call is given up.
    """

    listens = False
    """Whether what came until the deadline is the whole answer, as of a stream that never ends."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use connections that the deadline can shut down."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedPool, "https": _GuardedTLSPool}

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """Send one request and read its whole body.

        Raises:
            TargetError: ``too large`` when the body is over the cap.
        """
        bound: Deadline | None = getattr(_calls, "deadline", None)
        if bound is not None:
            kwargs["timeout"] = bound.left_s
        kwargs["stream"] = True
        response = super().send(request, **kwargs)
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
            if not (self.listens and bound is not None and bound.expired):
                raise requests.exceptions.ChunkedEncodingError(error, request=request) from error
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
