"""Reads a runbook: one Markdown file for each failure pattern."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import yaml
from markdown_it import MarkdownIt
from mdit_py_plugins.front_matter import front_matter_plugin

from synthprobe.errors import ConfigurationError
from synthprobe.firstline.runbook import Command, Exercise, FrontMatter, Runbook, Section, as_pattern
from synthprobe.records.decoding import from_values

try:
    from yaml import CSafeLoader as SafeLoader  # several times as fast
except ImportError:  # built without libyaml
    from yaml import SafeLoader  # type: ignore[assignment]

if TYPE_CHECKING:
    from markdown_it.token import Token


class _FrontMatter(FrontMatter, frozen=True, kw_only=True, forbid_unknown_fields=True):
    last_exercised: Exercise | Literal["never"]


@cache
def parser() -> MarkdownIt:
    """The reader of runbooks: CommonMark with tables and front matter, without raw HTML."""
    return MarkdownIt("commonmark", {"html": False}).enable("table").use(front_matter_plugin)


def read_runbook(path: Path, root: Path | None = None) -> Runbook:
    """Read one runbook."""
    root = root or path.parent
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{name} cannot be read: {error}. Write it as UTF-8 text.") from None
    tokens = parser().parse(text)
    if not tokens or tokens[0].type != "front_matter":
        raise ConfigurationError(
            f"{name}:1: a runbook begins with front matter between two lines of ---, and this has none. "
            "synthprobe runbook new FINGERPRINT makes a file to start from."
        )
    front = _front_matter(name, tokens[0].content)
    lines = text.splitlines()
    begins = tokens[0].map[1] if tokens[0].map else 0
    begins += next((number for number, line in enumerate(lines[begins:]) if line.strip()), 0)
    exercised = None if front.last_exercised == "never" else front.last_exercised
    return Runbook(
        path=name,
        body="\n".join(lines[begins:]).strip() + "\n",
        body_line=begins + 1,
        sections=_sections(tokens[1:], lines),
        last_exercised=exercised,
        **{key: getattr(front, key) for key in _FrontMatter.__struct_fields__ if key != "last_exercised"},
    )


def _front_matter(name: str, text: str) -> _FrontMatter:
    try:
        given: Any = _Loader(text).get_single_data()
    except (yaml.YAMLError, ValueError) as error:  # a day that no calendar has is a ValueError
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else _line_of(text, "last_exercised")
        problem = getattr(error, "problem", None) or str(error) or "it is no YAML"
        raise ConfigurationError(f"{name}:{line}: the front matter cannot be read: {problem}.") from None
    if not isinstance(given, dict):
        raise ConfigurationError(
            f"{name}:1: the front matter must be keys and values, for example 'id: {Path(name).stem}'."
        )
    unknown = [key for key in given if key not in _KEYS]
    if unknown:
        line = _line_of(text, str(unknown[0]))
        raise ConfigurationError(
            f"{name}:{line}: the front matter has an unknown key {str(unknown[0])!r}. "
            f"Known keys: {', '.join(sorted(_KEYS))}."
        )
    try:
        return from_values(given, _FrontMatter, str_keys=True)
    except msgspec.ValidationError as error:
        key = re.search(r"\$\.(\w+)|field `(\w+)`", str(error))
        line = _line_of(text, (key[1] or key[2]) if key else "")
        raise ConfigurationError(f"{name}:{line}: the front matter cannot be used: {error}.") from None


class _Loader(SafeLoader):
    """YAML in which a key that stands twice is an error: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value!r} stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_KEYS = {field.encode_name for field in msgspec.structs.fields(_FrontMatter)}


def _line_of(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), 2):
        if key and line.startswith(f"{key}:"):
            return number
    return 1


def _sections(tokens: Sequence[Token], lines: Sequence[str]) -> tuple[Section, ...]:
    starts = [
        (index, token.map[0], tokens[index + 1].content.strip())
        for index, token in enumerate(tokens)
        if token.type == "heading_open" and token.tag == "h2" and token.map
    ]
    sections = []
    for (index, line, title), following in zip(starts, [*starts[1:], (len(tokens), len(lines), "")], strict=True):
        inside = tokens[index + 3 : following[0]]
        sections.append(
            Section(
                title=title,
                line=line + 1,
                text="\n".join(lines[line + 1 : following[1]]).strip(),
                commands=_commands(inside),
                steps=sum(t.type == "list_item_open" and t.level == 1 and bool(t.info) for t in inside),
            )
        )
    return tuple(sections)


def _commands(tokens: Sequence[Token]) -> tuple[Command, ...]:
    found: list[Command] = []
    for token in tokens:
        if token.type == "fence" and token.info.strip() in {"sh", "shell", "bash"}:
            line = token.map[0] + 2 if token.map else 1
            found.append(Command(shell=token.content.strip(), line=line))
        elif token.type == "inline" and found and not found[-1].says and (says := _expectation(token)):
            expected, unexpected = _spans(token)
            found[-1] = msgspec.structs.replace(found[-1], says=says, expected=expected, unexpected=unexpected)
    return tuple(found)


def _expectation(token: Token) -> str:
    match = re.search(r"^Expected:\s*(.+)$", token.content, re.MULTILINE)
    return match[1].strip() if match else ""


def _spans(token: Token) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Code spans of the line that begins with ``Expected:``.

    Those after "no", "not" or "without" must be absent; of those joined by "or" one is enough.
    """
    expected: list[str] = []
    unexpected: list[str] = []
    inside, before = False, ""
    for child in token.children or ():
        if child.type in {"softbreak", "hardbreak"}:
            inside = False
        elif child.type == "text":
            inside = inside or child.content.lstrip().startswith("Expected:")
            before = child.content
        elif child.type == "code_inline" and inside:
            if re.search(r"\b(no|not|never|without)\s+$", before):
                unexpected.append(child.content)
            elif before == " or " and expected:
                expected[-1] = f"/{as_pattern(expected[-1])}|{as_pattern(child.content)}/"
            else:
                expected.append(child.content)
    return tuple(expected), tuple(unexpected)


_LINE = re.compile(
    r"^last_exercised:[^\r\n#]*?(?P<note>[ \t]+#[^\r\n]*)?(?=\r?$)(?:\r?\n[ \t]+[^\r\n]+)*", re.MULTILINE
)


def stamp(path: Path, exercise: Exercise) -> None:
    """Write when a runbook was proved. Every other byte of the file stays as it is."""
    try:
        text = path.read_bytes().decode("utf-8")
        front = re.match(r"---\r?\n.*?^---", text, re.DOTALL | re.MULTILINE)
        found = _LINE.search(text, 0, front.end()) if front else None
        if found is None:
            raise ConfigurationError(
                f"{path.name} has no line 'last_exercised: ...' in its front matter, so the drill cannot be noted. "
                "Add 'last_exercised: never'."
            )
        line = f'last_exercised: {{at: {exercise.at}, revision: "{exercise.revision}"}}{found["note"] or ""}'
        path.write_bytes((text[: found.start()] + line + text[found.end() :]).encode())
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name} cannot be stamped: {error}. Correct that, then drill again.") from None
