"""Where things stand in the published site, so that whoever links to them and whoever makes them agree."""

from __future__ import annotations

from urllib.parse import quote

from synthprobe.report.allure_results import safe_name


def card_anchor(target: str, journey: str) -> str:
    """The anchor of a journey on the on-call page."""
    return f"{safe_name(target)}-{safe_name(journey)}"


def card_address(page: str, target: str, journey: str = "") -> str:
    """Where a page shows a journey of a target."""
    return f"{page}#{quote(card_anchor(target, journey))}" if page and journey else page
