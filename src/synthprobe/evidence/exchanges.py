"""Exchanges: the redacted record of each HTTP request an API step made, and by what it lets itself be known."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from synthprobe.evidence.calls import call_of
from synthprobe.evidence.fields import fields_of
from synthprobe.evidence.forms import MASK
from synthprobe.evidence.names import is_secret_name
from synthprobe.evidence.redaction import Redactor
from synthprobe.records.evidence import Credentials, Exchange, ServerTiming, StatedError
from synthprobe.records.result import Operation

BODY_LIMIT = 4000
OPERATION_LIMIT = 200
_COUNT = re.compile(r"\w+=\d+")
_CALLS = re.compile(r"(?:^|[;,\s])n=(\d+)")
_METRIC = re.compile(r'([A-Za-z0-9_.-]+)((?:\s*;\s*[a-z]+\s*=\s*(?:"[^"]*"|[^,;]*))*)')
_PARAMETER = re.compile(r'([a-z]+)\s*=\s*(?:"([^"]*)"|([^,;]*))')


def server_timing(header: str) -> tuple[ServerTiming, ...]:
    """The metrics of a ``Server-Timing`` header."""
    metrics = []
    for name, rest in _METRIC.findall(header):
        values = {key: quoted or plain for key, quoted, plain in _PARAMETER.findall(rest)}
        try:
            duration = float(values.get("dur", 0) or 0)
        except ValueError:
            duration = 0.0
        description = values.get("desc", "")
        calls = _CALLS.search(description)
        metrics.append(
            ServerTiming(
                name=name,
                duration_ms=duration,
                description=description,
                calls=int(calls[1][:9]) if calls else 0,
            )
        )
    return tuple(metrics)


def operations(exchanges: Iterable[Exchange]) -> tuple[Operation, ...]:
    """Backend operations of an attempt, summed for each step."""
    sums: dict[tuple[str, str], tuple[int, float]] = {}
    for exchange in exchanges:
        for part in exchange.server_timing:
            query = "" if _COUNT.fullmatch(part.description) else part.description
            key = (exchange.step, f"{part.name} {query}".strip()[:OPERATION_LIMIT])
            calls, total = sums.get(key, (0, 0.0))
            sums[key] = (calls + 1, total + part.duration_ms)
    return tuple(Operation(step=s, name=n, calls=c, total_ms=t) for (s, n), (c, t) in sums.items())


def record_exchange(
    redactor: Redactor,
    *,
    step: str,
    method: str,
    url: str,
    request_headers: Mapping[str, str],
    request_body: bytes | str | None,
    started_at: datetime,
    duration_ms: float,
    traceparent: str,
    status: int = 0,
    response_headers: Mapping[str, str] | None = None,
    response_body: bytes = b"",
    error: str = "",
    door: str = "",
) -> Exchange:
    """Redact and record one exchange. There is no other way to make an `Exchange`.

    ``door`` is the credential that a door in front of the target asks for: nobody works there by that account.
    """
    response_headers = response_headers or {}
    sent = request_body.decode("utf-8", "replace") if isinstance(request_body, bytes) else request_body or ""
    content_type = next((v for k, v in response_headers.items() if k.lower() == "content-type"), "")
    sent_type = next((v for k, v in request_headers.items() if k.lower() == "content-type"), "")
    timing = next((v for k, v in response_headers.items() if k.lower() == "server-timing"), "")
    received = response_body[: BODY_LIMIT * 4].decode("utf-8", "replace")
    call = call_of(url, sent, response_body if 0 < status < 400 else b"")
    return Exchange(
        step=redactor.text(step),
        method=method,
        url=redactor.url(url),
        request_headers=redactor.headers(request_headers),
        request_body=_body(redactor, sent, sent_type),
        status=status,
        response_headers=redactor.headers(response_headers),
        response_body=_body(redactor, received, content_type),
        started_at=started_at,
        duration_ms=duration_ms,
        size=len(response_body),
        server_timing=server_timing(timing),
        traceparent=traceparent,
        error=redactor.text(error),
        credentials=credentials_sent(request_headers, sent[:BODY_LIMIT], sent_type),
        account=redactor.text(account_sent(sent[:BODY_LIMIT], sent_type) or _account_of(request_headers, door)),
        operation=redactor.text(call.operation),
        stated=StatedError(code=redactor.text(call.code), message=redactor.text(call.message))
        if call.is_error
        else None,
    )


def _body(redactor: Redactor, text: str, kind: str) -> str:
    """A body that still holds a secret in an unknown form is left out; the rest of the exchange is not."""
    shown = redactor.body(text, kind)[:BODY_LIMIT]
    return MASK if redactor.residual(shown.encode("utf-8", "replace")) else shown


# names of fields, in any language of forms; a token that guards a form against forgery is none of them
_TYPED = re.compile(
    r"passw(or)?d|passwort|passphrase|passcode|contrase|mot_?de_?passe|(^|[_.-])(pass|pwd|pin|t?otp)$", re.I
)

_NO_KEY = re.compile(r"cookie|[cx]srf|^(proxy-)?authorization$", re.I)
"""Headers that hold a secret, and no key by which who asks is known."""

_ACCOUNT = re.compile(r"(^|[_.-])(user|log[_-]?in|account|e?-?mail|identifier|benutzer)(name)?([_-]?(name|id))?$", re.I)


def credentials_sent(headers: Mapping[str, str], body: str, kind: str) -> Credentials:
    """What a request sends: a password or a code in its body or by Basic, a token, a cookie, or nothing."""
    named = {name.lower(): value for name, value in headers.items()}
    if named.get("authorization", "").lower().startswith("basic ") or any(
        field.value and _TYPED.search(field.name) for field in (fields_of(body, kind) if body else ())
    ):
        return "password"
    if named.get("authorization") not in {None, "", MASK}:  # masked with its scheme, it could be a password as well
        return "token"
    if any(value and is_secret_name(name) and not _NO_KEY.search(name) for name, value in headers.items()):
        return "token"
    return "cookie" if named.get("cookie") else ""


def account_sent(body: str, kind: str) -> str:
    """The name of the account that a log-in is for; empty where it sends none. Not redacted."""
    named = [field for field in fields_of(body, kind) if field.value] if body else []
    if not any(_TYPED.search(field.name) for field in named):
        return ""
    return next((field.value for field in named if _ACCOUNT.search(field.name) and field.value != MASK), "")


def _account_of(headers: Mapping[str, str], door: str) -> str:
    """The name that Basic sends, unless it is for the door; not redacted."""
    sent = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
    scheme, _, pair = sent.partition(" ")
    if scheme.lower() == "basic" and sent != door:
        with suppress(ValueError):
            return b64decode(pair).decode().partition(":")[0]
    return ""
