"""Where things stand in the published site, so that whoever links to them and whoever makes them agree."""

from __future__ import annotations

from urllib.parse import quote

from synthprobe.report.allure_results import safe_name


def card_anchor(incident: str, target: str = "", journey: str = "") -> str:
    """The anchor of an incident's card on the on-call page; of a journey's that belongs to none."""
    return f"incident-{incident}" if incident else f"journey-{safe_name(target)}-{safe_name(journey)}"


def card_address(page: str, incident: str) -> str:
    """Where a page shows an incident."""
    return f"{page}#{quote(card_anchor(incident))}" if page else ""
