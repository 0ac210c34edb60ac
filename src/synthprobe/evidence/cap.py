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
    """The head and the tail of a text that is too long.

    Args:
        text: any text.
        most: characters that are kept.

    Returns:
        The text, or what is kept of it, with how much was left out. Three dots stand at both sides of the gap, so that
        a secret that was cut in two is still masked.

    Example:
        >>> capped("a" * 50 + "b" * 50, 20)
        'aaaaaaaaaa... (80 characters left out) ...bbbbbbbbbb'
    """
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}... ({len(text) - 2 * half} characters left out) ...{text[-half:]}"


def cap_error(error: BaseException | None) -> str:
    """Cap what an exception says, before anybody renders it.

    Args:
        error: the exception; those it came from are capped as well.

    Returns:
        The long text, as far as it is kept on disk; empty when nothing was capped.
    """
    whole = ""
    for _ in range(_CHAIN):
        if error is None:
            break
        long = [argument for argument in error.args if isinstance(argument, str) and len(argument) > CAP]
        if long:
            whole = whole or capped(long[0], WHOLE_CAP)
            error.args = tuple(capped(one) if isinstance(one, str) else one for one in error.args)
        error = error.__cause__ or error.__context__
    return whole
