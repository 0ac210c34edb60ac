"""Texts are capped where they are born, head and tail, so that no target and no assertion fills a disk or a memory."""

from __future__ import annotations

CAP = 64 * 1024
"""Characters of a failure, a note or a captured output that are kept in records."""

WHOLE_CAP = 1_000_000
"""Characters of a longer failure that are kept as evidence on disk."""

NAME_CAP = 300
"""Characters of a step's name: databases index it."""

_CHAIN = 10


def capped(text: str, most: int = CAP) -> str:
    """The head and the tail of a text that is too long."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}... ({len(text) - 2 * half} characters left out) ...{text[-half:]}"


def cap_error(error: BaseException | None) -> str:
    """Cap what an exception says, before anybody renders it."""
    whole = ""
    for _ in range(_CHAIN):
        if error is None:
            break
        long = [argument for argument in error.args if isinstance(argument, str) and len(argument) > CAP]
        if long:
            whole = whole or capped(long[0], WHOLE_CAP)
            error.args = tuple(capped(argument) if isinstance(argument, str) else argument for argument in error.args)
        error = error.__cause__ or error.__context__
    return whole
