"""Whether a request changes something, whatever its method says: method override, and `reads` of a target."""

from __future__ import annotations

import email
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from msgspec import Struct

from synthprobe.targets.addresses import is_plain_path, read_address

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


_ENTRY = re.compile(r"(?P<method>[A-Z]+) (?P<path>[/*]\S*)(?: (?P<operation>[_A-Za-z][_0-9A-Za-z]*))?")
_OPERATIONS = ("query", "mutation", "subscription")
_NO_SYNTAX = re.compile(r'"""(?:\\"""|.)*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*', re.DOTALL)


class Read(Struct, frozen=True):
    """One entry of ``reads``."""

    method: str
    path: str
    operation: str = ""

    def holds(self, method: str, path: str, body: Any) -> bool:
        """Whether a request is of this kind."""
        if method.upper() != self.method or not is_plain_path(path) or not fnmatchcase(path, self.path):
            return False
        return not self.operation or _reads_only(self.operation, body)


@cache
def read_entry(text: str) -> Read | None:
    """An entry as it is written, ``POST /graphql query``; nothing when it is none, or needs no entry."""
    found = _ENTRY.fullmatch(text)
    if found is None or found["method"] in SAFE_METHODS:
        return None
    return Read(found["method"], found["path"], found["operation"] or "")


def wrong_entry(text: str) -> str:
    """Why an entry cannot be used, as the end of a sentence; empty when it can."""
    if text.split(" ")[0] in SAFE_METHODS:
        return f"{text.split(' ')[0]} is never a change: leave it out."
    if read_entry(text) is None:
        return (
            'A method and a path were expected, for example "POST /api/search"; of GraphQL also which operation: '
            '"POST /graphql query" for all that only ask, "POST /graphql ProductList" for one.'
        )
    return ""


def is_mutation(url: str) -> bool:
    """Whether an address holds a mutation of GraphQL, which some servers take by GET."""
    read = read_address(url)
    texts = (value for name, value in parse_qsl(read.search[1:] if read else "") if name == "query")
    return any(kind == "mutation" for text in texts for kind, _ in _definitions(text))


def _reads_only(operation: str, body: Any) -> bool:
    """Whether each operation of a GraphQL body is a query, and of that name where one is given."""
    try:
        sent = json.loads(body if isinstance(body, (str, bytes)) else "")
    except ValueError:
        return False
    requests = sent if isinstance(sent, list) else [sent]
    return bool(requests) and all(isinstance(request, dict) and _is_query(operation, request) for request in requests)


def _is_query(operation: str, request: dict[str, Any]) -> bool:
    text, asked = request.get("query"), request.get("operationName")
    defined = list(_definitions(text)) if isinstance(text, str) else []
    if any(kind != "query" for kind, _ in defined):
        return False
    names = {asked} if asked else {name for _, name in defined}
    if operation == "query":
        return bool(defined)  # of one that the server keeps, only the name says what it does
    return names == {operation}


def _definitions(text: str) -> Iterator[tuple[str, str]]:
    """Kind and name of each operation of a document; what is no document has a kind that is no query."""
    depth, between = 0, ""
    for sign in _NO_SYNTAX.sub(" ", text):
        if sign in "({[":
            if depth == 0 and sign == "{":
                kind, name = [*between.replace("@", " @").split(), "", ""][:2]
                if not kind or kind in _OPERATIONS:
                    yield kind or "query", name
                elif kind != "fragment":
                    yield "unknown", ""
                between = ""
            depth += 1
        elif sign in ")}]":
            depth -= 1
        elif depth == 0:
            between += " " if sign == "," else sign
    if depth or between.strip():
        yield "unknown", ""
