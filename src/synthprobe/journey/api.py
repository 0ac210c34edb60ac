"""API journeys: a requests session of the target whose every exchange is recorded."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any, Protocol

import requests
import urllib3

from synthprobe import words
from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ConfigurationError, TargetError
from synthprobe.evidence.exchanges import record_exchange
from synthprobe.evidence.failure import certificate_fault
from synthprobe.evidence.reasons import cut_off, lacking, way_of
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey import steps
from synthprobe.journey.clock import SteadyClock, monotonic
from synthprobe.journey.deadline import Deadline, deadline, limit_of
from synthprobe.journey.freshness import Freshness, freshness
from synthprobe.journey.guard import Guard
from synthprobe.journey.response import Response, answer_of
from synthprobe.journey.session import GuardedSession
from synthprobe.journey.steps import correlation_headers, same_host
from synthprobe.mistakes import nearest
from synthprobe.records.evidence import Exchange
from synthprobe.records.finding import Finding, Refusal
from synthprobe.targets.addresses import resolve
from synthprobe.targets.authorities import own_authorities
from synthprobe.targets.guardrails import synthetic_headers
from synthprobe.targets.secrets import Credentials
from synthprobe.targets.target import Target

MAX_REDIRECTS = 10
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[/\\\\]")
_PREPARED = ("params", "json", "data", "files", "auth", "cookies")
_SENT = ("verify", "cert")
_READ_WHOLE = ("stream",)
_HEARD = ("hooks",)


class Api:
    """A session with the target: relative paths, one deadline a call, every exchange recorded.

    Args:
        target: where to send.
        redactor: masks what is recorded, and learns the session's own tokens.
        exchanges: the list each exchange is added to.
        guard: holds it to the target's guardrails; one of its own without it.
        credentials: what is shown on the way: to a door in front of the target (at its own origin only), to its proxy.

    Example:
        ``api.get("/api/incidents/7").expect(200).json_has(status="Active")``
    """

    def __init__(
        self,
        target: Target,
        redactor: Redactor,
        exchanges: list[Exchange] | None = None,
        guard: Guard | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.target = target
        self.exchanges: list[Exchange] = [] if exchanges is None else exchanges
        self.guard = guard or Guard(target)
        shown = credentials or Credentials(authorities=own_authorities(target, ENVIRONMENT))
        self.session = GuardedSession(self.guard, shown)
        self.session.verify = target.tls_verify
        self.session.headers["User-Agent"] = f"{requests.utils.default_user_agent()} {target.user_agent}".rstrip()
        self.session.headers.update(synthetic_headers())
        self._redactor = redactor
        self._door = ""
        for secret in shown.secrets:
            redactor.add(secret)
        if shown.door is not None:
            user, password = shown.door
            self._door = f"Basic {b64encode(f'{user}:{password.reveal()}'.encode()).decode()}"
        self._own_clock = SteadyClock()

    def get(self, path: str, **options: Any) -> Response:
        """Send a GET; see `request`."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        """Send a POST; see `request`."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Response:
        """Send a PUT; see `request`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Response:
        """Send a PATCH; see `request`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Response:
        """Send a DELETE; see `request`."""
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        timeout: str | float | tuple[Any, Any] | None = None,
        allow_redirects: bool = True,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Response:
        """Send a request and read the whole answer.

        Args:
            method: HTTP method.
            path: relative to the target's base URL, or absolute.
            timeout: how long the call may take in all, redirects and body included; the target's own without it. Of two
                durations, as requests takes them for connecting and for the answer, it is the sum.
            allow_redirects: whether redirects are followed, each hop recorded.
            headers: more headers.
            options: ``params``, ``json``, ``data``, ``files``, ``auth``, ``cookies``, ``hooks``, ``verify``, ``cert``
                as in requests. ``stream`` changes nothing, an answer is always read whole; ``proxies`` are refused.

        Returns:
            The answer, with expectations.

        Raises:
            TargetError: when the target cannot be reached, breaks the protocol, takes too long, or leads to a host
                that is not allowed.
            ConfigurationError: when the journey asks for such a host itself, when the target is read-only and the
                journey declares no change, or when an option cannot be used.
        """
        _check_options(options)
        url = self._address(path)
        recorder = steps.current()
        ours = correlation_headers(recorder, own=same_host(url, self.target.base_url))
        traceparent = ours.get("traceparent", "")
        self._redactor.own(ours.values())  # which the target may give back as if it were a secret
        sent = {**ours, **(headers or {})} | ({"traceparent": traceparent} if traceparent else {})
        hooks = options.get("hooks")
        how = {name: options.pop(name) for name in _SENT if options.get(name) is not None}
        prepared = self.session.prepare_request(
            requests.Request(
                method, url, headers=sent, **{name: options[name] for name in _PREPARED if name in options}
            )
        )
        limit, asked = limit_of(timeout, self.target.timeout_s), prepared.url or ""
        self.guard.pace_request()
        with deadline(limit) as bound:
            for _ in range(MAX_REDIRECTS + 1):
                self._open_door(prepared)
                answer = self._send(prepared, bound, how, hooks, traceparent, recorder.path if recorder else "")
                following = answer[0].next
                if following is None or not allow_redirects:
                    if prepared.url != asked:
                        answer[1].led_from(self._redactor.url(asked))
                    return answer[1]
                self.guard.pace_request()
                prepared = following
                if not same_host(prepared.url or "", self.target.base_url):
                    prepared.headers.pop("baggage", None)
        raise TargetError(
            "redirects",
            self._redactor.text(
                f"{method} {url} was redirected more than {MAX_REDIRECTS} times, last to {prepared.url}."
            ),
        )

    def listens(self) -> None:
        """Take what came until the deadline for the whole answer: for one that never ends, such as a stream."""
        for adapter in self.session.adapters.values():
            adapter.listens = True  # type: ignore[attr-defined]

    def freshness(self, what: str, at: datetime | str, *, limit: str | float) -> Freshness:
        """Compare the age of data with a limit, by the target's own clock; too old makes the journey degraded.

        Args:
            what: what is looked at, for example ``"position of SYN-01"``.
            at: when it was made, with time zone.
            limit: how old it may be.

        Returns:
            The measurement.

        Raises:
            ExpectationError: when the time is none or lies in the future.
        """
        return freshness(what, at, limit=limit, target_now=self._server_now())

    def _server_now(self) -> datetime | None:
        from synthprobe.evidence.skew import telling_answer  # most journeys ask for no age

        own = [exchange for exchange in self.exchanges if same_host(exchange.url, self.target.base_url)]
        found = telling_answer(own)
        return found[0] + (self._clock.now() - found[1].started_at) if found else None

    @property
    def _clock(self) -> SteadyClock:
        recorder = steps.current()
        return recorder.clock if recorder else self._own_clock

    def _open_door(self, prepared: requests.PreparedRequest) -> None:
        """What the journey sends itself stands; another origin than the target's gets nothing of ours."""
        if not self._door:
            return
        if same_host(prepared.url or "", self.target.base_url):
            prepared.headers.setdefault("Authorization", self._door)
        elif prepared.headers.get("Authorization") == self._door:
            del prepared.headers["Authorization"]

    def _address(self, path: str) -> str:
        try:
            return resolve(path if _ABSOLUTE.match(path) else f"{self.target.base_url}/{path.lstrip('/')}")
        except ConfigurationError as refusal:
            raise ConfigurationError(self._redactor.text(str(refusal))) from None

    def _send(
        self,
        prepared: requests.PreparedRequest,
        bound: Deadline,
        how: dict[str, Any],
        hooks: Any,
        traceparent: str,
        step: str,
    ) -> tuple[requests.Response, Response]:
        body = prepared.body if isinstance(prepared.body, (bytes, str)) else None
        with steps.left_out():
            self._redactor.learn_from_request_headers(prepared.headers)
            self._redactor.learn_from_address(prepared.url or "")
            sent = body.encode() if isinstance(body, str) else body or b""
            self._redactor.learn_from_body(sent, str(prepared.headers.get("Content-Type", "")))
        started_at, began, bound.status = self._clock.now(), monotonic(), 0
        known: dict[str, Any] = {
            "step": step,
            "method": prepared.method or "",
            "url": prepared.url or "",
            "request_headers": dict(prepared.headers),
            "request_body": body,
            "started_at": started_at,
            "traceparent": traceparent,
            "door": self._door,
        }
        try:
            raw = self.session.send(prepared, paced=True, allow_redirects=False, **how)
        except (requests.RequestException, TargetError, OSError) as error:
            failure = _target_error(error, prepared, bound)
            found = self._redactor.record(failure.finding)
            failure = TargetError(failure.kind, self._redactor.text(str(failure)), found)
            took = (monotonic() - began) * 1000
            with steps.left_out():
                broken = record_exchange(
                    self._redactor, **known, duration_ms=took, status=bound.status, error=str(failure)
                )
            if failure.kind != "egress" or bound.status:  # else nothing was sent, so nothing was exchanged
                self.exchanges.append(broken)
            raise failure from None
        took = (monotonic() - began) * 1000
        with steps.left_out():
            self._redactor.learn_from_response_headers(raw.headers)
            self._redactor.learn_from_body(raw.content, raw.headers.get("Content-Type", ""), prepared.url or "")
            exchange = record_exchange(
                self._redactor,
                **known,
                duration_ms=took,
                status=raw.status_code,
                response_headers=dict(raw.headers),
                response_body=raw.content,
            )
        self.exchanges.append(exchange)
        # hooks may end the journey, and what was answered is known by then
        raw = requests.hooks.dispatch_hook("response", hooks, raw, **how)  # type: ignore[no-untyped-call]
        return raw, answer_of(exchange, dict(raw.headers), raw.content)


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse, by its name, an option that cannot be used."""
    known = (*_PREPARED, *_SENT, *_READ_WHOLE, *_HEARD, "headers", "timeout", "allow_redirects")
    for name in options.keys() - set(known):
        if name == "proxies":
            raise ConfigurationError(
                "The option proxies was given, and the hosts reached behind a proxy cannot be limited. Remove it; a "
                "company's proxy is named by proxy of the target."
            )
        near = nearest(name, known)
        raise ConfigurationError(f"API requests have no option {name!r}.{near} Known options: {', '.join(known)}.")


def _target_error(error: Exception, request: requests.PreparedRequest, bound: Deadline) -> TargetError:
    if isinstance(error, TargetError):
        return error
    refusal = partial(Refusal, method=request.method or "", url=request.url or "", status=bound.status)
    found = (
        _too_late(refusal, bound) if bound.expired or isinstance(error, requests.Timeout) else _broken(refusal, error)
    )
    return TargetError(found.kind, words.refused(found), Finding(refusal=found))


class NewApi(Protocol):
    """The type of the fixture `new_api`: ``new_api()`` opens one more session with the target."""

    def __call__(self) -> Api:
        """Open it."""


class OpenApi(Protocol):
    """The type of the fixture `open_api`: ``open_api("billing")`` opens a session with another target."""

    def __call__(self, target: Target | str, /) -> Api:
        """Open it.

        Args:
            target: the name of one in the configuration, or one that stands in none.

        Raises:
            ConfigurationError: when there is none of that name, or it stands at the host of a production target.
        """


def _broken(refusal: partial[Refusal], error: Exception) -> Refusal:
    """What ended a request before its time was up, in the words of requests and what stands below it."""
    text, reason = repr(error), _reason(error)
    if lack := lacking(error):
        return refusal(kind="machine", reason=lack)
    if isinstance(error, FileNotFoundError):
        return refusal(kind="machine", reason=str(error))
    if isinstance(error, requests.exceptions.SSLError):
        return refusal(kind="tls", certificate=certificate_fault(text), reason=reason)
    if (way := way_of(error)) in {"dns", "refused"}:
        return refusal(kind=way)
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return refusal(kind="protocol", reason=cut_off(error) or reason)
    return refusal(kind="request", reason=reason)


def _too_late(refusal: partial[Refusal], bound: Deadline) -> Refusal:
    """What was waited for when the time was up."""
    phase = bound.used_up_by
    connected = phase not in {"connecting", "handshake"}
    return refusal(
        kind="deadline" if connected else "no connection",
        phase="answer" if connected else phase,
        within_s=bound.limit_s,
        tried=tuple(bound.addresses),
    )


def _reason(error: Exception) -> str:
    inner = error.args[0] if error.args else error
    inner = getattr(inner, "reason", inner)
    parts = [str(part) for part in inner.args] if isinstance(inner, urllib3.exceptions.HTTPError) else [str(inner)]
    apart = [part.strip().rstrip(".") for number, part in enumerate(parts) if part not in "".join(parts[:number])]
    return ": ".join(apart).split("(_ssl.c")[0].strip().rstrip(".")
