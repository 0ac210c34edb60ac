"""Named values in texts of any kind: JSON whole or cut, forms, XML, HTML, scripts, addresses."""

from __future__ import annotations

import html
import json
import quopri
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from synthprobe.evidence.forms import MASK
from synthprobe.evidence.free_text import free_fields, near_fields, packed_texts, whole_words
from synthprobe.evidence.names import is_secret_name, looks_random

_NAME = r"[A-Za-z_$][\w.$:-]{0,80}"
# "name": "value", name: 'value', name="value", "name": 4711; the end may be cut off
_PAIR = re.compile(
    rf"""(?P<name>(?<![\w$]){_NAME})(?P<quote>\\?["']?)\s*[:=]\s*
    (?:\\"(?P<escaped>(?:[^"\\\n]|\\[^"\n])*)|"(?P<double>(?:[^"\\\n]|\\.)*)|\\?'(?P<single>(?:[^'\\\n]|\\.)*)
    |`(?P<back>[^`\n]*)|(?P<bare>-?\d[\d.]*(?=\s*(?:[,}}\]]|$))))""",
    re.VERBOSE,
)
_ELEMENT = re.compile(rf"<(?:[\w-]+:)?(?P<name>{_NAME})(?:\s[^<>]*)?>(?:<!\[CDATA\[)?(?P<value>[^<>\]]+)")
_TAG = re.compile(r"<(?:input|meta)\b(?:[^<>\"']|\"[^\"]*\"|'[^']*')*", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w:-]+)\s*=\s*(\"[^\"]*\"?|'[^']*'?|[^\s\"'<>]+)")
_PART_NAME = re.compile(r'form-data;[^\r\n]{0,200}?\bname="([^"\r\n]{0,200})"', re.IGNORECASE)
_QUERY_PAIR = re.compile(r"(?P<name>[^&=?#;\s]+)=(?P<value>[^&#\s]*)")
_FORM = re.compile(r"[\w.%\[\]+-]+=[^\s<>{}\"]*")
_NAMING = ("name", "id", "property", "aria-label")
_NAMED = ("name", "key", "id", "type", "field", "header", "label")
_MASKED_TYPES = {"current-password", "new-password", "one-time-code"}


class Field(NamedTuple):
    """A named value."""

    name: str
    value: str
    hidden: bool = False
    typed: bool = False


def fields_of(text: str, kind: str) -> Iterator[Field]:
    """Every named value in a text; of one that a browser may break also the pieces."""
    text, pieces = whole_words(text)
    for field in _fields_of(text, kind):
        yield field
        yield from (field._replace(value=piece) for piece in pieces.get(field.value, ()))


def _fields_of(text: str, kind: str) -> Iterator[Field]:
    yield from (Field(name, value) for name, value in free_fields(text, kind))
    for packed in packed_texts(text):
        with suppress(ValueError, RecursionError):
            yield from _of_json(json.loads(packed), "")
    if "=3D" in text:
        text = quopri.decodestring(text.encode()).decode("utf-8", "replace")
    if "x-www-form-urlencoded" in kind or (len(text) < 100_000 and _FORM.fullmatch(text)):
        for name, value in parse_qsl(text):
            yield from _of_json(value, name)
    with suppress(ValueError, RecursionError):
        yield from _of_json(json.loads(re.sub(r"\A(?:\)\]\}',?|\d+(?=[\[{]))\s*", "", text)), "")
        return
    for tag in _TAG.finditer(text):
        yield of_attributes(dict(_attributes(tag[0])))
    if "&quot;" in text or "&#" in text:
        text = html.unescape(text)
    yield from (Field(*pair) for pair in near_fields(text, code="script" in kind))
    for pattern in (_PAIR, _ELEMENT):
        for match in pattern.finditer(text):
            yield from _of_json(_decoded(_value(match)), match["name"])
    for name, start, end in _parts(text):
        yield from _of_json(text[start:end], name)


def of_attributes(attributes: dict[str, str]) -> Field:
    """The field that an HTML element is."""
    kind = attributes.get("type", "").lower()
    completes = set(attributes.get("autocomplete", "").lower().split())
    names = [attributes[naming] for naming in _NAMING if attributes.get(naming)]
    return Field(
        next(filter(is_secret_name, names), next(iter(names), "")),
        attributes.get("value") or attributes.get("content", ""),
        hidden=kind == "hidden",
        typed=kind == "password" or bool(completes & _MASKED_TYPES),
    )


def query_fields(address: str) -> Iterator[Field]:
    """The named values in an address's query and fragment."""
    with suppress(ValueError):
        parts = urlsplit(address)
        for text in (parts.query, parts.fragment.rpartition("?")[2]):
            yield from (Field(name, value) for name, value in parse_qsl(text))


