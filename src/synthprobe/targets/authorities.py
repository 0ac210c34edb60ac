"""Authorities that sign certificates and are not known to everybody: those of the target, and those of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from synthprobe.errors import ConfigurationError
from synthprobe.targets.target import Target

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+?-----END CERTIFICATE-----")


def check_ca_file(target: Target) -> None:
    """Refuse an authority that cannot be read."""
    if not target.ca_file:
        return
    try:
        found = bool(list(_certificates(Path(target.ca_file))))
    except (OSError, ValueError) as error:
        found, why = False, f"cannot be read ({getattr(error, 'strerror', None) or error})"
    else:
        why = "holds no certificate"
    if not found:
        raise ConfigurationError(
            f"[targets.{target.name}] has ca_file = {target.ca_file!r}, which {why}. A file with the authority's "
            "certificate in PEM was expected, beginning with -----BEGIN CERTIFICATE-----."
        )


def own_authorities(target: Target, environ: Mapping[str, str]) -> str:
    """The certificates of authorities that are trusted besides those everybody knows."""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH  # most targets have none

    files = [target.ca_file, *(environ.get(name, "") for name in VARIABLES)]
    paths = [path for path in map(Path, filter(None, files)) if path.is_file()]
    if not paths or not target.tls_verify:
        return ""
    known = set(_certificates(Path(DEFAULT_CA_BUNDLE_PATH)))
    return "".join(dict.fromkeys(f"{one}\n" for path in paths for one in _certificates(path) if one not in known))


def _certificates(path: Path) -> Iterator[str]:
    for found in _CERTIFICATE.findall(path.read_text("latin-1")):
        yield "\n".join(found.split("\n")).replace("\r", "").strip()
