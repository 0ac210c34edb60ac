"""Variables of the environment that name a proxy: a proxy resolves names itself, so nothing would hold behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NAMES = frozenset(
    {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "socks_proxy", "auto_proxy", "ws_proxy", "wss_proxy"}
    | {"no_proxy", "socks_server", "socks_version"}
)


def without_proxies(environ: Mapping[str, Any]) -> dict[str, Any]:
    """The environment of a browser."""
    return {name: value for name, value in environ.items() if name.lower() not in _NAMES}


def proxy_note(environ: Mapping[str, str]) -> str:
    """What a run says on a machine that has such variables."""
    found = sorted(name for name in environ.keys() - without_proxies(environ).keys() if environ[name])
    if not any(name.lower() != "no_proxy" for name in found):
        return ""
    return (
        f"This machine names a proxy ({', '.join(found)}). Journeys do not use it: browsers and API sessions go to the "
        "target directly, since the hosts reached behind a proxy cannot be limited."
    )
