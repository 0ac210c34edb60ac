"""Authorities that sign certificates and are not known to everybody: those of the target, and those of the machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
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
        found = bool(_certificates(Path(target.ca_file)))
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
    files = [target.ca_file, *(environ.get(name, "") for name in VARIABLES)]
    paths = [path for path in map(Path, filter(None, files)) if path.is_file()]
    if not paths or not target.tls_verify:
        return ""
    from requests.utils import DEFAULT_CA_BUNDLE_PATH  # most targets have none

    known = set(_certificates(Path(DEFAULT_CA_BUNDLE_PATH)))
    return "".join(
        dict.fromkeys(
            f"{certificate}\n" for path in paths for certificate in _certificates(path) if certificate not in known
        )
    )


def _certificates(path: Path) -> tuple[str, ...]:
    state = path.stat()
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)  # each session asks for the same few, and a machine's own hold hundreds of certificates
def _read(path: Path, _changed_ns: int, _size: int) -> tuple[str, ...]:
    found = _CERTIFICATE.findall(path.read_text("latin-1"))
    return tuple("\n".join(each.split("\n")).replace("\r", "").strip() for each in found)
