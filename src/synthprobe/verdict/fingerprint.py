"""Fingerprints: which failure it is, with everything left out that differs from one run to the next.

The algorithm has a version. A change that moves any message to another hash takes a new version, so that an
upgrade never regroups history silently.
"""

from __future__ import annotations

import hashlib
import re

VERSION = "v1"
LINES = 4
"""Lines of a message that count; what follows is detail of one run."""

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_ENDS = re.compile(r"^\s*(call log|repeat|traceback|at |aria snapshot|={3,})", re.IGNORECASE)
_WORDS_THAT_ARE_NO_UNITS = r"(?!(?:UTF|ISO|RFC|HTTP|SHA|TLS|WGS|MD|IPV)-)"

# Order matters: a UUID holds hexadecimal digits, a date holds numbers, a duration is a number with a unit.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE if ignore_case else 0), replacement)
    for pattern, replacement, ignore_case in (
        (r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b", "<email>", True),
        (r"\b(?:https?|wss?)://[^\s/?#\"'<>]+", "<url>", True),  # the path stays: it says what was asked for
        (r"(?<=[\w/>])\?[\w%.+=&;,-]*=[^\s\"'<>)]*", "", False),
        (r"\b(?:[a-z0-9-]+\.)+(?:com|net|org|gov|io|dev|local|internal|test|example|invalid)\b", "<host>", True),
        (r"\blocalhost(?::\d+)?\b", "<host>", True),
        (r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b", "<ip>", False),
        (r"(?<![\w:])(?:[0-9a-f]{1,4}:){3,7}[0-9a-f]{1,4}\b", "<ip>", True),
        (r"\b00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\b", "<traceparent>", True),
        (r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", "<uuid>", True),
        (r"\b[0-9a-f]{40}\b", "<sha1>", True),
        (r"\b[0-9a-f]{32}\b", "<md5>", True),
        (r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:\s?(?:Z|UTC|[+-]\d\d:?\d\d))?)?", "<date>", False),
        (r"\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\b", "<date>", False),
        # our own ids: incident numbers, units and beats
        (r"\b[A-Z]{2,4}-\d{2}-\d{4,}\b", "<incident>", False),
        (rf"\b{_WORDS_THAT_ARE_NO_UNITS}[A-Z]{{1,5}}-\d{{1,4}}\b", "<unit>", False),
        (r"\b\d+(?:\.\d+)?\s?(?:ms|milliseconds?|s|sec|seconds?|min|minutes?|h|hours?|days?)\b", "<duration>", True),
        (r"\b0x[0-9a-f]+\b", "<hex>", True),
        (r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", "<sha>", True),
        (r"[-+]?\b\d+\.\d+\b", "<float>", False),
        (r"(?<!→ )(?<!status )(?<![\w<])(?<!\w-)[-+]?\d+\b", "<int>", False),  # a status code says what it is
        (r"(<int>|<float>)(?:, (?:<int>|<float>))+", "<numbers>", False),  # how many rows there were is an attribute
        # not the name of a button in a locator: get_by_role("button", name="Create")
        (r"(?<==)\s?(?:\"[^\"\n]*\"|'[^'\n]*')(?!\))", "<value>", False),
        (r"(?<==)\s?(?:true|false)\b", "<bool>", True),
    )
)


def normalise(message: str) -> str:
    """Leave out of a message what differs from one run to the next.

    Args:
        message: as a person reads it; colours, and lines after the first four, do not count.

    Returns:
        The message in one line, each changing part replaced by its kind in angle brackets.

    Example:
        >>> normalise("SYN-01 is stored as EnRoute after 2.1 s, HV-26-005012 at 2026-01-01T10:00:00Z")
        '<unit> is stored as EnRoute after <duration>, <incident> at <date>'
    """
    kept: list[str] = []
    for line in _ANSI.sub("", message).splitlines():
        if kept and (_ENDS.match(line) or len(kept) == LINES):
            break
        if line.strip():
            kept.append(line.strip())
    text = " ".join(kept)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return re.sub(r"\s+", " ", text).strip()


def fingerprint(journey: str, step: str, kind: str, message: str) -> str:
    """Which failure of which step of which journey it is.

    Node, duration and row counts are attributes of one sighting and never part of it.

    Args:
        journey: the journey's id.
        step: path of the broken step.
        kind: kind of the failure.
        message: the failure's message.

    Returns:
        ``v1:`` and 16 hexadecimal digits.

    Example:
        >>> fingerprint("a", "save", "expectation", "took 2 s") == fingerprint("a", "save", "expectation", "took 9 s")
        True
    """
    return _hash(journey, step, kind, normalise(message))


def signature(kind: str, message: str) -> str:
    """The coarse form that joins one cause across journeys.

    Args:
        kind: kind of the failure.
        message: the failure's message.

    Returns:
        ``v1:`` and 16 hexadecimal digits.

    Example:
        >>> signature("refused", "GET http://a:81/x refused") == signature("refused", "GET http://b:9/x refused")
        True
    """
    return _hash(kind, normalise(message))


def _hash(*parts: str) -> str:
    return f"{VERSION}:{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"
