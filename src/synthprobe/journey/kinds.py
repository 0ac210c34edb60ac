"""Removes test data of a kind, by its configuration or Python functions; never what does not hold our token."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from html.parser import HTMLParser
from typing import Any, TypeVar
from urllib.parse import quote

from msgspec import Struct

from synthprobe.deadlines import within
from synthprobe.errors import ConfigurationError, ExpectationError
from synthprobe.hooks import PythonKind
from synthprobe.journey.api import Api
from synthprobe.journey.ledger import TOKEN_PREFIX
from synthprobe.journey.response import Response
from synthprobe.records.testdata import LedgerEntry
from synthprobe.targets.target import Target, TestDataKind

T = TypeVar("T")
Kind = TestDataKind | PythonKind
_GONE = (404, 410)


class Access(Struct, frozen=True, kw_only=True):
    """How objects are reached; each is opened when a kind needs it."""

    api: Callable[[], Api]
    page: Callable[[PythonKind], Any]


def kind_of(target: Target, kinds: Mapping[str, PythonKind], name: str) -> Kind:
    """How objects of a kind are found and removed."""
    if name in target.testdata and name in kinds:
        raise ConfigurationError(
            f"[targets.{target.name}.testdata.{name}] and a plugin both say how test data of kind {name!r} is removed. "
            "Remove one of them."
        )
    found = target.testdata.get(name) or kinds.get(name)
    if found is None:
        known = ", ".join(sorted({*target.testdata, *kinds})) or "none"
        raise ConfigurationError(
            f"Target {target.name!r} does not say how test data of kind {name!r} is found and removed; known kinds: "
            f"{known}. Nothing was created, since a killed run would leave it for ever. Add a table "
            f'[targets.{target.name}.testdata.{name}] with find = "/path?q={{token}}" and delete = "/path/{{id}}", or '
            f'a class with @testdata_kind("{name}") to a module that plugins names.'
        )
    return found


def remove(access: Access, kind: Kind, entry: LedgerEntry) -> int:
    """Remove the objects that carry an entry's token, and see that they are gone."""
    if not re.fullmatch(re.escape(TOKEN_PREFIX) + "[0-9a-f]{32}", entry.token):
        raise ConfigurationError(f"{entry.token!r} is no token of a ledger, so nothing was removed.")
    if isinstance(kind, PythonKind):
        return _remove_by_functions(access, kind, entry.token)
    api = access.api()
    objects = list(_live(api, kind, entry))
    for fields in objects:
        sent: dict[str, Any] = {}
        body = {name: _filled(value, fields, plain=True) for name, value in kind.body.items()}
        if kind.sends == "form":
            shown_at = _filled(kind.form or kind.look, fields)
            hidden = hidden_fields(api.get(shown_at).expect(200).text)
            sent = {"data": {**hidden, **body}, "headers": {"Referer": api.target.base_url + shown_at}}
        elif body:
            sent = {"json": body}
        path = _filled(kind.delete, fields)
        api.request(kind.method, path, **sent).expect(200, 201, 202, 204, 302, 303, *_GONE)
    if objects and (left := next(_live(api, kind, entry), None)):
        shown = _filled(kind.look, left) if kind.look else kind.find
        raise ExpectationError(f"{_filled(kind.delete, left)} was deleted, and is still found by {shown}.")
    return len(objects)


def _remove_by_functions(access: Access, kind: PythonKind, token: str) -> int:
    subject: Any = access.api() if kind.needs == "api" else access.page(kind)

    def call(part: str, function: Callable[..., T], *given: Any) -> T:
        if kind.needs == "page":  # a page belongs to its thread; each of its actions has its own end
            subject.set_default_timeout(kind.within_s * 1000)
            return function(subject, *given)
        subjected = partial(function, subject, *given)
        return within(kind.within_s, f"{part} of the kind of test data {kind.name!r}", subjected)

    found = list(call("find", kind.find, token))
    for record in found:
        if not isinstance(record, Mapping) or not _holds(record, token):
            raise ConfigurationError(
                f"find of the kind of test data {kind.name!r} gave {record!r}, of which no field holds the token "
                f"{token}. It is not known as ours, so nothing was removed. Let find give the field that holds the "
                "token as well."
            )
    live = [record for record in found if not call("is_gone", kind.is_gone, record)]
    for record in live:
        call("delete", kind.delete, record)
    if left := [record for record in live if not call("is_gone", kind.is_gone, record)]:
        raise ExpectationError(f"{dict(left[0])} was deleted, and is_gone of the kind {kind.name!r} says it is not.")
    return len(live)


