"""Fingerprints: which failure it is, with everything left out that differs from one run to the next.

The algorithm has a version. A change that moves any message to another hash takes a new version, so that an
upgrade never regroups history silently.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Mapping

from synthprobe.triage.fingerprint_v1 import fingerprint_v1

VERSION = "v2"
LINES = 4
"""Lines of a message that count; what follows is detail of one run."""

_BARE = re.compile(
    r"(AssertionError: )?(?!$)(assert )?[\W\d_]*(?:(?:None|[Tt]rue|[Ff]alse|and|or|not|in|is)\b[\W\d_]*)*"
)
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_ENDS = re.compile(r"^\s*(call log|repeat|traceback|at |aria snapshot|={3,})", re.IGNORECASE)

# A code says which failure it is, so no rule below may touch it.
_CODE = re.compile(
    r"""
      (?:^|\n)\s*[A-Z]{2,8}-?\d{2,6}(?=:)                        # ORA-00942: at the beginning of a line
    | \b(?i:status|code|errno|error|sqlstate)\b[ :=#(]{0,2}[A-Z]{0,8}-?\d{2,6}\b(?![.,]\d|\s?%)
    | \b(?i:answered|answers|answer\ says|returned|got:|says|http|error|with)[ ]
        (?:[1-5]\d\d\b(?!\s+\w+s\b)|[A-Z]{2,8}-\d{2,6}\b)         # answered 409, answered ORA-00942; not 200 rows
    | \b(?:ERR(?:OR)?|EXC|FAULT|MSG|ORA|TNS|PLS|SQL|RC|E)[-_]?\d{2,6}\b
    | →[ ]\d{3}\b
    | \b0x[89A-Fa-f][0-9A-Fa-f]{7}\b                             # an HRESULT
    """,
    re.VERBOSE,
)
_KEPT = "\ue000"

# Order matters: a UUID holds hexadecimal digits, a date holds numbers, a duration is a number with a unit.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?i)\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", "<email>"),
        (r"(?i)\b(?:https?|wss?)://[^\s/?#\"'<>]+", "<url>"),  # the path stays: it says what was asked for
        (r"(?<=[\w/>])\?[\w%.+=&;,-]*=[^\s\"'<>)]*", ""),
        (r"-[0-9a-f]{8,10}-[a-z0-9]{5}\b", "-<pod>"),
        (r"(?i)\b(?:[a-z0-9-]+\.)+(?:com|net|org|gov|io|dev|local|internal|test|example|invalid)\b", "<host>"),
        (r"(?i)\blocalhost(?::\d+)?\b", "<host>"),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<ip>"),
        (r"(?i)(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}\b", "<ip>"),
        (r"(?i)\b00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b", "<traceparent>"),
        (r"(?i)\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "<uuid>"),
        (r"(?i)\b[0-9a-f]{40}\b", "<sha1>"),
        (r"(?i)\b[0-9a-f]{32}\b", "<md5>"),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?)?", "<date>"),
        (r"\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\b", "<date>"),
        (r"\b[A-Z]{2,8}(?:-\d{2,4}-\d{3,}|-\d{4,})\b|\b[A-Z]{2,8}\d{6,}\b", "<id>"),  # a code never comes here
        (r"(?i)\b\d+(?:\.\d+)?\s?(?:[kmgt]i?b|bytes?)\b", "<size>"),
        (r"(?i)\b\d+(?:\.\d+)?\s?(?:ms|milliseconds?|s|sec|seconds?|min|minutes?|h|hours?|days?)\b", "<duration>"),
        (r"(?i)(?<=@)[0-9a-f]{6,16}\b|\b0x[0-9a-f]+\b", "<hex>"),
        (r"(?i)\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", "<sha>"),
        # letters of both cases and digits without the shape of words, as request ids and keys have
        (
            r"(?<![A-Za-z0-9])(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[A-Z])"
            r"(?=[A-Za-z0-9]*[A-Z0-9][a-z](?:[A-Z0-9]|\b)|[a-zA-Z]*\d+[A-Za-z]+\d)[A-Za-z0-9]{8,}(?![A-Za-z0-9])",
            "<token>",
        ),
        (r"(?<==)(?!<)[\w.-]*[a-zA-Z_][\w.-]*\d[\w.-]*", "<value>"),
        (r"[-+]?\b\d+\.\d+\b", "<float>"),
        (r"(?<![\w<])(?<!\w-)[-+]?\d+\b", "<int>"),
        (r"(<int>|<float>)(?:, (?:<int>|<float>))+", "<numbers>"),  # how many rows there were is an attribute
        # not the name of a button in a locator: get_by_role("button", name="Create")
        (r"(?<==)\s?(?:\"[^\"\n]*\"|'[^'\n]*')(?!\))", "<value>"),
        (r"(?i)(?<==)\s?(?:true|false)\b", "<bool>"),
    )
)


def normalise(message: str, identifiers: Mapping[str, str] | None = None) -> str:
    """Leave out of a message what differs from one run to the next; a code that says which failure it is stays."""
    return _normalised(message, tuple((identifiers or {}).items()))


@functools.lru_cache(maxsize=1024)
def _normalised(message: str, identifiers: tuple[tuple[str, str], ...]) -> str:
    text = _lines_that_count(message)
    codes = [found[0] for found in _CODE.finditer(text)]
    text = _CODE.sub(_KEPT, text)
    for pattern, replacement in (*_compiled(identifiers), *_RULES):
        text = pattern.sub(replacement, text)
    for code in codes:
        text = text.replace(_KEPT, code, 1)
    return re.sub(r"\s+", " ", text).strip()


def fingerprint(journey: str, step: str, kind: str, message: str, identifiers: Mapping[str, str] | None = None) -> str:
    """Which failure of which step of which journey it is.

    Node, duration and row counts are attributes of one sighting and never part of it.
    """
    return _hash(journey, step, kind, normalise(message, identifiers))


def former_fingerprint(journey: str, step: str, kind: str, message: str) -> str:
    """The same in the version before, by which older incidents, mutes and runbooks know it."""
    return fingerprint_v1(
        " ".join(line.strip() for line in _lines_that_count(message).splitlines()), journey, step, kind
    )


def is_bare(message: str) -> bool:
    """Whether a message asserts numbers alone, as any test may: ``assert 200 == 500``, ``503 != 200``."""
    return bool(_BARE.fullmatch(message.strip().partition("\n")[0]))


def signature(kind: str, message: str, identifiers: Mapping[str, str] | None = None) -> str:
    """The coarse form that joins one cause across journeys."""
    return _hash(kind, normalise(message, identifiers))


def _lines_that_count(message: str) -> str:
    kept: list[str] = []
    for line in _ANSI.sub("", message).replace(_KEPT, "").splitlines():
        if kept and (_ENDS.match(line) or len(kept) == LINES):
            break
        if line.strip():
            kept.append(line.strip())
    return "\n".join(kept)


@functools.cache
def _compiled(identifiers: tuple[tuple[str, str], ...]) -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(pattern), replacement) for pattern, replacement in identifiers)


def _hash(*parts: str) -> str:
    return f"{VERSION}:{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"
