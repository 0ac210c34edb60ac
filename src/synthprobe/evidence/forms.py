"""Every form a secret travels in: JSON, percent, HTML, Python, base64, hexadecimal, UTF-16, and its parts."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from html.entities import codepoint2name
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from synthprobe.targets.secrets import SHORTEST, weakness

MASK = "[masked]"
"""What stands in the place of a secret."""

# in addresses: by urllib, by JavaScript, by requests, in Chromium's path and in its query
_LEFT_AS_IT_IS = (
    "",
    "/",
    "!*'()~",
    "/:!*'()~",
    "!#$&'()*+,/:;=?@~",
    "!#$%&'()*+,/:;=?@[]~",
    "!$%&'()*+,/:;=@[]\\^|~",
    "!$%&()*+,/:;=?@[]\\^`{|}~",
)
_SHORTEST_PART = 16


def forms_of(value: str, own: str = "", *, issued: bool = False) -> set[str]:
    """Every form a secret travels in: whole, and each part of ``user:pass``, of a JWT, of an address, each line.

    What was issued is known in fewer forms, as there may be a new token with each answer.
    """
    parts = [value, *_lines(value), *address_parts(value)]
    if value.count(":") == 1 and "//" not in value:
        parts += [part for part in value.split(":") if not weakness(part)]
    if value.count(".") == 2:
        parts += [part for part in value.split(".") if len(part) >= 16]
    secret = [part for part in parts if not own or part not in own]
    apart = value.count(".") == 2 and set(value.split(".")) < set(secret)  # each form of it holds those of its parts
    written = secret[1:] if apart else secret
    forms = {form for part in written for form in _written(part, issued=issued)} | set(secret[:1])
    forms = {form for form in forms if form and form not in MASK}
    return {form for form in forms if form not in own} if own else forms


def _lines(value: str) -> list[str]:
    """pytest indents each line of a text, and breaks it where it says ``\\n``, so that it stands nowhere as a whole."""
    lines = [line.strip() for line in re.split(r"\n|\\n", value)]
    shortest = min(_SHORTEST_PART, max(SHORTEST, (len(value) + 1) // 2))
    return [line for line in lines[: len(lines) * (len(lines) > 1)] if len(line) >= shortest and line[:5] != "-----"]


def address_parts(value: str) -> list[str]:
    """What is secret in an address, as clients name one in pieces."""
    if "://" not in value and not value.startswith("/"):
        return []
    try:
        address = urlsplit(value)
    except ValueError:
        return []
    known = [*address.path.split("/"), *(given for _, given in parse_qsl(address.query))]
    long = [part for part in known if len(part) >= _SHORTEST_PART and re.search(r"\d", part)]
    password = unquote(address.password or "")
    return long if weakness(password) else [password, *long]


def _written(value: str, *, issued: bool) -> set[str]:
    misread = value.encode("utf-8", "replace").decode("latin-1")  # as headers are, that are sent in UTF-8
    once = _as_json({value, misread})
    twice = _as_json(once)
    percent = {
        form
        for spelling in once
        for form in (quote_plus(spelling), *(quote(spelling, safe=safe) for safe in _LEFT_AS_IT_IS))
    }
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), form) for form in percent}
    encoded = {form for spelling in once for form in _base64_cores(spelling.encode("utf-8", "replace"))}
    percent |= {quote(form, safe="") for form in percent}
    raw = value.encode("utf-8", "replace")
    python = {repr(value)[1:-1], ascii(value)[1:-1], repr(raw)[2:-1]}
    python |= {value.encode("unicode_escape").decode(), value.replace("\\", "\\\\").replace("'", "\\'")}
    wide = value.encode("utf-16-le", "replace")
    digits = {raw.hex(), raw.hex(" "), raw.hex(":"), raw.hex("-"), "".join(f"\\x{byte:02x}" for byte in raw)}
    encoded |= {core for once_packed in _base64_cores(raw) for core in _base64_cores(once_packed.encode())}
    encoded |= _rare(value, raw) if not issued else set()
    encoded |= {*digits, *(form.upper().replace("\\X", "\\x") for form in digits), *_base64_cores(wide)}
    cased = {form for form in (value.upper(), value.lower()) if not weakness(form)}
    encoded |= _as_codes(value, whole=not issued)
    return {value, *cased, *once, *twice, *python, *percent, *lower, *_as_shell(value), *_as_html(value), *encoded}


def _rare(value: str, raw: bytes) -> set[str]:
    """Typed or kept sign by sign, as numbers of bytes, in base32, and in JSON or an address once more than usual."""
    forms = {separator.join(map(str, raw)) for separator in (", ", ",")} | {"', '".join(value), '", "'.join(value)}
    packed = _cores(base64.b32encode, raw, bits=5)
    in_json = in_address = value
    for _ in range(3):
        in_json, in_address = json.dumps(in_json)[1:-1], quote(in_address, safe="")
    return forms | packed | {core.lower() for core in packed} | {in_json, in_address}


def _as_codes(value: str, *, whole: bool) -> set[str]:
    """Each character that is no letter or digit as its code, for scripts and addresses; and each one at all."""
    misread = value.encode("utf-8", "replace").decode("latin-1")  # addresses hold bytes
    written = [*((value, codes) for codes in _CODES), *((misread, codes) for codes in _BYTES)]
    written = written if whole else written[:2]  # JSON's
    forms = {text.translate(codes) for text, codes in written if whole}
    if not (value.isascii() and value.isalnum()):
        forms |= {"".join(c if c.isascii() and c.isalnum() else codes[ord(c)] for c in text) for text, codes in written}
    return forms | {form.replace("\\", "\\\\") for form in forms}


def _as_shell(value: str) -> set[str]:
    escaped = re.sub(r"([^\w@%+=:,./-])", r"\\\1", value, flags=re.ASCII)
    return {value.replace("'", "'\"'\"'"), value.replace("'", "'\\''"), escaped}


def phrase_pattern(value: str) -> str:
    r"""A regular expression that finds a phrase wherever its lines were broken, with whatever begins the next line."""
    words = value.split()
    return r"(?:\s|\\n|\\r|[|│┃>#E])+".join(map(re.escape, words)) if len(words) > 1 else ""


def _as_json(values: set[str]) -> set[str]:
    forms = set(values)
    for value in values:
        plain = json.dumps(value)[1:-1]
        forms |= {plain, json.dumps(value, ensure_ascii=False)[1:-1], plain.replace("/", "\\/")}
        forms.add(re.sub(r"\\u[0-9a-f]{4}", lambda match: "\\u" + match[0][2:].upper(), plain))
        forms.add(re.sub("[<>&']", lambda match: f"\\u{ord(match[0]):04x}", plain))
    return forms


class _Reference(dict[int, str]):
    """A numeric character reference of each character."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __missing__(self, code: int) -> str:
        self[code] = self._pattern.format(code)
        return self[code]


