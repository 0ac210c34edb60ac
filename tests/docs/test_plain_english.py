"""Plain English: turns of phrase that readers stumbled over do not come back. `make check` runs this."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BETTER = {
    r"by default, by timeout, by crash or by absence": "A journey passes only on evidence.",
    r"nobody can fool": "trustworthy",
    r"takes itself in\b": "is stored",
    r"nothing green\b": "all passes are discarded",
    r"\bbe believed\b": "be trusted",
    r"\blikewise\b": "the same way",
    r"\bwhoever comes too early\b": "requests over the limit",
    r"\bthere is none of\b": "does not exist",
    r"\bsaid so too late\b": "confirmed too late",
    r"\bhas its turn first\b": "goes first",
    r"\blooser packed\b": "larger",
    r"\bis no change\b": "does not count as a change",
    r"(?<!/)\bsureness\b(?!\.py)": "confidence",
    r"\bnot well enough\b": "degraded",
    r"\bsimply\b|\bobviously\b|\butili[sz]e\b|\bin order to\b": "leave it out, or say it plainly",
    r"\bwhere the cause lies\b": "likely cause",
    r"\bkept right by\b": "owner",
    r"step\(\"it (?:is|stands|has)\b": "a step's name that makes sense alone",
}
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def stumbles(text: str) -> list[str]:
    joined = re.sub(r"\s+", " ", text)
    return [
        f"“{found[0]}”: better {better}"
        for pattern, better in BETTER.items()
        for found in re.finditer(pattern, joined, re.IGNORECASE)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_is_plain_english(page: Path) -> None:
    assert stumbles(page.read_text("utf-8")) == []


def test_a_stumble_over_two_lines_is_found() -> None:
    assert stumbles("Nothing\ngreen of it") == ["“Nothing green”: better all passes are discarded"]
