"""Calls that many operations share an address for: which one is asked for, and an error that the status hides.

Read are JSON-RPC, GraphQL, SOAP, queries and forms with a field such as ``action``, and answers with a field that says
whether they succeeded. GraphQL states an error beside the data, or as data: by the type of what came, or in a list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from synthprobe.records.plain_text import without_markup

_OPERATION = re.compile(r"[A-Za-z_][\w./:-]{0,99}")
_NAMES_IT = re.compile(r"_?(?:action|task|do|op|cmd|command|controller|route)")
"""Fields of a query or a form by which a front controller is told what to do."""
_PLAIN_WORD = re.compile(r"[A-Za-z][A-Za-z_/-]{0,39}")
_GRAPHQL = re.compile(
    r"\s*(?:(?:query|mutation|subscription)\s+(?P<name>\w+)"
    r"|(?:query|mutation|subscription)?\s*(?:\([^)]*\)\s*)?\{\s*(?:\w+\s*:\s*)?(?P<field>\w+))"
)
"""An operation's name; without one the first field that it asks for."""

_LARGEST = 200_000
_MOST_FIELDS = 200
_DEEPEST = 10
_WIDTH = 200
_HINTS = (b'"error', b'rrors"', b'Error"', b'"success"', b'"ok"', b'"status"', b"Fault")
"""Most answers hold none, and are not read."""
_CODES = ("code", "errorCode", "error_code", "type", "name")
_MESSAGES = ("message", "error_description", "error_message", "msg", "detail", "reason", "description", "title")
_FAILED = {"error", "fail", "failed", "failure"}
_OF_GRAPHQL = {"query", "operationName"}
_IS_ERROR = re.compile(r"(Error|Exception|Failure)$")
_OR_ERROR = re.compile(r"Or\w*Error$")
"""Ends the name of a field of GraphQL that holds what was asked for, or why it does not."""
_FAULT = re.compile(r"<(?:[\w.-]+:)?Fault\b.*?</(?:[\w.-]+:)?Fault>", re.DOTALL)
_FAULT_CODE = re.compile(r"<(?:[\w.-]+:)?(?:faultcode|Value)\b[^>]*>([^<]+)<")
_FAULT_TEXT = re.compile(r"<(?:[\w.-]+:)?(?:faultstring|Text)\b[^>]*>([^<]+)<")


class Call(NamedTuple):
    """What a request asks for, and what went wrong by the words of its answer. Not redacted.

    Of a batch it is the first operation that went wrong.
    """

    operation: str = ""
    is_error: bool = False
    code: str = ""
    message: str = ""


def call_of(url: str, sent: str = "", body: bytes = b"") -> Call:
    """The operation that was asked for, and the error that the body of an answer below 400 states."""
    asked = _read(sent)
    call = Call(_operation(asked) or _by_fields(urlsplit(url).query) or ("" if asked else _by_fields(sent)))
    if len(body) > _LARGEST or not any(hint in body for hint in _HINTS):
        return call
    text = body.decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    if fault := _FAULT.search(text) if text.startswith("<") else None:
        parts = [
            without_markup(part[1]) if part else ""
            for part in (_FAULT_CODE.search(fault[0]), _FAULT_TEXT.search(fault[0]))
        ]
        return _stated(call, *parts)
    answered = _read(text)
    if isinstance(answered, list) and isinstance(asked, list):
        ids = {str(part["id"]): part for part in asked if isinstance(part, Mapping) and "id" in part}
        for answer, beside in zip(answered, (*asked, *[None] * len(answered)), strict=False):
            named = ids.get(str(answer.get("id"))) if isinstance(answer, Mapping) else None
            if (failed := _failed(Call(_operation(named or beside)), answer, named or beside)).is_error:
                return failed
    return _failed(call, answered, asked)


def _operation(asked: Any) -> str:
    """The method of JSON-RPC, or the operation of GraphQL; empty where none is named."""
    if not isinstance(asked, Mapping):
        return ""
    query = _GRAPHQL.match(str(asked.get("query", "")))
    by_query = query and (query["name"] or query["field"])
    named = asked.get("method") if "params" in asked else asked.get("operationName") or by_query
    return named if isinstance(named, str) and _OPERATION.fullmatch(named) else ""


