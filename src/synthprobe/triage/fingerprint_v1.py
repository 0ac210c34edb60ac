"""The first version of the fingerprint, so that incidents, mutes and runbooks recorded with it are recognised."""

from __future__ import annotations

import hashlib
import re

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


def fingerprint_v1(message_lines: str, *parts: str) -> str:
    """The fingerprint as version 1 made it, of a message already reduced to the lines that count."""
    for pattern, replacement in _RULES:
        message_lines = pattern.sub(replacement, message_lines)
    message = re.sub(r"\s+", " ", message_lines).strip()
    return f"v1:{hashlib.sha256('|'.join((*parts, message)).encode()).hexdigest()[:16]}"
