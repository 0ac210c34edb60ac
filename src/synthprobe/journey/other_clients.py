"""What is answered to clients that are not ours, such as Playwright's, requests and httpx: evidence as the API's is."""

from __future__ import annotations

import re
import sys
from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from synthprobe.evidence.exchanges import record_exchange
from synthprobe.evidence.reasons import cut_off, status_raised, way_of
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey import steps
from synthprobe.journey.clock import monotonic
from synthprobe.journey.guard import Guard
from synthprobe.journey.recorder import Noted
from synthprobe.records.evidence import Exchange

if TYPE_CHECKING:
    import aiohttp
    import httpx
    import requests

_TEXT = re.compile(r"^$|^text/|json|xml", re.IGNORECASE)
_LARGEST = 200_000
_REFUSED = 400


class Asked:
    """A request that another client sends: what comes of it is noted, and recorded only if somebody wants to know."""

    def __init__(
        self, method: str, url: str, headers: Mapping[str, str], body: Any, *, began: float | None = None
    ) -> None:
        sent = body if isinstance(body, (bytes, str)) else None
        self._began = monotonic() if began is None else began
        self._noted: Noted | None = None
        self._known: dict[str, Any] = {
            "method": method,
            "url": url,
            "request_headers": dict(headers),
            "request_body": sent[:_LARGEST] if sent else None,
            "traceparent": next((value for name, value in headers.items() if name.lower() == "traceparent"), ""),
        }

    def answered(self, status: int, headers: Mapping[str, str], body: Callable[[], bytes], error: str = "") -> None:
        """Note an answer, or with status 0 that none came; ``body`` is read where it is text and came whole.

        Called again, for example once the body was read, it says more of the same answer.
        """
        content = body() if not error and _TEXT.search(_kind(headers)) else b""
        if (recorder := steps.current()) is None:
            return
        took_s = monotonic() - self._began
        known = {
            **self._known,
            "started_at": recorder.clock.now() - timedelta(seconds=took_s),
            "duration_ms": took_s * 1000,
            "status": status,
            "response_headers": dict(headers),
            "response_body": content if len(content) <= _LARGEST else b"",
            "error": error,
        }
        if self._noted is None:
            self._noted = partial(record_exchange, step=recorder.path)
            recorder.noted.append(self._noted)
        self._noted.keywords.update(known)


class OtherClients:
    """Notes what is asked by the clients that somebody has loaded, and holds it to `Guard.check_change`."""

    def __init__(self, guard: Guard) -> None:
        self._guard, self._noting, self._heard = guard, ExitStack(), set[str]()
        self.close = self._noting.close

    def hear(self) -> None:
        """Listen to those that were loaded since."""
        for name in _CLIENTS.keys() & sys.modules.keys() - self._heard:
            self._heard.add(name)
            self._noting.enter_context(_CLIENTS[name](self._guard))


