"""Variables of the environment that name a proxy: a proxy resolves names itself, so nothing would hold behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthprobe.targets.target import Target

_NAMES = frozenset(
    {"http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "socks_proxy", "auto_proxy", "ws_proxy", "wss_proxy"}
    | {"no_proxy", "socks_server", "socks_version"}
)


def without_proxies(environ: Mapping[str, Any]) -> dict[str, Any]:
    """The environment of a browser."""
    return {name: value for name, value in environ.items() if name.lower() not in _NAMES}


def proxy_note(environ: Mapping[str, str], target: Target | None = None) -> str:
    """What a run says on a machine that has such variables, unless the target names a proxy itself."""
    if target is not None and target.proxy is not None:
        return ""
    found = sorted(name for name in environ.keys() - without_proxies(environ).keys() if environ[name])
    if not any(name.lower() != "no_proxy" for name in found):
        return ""
    return (
        f"This machine names a proxy ({', '.join(found)}). Journeys do not use it: browsers and API sessions go to the "
        "target directly, so that their hosts are limited; other clients, as requests or curl, do as the variables "
        "say. A proxy that journeys do use is named in the configuration: "
        f"address in [targets.{target.name if target and target.name else 'NAME'}.proxy]."
    )
