"""Redaction: known values in every form they travel in, and fields that are secret by their name; in records of ours
never our own names, words from a list, numbers and times.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit, urlunsplit

import msgspec

from synthprobe.errors import SecretError
from synthprobe.evidence.fields import masked_fields, masked_query
from synthprobe.evidence.forms import MASK, address_parts, forms_of, phrase_pattern
from synthprobe.evidence.known import Beginnings, CutValues, KnownTexts
from synthprobe.evidence.learning import ADDRESSES, RUNTIME_SHORTEST, Learner
from synthprobe.evidence.names import is_secret_name, looks_random, may_be_secret_name
from synthprobe.evidence.pictures import PNG, picture_only
from synthprobe.evidence.scan import Scanner
from synthprobe.records.journey import OWN
from synthprobe.records.plain_text import whole_letters
from synthprobe.targets.secrets import SHORTEST, Secret, read_secret, weakness

R = TypeVar("R")


def masked_record(record: R, mask: Callable[[str], str]) -> R:
    """Mask the texts of a record."""
    masked: Any = record
    if isinstance(record, msgspec.Struct):
        kept = {name: masked_record(getattr(record, name), mask) for name in _masked_fields(type(record))}
        masked = msgspec.structs.replace(record, **kept)
    if isinstance(record, str):
        masked = mask(record)
    if isinstance(record, Mapping):
        masked = {key: masked_record(value, mask) for key, value in record.items()}
    if isinstance(record, (list, tuple)):
        masked = type(record)(masked_record(value, mask) for value in record)
    return masked  # type: ignore[no-any-return]


@cache
def _masked_fields(kind: type) -> tuple[str, ...]:
    """All fields but those that hold our own names, or a word from a list."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        name
        for name, hint in hints.items()
        if get_origin(hint) is not Literal and not (get_origin(hint) is Annotated and OWN in get_args(hint))
    )


_USER_INFO = re.compile(r"(?<=://)[^/?#\s\"'<>(){},;\[\]\\]+@")
_LINES = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{60,76}\r?\n)+[A-Za-z0-9+/]{4,76}={0,2}")
_SCHEME = re.compile(r"(Basic|Bearer|Digest|Negotiate|Token) ", re.IGNORECASE)
_COOKIES = {"cookie", "set-cookie"}


