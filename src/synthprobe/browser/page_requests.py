"""Holds requests that Playwright sends itself: they leave from its own process, where no resolver rule of a browser
holds, so each hop is asked for here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import APIRequestContext, APIResponse, Error, FormData, Route

from synthprobe.browser.read_only import original
from synthprobe.errors import ConfigurationError, SynthprobeError, TargetError
from synthprobe.evidence.failure import status_logged
from synthprobe.evidence.learning import Learner
from synthprobe.journey import steps
from synthprobe.journey.guard import Guard
from synthprobe.journey.other_clients import Asked
from synthprobe.journey.steps import correlation_headers, same_host
from synthprobe.targets.addresses import led_to, origin_of, resolve
from synthprobe.targets.guardrails import change_refusal, synthetic_headers

_MAX_REDIRECTS = 10
_REDIRECTS = {301, 302, 303, 307, 308}
_BODIES = ("data", "form", "multipart", "post_data")


class _Answer(APIResponse):
    """Knows whether anything of it was looked at."""

    is_looked_at = False

    def __getattribute__(self, name: str) -> Any:
        if name not in {"is_looked_at", "__class__", "dispose"}:
            object.__setattr__(self, "is_looked_at", True)
        return object.__getattribute__(self, name)


def guard_client(
    client: APIRequestContext, base_url: str, guard: Guard, learner: Learner, own: Mapping[str, str] | None = None
) -> None:
    """Hold a request client, that of a page or one of its own."""
    fetch = client.fetch

    def guarded(url_or_request: Any, **options: Any) -> Any:
        given = url_or_request if isinstance(url_or_request, str) else url_or_request.url
        method = str(options.get("method") or getattr(url_or_request, "method", "GET"))
        url = resolve(given, base_url)
        if options.get("ignore_https_errors"):
            guard.check_tls("ignore_https_errors", url)
        guard.pace_request()
        ours = correlation_headers(steps.current(), own=same_host(url, guard.target.base_url))
        asked = options.get("headers") or getattr(url_or_request, "headers", {})
        options["headers"] = synthetic_headers({**ours, **(own or {}), **asked})
        first = url if given is url_or_request else url_or_request
        _learn_from_request(learner, url, options)
        body = None if isinstance(url_or_request, str) else url_or_request.post_data_buffer

        def send(to: str | None, **how: Any) -> APIResponse:
            asked = Asked(how.get("method") or method, to or url, how["headers"], _body_of(how, None if to else body))
            try:
                answer = fetch(to or first, **how)
            except Error as error:
                asked.answered(status_logged(str(error)), {}, bytes, str(error).partition("\n")[0])
                raise
            asked.answered(answer.status, answer.headers, lambda: _body(answer))
            return answer

        answer = _follow(guard, send, method, url, options, body)
        _learn_from_answer(learner, answer)
        if recorder := steps.current():
            status, answer.__class__ = answer.status, _Answer
            recorder.answered(method, url.partition("?")[0], status, lambda: answer.is_looked_at)
        return answer

    def of(method: str) -> Callable[..., Any]:
        return lambda url, **options: guarded(url, **{**options, "method": method})

    client.fetch = guarded  # type: ignore[method-assign]
    for method in ("get", "post", "put", "patch", "delete", "head"):
        setattr(client, method, of(method.upper()))


def guard_routes(guard: Guard, refused: Callable[[SynthprobeError], None]) -> None:
    """Hold what a journey answers in the place of a page: ``route.fetch``, ``route.continue_`` and ``route.fulfill``.

    Playwright makes a route for each request anew and tells nobody, so it is the class that is held: a process of
    journeys has one target.
    """
    fetch, continue_, fulfill = original(Route.fetch), original(Route.continue_), original(Route.fulfill)

    def guarded_fetch(route: Route, **options: Any) -> Any:
        request, other = route.request, options.pop("url", None)
        options.setdefault("headers", request.all_headers())

        def send(to: str | None, **how: Any) -> Any:
            where = to or other
            return fetch(route, **how, **({"url": where} if where else {}))

        try:
            other = resolve(other, request.url) if other else None
            method = str(options.get("method") or request.method)
            return _follow(guard, send, method, other or request.url, options, request.post_data_buffer)
        except SynthprobeError as refusal:
            refused(refusal)
            route.abort("blockedbyclient")
            raise

    def guarded_continue(route: Route, **options: Any) -> None:
        method, url = options.get("method") or route.request.method, options.get("url") or route.request.url
        headers, body = (
            options.get("headers") or route.request.headers,
            _body_of(options, route.request.post_data_buffer),
        )
        if why := change_refusal(guard.target, method, url, guard.mutates, headers, body):
            refused(ConfigurationError(why))
            route.abort("blockedbyclient")
        else:
            continue_(route, **options)

    def honest_fulfill(route: Route, *, response: APIResponse | None = None, **options: Any) -> None:
        if response is not None and _is_altered(response, options):  # then the trace calls it the journey's own
            given = {"status": response.status, "headers": response.headers, **options}
            if not any(given.get(name) is not None for name in ("body", "json", "path")):
                given["body"] = response.body()
            fulfill(route, **given)
        else:
            fulfill(route, response=response, **options)

    guarded_fetch.__wrapped__ = fetch  # type: ignore[attr-defined]
    guarded_continue.__wrapped__ = continue_  # type: ignore[attr-defined]
    honest_fulfill.__wrapped__ = fulfill  # type: ignore[attr-defined]
    Route.fetch = guarded_fetch  # type: ignore[assignment,method-assign]
    Route.continue_ = guarded_continue  # type: ignore[assignment,method-assign]
    Route.fulfill = honest_fulfill  # type: ignore[assignment,method-assign]


def _is_altered(answer: APIResponse, options: Mapping[str, Any]) -> bool:
    """Whether what is handed on has another status or another kind than the target gave."""
    kinds = {name.lower(): kind for name, kind in (options.get("headers") or answer.headers).items()}
    status, kind = options.get("status") or answer.status, options.get("content_type") or kinds.get("content-type")
    return (status, kind) != (answer.status, answer.headers.get("content-type"))


def release_routes() -> None:
    """Give routes back as Playwright made them: what follows is no journey."""
    Route.fetch = original(Route.fetch)  # type: ignore[method-assign]
    Route.continue_ = original(Route.continue_)  # type: ignore[method-assign]
    Route.fulfill = original(Route.fulfill)  # type: ignore[method-assign]


def _follow(
    guard: Guard,
    fetch: Callable[..., Any],
    method: str,
    url: str,
    options: dict[str, Any],
    body: bytes | None,
) -> Any:
    """Send, and follow redirects hop by hop; ``fetch`` gets no address the first time."""
    asked, redirects = url, int(options.pop("max_redirects", _MAX_REDIRECTS))
    guard.check(method, _with_query(url, options.get("params")), options.get("headers"), _body_of(options, body))
    answer = fetch(None, **options, max_redirects=0)
    for _ in range(redirects):
        location = answer.headers.get("location")
        if answer.status not in _REDIRECTS or not location:
            return answer
        options.pop("params", None)
        before, url = url, led_to(location, url)
        if origin_of(before) != origin_of(url):
            options["headers"] = _without_credentials(options.get("headers"))
        if answer.status == 303 or (answer.status in {301, 302} and method == "POST"):
            method = "GET"
            for name in _BODIES:
                options.pop(name, None)
        guard.check(method, url, options.get("headers"), _body_of(options, None), led_from=before)
        answer = fetch(url, **{**options, "method": method, "max_redirects": 0})
    if redirects and answer.status in _REDIRECTS:
        raise TargetError("redirects", f"{asked} was redirected more than {redirects} times, last to {url}.")
    return answer


def _body_of(options: Mapping[str, Any], sent: bytes | None) -> str | bytes | None:
    """What is sent, as text in which fields can be looked for."""
    given = next((options[name] for name in _BODIES if options.get(name) is not None), sent)
    if given is None or isinstance(given, (str, bytes)):
        return given
    if isinstance(given, FormData):
        return urlencode([(name, str(value)) for name, value in given._fields])
    return json.dumps(given, default=str)


def _with_query(url: str, params: Any) -> str:
    query = params if isinstance(params, str) else urlencode(params or {})
    return f"{url}{'&' if '?' in url else '?'}{query}" if query else url


def _learn_from_request(learner: Learner, url: str, options: Mapping[str, Any]) -> None:
    learner.learn_from_address(url)
    learner.learn_from_request_headers(options["headers"])
    for given in (options.get("params"), options.get("data"), options.get("form"), options.get("multipart")):
        if isinstance(given, (dict, list)):
            learner.learn_from_json(json.loads(json.dumps(given, default=str)))
        elif isinstance(given, (str, bytes)):
            learner.learn_from_body(given.encode() if isinstance(given, str) else given, "")


def _learn_from_answer(learner: Learner, answer: APIResponse) -> None:
    learner.learn_from_response_headers((header["name"], header["value"]) for header in answer.headers_array)
    learner.learn_from_body(_body(answer), answer.headers.get("content-type", ""), answer.url)


def _body(answer: APIResponse) -> bytes:
    with suppress(Error):  # it has none, or it is gone
        return answer.body()
    return b""


def _without_credentials(headers: Mapping[str, str] | None) -> dict[str, str]:
    """What may go to another host than the one it was meant for; Playwright does the same where it redirects itself."""
    kept = {"authorization", "cookie", "baggage"}
    return {name: value for name, value in (headers or {}).items() if name.lower() not in kept}
