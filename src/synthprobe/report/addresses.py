"""Where things stand in the published site, so that whoever links to them and whoever makes them agree."""

from __future__ import annotations

from urllib.parse import quote

from synthprobe.report.allure_results import safe_name


def card_anchor(target: str, journey: str) -> str:
    """The anchor of a journey on the on-call page."""
    return f"{safe_name(target)}-{safe_name(journey)}"


def card_address(site: str, target: str, journey: str = "") -> str:
    """Where the on-call page shows a journey of a target."""
    return f"{site.rstrip('/')}/index.html" + (f"#{quote(card_anchor(target, journey))}" if journey else "")
