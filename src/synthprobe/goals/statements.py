"""Makes one row of statements that differ only in their literals, the length of a list, or a comment."""

from __future__ import annotations

import hashlib
import re

_TOKEN = re.compile(
    r"""
      (?P<comment>--[^\n]*|/\*(?:[^*]|\*(?!/))*(?:\*/|\Z))
    | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*)?\$.*?(?:\$(?P=tag)?\$|\Z))
    | (?P<string>(?:\b[EeBbXxNn]|\b[Uu]&)?'(?:[^'\\]|''|\\.)*(?:'|\Z))
    | (?P<quoted>"(?:[^"]|"")*"?|`[^`]*`?)
    | (?P<param>\$\d+|%s|%\(\w+\)s|(?<![:\w]):[A-Za-z_]\w*|\?)
    | (?P<number>(?<![\w.])(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
    | (?P<word>[^\W\d][\w$]*)
    | (?P<space>\s+)
    | (?P<other>::|<=|>=|<>|!=|\|\||->>|->|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_SIGN_AFTER = {"=", "<", ">", "<=", ">=", "<>", "!=", "(", ",", "+", "-", "*", "/", "||"}
_SIGN_AFTER_WORD = {
    "and",
    "or",
    "between",
    "in",
    "limit",
    "offset",
    "return",
    "select",
    "then",
    "else",
    "when",
    "values",
}
_LIST = re.compile(r"\( \?(?: , \?)* \)")
_ROWS = re.compile(r"\(…\)(?: , \(…\))+")
_ARRAY = re.compile(r"\[ \?(?: , \?)+ \]")
_TIGHT = ((" ,", ","), ("( ", "("), (" )", ")"), (" . ", "."), (" :: ", "::"), ("[ ", "["), (" ]", "]"), (" [", "["))


def normalise_statement(text: str) -> str:
    """The statement without what changes from call to call."""
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        kind, word = match.lastgroup, match[0]
        if kind == "tag":
            kind = "dollar"
        if kind in {"space", "comment"}:
            continue
        if kind in {"dollar", "string", "param", "number"}:
            if words and words[-1] in {"-", "+"} and _is_sign(words[:-1]):
                words.pop()
            words.append("?")
        else:
            words.append(word.lower() if kind == "word" else word)
    line = " ".join(words).rstrip(" ;")
    # Only a list after IN, VALUES or another row is one: f(?, ?) keeps its arguments.
    line = re.sub(r"\b(in|values) (?=\()(\( \?(?: , \?)* \))", r"\1 (…)", line)
    while (shorter := re.sub(r"\(…\) , " + _LIST.pattern, "(…)", line)) != line:
        line = shorter
    line = _ARRAY.sub("[…]", _ROWS.sub("(…)", line))
    for wide, tight in _TIGHT:
        line = line.replace(wide, tight)
    return re.sub(
        r"\b(?!(?:in|values|and|or|not|as|on|using|from|over|select|where|any|all|exists)\b)(\w+) \(", r"\1(", line
    )


def statement_id(text: str) -> str:
    """A short id of the normalised statement, the same in every process and release."""
    return hashlib.sha256(normalise_statement(text).encode()).hexdigest()[:12]


def _is_sign(before: list[str]) -> bool:
    return not before or before[-1] in _SIGN_AFTER or before[-1] in _SIGN_AFTER_WORD