@contextmanager
def _noting_requests(guard: Guard) -> Iterator[None]:
    """Note what is asked by requests itself, and not what is recorded where it is sent."""
    import requests

    from synthprobe.journey.deadline import current_deadline

    send = requests.Session.send
    open_answers = WeakKeyDictionary[requests.Response, Asked]()

    def noted(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        bound = current_deadline()
        if steps.current() is None or (bound is not None and not bound.is_noted):
            return send(self, request, **options)
        if bound is None:  # a session of ours is held to its own target
            guard.check_change(request.method or "", request.url or "", request.headers, request.body)
        asked = Asked(request.method or "", request.url or "", request.headers, request.body)

        def begun(got: requests.Response, **_: Any) -> None:
            if got.request is request:  # the hops behind it are noted as they are sent
                asked.answered(got.status_code, got.headers, bytes)
                open_answers[got] = asked

        streams, answer = options.pop("stream", self.stream), None
        request.register_hook("response", begun)  # type: ignore[no-untyped-call]
        try:
            answer = send(self, request, stream=True, **options)
            content = b"" if streams else answer.content
        except requests.RequestException as error:
            error.response = got = answer if error.response is None else error.response
            error.request = error.request or (request if got is None else got.request)
            hop = asked if error.request is request else open_answers.get(got) if got is not None else None
            if hop is not None:
                status, headers = (0, {}) if got is None else (got.status_code, got.headers)
                hop.answered(status, headers, bytes, _why(error))
            raise
        except BaseException as error:  # the journey's deadline, most of all
            if answer is None:
                asked.answered(0, {}, bytes, _why(error))
            raise
        finally:
            request.deregister_hook("response", begun)  # type: ignore[no-untyped-call]
        if not streams and answer in open_answers:
            open_answers[answer].answered(answer.status_code, answer.headers, lambda: content)
        return answer

    with _in_place(requests.Session, send=noted):
        yield


@contextmanager
def _noting_httpx(guard: Guard) -> Iterator[None]:
    """Note each hop where httpx sends it, so that what a journey answers itself, by a transport of its own, is none."""
    import httpx

    send, send_async = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request
    read, read_async = httpx.Response.read, httpx.Response.aread
    open_answers = WeakKeyDictionary[httpx.Response, Asked]()

    @contextmanager
    def asking(request: httpx.Request) -> Iterator[Callable[[httpx.Response], httpx.Response]]:
        try:
            body = request.content
        except httpx.RequestNotRead:  # it is a stream
            body = b""
        if steps.current() is not None:
            guard.check_change(request.method, str(request.url), request.headers, body)
        asked = Asked(request.method, str(request.url), request.headers, body)

        def begun(answer: httpx.Response) -> httpx.Response:
            asked.answered(answer.status_code, answer.headers, bytes)
            open_answers[answer] = asked
            return answer

        try:
            yield begun
        except CancelledError as error:
            if (ended := _ended_by(error)) is not None:
                asked.answered(0, {}, bytes, _why(ended))
            raise
        except BaseException as error:  # the journey's deadline, too
            asked.answered(0, {}, bytes, _why(error))
            raise

    @contextmanager
    def reading(answer: httpx.Response) -> Iterator[Callable[[bytes], bytes]]:
        asked = open_answers.get(answer)

        def whole(content: bytes) -> bytes:
            if asked is not None:
                asked.answered(answer.status_code, answer.headers, lambda: content)
            return content

        try:
            yield whole
        except httpx.RequestError as error:
            error.response = answer  # type: ignore[attr-defined]
            if asked is not None:
                asked.answered(answer.status_code, answer.headers, bytes, _why(error))
            raise

    def noted(self: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        with asking(request) as begun:
            return begun(send(self, request))

    async def noted_async(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        with asking(request) as begun:
            return begun(await send_async(self, request))

    def noted_read(self: httpx.Response) -> bytes:
        with reading(self) as whole:
            return whole(read(self))

    async def noted_read_async(self: httpx.Response) -> bytes:
        with reading(self) as whole:
            return whole(await read_async(self))

    with (
        _in_place(httpx.HTTPTransport, handle_request=noted),
        _in_place(httpx.AsyncHTTPTransport, handle_async_request=noted_async),
        _in_place(httpx.Response, read=noted_read, aread=noted_read_async),
    ):
        yield


@contextmanager
def _noting_aiohttp(guard: Guard) -> Iterator[None]:
    """Note each hop by what aiohttp traces, and what its answers hold once they are read."""
    import aiohttp

    begin, read = aiohttp.ClientSession.__init__, aiohttp.ClientResponse.read
    open_answers = WeakKeyDictionary[aiohttp.ClientResponse, Asked]()

    async def begun(_session: object, flow: SimpleNamespace, sent: aiohttp.TraceRequestStartParams) -> None:
        if steps.current() is not None:
            guard.check_change(sent.method, str(sent.url), sent.headers)
        flow.began, flow.body = monotonic(), b""

    async def sending(_session: object, flow: SimpleNamespace, sent: aiohttp.TraceRequestChunkSentParams) -> None:
        flow.body += sent.chunk[: _LARGEST - len(flow.body)]

    async def answered(
        _session: object,
        flow: SimpleNamespace,
        got: aiohttp.TraceRequestEndParams | aiohttp.TraceRequestRedirectParams,
    ) -> None:
        answer = got.response
        asked = Asked(answer.method, str(answer.url), answer.request_info.headers, flow.body, began=flow.began)
        asked.answered(answer.status, answer.headers, bytes)
        open_answers[answer] = asked
        flow.began, flow.body = monotonic(), b""

    async def broken(_session: object, flow: SimpleNamespace, got: aiohttp.TraceRequestExceptionParams) -> None:
        error = got.exception
        if isinstance(error, CancelledError) and (ended := _ended_by(error)) is not None:
            asked = Asked(got.method, str(got.url), got.headers, flow.body, began=flow.began)
            asked.answered(0, {}, bytes, _why(ended))
        if isinstance(error, (aiohttp.ClientError, TimeoutError)) and way_of(error) != "redirects":  # it was answered
            error.request = got  # type: ignore[union-attr]
            answered = status_raised(error)
            asked = Asked(got.method, str(got.url), got.headers, flow.body, began=flow.began)
            asked.answered(
                answered.status if answered else 0, getattr(error, "headers", None) or {}, bytes, _why(error)
            )

    tracing = aiohttp.TraceConfig()
    tracing.on_request_start.append(begun)
    tracing.on_request_chunk_sent.append(sending)
    tracing.on_request_redirect.append(answered)
    tracing.on_request_end.append(answered)
    tracing.on_request_exception.append(broken)

    def noted(self: aiohttp.ClientSession, *args: Any, **options: Any) -> None:
        begin(self, *args, **{**options, "trace_configs": [*(options.get("trace_configs") or ()), tracing]})

    async def noted_read(self: aiohttp.ClientResponse) -> bytes:
        asked = open_answers.get(self)
        try:
            content = await read(self)
        except (aiohttp.ClientError, TimeoutError) as error:
            error.request, error.response = self.request_info, self  # type: ignore[union-attr]
            if asked is not None:
                asked.answered(self.status, self.headers, bytes, _why(error))
            raise
        if asked is not None:
            asked.answered(self.status, self.headers, lambda: content)
        return content

    with _in_place(aiohttp.ClientSession, __init__=noted), _in_place(aiohttp.ClientResponse, read=noted_read):
        yield


def recorded(noted: Iterable[Noted], redactor: Redactor, *, well: bool = True) -> list[Exchange]:
    """Record what was noted, all secrets learned first; unless ``well``, without bodies of answers that were well."""
    kept = [note if well or note.keywords["status"] >= _REFUSED else partial(note, response_body=b"") for note in noted]
    for known in (note.keywords for note in kept):
        sent, got, body = known["request_headers"], known["response_headers"], known["request_body"] or b""
        redactor.learn_from_request_headers(sent)
        redactor.learn_from_address(known["url"])
        redactor.learn_from_body(body.encode() if isinstance(body, str) else body, _kind(sent))
        redactor.learn_from_response_headers(got)
        redactor.learn_from_body(known["response_body"], _kind(got), known["url"])
    return [note(redactor) for note in kept]


@contextmanager
def _in_place(owner: type, **methods: Any) -> Iterator[None]:
    """These methods stand in the place of a class's own."""
    own = {name: getattr(owner, name) for name in methods}
    for name, method in methods.items():
        setattr(owner, name, method)
    try:
        yield
    finally:
        for name, method in own.items():
            setattr(owner, name, method)


def _ended_by(cancelled: CancelledError) -> BaseException | None:
    """What ended the journey, and so every task of its loop; nothing where another task met something."""
    error: BaseException | None = cancelled
    while isinstance(error, CancelledError):
        error = error.__context__
    return None if isinstance(error, Exception) else error


def _why(error: BaseException) -> str:
    return cut_off(error) or str(error) or type(error).__name__


def _kind(headers: Mapping[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "content-type"), "")


_CLIENTS = {"requests": _noting_requests, "httpx": _noting_httpx, "aiohttp": _noting_aiohttp}
"""How each client is listened to, by the name of its module; none is loaded for it."""
