"""Method override: servers that take another method from a header, the query or the body of a request."""

from __future__ import annotations

import email
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from synthprobe.targets.addresses import read_address

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_HEADERS = frozenset({"x-http-method-override", "x-http-method", "x-method-override"})
_FIELDS = _HEADERS | {"-method", "-httpmethod"}
_LOOSE = frozenset({"method", "httpmethod", "requestmethod"})
"""In a query, fields by these names may hold anything, but for the methods that change something."""
_NONE: frozenset[str] = frozenset()
_CHANGES = frozenset({"PUT", "PATCH", "DELETE"})


def method_override(method: str, url: str, headers: Mapping[str, str], body: Any) -> str:
    """By what a request asks for a method that changes something, whatever its own method is."""
    read = read_address(url)
    written = [(name, value, _HEADERS, _NONE) for name, value in headers.items()]
    if read is not None:
        parameters = read.pathname.partition(";")[2].replace(";", "&")
        written += [(name, value, _FIELDS, _LOOSE) for name, value in parse_qsl(f"{read.search[1:]}&{parameters}")]
    if isinstance(body, (str, bytes)):
        text = body if isinstance(body, str) else body.decode("utf-8", "replace")
        written += [(name, value, _FIELDS, _NONE) for name, value in _fields(text)]
    for name, value, names, loose in written:
        field, asked = name.strip().lower().removesuffix("[]").replace("_", "-"), str(value or "").strip().upper()
        means_change = asked in _CHANGES and field.strip("$-").replace("-", "") in loose
        if means_change or (field in names and asked and asked not in {*SAFE_METHODS, method.upper()}):
            return f"asks for {value} by {name}"
    return "" if body is None or isinstance(body, (str, bytes)) else "has a body that cannot be looked into"


def _fields(text: str) -> Iterable[tuple[str, Any]]:
    """Fields of a form or an object, by what the text is: a server may read it as it likes, whatever type it has."""
    start = text.lstrip()
    if start.startswith("--"):
        return _parts(start)
    if start.startswith("{"):
        try:
            return json.loads(start, object_pairs_hook=list)  # type: ignore[no-any-return]
        except (ValueError, RecursionError):
            return ()
    return parse_qsl(text.strip())


def _parts(text: str) -> Iterator[tuple[str, Any]]:
    boundary = text.partition("\n")[0].strip()[2:].replace('"', "")
    form = email.message_from_string(f'Content-Type: multipart/form-data; boundary="{boundary}"\n\n{text}')
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str):
            yield name, part.get_payload()
