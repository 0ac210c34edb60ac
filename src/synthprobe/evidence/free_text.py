"""Credentials where no syntax names them: settings, tables, labels, addresses, base64, and bodies such as CBOR.

What stands so loosely counts only if nobody would type or read it.
"""

from __future__ import annotations

import base64
import csv
import html
import re
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import unquote

from ahocorasick_rs import AhoCorasick

from synthprobe.evidence.names import ABROAD, is_secret_name, looks_random, may_be_secret_name
from synthprobe.records.plain_text import whole_letters

_VALUE = r"[\w.~+/=:|!$-]{16,}"
_SCHEMES = ("earer", "asic", "oken", "pikey", "piKey", "EARER", "BASIC")  # their first letter is written either way
_CREDENTIAL = re.compile(rf"(?:{'|'.join(_SCHEMES)})(?:[ +]|%20|\\u0020)({_VALUE})")
# {" and [{" in base64; a JWT goes on after a dot
_PACKED = re.compile(r"((?:eyJ|eyAi|W3si)[\w+/-]{16,})(\.[\w-]{8,}\.[\w-]{8,})?")
_SETTING = re.compile(rf"(?<![\w.$-])([A-Za-z_][\w.-]{{1,60}})[ \t]*[:=|\t][ \t]*({_VALUE})(?![\w(\[])")
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----(.*?)(?:-----END|\Z)", re.DOTALL)
# tokens that say by their beginning whose they are
_ISSUED = re.compile(
    r"\b((?:gh[oprsu]_|github_pat_|gl(?:pat|dt|rt|ft|soat|cbt|ptt|oas)-|[prs]k_(?:live|test)_|xox[abeoprs]-|xapp-|AIza|AKIA|ASIA|"
    r"npm_|pypi-|SG\.|hv[bs]\.|AGE-SECRET-KEY-1|[ps]k\.eyJ|shp(?:at|ca|pa|ss)_|do[opr]_v1_|gl(?:sa|c)_|whsec_|AT[AC]TT|lin_api_|"
    r"v[1-4]\.(?:local|public)\.|dp\.(?:pt|st|ct|sa|scim|audit)\.|dckr_pat_|figd_|sbp_|ya29\.|PMAK-|NRAK-)[\w.-]{16,}"
    r"|sk-(?:[a-z0-9]{2,9}-){0,3}\w{20,}|(?:dapi|SK|key-)[0-9a-f]{32}|(?:secret|hf|ntn)_[A-Za-z0-9]{28,}"
    r"|bot\d{8,10}:[\w-]{30,}|\d{8,10}:AA[\w-]{30,})"
)
_HOOK = re.compile(r"(?:hook[\w.-]*|services/T\w{6,}/B\w{6,})/([\w./@:~=-]{16,})")
_USER_INFO = re.compile(r"://[^/\s:@\"'<>]*:([^/\s:@\"'<>]{6,})@")
# words that speak of a secret, and what stands just behind one of them, before anything else is named
_WORDS = AhoCorasick(
    [
        *(
            "access key",
            "accesskey",
            "api key",
            "api-key",
            "api_key",
            "apikey",
            "authorization",
            "bearer",
            "credential",
        ),
        *("csrf", "jwt", "passphrase", "passwd", "password", "private key", "privatekey", "secret", "session", "token"),
        "xsrf",
        *ABROAD,
    ]
)
_BEGINS = re.compile(r"(?<![\w.])[\w~+/-]{16}")
_RUN = re.compile(r"[\w~+/-]{16,8000}={0,2}(?![\w(]|\.\w)")
_NEXT_NAME = re.compile(r"[,;&]\s*[\"']?[\w$-]+[\"']?\s*[:=]")
_MARKUP = re.compile(r"<[^<>]*>?")
_JOINED = re.compile(
    r"[-_]([A-Za-z0-9]{16,})(?![\w(-]|\.(?:[cm]?js|css|map|png|svg|webp|woff2?)\b)"
)  # a file named by its token
_A_WORD = re.compile(r"\b(?!(?:id|is|was|with)\b)[^\W\d]\w+")
_NUMBERED = re.compile(r"\d.*\d")
_OF_ALL_KINDS = re.compile(r"(?=.*[a-z])(?=.*[A-Z]).*\d")  # as ids seldom are
_SENTENCE = 4
_NEAR = 48
_PARAMETER = re.compile(r"[?&;#]([\w.\[\]-]{2,60})=([^&#;?\"'`\s<>()\\]{16,})")
_PATH = re.compile(r"/([A-Za-z][\w-]{2,40})/([\w~=-]{16,})(?![\w~=-])")
_LABELLED = re.compile(
    rf">\s*([^\W\d][\w .'-]{{1,40}}?)\s*[:：]?\s*(?:<[^<>]{{0,300}}>\s*){{1,6}}"
    rf"['\"]?({_VALUE}(?:\s+{_VALUE})*)['\"]?\s*<"
)
_BREAK = r"(?:<wbr\s*/?>|&shy;|&#173;|&#8203;|[\u00ad\u200b])"
_BROKEN = re.compile(rf"(?<![\w~+/=-])[\w~+/=-]++(?:{_BREAK}[\w~+/=-]++)+")
_ELEMENT = re.compile(rf"<\w[\w-]*\s([^<>]{{1,500}})>\s*({_VALUE})\s*<")
_SHOWN = re.compile(r"<\w[\w-]*\s([^<>]{1,500})>\s*([^<>]{0,40}?)\s*(?=<|\Z)")
_LABEL = re.compile(r"\b(?:aria-label|title)\s*=\s*[\"']([^\"'<>]{2,60})")
_COPIED = re.compile(rf"\b(?:value|content|data-[\w-]+)\s*=\s*[\"']({_VALUE})[\"']")
_NAMING = re.compile(r"\b(?:id|name|class|aria-label|title|data-testid)\s*=\s*[\"']?([^\"'<>]{2,60})")
_ROWS = 10_000
_SHORTEST_LINE = 16
_STANDARD = str.maketrans("-_", "+/")


