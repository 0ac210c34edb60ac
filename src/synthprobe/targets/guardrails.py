"""What may be done at a target: hosts, changes, marks. Pure policy; others enforce it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from synthprobe.errors import ConfigurationError
from synthprobe.targets.addresses import host_of, is_plain_path, matches_host, normal_host, odd_address, path_of
from synthprobe.targets.reads import SAFE_METHODS, is_mutation, method_override, read_entry
from synthprobe.targets.target import Target, sends_by_egress_proxy

_SYNTHETIC = {"X-Synthetic": "synthprobe", "Cache-Control": "no-cache"}


def check_guardrails(target: Target) -> Target:
    """Refuse a target whose guardrails contradict each other."""
    table = f"[targets.{target.name}]"
    if target.production and not target.tls_verify:
        raise ConfigurationError(
            f"{table} has production = true and tls_verify = false. Certificates are always checked on production: "
            "remove tls_verify, and name an authority of your own with ca_file."
        )
    for key in ("allowed_hosts", "blocked_hosts"):
        for host in getattr(target, key):
            if not normal_host(host):
                raise ConfigurationError(
                    f"{table} has the host {host!r} in {key}. A host name without scheme, port and path was expected, "
                    'for example "cdn.example.org", or "*.example.org" for every host below it.'
                )
    for key in ("login_paths", "websocket_paths"):
        for path in getattr(target, key):
            if not path.startswith(("/", "*")):
                raise ConfigurationError(
                    f"{table} has {path!r} in {key}, which fits no path. A path from its first slash on was expected, "
                    'for example "/live", or "*/live" for every path that ends so.'
                )
    for key in ("requests_per_second", "journeys_per_minute"):
        if getattr(target, key) < 0:
            raise ConfigurationError(f"{table} has {key} below zero. Give a number above zero, or 0 for no limit.")
    switch = target.kill_switch
    local = switch.startswith(("http://127.0.0.1", "http://localhost"))
    if switch and not local and not re.fullmatch(r"(env:|file:|https://)\S+", switch):
        raise ConfigurationError(
            f"{table} has the kill switch {switch!r}. env:VARIABLE, file:PATH or an https:// address was expected."
        )
    return target


def allowed_hosts(target: Target) -> tuple[str, ...]:
    """Every host that journeys may reach, that of the base URL first."""
    return tuple(dict.fromkeys((host_of(target.base_url), *map(normal_host, target.allowed_hosts))))


def may_reach(target: Target, url: str) -> bool:
    """Whether a request to that address may leave."""
    host = host_of(url)
    return any(matches_host(host, known) for known in allowed_hosts(target))


def egress_refusal(target: Target, url: str, headers: Mapping[str, str] | None = None) -> str:
    """Why a request to that address may not leave; ``Host`` names the system that a shared server hands it to."""
    if odd := odd_address(url):
        return odd
    named = next((str(value) for name, value in (headers or {}).items() if name.strip().lower() == "host"), "")
    if may_reach(target, url):
        return egress_refusal(target, f"http://{named}/") if named else ""
    return (
        f"The host {host_of(url)!r} is not one that journeys against {_name(target)} may reach "
        f"({', '.join(allowed_hosts(target))}), so nothing was sent there. If the journey needs it, add it to "
        "allowed_hosts of the target."
    )


def is_read_only(target: Target) -> bool:
    """Whether changes are refused unless a journey declares them."""
    return target.production if target.read_only is None else target.read_only


def change_refusal(
    target: Target,
    method: str,
    url: str,
    mutates: Collection[str],
    headers: Mapping[str, str] | None = None,
    body: Any = None,
) -> str:
    """Why a request that may change something is refused."""
    if mutates or not is_read_only(target):
        return ""
    path, override = path_of(url), method_override(method, url, headers or {}, body)
    override = override or ("holds a mutation of GraphQL" if is_mutation(url) else "")
    if not override and method.upper() in SAFE_METHODS:
        return ""
    if not override and method.upper() == "POST" and _is_one_of(path, target.login_paths):
        return ""
    if not override and any(read.holds(method, path, body) for read in map(read_entry, target.reads) if read):
        return ""
    what = f"{method} {path}, which {override}," if override else f"{method} {path}"
    return (
        f"{what} was not sent: {_name(target)} is read-only, and this journey does not declare that it "
        'changes anything. Mark it, for example @pytest.mark.mutates("incident"), and allow that with '
        'allows = ["incident"] of the target; or, if it only logs in, add the path to login_paths; if it only '
        f'reads, add it to reads: reads = ["{method.upper()} {path}"].'
    )


def sends_messages(target: Target, url: str, mutates: Collection[str]) -> bool:
    """Whether a page may send messages over a WebSocket: what they change, nobody sees from outside.

    Example:
        >>> cad = Target(base_url="https://cad.example.org", production=True, websocket_paths=("*/live",))
        >>> [sends_messages(cad, f"wss://cad.example.org/{path}", ()) for path in ("board/live", "orders")]
        [True, False]
    """
    return bool(mutates) or not is_read_only(target) or _is_one_of(path_of(url), target.websocket_paths)


def message_refusal(target: Target, url: str) -> str:
    """The sentence on a message that was not sent."""
    path = path_of(url)
    return (
        f"A message of a page over the WebSocket {path} was not sent: {_name(target)} is read-only, and this journey "
        "does not declare that it changes anything. If such messages change nothing (they subscribe to updates, for "
        f'example), add the path to websocket_paths of the target: websocket_paths = ["{path}"].'
    )


def _is_one_of(path: str, patterns: Collection[str]) -> bool:
    return is_plain_path(path) and any(fnmatchcase(path, pattern) for pattern in patterns)


def skip_reason(target: Target, mutates: Collection[str]) -> str:
    """Why a journey that declares changes does not run against this target."""
    missing = [what for what in mutates if what not in target.allows]
    if not missing or not is_read_only(target):
        return ""
    what = ", ".join(repr(change) for change in missing)
    known = ", ".join(f'"{change}"' for change in target.allows)
    return f"It changes {what}, which {_name(target)} does not allow (read-only, allows = [{known}])."


def synthetic_headers(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Headers of every request: a mark, and that caches on the way must ask the target itself.

    A cache that answers in the target's place would go on doing so while the target is down.

    Example:
        >>> synthetic_headers({"cache-control": "max-age=60"})
        {'X-Synthetic': 'synthprobe', 'cache-control': 'max-age=60'}
    """
    own = {name.lower() for name in given or {}}
    return {name: value for name, value in _SYNTHETIC.items() if name.lower() not in own} | dict(given or {})


