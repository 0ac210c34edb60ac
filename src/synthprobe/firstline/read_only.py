"""Whether a command line only reads: a person in a hurry types what stands under Confirm without thinking."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_READS = re.compile(
    r"synthprobe (run|http (GET|HEAD)|doctor|report|runbook (match|show)|incident (list|show)|audit|fix plan)\b"
)
_CHANGES = {"--begin-anew", "--fix"}
_FILTERS = {"cut", "date", "echo", "grep", "head", "jq", "printf", "tail", "tr", "uniq", "wc"}
_WITH_VALUE = set("AbCcDdeEFHKmoPQrTtuUwXxYyz")
_SHORT = {
    "c": "cookie-jar",
    "D": "dump-header",
    "d": "data",
    "F": "form",
    "K": "config",
    "O": "remote-name",
    "o": "output",
    "Q": "quote",
    "T": "upload-file",
    "X": "request",
}
_SENDS = ("config", "data", "form", "json", "quote", "remote-name", "upload-file")
_KEEPS = ("cookie-jar", "dump-header", "output")


def only_reads(shell: str) -> bool:
    """Whether every command of a command line is known to change nothing."""
    commands, _ = _scan(shell.replace("\\\n", " "), 0)
    return bool(commands) and all(_reads(command) for command in commands)


def _reads(words: Sequence[str]) -> bool:
    if words[0] == "curl":
        return _curl_reads(words[1:])
    if words[0] == "sed":
        return not any(word.startswith(("-i", "--in-place")) for word in words[1:])
    ours = _READS.match(" ".join(words)) and _CHANGES.isdisjoint(words)
    return words[0] in _FILTERS or bool(ours)


def _curl_reads(words: Sequence[str]) -> bool:
    for name, value in _options(words):
        if _is(name, "request"):
            reads = value in {"GET", "HEAD"}
        elif any(_is(name, keep) for keep in _KEEPS):
            reads = value in {"/dev/null", "-"}
        else:
            reads = not any(_is(name, send) or name.startswith(f"{send}-") for send in _SENDS)
        if not reads:
            return False
    return True


def _is(name: str, option: str) -> bool:
    """Whether a long option is meant; curl takes its beginning for the whole."""
    return len(name) > 1 and option.startswith(name)


def _options(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each option by its long name, and what follows it: ``-sXPOST`` is ``s`` and ``request POST``."""
    for place, word in enumerate(words):
        following = words[place + 1] if place + 1 < len(words) else ""
        if word.startswith("--"):
            name, given, value = word[2:].partition("=")
            yield name, value if given else following
        elif word.startswith("-"):
            for at, letter in enumerate(word[1:], 2):
                yield _SHORT.get(letter, letter), word[at:] or following
                if letter in _WITH_VALUE:
                    break


def _scan(text: str, at: int, *, inner: bool = False) -> tuple[list[list[str]], int]:
    """The commands of a line as words, those inside ``$(...)`` as well; what cannot be told is a word of its own."""
    commands: list[list[str]] = []
    words: list[str] = []
    word: str | None = None
    quoted = False
    while at < len(text):
        letter = text[at]
        if text.startswith("$(", at):
            inside, at = _scan(text, at + 2, inner=True)
            commands += inside
            word = f"{word or ''}$()"
            continue
        if letter == "\\":
            at += 1
            word = (word or "") + text[at : at + 1]
        elif letter == "`":
            commands.append([letter])
        elif letter == '"':
            quoted, word = not quoted, word or ""
        elif quoted:
            word = (word or "") + letter
        elif letter == "'":
            end = text.find("'", at + 1)
            end = len(text) if end < 0 else end
            word, at = (word or "") + text[at + 1 : end], end
        elif letter in " \t\n;&|()<>" or (letter == "#" and word is None):
            if word is not None:
                words.append(word)
                word = None
            if letter in "\n;&|)" and words:
                commands.append(words)
                words = []
            if letter == ")" and inner:
                return commands, at + 1
            if letter in "()<>":
                commands.append([letter])
            if letter == "#":
                at = text.find("\n", at) - 1 if "\n" in text[at:] else len(text)
        else:
            word = (word or "") + letter
        at += 1
    if word is not None:
        words.append(word)
    return ([*commands, words] if words else commands), at
