"""A target's text as text only: nothing in it acts on a terminal, a CI job, a log or a chat."""

from __future__ import annotations

import re
from itertools import chain

# what writes over, turns round or hides text; joiners and direction marks stay, since names are written with them
_CONTROLS: dict[int, str] = {
    **{code: chr(0x2400 + code) for code in range(0x20)},
    **dict.fromkeys(chain(range(0x80, 0xA0), range(0xD800, 0xE000), range(0x202A, 0x202F), range(0x2066, 0x206A)), "�"),
    **dict.fromkeys(
        chain((0xAD, 0x200B, 0xFEFF), range(0x2060, 0x2065), range(0xFFF9, 0xFFFC), range(0xE0000, 0xE0080)), ""
    ),
    **dict.fromkeys((0xFFFE, 0xFFFF), "�"),
    0x7F: "\u2421",
    0x85: " ",
    0x2028: " ",
    0x2029: " ",
    ord("\t"): "\t",
    ord("\n"): "\n",
}
_IN_ONE_LINE = {**_CONTROLS, **dict.fromkeys(map(ord, "\t\n\v\f\r"), " ")}
_MARKUP = re.compile(r"<!--.*?-->|<(head|style|script|select)\b.*?</\1>|<[^>]*(?:>|$)", re.DOTALL | re.IGNORECASE)
_NO_SCRIPT = re.compile(r"<noscript\b.*?</noscript>", re.DOTALL | re.IGNORECASE)
_AROUND = re.compile(r"<(/?)(nav|header|footer)\b[^<>]*>", re.IGNORECASE)
_SAYS = re.compile(r"<h[1-6]\b", re.IGNORECASE)
_HALVES = re.compile("[\ud800-\udfff]")
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_COMMAND = re.compile(r"^(\s*)::|##(\w*)\[", re.MULTILINE)


def plain_text(text: str) -> str:
    r"""Lines in which nothing is a control character, or a command to the CI job that prints them.

    Example:
        >>> plain_text("\x1b[2Jgone\r\n::add-mask::all\n##vso[task.complete]")
        '␛[2Jgone\n| ::add-mask::all\n## vso[task.complete]'
    """
    return _without_commands(text.replace("\r\n", "\n").translate(_CONTROLS))


def plain_line(text: str) -> str:
    r"""As `plain_text`, in one line.

    Example:
        >>> plain_line("two\nlines\x07")
        'two lines␇'
    """
    return _without_commands(text.translate(_IN_ONE_LINE))


def whole_letters(text: str) -> str:
    r"""A text of the same length that can be written as UTF-8: JSON can hold half of a letter.

    Example:
        >>> whole_letters("half \ud800")
        'half \ufffd'
    """
    return text if text.isascii() else _HALVES.sub("\ufffd", text)


def without_markup(text: str) -> str:
    """The words of an HTML page in one line; all of it where it has none.

    Example:
        >>> without_markup("<head><title>x</title></head><h1>Sold <b>out</b></h1><p>Come")
        'Sold out Come'

    What a page says to browsers without scripts counts where it says nothing else:

        >>> without_markup("<noscript>Enable JavaScript.</noscript><h1>Sold out</h1>")
        'Sold out'
        >>> without_markup("<noscript>Enable JavaScript.</noscript><div id=app></div>")
        'Enable JavaScript.'

    So does what stands around the content of every page:

        >>> without_markup("<nav><a>Home</a></nav><main>Come back later</main><footer>Imprint</footer>")
        'Come back later'
    """
    with_scripts = _NO_SCRIPT.sub(" ", text)
    texts = (_MARKUP.sub(" ", part).strip() for part in (_content(with_scripts), with_scripts, text))
    return " ".join((next(filter(None, texts), "") or text).split())


def _content(page: str) -> str:
    """A page without what stands around the content of each of its kind; a header with a heading may be the content."""
    kept, depth, begins, ends = "", 0, 0, 0
    for tag in _AROUND.finditer(page):
        if not depth and tag[1]:
            continue
        if not depth:
            kept, begins = f"{kept} {page[ends : tag.start()]}", tag.start()
        depth += -1 if tag[1] else 1
        if not depth:
            ends, part = tag.end(), page[begins : tag.end()]
            kept += part if _SAYS.search(part) and part[1:7].lower() == "header" else " "
    return page if depth else f"{kept} {page[ends:]}"


def coloured_line(line: str) -> str:
    r"""As `plain_text`, but colours stay: they are pytest's own.

    Example:
        >>> coloured_line("\x1b[31mred\x1b[0m\x1b[2J")
        '\x1b[31mred\x1b[0m␛[2J'
    """
    parts = _COLOUR.split(line)
    return _without_commands("".join(part if at % 2 else part.translate(_CONTROLS) for at, part in enumerate(parts)))


def _without_commands(text: str) -> str:
    return _COMMAND.sub(lambda found: f"{found[1]}| ::" if found[1] is not None else f"## {found[2]}[", text)
