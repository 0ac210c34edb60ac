"""Redaction: known values in every form they travel in, and fields that are secret by their name."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from os import environ
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ahocorasick_rs import BytesAhoCorasick

from synthprobe.errors import SecretError
from synthprobe.evidence.cut import CutValues
from synthprobe.evidence.forms import MASK, forms_of
from synthprobe.evidence.scan import Scanner, searcher
from synthprobe.targets.secrets import SHORTEST, Secret, read_secret, weakness

_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-control-token"}
_NAMES = r"passw(or)?d|pwd|secret|token|api[-_]?key|session(id)?$|otp|pin$|credential"
_NAME = re.compile(_NAMES, re.IGNORECASE)
# a text without a match has no field of such a name; escapes and other encodings may hide one
_PERHAPS_NAMED = re.compile(_NAMES.replace("$", "") + r"|\\u|\0", re.IGNORECASE)
_INNOCENT = {"client_token", "csrftoken_name"}
_RUNTIME_SHORTEST = 8


class Redactor:
    """Masks secrets in all that is kept.

    Example:
        >>> redactor = Redactor()
        >>> redactor.add("correct horse")
        >>> redactor.text("sent correct%20horse")
        'sent [masked]'
    """

    def __init__(self) -> None:
        self._forms: dict[str, str] = {}
        self._plain: set[str] = set()
        self._whole: BytesAhoCorasick | None = None
        self._begun: BytesAhoCorasick | None = None
        self._scanner: Scanner | None = None
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
        if plain in self._plain:
            return
        self._cut.add({plain, repr(plain)[1:-1], json.dumps(plain)[1:-1]})
        self._plain.add(plain)
        for form in forms_of(plain):
            self._forms.setdefault(form, rule)
        self._whole = self._begun = self._scanner = None

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
        self.add(value, name)
        return True

    def text(self, text: str) -> str:
        """Mask known values.

        Args:
            text: any text.

        Returns:
            The text, masked; what was left of a value that somebody cut (``'Plain...'``) as well.
        """
        text = self._cut.text(text)
        if self._whole is None:
            self._whole = searcher([_raw(form) for form in self._forms])
        raw = _raw(text)
        spans = self._whole.find_matches_as_indexes(raw)
        return _masked(raw, [(first, last) for _, first, last in spans]) if spans else text

    def pieces(self, pieces: Sequence[str]) -> list[str]:
        """Mask known values that stand in several pieces, and beginnings of them: keys typed one by one, frames.

        A beginning counts from 6 characters and half of the value on.

        Args:
            pieces: what was sent, in order.

        Returns:
            As many pieces, with the parts of a value masked in each.
        """
        if self._begun is None:
            begun = {
                plain[:end] for plain in self._plain for end in range(max(SHORTEST, (len(plain) + 1) // 2), len(plain))
            }
            self._begun = searcher([_raw(form) for form in {*self._forms, *begun}])
        spans = self._begun.find_matches_as_indexes(_raw("".join(pieces)))
        masked, start = [], 0
        for raw in map(_raw, pieces):
            end = start + len(raw)
            inside = [(max(first, start) - start, min(last, end) - start) for _, first, last in spans]
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
        """Mask an address's query and fragment fields by name, and the whole by value.

        Args:
            url: the address.

        Returns:
            The address, masked.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            return self.text(url)
        query = _masked_query(parts.query)
        fragment = _masked_query(parts.fragment) if "=" in parts.fragment else parts.fragment
        netloc = parts.netloc if "@" not in parts.netloc else f"{MASK}@{parts.netloc.rpartition('@')[2]}"
        if (query, fragment, netloc) != (parts.query, parts.fragment, parts.netloc):
            url = urlunsplit(parts._replace(query=query, fragment=fragment, netloc=netloc))
        return self.text(url)

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
        if self._scanner is None:
            needles = {
                form.encode(code, "replace"): rule
                for form, rule in self._forms.items()
                for code in ("utf-8", "utf-16-le", "utf-16-be")
            }
            self._scanner = Scanner(needles)
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
    for first, last in spans:
        kept.append(raw[at:first])
        at = last
    return MASK.encode().join([*kept, raw[at:]]).decode("utf-8", "surrogatepass")


@lru_cache(4096)
def _secret_name(name: str) -> bool:
    return name.lower() not in _INNOCENT and bool(_NAME.search(name))


def _masked_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(_secret_name(name) for name, _ in pairs):
        return query
    return urlencode([(name, MASK if _secret_name(name) else value) for name, value in pairs], safe="[]")
