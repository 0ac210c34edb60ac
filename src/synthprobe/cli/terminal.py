"""The one way commands print: tables are as wide as whoever reads them allows, and no command or word is broken."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook
from rich.segment import Segment

from synthprobe.environment import ENVIRONMENT
from synthprobe.records.plain_text import plain_text

if TYPE_CHECKING:
    from http.server import HTTPServer

LOG_COLUMNS = 160
TABLE_COLUMNS = 100
"""Below this width a record is a block of lines and not a row of a table."""
_LEAST_COLUMN = 16
_NOT_IN_JSON = re.compile("[\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def print_json(value: Any) -> None:
    """Print a record as JSON, in one line, without signs that act on a terminal."""
    text = msgspec.json.encode(value).decode()
    print(_NOT_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text))  # noqa: T201


class _PlainText(RenderHook):
    """What is printed may be a target's text: as it is rendered, nothing in it is a control character or a command."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Plain(each) for each in renderables]


class _Plain:
    def __init__(self, inner: ConsoleRenderable) -> None:
        self._inner = inner

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        return _plain_segments(console.render(self._inner, options))


def _plain_segments(segments: Iterable[Segment]) -> Iterator[Segment]:
    line_is_empty = True
    for segment in segments:
        if segment.control:
            yield segment
            continue
        text = plain_text(segment.text) if line_is_empty else plain_text(f"-{segment.text}")[1:]
        before, end, last = segment.text.rpartition("\n")
        line_is_empty = (line_is_empty or bool(end)) and not (last if end else before + last).strip()
        yield Segment(text, segment.style)


def open_console(*, stderr: bool = False) -> Console:
    """Open a console; where nothing says how wide it is, as in a log, a table gets `LOG_COLUMNS`."""
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)
    if console.width < 1 or (not console.is_terminal and "COLUMNS" not in ENVIRONMENT):
        console.width = LOG_COLUMNS
    console.push_render_hook(_PlainText())
    return console


def print_records(
    console: Console,
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    whole: Collection[str],
    framed: bool = False,
) -> None:
    """Print records as a table, or each as a block of lines where the console is narrow."""
    from rich.box import ROUNDED
    from rich.table import Table
    from rich.text import Text

    known = [[plain_text(cell) for cell in row] for row in rows]
    widths = [max([len(heading), *(len(row[at]) for row in known)]) for at, heading in enumerate(headings)]
    least = sum(
        (width if heading in whole else min(width, _LEAST_COLUMN)) + 3
        for heading, width in zip(headings, widths, strict=True)
    )
    if console.width < max(TABLE_COLUMNS, least + 1):
        for row in known:
            _print_block(console, headings, row)
        return
    table = Table(box=ROUNDED if framed else None, pad_edge=framed, show_lines=framed, header_style="bold")
    for heading in headings:
        table.add_column(heading, no_wrap=heading in whole, overflow="fold")
    for row in known:
        table.add_row(*map(Text, row))
    console.print(table)


def _print_block(console: Console, headings: Sequence[str], row: Sequence[str]) -> None:
    first, *rest = zip(headings, row, strict=True)
    console.print(first[1])
    for heading, cell in rest:
        if cell:
            print_wrapped(console, f"  {heading}: {cell}")


def print_wrapped(console: Console, line: str) -> None:
    """Print a line; on a narrow console over several, of which the later stand further in, and no word is broken."""
    if console.width >= TABLE_COLUMNS:
        console.print(plain_text(line))
        return
    indent = " " * (len(line) - len(line.lstrip()))
    lines = textwrap.wrap(
        plain_text(line).strip(),
        width=max(console.width, 40),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    console.print("\n".join(lines))


def until_interrupted(server: HTTPServer, name: str = "127.0.0.1") -> None:
    open_console().print(f"Open http://{name}:{server.server_port}/  (Ctrl-C ends it)")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


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