_CODES = tuple(map(_Reference, ("\\u{:04x}", "\\u{:04X}", "\\x{:02x}", "\\x{:02X}")))
_BYTES = tuple(map(_Reference, ("%{:02x}", "%{:02X}")))
_REFERENCES = (_Reference("&#{};"), _Reference("&#x{:x};"), _Reference("&#x{:X};"))


def _as_html(value: str) -> set[str]:
    forms = {html.escape(value), html.escape(value, quote=False), html.escape(value).replace("&#x27;", "&#39;")}
    forms.add(html.escape(value, quote=False).replace('"', "&quot;"))
    forms |= {form.replace("&#39;", "&apos;") for form in forms} | {form.replace("&quot;", "&#34;") for form in forms}
    forms |= {form.encode("ascii", "xmlcharrefreplace").decode() for form in forms}
    forms |= {
        "".join(f"&{codepoint2name[ord(c)]};" if c > "~" and ord(c) in codepoint2name else c for c in form)
        for form in forms
    }
    decimal, lower, upper = (value.translate(each) for each in _REFERENCES)
    return forms | {decimal, lower, upper, upper.replace("&#x", "&#X")}


def _base64_cores(raw: bytes) -> set[str]:
    cores = _cores(base64.b64encode, raw, bits=6)
    return cores | {core.replace("+", "-").replace("/", "_") for core in cores}


def _cores(encode: Callable[[bytes], bytes], raw: bytes, *, bits: int) -> set[str]:
    """The characters that are the same whatever surrounds the value, at each offset at which it may begin."""
    encoded = [(offset, encode(b"\0" * offset + raw).decode()) for offset in range(3 if bits == 6 else 5)]
    cores = {text[-(-offset * 8 // bits) : (offset + len(raw)) * 8 // bits] for offset, text in encoded}
    return {core for core in cores if len(core) >= SHORTEST}
