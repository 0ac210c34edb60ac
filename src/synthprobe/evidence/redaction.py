"""Redaction: known values in every form they travel in, and fields that are secret by their name."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from os import environ
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from synthprobe.errors import SecretError
from synthprobe.evidence.beginnings import Beginnings
from synthprobe.evidence.cut import CutValues
from synthprobe.evidence.forms import MASK, address_parts, forms_of
from synthprobe.evidence.known import KnownTexts
from synthprobe.evidence.scan import Scanner
from synthprobe.model.journey import OWN
from synthprobe.targets.secrets import SHORTEST, Secret, read_secret, weakness

R = TypeVar("R")

_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-control-token"}
_NAMES = r"passw(or)?d|pwd|secret|token|api[-_]?key|session(id)?$|otp|pin$|credential"
_NAME = re.compile(_NAMES, re.IGNORECASE)
# a text without a match has no field of such a name; escapes and other encodings may hide one
_PERHAPS_NAMED = re.compile(_NAMES.replace("$", "") + r"|\\u|\0", re.IGNORECASE)
_INNOCENT = {"client_token", "csrftoken_name"}
_USER_INFO = re.compile(r"(?<=://)[^/?#\s\"'<>(){},;\[\]\\]+@")
_HALVES = re.compile("[\ud800-\udfff]")
_RUNTIME_SHORTEST = 8


class Redactor:
    """Masks secrets in all that is kept.

    Attributes:
        notes: sentences on what the target issued and is not masked, each once; whoever tells them empties it.

    Example:
        >>> redactor = Redactor()
        >>> redactor.add("correct horse")
        >>> redactor.text("sent correct%20horse")
        'sent [masked]'
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self._noted: set[str] = set()
        self._own = ""
        self._forms: set[str] = set()
        self._plain: set[str] = set()
        self._declared = KnownTexts()
        self._whole = KnownTexts()
        self._scanner = Scanner({})
        self._begun = Beginnings()
        self._cut = CutValues(MASK)

    @classmethod
    def of(cls, sources: Mapping[str, str], root: Path) -> Redactor:
        """A redactor that knows every declared secret that can be read here.

        Args:
            sources: where each comes from, by name, as ``config.secret_sources()`` tells.
            root: the project's root.

        Returns:
            The redactor.
        """
        redactor = cls()
        redactor.learn(sources, root)
        return redactor

    def add(self, value: str | Secret, name: str = "") -> None:
        """Register a secret in every form it may take.

        Args:
            value: the secret.
            name: what rule to name when it is found; never the value.

        Raises:
            SecretError: when it is too short or too common to be masked without masking innocent text.
        """
        plain = value.reveal() if isinstance(value, Secret) else value
        rule = name or (value.name if isinstance(value, Secret) else "") or "secret"
        if why := weakness(plain):
            raise SecretError(f"A value of {rule!r} {why} and cannot be masked safely.")
        forms = forms_of(plain)
        self._declared.add({_raw(form): rule for form in forms})
        self._know(plain, rule, forms)

    def _know(self, plain: str, rule: str, forms: set[str]) -> None:
        if plain in self._plain:
            return
        self._plain.add(plain)
        self._forms |= forms
        self._cut.add({plain, repr(plain)[1:-1], json.dumps(plain)[1:-1]})
        self._begun.add(plain)
        self._whole.add({_raw(form): rule for form in forms})
        wide = ("utf-8", "utf-16-le", "utf-16-be")
        self._scanner.add({form.encode(code, "replace"): rule for form in forms for code in wide})

    def own(self, names: Iterable[str]) -> None:
        """Tell which names are the project's own; what the target issues is not learned when it is part of one.

        Otherwise a cookie could rename a journey, a step or the target itself in all that is recorded.

        Args:
            names: for example ids of journeys, titles of steps, hosts and paths.
        """
        self._own = "\n".join([self._own, *names])

    def learn(self, sources: Mapping[str, str], root: Path) -> list[str]:
        """Register every declared secret that can be read here, asked for or not.

        A dump of the environment prints also what no journey asked for.

        Args:
            sources: where each comes from, by the name it is called by when it is found.
            root: the project's root.

        Returns:
            The names of those that cannot be read here, or not be masked; the journey that needs one says why.
        """
        unknown = []
        for name, source in sources.items():
            try:
                self.add(read_secret(name, environ, source=source, root=root), name)
            except SecretError:
                unknown.append(name)
        return unknown

    def try_add(self, value: str, name: str = "") -> bool:
        """Register a value found at run time, if it is long enough.

        Args:
            value: for example a session cookie.
            name: what rule to name.

        Returns:
            Whether it is masked from now on.
        """
        return self._learn(value, name, _RUNTIME_SHORTEST)

    def _learn(self, value: str, name: str, shortest: int) -> bool:
        if len(value) < shortest or weakness(value):
            return False
        if value in self._own:
            where = "".join(c for c in name if c.isprintable())[:60]
            note = f"The target sent {value!r} as {where}. That is part of a name of this project, so it is not masked."
            self.notes += [note] * (note not in self._noted)
            self._noted.add(note)
            return False
        if value.startswith("/") and not address_parts(value):
            return False  # the path of a page
        if self._own and _netloc(value) and _netloc(value) in self._own:
            learned = [self._learn(part, name, shortest) for part in address_parts(value)]
            return any(learned)
        self._know(value, name, forms_of(value, self._own))
        return True

    def text(self, text: str) -> str:
        """Mask known values.

        Args:
            text: any text.

        Returns:
            The text, masked; what was left of a value that somebody cut (``'Plain...'``) and user and password of any
            address as well. Halves of a sign, which no file of ours can hold, become ``�``.
        """
        if not text.isascii():
            text = _HALVES.sub("�", text)
        if "@" in text:
            text = _USER_INFO.sub(f"{MASK}@", text)
        if text in self._own and not any(self._declared.matches(_raw(text))):
            return text
        text = self._cut.text(text)
        raw = _raw(text)
        spans = [(first, last) for _, first, last in self._whole.matches(raw)]
        return _masked(raw, spans) if spans else text

    def pieces(self, pieces: Sequence[str]) -> list[str]:
        """Mask known values that stand in several pieces, and beginnings of them: keys typed one by one, frames.

        A beginning counts from 6 characters and half of the value on.

        Args:
            pieces: what was sent, in order.

        Returns:
            As many pieces, with the parts of a value masked in each.
        """
        whole = _raw("".join(pieces))
        spans = [(first, last) for _, first, last in self._whole.matches(whole)] + self._begun.spans(whole)
        masked, start = [], 0
        for raw in map(_raw, pieces):
            end = start + len(raw)
            inside = [(max(first, start) - start, min(last, end) - start) for first, last in spans]
            masked.append(_masked(raw, [(first, last) for first, last in inside if first < last]))
            start = end
        return masked

    def data(self, value: Any) -> Any:
        """Mask known values in all strings and keys of JSON-like data.

        Args:
            value: dictionaries, lists, strings and numbers.

        Returns:
            A masked copy.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, (int, float)):
            return MASK if str(value) in self._forms else value
        if isinstance(value, Mapping):
            return {self.text(key) if isinstance(key, str) else key: self.data(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(one) for one in value]
        return value

    def record(self, record: R) -> R:
        """Mask known values in a record of ours; its own names, words from a list, numbers and times stay.

        Args:
            record: a frozen record, or data made of one; never what somebody else named.

        Returns:
            A masked copy.
        """
        masked: Any = record
        if isinstance(record, msgspec.Struct):
            kept = {name: self.record(getattr(record, name)) for name in _masked_fields(type(record))}
            masked = msgspec.structs.replace(record, **kept)
        if isinstance(record, str):
            masked = self.text(record)
        if isinstance(record, Mapping):
            masked = {key: self.record(value) for key, value in record.items()}
        if isinstance(record, (list, tuple)):
            masked = type(record)(self.record(value) for value in record)
        return masked  # type: ignore[no-any-return]

    def fields(self, value: Any) -> Any:
        """As `data`, and mask every field that is secret by its name.

        Args:
            value: a decoded body.

        Returns:
            A masked copy.
        """
        if isinstance(value, Mapping):
            return {
                key: MASK if _secret_name(str(key)) and not isinstance(one, (bool, type(None))) else self.fields(one)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [self.fields(one) for one in value]
        return self.data(value)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Mask headers by name and by value.

        Args:
            headers: as sent or received.

        Returns:
            A masked copy.
        """
        return {
            name: MASK if name.lower() in _HEADERS or _secret_name(name) else self.text(str(value))
            for name, value in headers.items()
        }

    def body(self, text: str, content_type: str) -> str:
        """Mask a body by its fields' names and by value.

        Args:
            text: the body.
            content_type: its media type.

        Returns:
            The body, masked.
        """
        if "json" in content_type and _PERHAPS_NAMED.search(text):
            try:
                return self.text(json.dumps(self.fields(json.loads(text)), ensure_ascii=False))
            except ValueError:
                return self.text(
                    re.sub(r'("(?:\w*)(?:password|token|secret)\w*"\s*:\s*)"[^"]*"?', rf'\1"{MASK}"', text)
                )
        if "x-www-form-urlencoded" in content_type:
            return self.text(_masked_query(text))
        return self.text(text)

    def url(self, url: str) -> str:
        """Mask an address part by part, its query and fragment fields by name as well; it stays an address.

        Args:
            url: the address.

        Returns:
            The address, masked.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            return self.text(url)
        user, _, host = parts.netloc.rpartition("@")
        netloc = ("masked@" if user else "") + self.text(host).replace(MASK, "masked")  # brackets are for IPv6
        query = self.text(_masked_query(parts.query))
        fragment = self.text(_masked_query(parts.fragment) if "=" in parts.fragment else parts.fragment)
        given = (parts.netloc, parts.path, parts.query, parts.fragment)
        shown = (netloc, self.text(parts.path), query, fragment)
        if shown != given:
            url = urlunsplit(parts._replace(**dict(zip(("netloc", "path", "query", "fragment"), shown, strict=True))))
        whole = self.text(url)
        return whole if whole == url or "[" not in _netloc(whole) else MASK

    def content(self, content: bytes, media_type: str) -> bytes:
        """Mask a file's content.

        Args:
            content: the bytes.
            media_type: what they are; pictures are left as they are.

        Returns:
            The bytes, masked; a stub when an unknown binary holds a secret.
        """
        if media_type.startswith("image/"):
            return content
        try:
            return self.text(content.decode("utf-8")).encode()
        except UnicodeDecodeError:
            return content if not self.residual(content) else b"withheld: a secret was found in a binary file\n"

    def residual(self, content: bytes) -> list[str]:
        """Which secrets are still in the final bytes, looking inside zip, gzip and base64.

        Args:
            content: the bytes.

        Returns:
            The rules' names; empty when it is clean. A container that cannot be looked into counts.
        """
        return self.scanner().content(content)

    def scanner(self) -> Scanner:
        """What searches for the secrets known now.

        Returns:
            The scanner.
        """
        return self._scanner

    def learn_from_request_headers(self, headers: Mapping[str, str]) -> None:
        """Register the credentials that are sent, wherever they came from."""
        for name, value in headers.items():
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            if name.lower() == "cookie":
                for cookie in text.split(";"):
                    self.try_add(cookie.partition("=")[2].strip().strip('"'), "cookie")
            elif name.lower() in {"authorization", "proxy-authorization", "x-api-key"}:
                scheme, _, credential = text.rpartition(" ")
                self.try_add(credential, name.lower())
                if scheme.strip().lower() == "basic":
                    self._learn_basic(credential, name.lower())

    def _learn_basic(self, credential: str, name: str) -> None:
        try:
            pair = base64.b64decode(credential).decode("utf-8", "replace")
        except ValueError:
            return
        self._learn(pair, name, SHORTEST)
        self._learn(pair.partition(":")[2], name, SHORTEST)

    def learn_from_response_headers(self, headers: Mapping[str, str]) -> None:
        """Register cookies that the target set."""
        for name, value in headers.items():
            if name.lower() == "set-cookie":
                for cookie in re.findall(r"(?:^|, )[^=;, ]+=([^;,]*)", value):
                    self.try_add(cookie.strip('"'), "cookie")

    def learn_from_body(self, content: bytes) -> None:
        """Register tokens that the target issued, if this is JSON."""
        if _PERHAPS_NAMED.search(content.decode("utf-8", "replace")):
            with suppress(ValueError):  # not JSON after all; the journey's own expectation says so
                self.learn_from_json(json.loads(content))

    def learn_from_json(self, body: Any) -> None:
        """Register tokens that the target issued."""
        if isinstance(body, Mapping):
            for name, value in body.items():
                if isinstance(value, str) and _secret_name(str(name)):
                    self.try_add(value, str(name))
                else:
                    self.learn_from_json(value)
        elif isinstance(body, list):
            for one in body:
                self.learn_from_json(one)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _masked(raw: bytes, spans: Sequence[tuple[int, int]]) -> str:
    kept, at = [], 0
    for first, last in sorted(spans):
        if first >= at:
            kept.append(raw[at:first])
        at = max(at, last)
    return MASK.encode().join([*kept, raw[at:]]).decode("utf-8", "surrogatepass")


def _netloc(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]


@cache
def _masked_fields(kind: type) -> tuple[str, ...]:
    """All fields but those that hold our own names, or a word from a list."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        name
        for name, hint in hints.items()
        if get_origin(hint) is not Literal and not (get_origin(hint) is Annotated and OWN in get_args(hint))
    )


@lru_cache(4096)
def _secret_name(name: str) -> bool:
    return name.lower() not in _INNOCENT and bool(_NAME.search(name))


def _masked_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(_secret_name(name) for name, _ in pairs):
        return query
    return urlencode([(name, MASK if _secret_name(name) else value) for name, value in pairs], safe="[]")