def _by_fields(fields: str) -> str:
    """What a query or a form names as the operation, in its order."""
    with suppress(ValueError):
        named = dict(parse_qsl(fields, max_num_fields=_MOST_FIELDS))
        return ".".join(v for name, v in named.items() if _NAMES_IT.fullmatch(name) and _PLAIN_WORD.fullmatch(v))
    return ""


def _failed(call: Call, answer: Any, asked: Any) -> Call:
    if not isinstance(answer, Mapping):
        return call
    errors, error = answer.get("errors"), answer.get("error")
    if not errors and isinstance(asked, Mapping) and not asked.keys().isdisjoint(_OF_GRAPHQL):
        errors = next(_as_data(answer.get("data")), None)
    if errors and isinstance(errors, (list, dict)):
        return _described(call, errors[0] if isinstance(errors, list) else errors)
    if error and isinstance(error, (list, dict)):
        return _described(call, error)
    if error and isinstance(error, str):
        return _stated(call, error, _first(answer, _MESSAGES))
    refused = answer.get("success") is False or answer.get("ok") is False or error is True
    if refused or str(answer.get("status")).casefold() in _FAILED:
        return _stated(call, _first(answer, _CODES), _first(answer, _MESSAGES))
    return call


def _as_data(data: Any, depth: int = 0) -> Iterator[Any]:
    """Errors that stand in the place of data, or in a list of what is wrong with what was sent."""
    fields = data.items() if isinstance(data, Mapping) and depth < _DEEPEST else ()
    for name, value in fields:
        held = value if isinstance(value, Mapping) else {}
        if (not depth or _OR_ERROR.search(name)) and _IS_ERROR.search(str(held.get("__typename"))):
            yield {"code": held["__typename"], **held}
        for wrong in (held.get("errors"), held.get("userErrors")) if not depth else ():
            if isinstance(wrong, list) and wrong and isinstance(wrong[0], Mapping):
                yield wrong[0]
        for part in value if isinstance(value, list) else [value]:
            yield from _as_data(part, depth + 1)


def _described(call: Call, error: Any) -> Call:
    if isinstance(error, list) and isinstance(error[0], str):
        return _stated(call, error[0], " ".join(_texts(error[1:])))
    if not isinstance(error, Mapping):
        return _stated(call, "", " ".join(_texts(error)))
    extensions, data = error.get("extensions"), error.get("data")
    code = _first(extensions if isinstance(extensions, Mapping) else {}, _CODES) or _first(error, _CODES)
    more = _first(data, _MESSAGES) if isinstance(data, Mapping) else data if isinstance(data, str) else ""
    message = ": ".join(dict.fromkeys(filter(None, (_first(error, _MESSAGES), more))))
    if not code and not message:  # by the name of a field, what is wrong with it
        if all(isinstance(named, Mapping) and {*map(type, named.values())} == {str} for named in error.values()):
            return call  # the words that an application has for each error, as its translations are
        message = "; ".join(f"{name}: {' '.join(_texts(value))}" for name, value in error.items())
    return _stated(call, code, message)


def _first(named: Mapping[str, Any], names: tuple[str, ...]) -> str:
    given = (named.get(name) for name in names)
    return next((str(value) for value in given if isinstance(value, (str, int)) and str(value).strip()), "")


def _texts(content: object) -> Iterator[str]:
    if isinstance(content, (dict, list)):
        for part in content.values() if isinstance(content, dict) else content:
            yield from _texts(part)
    elif isinstance(content, str):
        yield content


def _stated(call: Call, code: str, message: str) -> Call:
    code, message = " ".join(code.split()), " ".join(message.split())
    return call._replace(is_error=True, code=code[:_WIDTH], message=message[:_WIDTH])


def _read(text: str) -> Any:
    with suppress(ValueError, RecursionError):
        return json.loads(text) if text.lstrip()[:1] in {"{", "["} else None
    return None
