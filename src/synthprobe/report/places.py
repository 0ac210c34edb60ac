"""Addresses of places that the site is published at."""

from __future__ import annotations

from urllib.parse import urlsplit

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