def is_code(kind: str) -> bool:
    """Whether a text of this media type is mostly code, in which a name beside a word means little."""
    return "html" in kind or "script" in kind


def masked_fields(text: str, kind: str = "") -> str:
    """Mask every field that is secret by its name, in a text that need not be whole."""
    text = _TAG.sub(_masked_tag, text)
    code = is_code(kind)

    def secret(name: str, value: str) -> bool:
        return is_secret_name(name) and (not code or looks_random(value))

    for pattern in (_PAIR, _ELEMENT):
        text = pattern.sub(_mask_value(secret), text)
    for name, start, end in reversed(list(_parts(text))):
        if is_secret_name(name):
            text = text[:start] + MASK + text[end:]
    return text


def masked_query(query: str, secret: Callable[[str, str], bool]) -> str:
    """Mask the values of a query or form, and leave the rest as it was written."""

    def masked(match: re.Match[str]) -> str:
        hidden = match["value"] and secret(unquote_plus(match["name"]), unquote_plus(match["value"]))
        return f"{match['name']}={MASK}" if hidden else match[0]

    return _QUERY_PAIR.sub(masked, query)


def _parts(text: str) -> Iterator[tuple[str, int, int]]:
    """Name, beginning and end of each part of a multipart body."""
    boundary = text.lstrip()[:100].partition("\n")[0].rstrip("\r")
    if not boundary.startswith("--") or len(boundary) < len("--x"):
        return
    start = 0
    for part in text.split(boundary):
        head, gap, value = part.partition("\r\n\r\n" if "\r\n\r\n" in part else "\n\n")
        named = _PART_NAME.search(head)
        if gap and named and "filename=" not in head:
            first = start + len(head) + len(gap)
            yield named[1], first, first + len(value.rstrip("\r\n"))
        start += len(part) + len(boundary)


def _of_json(value: Any, name: str) -> Iterator[Field]:
    if isinstance(value, dict):
        # {"name": "token", "value": "..."}, {"key": {"value": "..."}}
        named = next((str(value[key]) for key in _NAMED if is_secret_name(str(value.get(key, "")))), "")
        for key, inner in value.items():
            under = name if is_secret_name(name) and isinstance(inner, str) and not is_secret_name(key) else key
            if key == "value":
                under = named or name or key
            elif named and key not in _NAMED and isinstance(inner, str) and looks_random(inner):
                under = named
            yield from _of_json(inner, under)
            if is_secret_name(name) and isinstance(inner, dict | list):  # {"credentials": {"of": {"desk": "..."}}}
                yield from (Field(name, found.value) for found in _of_json(inner, key) if looks_random(found.value))
    if isinstance(value, list):
        if len(value) == len(("name", "value")) and all(isinstance(item, str) for item in value):
            yield Field(*value)
        for inner in value:
            yield from _of_json(inner, name)
    if isinstance(value, str):
        yield Field(name, value)
        if " " in value or "%" in value:
            yield from (Field(*pair) for pair in near_fields(value))
        if value[:1] in {"{", "["}:
            with suppress(ValueError, RecursionError):
                yield from _of_json(json.loads(value), name)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        yield Field(name, str(value))


def _attributes(tag: str) -> Iterator[tuple[str, str]]:
    for name, value in _ATTRIBUTE.findall(tag):
        yield name.lower(), html.unescape(value.strip("\"'"))


def _masked_tag(tag: re.Match[str]) -> str:
    field = of_attributes(dict(_attributes(tag[0])))
    if not field.value or not (field.typed or is_secret_name(field.name)):
        return tag[0]
    return _ATTRIBUTE.sub(lambda match: f'{match[1]}="{MASK}"' if match[1].lower() in _VALUES else match[0], tag[0])


_VALUES = {"value", "content"}


def _value(match: re.Match[str]) -> str:
    return next((match[group] for group in _span_groups(match) if match[group] is not None), "")


def _span_groups(match: re.Match[str]) -> tuple[str, ...]:
    return ("escaped", "double", "single", "back", "bare") if "double" in match.re.groupindex else ("value",)


def _mask_value(secret: Callable[[str, str], bool]) -> Callable[[re.Match[str]], str]:
    def masked(match: re.Match[str]) -> str:
        group = next((group for group in _span_groups(match) if match[group] is not None), "")
        if not group or not match[group].strip() or not secret(_decoded(match["name"]), _decoded(match[group])):
            return match[0]
        start, end = match.start(group) - match.start(), match.end(group) - match.start()
        return match[0][:start] + MASK + match[0][end:]

    return masked


def _decoded(value: str) -> str:
    if "\\" in value:
        with suppress(ValueError):
            return str(json.loads(f'"{value}"'))
    return html.unescape(value) if "&" in value else value
