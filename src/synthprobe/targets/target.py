"""A target: a system we watch, and what may be done there."""

from __future__ import annotations

from urllib.parse import urlsplit

from msgspec import Struct, field

from synthprobe.errors import ConfigurationError


class Target(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A system under watch, as one table ``[targets.NAME]`` of the configuration.

    Attributes:
        base_url: where it stands, with scheme, for example ``https://cad.example.org``.
        name: the table's name; filled in when the configuration is read.
        timeout_s: seconds one API call may take in all, redirects and body included.
        action_timeout_s: seconds one browser action or expectation may wait.
        max_body_mb: megabytes of a decoded answer that are read before the call is given up.
        slow_request_ms: milliseconds from which a browser request counts as slow in the evidence.
        mask_selectors: CSS selectors hidden in screenshots, besides password inputs.
        secrets: name to source, ``env:VARIABLE`` or ``file:/path``.
        automatic_fixes: ids of the fixes that may be applied without a person once they earned it.
    """

    base_url: str
    name: str = ""
    timeout_s: float = 10.0
    action_timeout_s: float = 5.0
    max_body_mb: float = 10.0
    slow_request_ms: float = 1000.0
    mask_selectors: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict)
    automatic_fixes: tuple[str, ...] = ()


def check_base_url(target_name: str, base_url: str) -> str:
    """The address without a trailing slash.

    Args:
        target_name: for the message.
        base_url: what was configured or typed.

    Returns:
        The address.

    Raises:
        ConfigurationError: when it has no ``http`` or ``https`` scheme, or no host.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"The base URL of target {target_name!r} is {base_url!r}, which has no http:// or https:// scheme and "
            f'host. Write it in full, for example base_url = "https://{base_url or "staging.example.org"}".'
        )
    return base_url.rstrip("/")