def _live(api: Api, kind: TestDataKind, entry: LedgerEntry) -> Iterator[Mapping[str, Any]]:
    """The objects that hold the token and do not count as gone."""
    for fields in _found(api, kind, entry):
        if _counts_as_gone(kind, fields):
            continue
        if not kind.look:
            yield fields
            continue
        path = _filled(kind.look, fields)
        answer = api.get(path).expect(200, *_GONE)
        if answer.status in _GONE:
            continue
        if entry.token not in answer.text:
            if kind.fields:  # a list that shows other objects as well
                continue
            raise ExpectationError(f"{path} does not hold the token {entry.token}, so it is not known as ours.")
        shown = _json(answer)
        if any(_counts_as_gone(kind, holder) for holder in _holders(shown, entry.token)):
            continue
        yield fields


def _found(api: Api, kind: TestDataKind, entry: LedgerEntry) -> Iterator[Mapping[str, Any]]:
    if not kind.find:
        known = {"token": entry.token, **entry.fields}
        if missing := sorted(kind.named - known.keys()):
            raise ConfigurationError(
                f"What its {missing[0]!r} is was never written down, and no list shows it: the run ended before "
                "testdata.note could be called. Look for the token at the target, then give the entry up: "
                f'synthprobe sweep --give-up {entry.token} --reason "…" --by ROLE.'
            )
        yield known
        return
    answer = api.get(kind.find.replace("{token}", quote(entry.token))).expect(200)
    if kind.fields:
        if kind.shows not in answer.text:
            raise ExpectationError(
                f"{kind.find} does not show {kind.shows!r}, so nothing found there says nothing. Is the sweeper "
                f"logged in? See [targets.{api.target.name}.sweeper], and shows of the kind."
            )
        matches = (match.groupdict() for match in re.finditer(kind.fields, answer.text))
        yield from (
            {"token": entry.token, **dict(fields)} for fields in dict.fromkeys(tuple(m.items()) for m in matches)
        )
    else:
        yield from _holders(answer.json, entry.token)


def _holders(data: Any, token: str) -> Iterator[dict[str, Any]]:
    """Objects of which a field of their own holds the token, wherever they stand in an answer."""
    if isinstance(data, dict):
        if _holds(data, token):
            yield data
        data = list(data.values())
    if isinstance(data, list):
        for inner in data:
            yield from _holders(inner, token)


def _holds(data: Mapping[str, Any], token: str) -> bool:
    return any(isinstance(value, str) and token in value for value in data.values())


def _counts_as_gone(kind: TestDataKind, fields: Mapping[str, Any]) -> bool:
    def is_so(name: str, wanted: object) -> bool:
        value = fields.get(name)
        return value not in (None, "", False) if wanted == "*" else value == wanted and name in fields

    return bool(kind.gone_when) and all(is_so(name, wanted) for name, wanted in kind.gone_when.items())


def _json(answer: Response) -> Any:
    try:
        return answer.json
    except ExpectationError:
        return None


def _filled(template: str, found: Mapping[str, Any], *, plain: bool = False) -> str:
    def field(match: re.Match[str]) -> str:
        value = found.get(match[1])
        if not isinstance(value, (str, int)) or value == "":
            raise ConfigurationError(
                f"The path {template} needs the field {match[1]!r}, which what was found does not have. "
                f"It has: {', '.join(sorted(found))}."
            )
        return str(value) if plain else quote(str(value), safe="")

    return re.sub(r"\{(\w+)\}", field, template)


class _HiddenFields(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and (given.get("type") or "").lower() == "hidden" and (name := given.get("name")):
            self.fields.setdefault(name, given.get("value") or "")


def hidden_fields(text: str) -> dict[str, str]:
    """The hidden fields of a page's forms."""
    parser = _HiddenFields()
    parser.feed(text)
    return parser.fields
