"""Learns what is issued to a journey and its browser, before anything of it is written."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from synthprobe.evidence.fields import Field, fields_of, is_code, query_fields
from synthprobe.evidence.free_text import binary_pairs, free_fields
from synthprobe.evidence.names import is_readable, is_secret_name, looks_random, may_be_everyday, may_be_secret_name
from synthprobe.targets.secrets import SHORTEST

RUNTIME_SHORTEST = 8
_LONGEST_TOKEN = 8_000
ADDRESSES = frozenset({"location", "content-location", "referer", "refresh", "link"})
_STANDARD = re.compile(
    r":|accept|access-control-|alt-svc|baggage|cache-control|connection|content-|date|dnt|etag|expect|host|if-|"
    r"idempotency-key|keep-alive|last-modified|origin|pragma|priority|range|sec-|server|te$|traceparent|tracestate|"
    r"transfer-encoding|upgrade|user-agent|vary|via|x-(amzn-)?(b3-|request|correlation|trace)|x-forwarded-|x-build|x-node"
)
_NO_TEXT = ("image/", "font/", "audio/", "video/", "application/font", "application/wasm", "text/css")
_COOKIE = re.compile(r"(?:^|, |\n)([^=;, ]+)=([^;,\n]*)")


class Learner:
    """What a redactor learns from; what becomes of a value that was found is the redactor's own."""

    def __init__(self) -> None:
        self._read: set[bytes] = set()

    def learn(self, value: str, name: str, shortest: int = RUNTIME_SHORTEST) -> bool:
        """Mask a value from now on, if it can be masked without masking innocent text."""
        raise NotImplementedError

    def is_own(self, value: str, name: str) -> bool:
        """Whether a value is part of a name of the project; a note says so then."""
        raise NotImplementedError

    def learn_from_request_headers(self, headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        """Learn the credentials that are sent, wherever they came from."""
        for name, text in _texts(headers):
            lower = name.lower()
            if lower == "cookie":
                for cookie in text.split(";"):
                    self.learn_cookie(*map(str.strip, cookie.partition("=")[::2]))
            elif "authorization" in lower:
                self._learn_credential(text, lower)
            else:
                self._learn_header(lower, text)

    def learn_from_response_headers(self, headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> None:
        """Learn cookies and tokens that the target set."""
        for name, text in _texts(headers):
            if name.lower() == "set-cookie":
                for cookie, value in _COOKIE.findall(text):
                    self.learn_cookie(cookie, value)
            elif name.lower() == "authorization":  # some give a token with the answer to a log-in so
                self._learn_credential(text, "authorization")
            else:
                self._learn_header(name.lower(), text)

    def learn_cookie(self, name: str, value: str) -> None:
        """Learn a cookie, whatever its name; what a person would read is one only under a secret's name."""
        value = value.strip('"')
        for shown in dict.fromkeys((value, unquote(value))):
            if is_secret_name(name) or not is_readable(shown):
                self.learn(shown, f"cookie {name}")
            else:
                self.is_own(shown, f"cookie {name}")
        if value[:1] == "%" or value[:1] in {"{", "["}:
            self.learn_from_fields(fields_of(unquote(value), "application/json"))

    def learn_from_address(self, address: str) -> None:
        """Learn tokens in an address's path, query and fragment."""
        if "=" in address:
            self.learn_from_fields(query_fields(address))
        self.learn_from_fields(Field(name, value) for name, value in free_fields(address))

    def learn_from_body(self, content: bytes, kind: str = "application/json", address: str = "") -> None:
        """Learn tokens in a body, also one that is nothing else, where its address says so: ``/api/csrf-token``."""
        if kind.startswith(_NO_TEXT) and "svg" not in kind:
            return
        if len(content) > _LONGEST_TOKEN:  # each page of an application asks for the same megabytes of scripts again
            read = hashlib.sha256(kind.encode() + b"\0" + content).digest()
            if read in self._read:
                return
            self._read.add(read)
        if not kind.startswith("text/"):
            self.learn_from_fields(Field(*pair) for pair in binary_pairs(content) if looks_random(pair[1]))
        if b"\0" in content[:4]:
            content = content.decode("utf-16", "replace").encode()
        code = is_code(kind)
        text = content.decode("utf-8", "replace").removeprefix("\ufeff")
        fields = fields_of(text, kind)
        if len(text) < _LONGEST_TOKEN and looks_random(whole := text.strip().strip('"')):
            self.learn_from_fields([Field(address.partition("?")[0].rstrip("/").rpartition("/")[2], whole)])
        self.learn_from_fields(
            field for field in fields if not code or field.hidden or field.typed or looks_random(field.value)
        )

    def learn_from_json(self, body: Any) -> None:
        self.learn_from_fields(fields_of(json.dumps(body), "application/json"))

    def learn_from_parameters(self, parameters: Mapping[str, Any]) -> None:
        """Learn what a journey is parametrised with under a secret's name, also within a dictionary or an object."""
        for name, value in parameters.items():
            with suppress(Exception):  # a foreign class may break where it describes itself
                shown = [Field(name, value)] if isinstance(value, str) else fields_of(repr(value), "text/plain")
                self.learn_from_fields(shown)

    def learn_from_fields(self, fields: Iterable[Field]) -> None:
        """Learn those that are secret by their name, by what they are, or by name and look together."""
        for field in fields:
            if len(field.value) < SHORTEST:
                continue
            if field.typed:
                self.learn(field.value, "field for a password", SHORTEST)
            elif is_secret_name(field.name) and not may_be_everyday(field.name, field.value):
                self.learn(field.value, field.name)
                self._learn_pair(field.value, field.name)
            elif (field.hidden or may_be_secret_name(field.name)) and looks_random(field.value):
                self.learn(field.value, field.name or "hidden field")
                self._learn_pair(field.value, field.name)

    def learn_from_storage(self, entries: Iterable[tuple[str, str]]) -> None:
        """Learn tokens that a page keeps in the browser: `localStorage`, `sessionStorage`."""
        for name, value in entries:
            self.learn_from_fields(fields_of(json.dumps({name: value}), "application/json"))
            if looks_random(value):
                self.learn(value, f"storage {name}")

    def _learn_header(self, name: str, text: str) -> None:
        if name in ADDRESSES:
            self.learn_from_address(text)
        elif name == "sec-websocket-protocol":  # a page has no other header to send a credential with
            parts = map(str.strip, text.split(","))
            self.learn_from_fields(Field("token", part) for part in parts if looks_random(part))
        elif '="' in text or "://" in text or text[:1] in {"{", "["}:  # Digest realm="desk", nonce="..."
            self.learn_from_fields(fields_of(text, "text/plain"))
        elif is_secret_name(name) or (not _STANDARD.match(name) and looks_random(text)):
            self.learn(text.strip(), name)

    def _learn_credential(self, text: str, name: str) -> None:
        scheme, _, credential = text.strip().rpartition(" ")
        self.learn(credential.strip('"'), name)
        for field in fields_of(text, "text/plain"):
            if looks_random(field.value):
                self.learn(field.value, name)
        if scheme.lower() == "basic":
            self._learn_pair(credential, name)

    def _learn_pair(self, packed: str, name: str) -> None:
        """Learn the password of a name and a password in base64."""
        try:
            pair = base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True).decode()
        except ValueError:
            return
        if ":" in pair and pair.isprintable():
            self.learn(pair, name, SHORTEST)
            self.learn(pair.partition(":")[2], name, SHORTEST)


def _texts(headers: Mapping[str, str] | Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    for name, value in headers.items() if isinstance(headers, Mapping) else headers:
        yield str(name), value.decode("latin-1") if isinstance(value, bytes) else str(value)