def browser_may_mark(target: Target) -> bool:
    """Whether a browser's requests may carry headers of ours.

    A browser asks another origin first whether it takes a header that pages do not send by themselves (CORS), and does
    not send the request when it does not: the headers would break what works for users.

    Example:
        >>> browser_may_mark(Target(base_url="https://cad.example.org", allowed_hosts=("cdn.example.org",)))
        False
    """
    return not target.allowed_hosts if target.browser_headers is None else target.browser_headers


def browser_arguments(target: Target) -> list[str]:
    """Arguments that keep a Chromium browser from reaching any other host.

    Every name and address but the allowed ones does not resolve, whoever in the browser asks: a redirect, a popup, a
    WebSocket, a worker, the browser itself. A proxy would resolve for it, and WebRTC would send without resolving.
    Where the target has a proxy or client certificates, it knows our own proxy on loopback only, which asks for
    allowed hosts alone.

    Example:
        >>> browser_arguments(Target(base_url="https://cad.example.org"))[0]
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE cad.example.org'
    """
    hosts = ("127.0.0.1",) if sends_by_egress_proxy(target) else allowed_hosts(target)
    rules = ["MAP * ~NOTFOUND", *(f"EXCLUDE {host}" for host in hosts)]
    # the headless shell does not know --no-proxy-server, and asks the desktop
    directly = [] if sends_by_egress_proxy(target) else ["--proxy-server=direct://"]
    return [
        f"--host-resolver-rules={', '.join(rules)}",
        *directly,
        "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    ]


def _name(target: Target) -> str:
    return f"target {target.name!r}" if target.name else "this target"
