"""Where things stand in the published site, so that whoever links to them and whoever makes them agree."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

from synthprobe.records.result import Run


def run_folder(run: Run) -> str:
    """Where a run stands in the site."""
    return f"runs/{safe_name(run.target)}/{safe_name(run.id)}"


def safe_name(name: str) -> str:
    """A name that is a safe file name and a readable part of an address."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")
    if readable == name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{readable}-{digest}".lstrip("-")


def card_anchor(incident: str, target: str = "", journey: str = "") -> str:
    """The anchor of an incident's card on the on-call page; of a journey's that belongs to none."""
    return f"incident-{incident}" if incident else f"journey-{safe_name(target)}-{safe_name(journey)}"


def card_address(page: str, incident: str) -> str:
    """Where a page shows an incident."""
    return f"{page}#{quote(card_anchor(incident))}" if page else ""