class Redactor(Learner):
    """Masks secrets in all that is kept.

    Attributes:
        catch_up: learns what was issued meanwhile; called before a text is written while a journey runs.
        issued: what was learned from the target, plain; never to be written.
        notes: sentences on what the target issued and is not masked, each once; whoever tells them empties it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.issued: set[str] = set()
        self.notes: list[str] = []
        self.catch_up: Callable[[], None] = lambda: None
        self._noted: set[str] = set()
        self._own = ""
        self._names: set[str] = set()
        self._forms: set[str] = set()
        self._plain: set[str] = set()
        self._declared = KnownTexts()
        self._phrases: list[re.Pattern[str]] = []
        self._codes: list[bytes] = []
        self.scanner = Scanner({})
        self._known = self.scanner.known
        self._begun = Beginnings()
        self._cut = CutValues(MASK)

    def add(self, value: str | Secret, name: str = "") -> None:
        """Register a secret in every form it may take."""
        plain = value.reveal() if isinstance(value, Secret) else value
        rule = name or (value.name if isinstance(value, Secret) else "") or "secret"
        if why := weakness(plain):
            raise SecretError(f"A value of {rule!r} {why} and cannot be masked safely.")
        if (pattern := phrase_pattern(plain)) and plain not in self._plain:
            self._phrases.append(re.compile(pattern))
            self.scanner.add_phrase(pattern, rule)
        forms = forms_of(plain)
        self._declared.add({_raw(form): rule for form in forms})
        self._know(plain, rule, forms)

    def add_code(self, code: str) -> None:
        """Mask a one-time code, which is too short to be masked within other digits, wherever it stands alone."""
        pattern = rf"(?:(?<![0-9])|(?<=%[0-9A-Fa-f]{{2}})){re.escape(code)}(?![0-9])"
        if _raw(code) not in self._codes:
            self._codes.append(_raw(code))
            self._forms.add(code)
            self._phrases.append(re.compile(pattern))
            self.scanner.add_phrase(pattern, "one-time code")

    def _know(self, plain: str, rule: str, forms: set[str]) -> None:
        if plain in self._plain:
            return
        self._plain.add(plain)
        self._forms |= forms
        self._cut.add({plain, repr(plain)[1:-1], json.dumps(plain)[1:-1]})
        self._begun.add(plain)
        wide = forms if plain not in self.issued else {plain}
        codecs = ("utf-16-le", "utf-16-be")
        known = {_raw(form): rule for form in forms} | {form.encode("utf-8", "replace"): rule for form in forms}
        self.scanner.add(known | {form.encode(codec, "replace"): rule for form in wide for codec in codecs})

    def own(self, names: Iterable[str]) -> None:
        """Tell names of the project: ids, titles of steps, hosts, paths; an issued value that is part of one is not
        learned, as a cookie could otherwise rename a journey or the target in all that is recorded.
        """
        given = set(names)
        self._names |= given
        self._own = "\n".join([self._own, *sorted(name for name in given if name not in self._own)])

    def learn_declared(self, sources: Mapping[str, str], environ: Mapping[str, str], root: Path) -> list[str]:
        """Register every declared secret that can be read here, asked for or not.

        A dump of the environment prints also what no journey asked for.
        """
        unknown = []
        for name, source in sources.items():
            try:
                self.add(read_secret(name, environ, source=source, root=root), name)
            except SecretError:
                unknown.append(name)
        return unknown

    def late_text(self, text: str) -> str:
        """Mask known values in what a journey says while it runs; our own words need no look at what was issued."""
        if not self._is_ours(text):
            self.catch_up()
        return self.text(text)

    def learn(self, value: str, name: str, shortest: int = RUNTIME_SHORTEST) -> bool:
        """Mask what was issued from now on, unless it is part of a name of the project; a note says so then."""
        value = whole_letters(value)
        if value in self._plain:
            return True
        if len(value) < shortest or weakness(value):
            return False
        if self.is_own(value, name):
            return False
        if value.startswith("/") and not address_parts(value):
            return False  # the path of a page
        if self._own and _netloc(value) and _netloc(value) in self._own:
            learned = [self.learn(part, name, shortest) for part in address_parts(value)]
            return any(learned)
        self.issued.add(value)
        self._know(value, name, forms_of(value, self._own, issued=True))
        return True

    def is_own(self, value: str, name: str) -> bool:
        """Whether a value is part of a name of the project; a note says so then."""
        if len(value) < SHORTEST or value not in self._own:
            return False
        where = "".join(c for c in name if c.isprintable())[:60]
        note = f"{value!r} was sent as {where}. That is part of a name of this project, so it is not masked."
        self.notes += [note] * (note not in self._noted)
        self._noted.add(note)
        return True

    def text(self, text: str) -> str:
        """Mask known values."""
        text = whole_letters(text)
        if "@" in text:
            text = _USER_INFO.sub(f"{MASK}@", text)
        if self._is_ours(text) and not any(self._declared.matches(_raw(text))):
            return text
        text = self._cut.text(text)
        for phrase in self._phrases:
            text = phrase.sub(MASK, text)
        if "\n" in text:
            text = _LINES.sub(self._whole_lines, text)
        raw = _raw(text)
        spans = [(first, last) for _, first, last in self._known.matches(raw)]
        return _masked(raw, spans) if spans else text

    def _is_ours(self, text: str) -> bool:
        """Whether a text is a name of the project, or part of one; a whole name is found without a search."""
        return text.removesuffix("\n") in self._names or text in self._own

    def _whole_lines(self, lines: re.Match[str]) -> str:
        """Base64 as mail breaks it into lines, with a known value anywhere in it."""
        return MASK if any(self._known.matches(_raw("".join(lines[0].split())))) else lines[0]

    def pieces(self, pieces: Sequence[str]) -> list[str]:
        """Mask known values that stand in several pieces, and beginnings of them: keys typed one by one, frames.

        A beginning counts from 6 characters and half of the value on; in a text by itself not one of other words.
        """
        for phrase in self._phrases:
            pieces = [phrase.sub(MASK, piece) for piece in pieces]
        whole = _raw("".join(pieces))
        spans = [(first, last) for _, first, last in self._known.matches(whole)]
        spans += self._begun.spans(whole, whole=len(pieces) == 1)
        spans += [found.span() for code in self._codes for found in re.finditer(re.escape(code), whole)]
        masked, start = [], 0
        for raw in map(_raw, pieces):
            end = start + len(raw)
            inside = [(max(first, start) - start, min(last, end) - start) for first, last in spans]
            masked.append(_masked(raw, [(first, last) for first, last in inside if first < last]))
            start = end
        return masked

    def data(self, value: Any) -> Any:
        """Mask known values in all strings and keys of JSON-like data."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bool) or value is None:
            return value
        if isinstance(value, (int, float)):
            return MASK if str(value) in self._forms else value
        if isinstance(value, Mapping):
            return {self.text(key) if isinstance(key, str) else key: self.data(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.data(item) for item in value]
        return value

    def record(self, record: R) -> R:
        """Mask known values in a record of ours; its own names, words from a list, numbers and times stay."""
        return masked_record(record, self.text)

    def fields(self, value: Any) -> Any:
        """As `data`, and mask every field that is secret by its name."""
        if isinstance(value, Mapping):
            return {
                key: MASK
                if is_secret_name(str(key)) and not isinstance(item, (bool, type(None)))
                else self.fields(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.fields(item) for item in value]
        return self.data(value)

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Mask headers by name and by value; a target may issue a header's name as well."""
        return {self.text(name): self.header(name, str(value)) for name, value in headers.items()}

    def header(self, name: str, value: str) -> str:
        """Mask one header by name, by the names of fields in an address, and by value; a scheme is no secret."""
        if name.lower() in _COOKIES or is_secret_name(name):
            scheme = _SCHEME.match(value) if name.lower() == "authorization" else None
            return f"{scheme[0]}{MASK}" if scheme else MASK
        shown = self.url(value) if name.lower() in ADDRESSES else self.text(value)
        return MASK if self.residual(shown.encode("utf-8", "replace")) else shown

    def body(self, text: str, content_type: str) -> str:
        """Mask a body by its fields' names and by value."""
        if "x-www-form-urlencoded" in content_type:
            return self.text(masked_query(text, _is_secret))
        if text.lstrip()[:1] in {"{", "["}:
            with suppress(ValueError, RecursionError):
                decoded = json.loads(text)
                shown = self.fields(decoded)
                return self.text(text if shown == decoded else json.dumps(shown, ensure_ascii=False))
        return self.text(masked_fields(text, content_type))

    def url(self, url: str) -> str:
        """Mask an address part by part, its query and fragment fields by name as well; it stays an address."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return self.text(url)
        user, _, host = parts.netloc.rpartition("@")
        netloc = ("masked@" if user else "") + self.text(host).replace(MASK, "masked")  # brackets are for IPv6
        query = self.text(masked_query(parts.query, _is_secret))
        fragment = self.text(masked_query(parts.fragment, _is_secret))
        given = (parts.netloc, parts.path, parts.query, parts.fragment)
        shown = (netloc, self.text(parts.path), query, fragment)
        if shown != given:
            url = urlunsplit(parts._replace(**dict(zip(("netloc", "path", "query", "fragment"), shown, strict=True))))
        whole = self.text(url).replace(f"://{MASK}@", "://masked@")
        return whole if whole == url or "[" not in _netloc(whole) else MASK

    def content(self, content: bytes, media_type: str) -> bytes:
        """Mask a file's content."""
        if content.startswith(PNG):
            content = picture_only(content) or content
        try:
            return self.text(content.decode("utf-8")).encode()
        except UnicodeDecodeError:
            return content if not self.residual(content) else b"withheld: a secret was found in a binary file\n"

    def residual(self, content: bytes) -> list[str]:
        """Which secrets are still in the final bytes, looking inside zip, gzip and base64."""
        return self.scanner.content(content)


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


def _is_secret(name: str, value: str) -> bool:
    return is_secret_name(name) or (may_be_secret_name(name) and looks_random(value))
