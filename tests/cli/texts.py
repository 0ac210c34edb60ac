"""Texts people read at a console, as they stand in the repository."""

from __future__ import annotations

import os
import re
from pathlib import Path

TEXTS = Path(__file__).parent / "console"


def normal(text: str) -> str:
    """What differs from run to run has the same form: times, ids, ports and places."""
    for pattern, instead in (
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"\d{8}T\d{6}-[0-9a-f]{6}", "RUN"),
        (r"\b\d{7}-RUN", "SLOT-RUN"),
        (r"\b\d{6}-\d{4}-\w{4,5}\b", "261127-0400-ABCD"),
        (r"\b\d\d-\d\d \d\d:\d\d", "11-27 04:00"),
        (r"\(\d+(\.\d+)? (ms|s|min \d+ s)\)", "(TIME)"),
        (r" in \d+\.\d\ds", " in TIME"),
        (r"file://\S+/", "file:///PLACE/"),
    ):
        text = re.sub(pattern, instead, text)
    return "\n".join(line.rstrip() for line in text.strip().splitlines()) + "\n"


def compare(text: str, name: str) -> None:
    """A text is as it stands in the repository; a new one is written there with SYNTHPROBE_TEXTS=write."""
    path = TEXTS / name
    if os.environ.get("SYNTHPROBE_TEXTS") == "write":
        path.write_text(normal(text), "utf-8")
    assert normal(text) == path.read_text("utf-8")