def whole_words(text: str) -> tuple[str, dict[str, list[str]]]:
    """A text with each word whole that a browser may break, and the pieces of each."""
    pieces = {}

    def whole(found: re.Match[str]) -> str:
        parts = re.split(_BREAK, found[0])
        pieces["".join(parts)] = parts
        return "".join(parts)

    return _BROKEN.sub(whole, text), pieces


def free_fields(text: str, kind: str = "") -> Iterator[tuple[str, str]]:
    """Name and value of each credential that stands loosely in a text."""
    if "&" in text:
        text = html.unescape(text)
    if any(scheme in text for scheme in _SCHEMES):
        for value in _CREDENTIAL.findall(text):
            yield from _random("authorization", value)
    for head, rest in _PACKED.findall(text):
        yield from [("jwt", head + rest)] * bool(rest)
    yield from (("token", value) for value in _ISSUED.findall(text) if looks_random(value))
    yield from (("webhook", part) for path in _HOOK.findall(text) for part in path.split("/") if looks_random(part))
    yield from (("password", value) for value in _USER_INFO.findall(text) if "@" in text)
    for body in _KEY.findall(text) if "PRIVATE KEY-----" in text else ():
        yield from (("private_key", line) for line in re.split(r"\s|\\[nr]", body) if len(line) >= _SHORTEST_LINE)
    for name, value in _SETTING.findall(text):
        yield from _random(name, value)
    marks = {"=": _PARAMETER, "/": _PATH, "<": _LABELLED}
    for pattern in (pattern for mark, pattern in marks.items() if mark in text):
        for name, value in pattern.findall(text):
            for part in dict.fromkeys((*value.split(), "".join(value.split()))):
                yield from _random(name, unquote(part))
    if "<" in text:
        for attributes, value in _ELEMENT.findall(text):
            for name in _NAMING.findall(attributes):
                yield from _random(name, value)
        for attributes, shown in _SHOWN.findall(text):  # a button that copies a token
            if any(map(is_secret_name, (shown, *_LABEL.findall(attributes)))):
                yield from (("token", value) for value in _COPIED.findall(attributes) if looks_random(value))
    if "csv" in kind or "tab-separated" in kind:
        yield from _of_table(text, "\t" if "tab" in kind else ",")


def packed_texts(text: str) -> Iterator[str]:
    """JSON that stands in a text as base64, also within a JWT."""
    for head, rest in _PACKED.findall(text):
        for part in (head, *rest.split(".")[1:2]):
            with suppress(ValueError):
                padded = part.translate(_STANDARD) + "=" * (-len(part) % 4)
                yield base64.b64decode(padded).decode()


def _of_table(text: str, gap: str) -> Iterator[tuple[str, str]]:
    rows = csv.reader(text.splitlines()[:_ROWS], delimiter=gap)
    with suppress(csv.Error, StopIteration):
        names = next(rows)
        for row in rows:
            for name, value in zip(names, row, strict=False):
                yield from _random(name, value)


def near_fields(text: str, *, code: bool = False) -> Iterator[tuple[str, str]]:
    """What stands just behind a word that speaks of a secret: `setItem("token", "..."), <b>Token</b> ...`."""
    if "%3D" in text or "%253D" in text:
        text = unquote(unquote(text))
    lower = whole_letters(text.lower())
    for _, _, end in _WORDS.find_matches_as_indexes(lower) if len(lower) == len(text) else ():
        if (joined := _JOINED.match(text, end)) and looks_random(joined[1]):
            yield "token", joined[1]
        begins = _BEGINS.search(text, end, end + _NEAR + _SHORTEST_LINE)
        if begins and (run := _RUN.match(text, begins.start())):
            gap, value = text[end : run.start()], run[0]
            between = _A_WORD.findall(_MARKUP.sub(" ", gap))
            sentence = not code and _OF_ALL_KINDS.match(value) and not set("<,;") & set(gap)
            if (code and gap[-1:] not in {'"', "'", "`"}) or len(between) > (_SENTENCE if sentence else 1):
                continue
            if _NEXT_NAME.search(gap):
                continue
            if _NUMBERED.search(value) and looks_random(value):
                yield "token", value


def _random(name: str, value: str) -> Iterator[tuple[str, str]]:
    if (is_secret_name(name) or may_be_secret_name(name)) and looks_random(value):
        yield name, value


_READ = 200_000
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f-\xff]")
_LENGTHS = {0x78: 1, 0x79: 2, 0xD9: 1, 0xDA: 2}
"""How many bytes hold a length after these: CBOR, then MessagePack."""


def binary_pairs(content: bytes) -> Iterator[tuple[str, str]]:
    """Each text that stands right after another, which may be its name."""
    content = content[:_READ]
    if not _CONTROL.search(content):
        return
    ends: dict[int, str] = {}
    for place, first in enumerate(content):
        head, size = 1, first & 0x1F
        if (width := _LENGTHS.get(first)) is not None:
            head, size = 1 + width, int.from_bytes(content[place + 1 : place + 1 + width])
        elif not (0x62 <= first <= 0x77 or 0xA2 <= first <= 0xBF):
            continue
        start = place + head
        found = _TEXT.fullmatch(content, start, start + size) if start + size <= len(content) else None
        if found:
            text = found[0].decode()
            ends[start + size] = text
            if name := ends.get(place):
                yield name, text
