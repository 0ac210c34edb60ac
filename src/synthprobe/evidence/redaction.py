"""Redaction: known values in every form they travel in, and fields that are secret by their name."""

from __future__ import annotations

import base64
import gzip
import html
import io
import json
import re
import zipfile
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, urlencode, urlsplit, urlunsplit

from synthprobe.errors import SecretError
from synthprobe.targets.secrets import SHORTEST, Secret

MASK = "[masked]"
_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "x-control-token"}
_NAME = re.compile(r"passw(or)?d|pwd|secret|token|api[-_]?key|session(id)?$|otp|pin$|credential", re.IGNORECASE)
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
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: str | Secret, name: str = "") -> None:
        """Register a secret in every form it may take.

        Args:
            value: the secret.
            name: what rule to name when it is found; never the value.

        Raises:
            SecretError: when it is shorter than 6 characters.
        """
        plain = value.reveal() if isinstance(value, Secret) else value
        rule = name or (value.name if isinstance(value, Secret) else "") or "secret"
        if len(plain) < SHORTEST:
            raise SecretError(f"A value of {rule!r} is shorter than {SHORTEST} characters and cannot be masked safely.")
        if plain in self._forms:
            return
        for form in _forms(plain):
            self._forms.setdefault(form, rule)
        self._pattern = None

    def try_add(self, value: str, name: str = "") -> bool:
        """Register a value found at run time, if it is long enough.

        Args:
            value: for example a session cookie.
            name: what rule to name.

        Returns:
            Whether it is masked from now on.
        """
        if len(value) < _RUNTIME_SHORTEST:
            return False
        self.add(value, name)
        return True

    def text(self, text: str) -> str:
        """Mask known values.

        Args:
            text: any text.

        Returns:
            The text, masked.
        """
        if not self._forms:
            return text
        if self._pattern is None:
            self._pattern = re.compile("|".join(map(re.escape, sorted(self._forms, key=len, reverse=True))))
        return self._pattern.sub(MASK, text)

    def data(self, value: Any, name: str = "") -> Any:
        """Mask known values in all strings and keys of JSON-like data.

        Args:
            value: dictionaries, lists, strings and numbers.
            name: the key it stands under.

        Returns:
            A masked copy.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {
                self.text(key) if isinstance(key, str) else key: self.data(one, str(key)) for key, one in value.items()
            }
        if isinstance(value, (list, tuple)):
            return [self.data(one) for one in value]
        if isinstance(value, (int, float)) and not isinstance(value, bool) and str(value) in self._forms:
            return MASK
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
        if "json" in content_type:
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

    def residual(self, content: bytes, depth: int = 2) -> list[str]:
        """Which secrets are still in the final bytes, looking inside zip, gzip and base64.

        Args:
            content: the bytes.
            depth: how many containers are opened.

        Returns:
            The rules' names; empty when it is clean.
        """
        found = {rule for form, rule in self._forms.items() if form.encode() in content}
        found |= {rule for form, rule in self._forms.items() if form.encode("utf-16-le") in content}
        if depth and content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for name in archive.namelist():
                    found |= set(self.residual(name.encode(), 0)) | set(self.residual(archive.read(name), depth - 1))
        if depth and content[:2] == b"\x1f\x8b":
            found |= set(self.residual(gzip.decompress(content), depth - 1))
        return sorted(found)

    def learn_from_request_headers(self, headers: Mapping[str, str]) -> None:
        """Register the credentials that are sent, wherever they came from."""
        for name, value in headers.items():
            if name.lower() in {"authorization", "proxy-authorization", "x-api-key"}:
                self.try_add(str(value).rpartition(" ")[2], name.lower())

    def learn_from_response_headers(self, headers: Mapping[str, str]) -> None:
        """Register cookies that the target set."""
        for name, value in headers.items():
            if name.lower() == "set-cookie":
                for cookie in re.findall(r"(?:^|, )[^=;, ]+=([^;,]*)", value):
                    self.try_add(cookie.strip('"'), "cookie")

    def learn_from_json(self, body: Any) -> None:
        """Register tokens that the target issued."""
        if isinstance(body, Mapping):
            for name, value in body.items():
                if isinstance(value, str) and _secret_name(str(name)):
                    self.try_add(value, str(name))
                elif isinstance(value, Mapping):
                    self.learn_from_json(value)


def _secret_name(name: str) -> bool:
    return name.lower() not in _INNOCENT and bool(_NAME.search(name))


def _masked_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not any(_secret_name(name) for name, _ in pairs):
        return query
    return urlencode([(name, MASK if _secret_name(name) else value) for name, value in pairs], safe="[]")


def _forms(value: str) -> set[str]:
    """Every form the value travels in."""
    once = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    twice = {json.dumps(form)[1:-1] for form in once} | {json.dumps(form, ensure_ascii=False)[1:-1] for form in once}
    percent = {quote(value), quote(value, safe=""), quote_plus(value), quote(value, safe="/:!*'()~")}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in percent}
    escaped = {html.escape(value), html.escape(value, quote=False), html.escape(value).replace("&#x27;", "&#39;")}
    numeric = {"".join(f"&#{ord(c)};" for c in value), "".join(f"&#x{ord(c):x};" for c in value)}
    raw = value.encode()
    encoded = {raw.hex(), raw.hex().upper(), *_base64_cores(raw)}
    parts = {part for part in value.split(".") if len(part) >= 16} if value.count(".") == 2 else set()
    return {form for form in {value, *once, *twice, *percent, *lower, *escaped, *numeric, *encoded, *parts} if form}


def _base64_cores(raw: bytes) -> set[str]:
    """The characters that are the same whatever surrounds the value, at each of the three offsets."""
    cores = set()
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        start = (0, 2, 3)[offset]
        whole = (len(raw) + offset) % 3 == 0
        core = encoded[start:] if whole else encoded[start:-1]
        if len(core) >= SHORTEST:
            cores |= {core, core.replace("+", "-").replace("/", "_")}
    return cores
