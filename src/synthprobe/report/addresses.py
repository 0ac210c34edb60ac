"""Where things stand in the published site, so that whoever links to them and whoever makes them agree."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote, urlsplit

from synthprobe.records.result import Run

PAGE = "index.html"
"""The page of the site, and of each of its folders."""


def run_folder(run: Run) -> str:
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
    return f"{page}#{quote(card_anchor(incident))}" if page else ""


SCHEMES = ("s3", "gs", "az", "file")


def wrong_with_url(url: str) -> str:
    """What keeps an address from being a place to publish at, as a sentence; empty when nothing does."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or "://" not in url:
        return "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or file:///FOLDER was expected."
    if parts.scheme == "file" and (parts.netloc or not parts.path.startswith("/")):
        return "A folder is written with three slashes, for example file:///srv/site."
    if parts.scheme != "file" and not parts.netloc:
        return f"The bucket's name is missing: {parts.scheme}://BUCKET/PREFIX was expected."
    if "@" in parts.netloc or parts.query or parts.fragment:
        return "It may hold neither user, password, query nor fragment; credentials come from the environment."
    return ""
