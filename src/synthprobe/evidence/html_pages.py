"""HTML pages in what a failure says: told by their title and heading, as nobody reads markup at night."""

from __future__ import annotations

import html
import re
from textwrap import shorten
from typing import Any

from synthprobe.records.plain_text import without_markup
from synthprobe.words import cut_to

_PAGE = re.compile(r"(?:<!doctype html[^>]*>|<html[\s>]).*?(?:</html>|\Z)", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_HEADING = re.compile(r"<h[1-3]\b[^>]*>(.*?)</h[1-3]>", re.DOTALL | re.IGNORECASE)
_WIDTH = 120


def pages_named(text: str) -> str:
    """A text in which each HTML page is named.

    Example:
        >>> pages_named("got <!doctype html><title>502</title><h1>Closed</h1></html> instead")
        'got an HTML page "502" that says "Closed" instead'
    """
    return _PAGE.sub(lambda found: _named(found[0]), text)


def compared(operator: str, left: Any, right: Any) -> list[str] | None:
    """How a comparison with an HTML page is told; nothing where neither side is one, so that pytest tells it."""
    sides = [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in (left, right)]
    pages = [_named(side) if isinstance(side, str) and _PAGE.match(side.lstrip()) else "" for side in sides]
    if not any(pages):
        return None
    first, second = (page or _short(side) for page, side in zip(pages, (left, right), strict=True))
    return [f"{first} {operator} {second}"]


def _named(page: str) -> str:
    title, heading = _words(_TITLE, page), _words(_HEADING, page)
    heading = heading or ("" if title else cut_to(_WIDTH, html.unescape(without_markup(_TITLE.sub("", page)))))
    is_more = heading and heading != title and not heading.startswith("<")
    says = f' that says "{heading}"' if is_more else ""
    return f'an HTML page "{title}"{says}' if title else f"an HTML page{says}"


def _words(pattern: re.Pattern[str], page: str) -> str:
    found = pattern.search(page)
    return cut_to(_WIDTH, html.unescape(without_markup(found[1]))) if found else ""


def _short(value: Any) -> str:
    try:
        return shorten(repr(value), _WIDTH, placeholder="…")
    except Exception as error:
        return f"a {type(value).__name__} whose own text cannot be read ({type(error).__name__})"
