"""Standard output takes every sign, whatever its encoding."""

from __future__ import annotations

import codecs
import io
import json
import sys

_SIGNS = {"✓": "+", "✗": "x", "–": "-", "…": "...", "›": ">", "→": "->", "·": "-", "‹": "<"}


def print_anywhere() -> None:
    """Let standard output take every sign, whatever its encoding: ours have a plain form, others become escapes."""
    codecs.register_error("synthprobe", _in_signs)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="synthprobe")


def _in_signs(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_SIGNS.get(sign) or json.dumps(sign)[1:-1] for sign in text), error.end
