"""A Markdown page for a terminal: prose is wrapped, and a command stays one line, so that it can be copied whole."""

from __future__ import annotations

import re
import textwrap

from rich.console import Console

from synthprobe.records.plain_text import plain_text

_ITEM = re.compile(r"(\s*)([-*]|\d+\.)\s+")
_OWN_LINE = re.compile(r"\s*([-*]\s|\d+\.\s|#|\||>|```)")
_LEAST = 40


def print_markdown(console: Console, page: str) -> None:
    """Print a page; nothing of it is cut, however narrow the console is."""
    for text, style in _blocks(plain_text(page).splitlines(), max(console.width, _LEAST)):
        console.print(text, style=style, soft_wrap=True)


def _blocks(lines: list[str], width: int) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    prose, is_code = "", False
    for line in [*lines, ""]:
        fence = line.lstrip().startswith("```")
        if prose and (is_code or fence or not line.strip() or _OWN_LINE.match(line)):
            found.append((_wrapped(prose, width), ""))
            prose = ""
        if fence:
            is_code = not is_code
        elif is_code:
            found.append((f"  {line}", "cyan"))
        elif line.startswith("#"):
            found.append((line.lstrip("# "), "bold"))
        elif not line.strip() or line.lstrip().startswith("|"):
            found.append((line, ""))
        else:
            prose = f"{prose} {line.strip()}" if prose else line
    return found[:-1]


def _wrapped(prose: str, width: int) -> str:
    prose = prose.replace("`", "")
    item = _ITEM.match(prose)
    hanging = " " * (len(item[0]) if item else len(prose) - len(prose.lstrip()))
    lines = textwrap.wrap(prose, width=width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)
