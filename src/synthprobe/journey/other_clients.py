"""What is answered to clients that are not ours, such as Playwright's and plain requests: evidence as the API's is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from synthprobe.evidence.exchanges import record_exchange
from synthprobe.evidence.reasons import cut_off
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey import steps
from synthprobe.journey.clock import monotonic
from synthprobe.journey.recorder import Noted
from synthprobe.records.evidence import Exchange

if TYPE_CHECKING:
    import requests

_TEXT = re.compile(r"^$|^text/|json|xml", re.IGNORECASE)
_LARGEST = 200_000
_REFUSED = 400


class Asked:
    """A request that another client sends: what comes of it is noted, and recorded only if somebody wants to know."""

    def __init__(self, method: str, url: str, headers: Mapping[str, str], body: Any) -> None:
        sent = body if isinstance(body, (bytes, str)) else None
        self._began = monotonic()
        self._known: dict[str, Any] = {
            "method": method,
            "url": url,
            "request_headers": dict(headers),
            "request_body": sent[:_LARGEST] if sent else None,
            "traceparent": next((value for name, value in headers.items() if name.lower() == "traceparent"), ""),
        }

    def answered(self, status: int, headers: Mapping[str, str], body: Callable[[], bytes], error: str = "") -> None:
        """Note an answer, or with status 0 that none came; ``body`` is read where it is text and came whole."""
        content = body() if not error and _TEXT.search(_kind(headers)) else b""
        if (recorder := steps.current()) is None:
            return
        took_s = monotonic() - self._began
        noted = partial(
            record_exchange,
            **self._known,
            step=recorder.path,
            started_at=recorder.clock.now() - timedelta(seconds=took_s),
            duration_ms=took_s * 1000,
            status=status,
            response_headers=dict(headers),
            response_body=content if len(content) <= _LARGEST else b"",
            error=error,
        )
        recorder.noted.append(noted)


@contextmanager
def noting_plain_requests() -> Iterator[None]:
    """Note what journeys ask by requests itself, and not what is recorded where it is sent."""
    import requests  # journeys of pages need neither

    from synthprobe.journey.deadline import current_deadline

    send = requests.Session.send

    def noted(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        bound = current_deadline()
        if steps.current() is None or (bound is not None and not bound.is_noted):
            return send(self, request, **options)
        asked = Asked(request.method or "", request.url or "", request.headers, request.body)
        streams, answer = options.pop("stream", self.stream), None
        try:
            answer = send(self, request, stream=True, **options)
            content = b"" if streams else answer.content
        except requests.RequestException as error:
            error.request = error.request or request
            error.response = got = answer if error.response is None else error.response
            status, headers = (0, {}) if got is None else (got.status_code, got.headers)
            asked.answered(status, headers, bytes, cut_off(error) or str(error))
            raise
        first = answer.history[0] if answer.history else answer  # the hops behind it were noted as they were sent
        asked.answered(first.status_code, first.headers, lambda: content if first is answer else b"")
        return answer

    requests.Session.send = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        requests.Session.send = send  # type: ignore[method-assign]


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


def _kind(headers: Mapping[str, str]) -> str:
    return next((value for name, value in headers.items() if name.lower() == "content-type"), "")
