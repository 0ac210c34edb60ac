"""The kill switch: one place that ends all synthetic traffic to a target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from synthprobe.deadlines import OverdueError, within
from synthprobe.errors import SecretError

_OFF = {"0", "off", "false", "no"}
_TIMEOUT_S = 3.0
_READ = 64


def kill_switch_reason(
    switch: str, environ: Mapping[str, str], proxies: Callable[[str], Mapping[str, str]] = lambda _: {}
) -> str:
    """Read the kill switch, through the target's proxy where it has one; what cannot be read counts as on.

    A variable that is not set, and a file that is not there, are off. ``off``, ``0``, ``false`` and ``no`` are off.
    All else is on, an empty file as well, so that ``touch`` is enough.
    """
    kind, _, place = switch.partition(":")
    try:
        if not switch:
            return ""
        if kind == "env":
            value = environ.get(place, "") or "off"
        elif kind == "file":
            value = Path(place).read_text("utf-8")
        else:
            value = within(_TIMEOUT_S, "It", partial(_fetch, switch, proxies(switch)))
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError, OverdueError, SecretError) as error:
        why = f"no answer within {_TIMEOUT_S:g} s" if isinstance(error, OverdueError) else type(error).__name__
        return f"The kill switch {_shown(switch)} cannot be read ({why}), which counts as on."
    return "" if value.strip().lower() in _OFF else f"The kill switch {_shown(switch)} is on."


def _fetch(url: str, proxies: Mapping[str, str]) -> str:
    import requests  # its errors are OSErrors; most sessions have no switch of this kind

    with requests.Session() as session:
        session.trust_env, session.proxies = False, dict(proxies)
        with session.get(url, timeout=_TIMEOUT_S, allow_redirects=False, stream=True) as answer:
            if answer.status_code != 200:
                raise requests.HTTPError(f"status {answer.status_code}")
            return answer.raw.read(_READ).decode("utf-8", "replace")


def _shown(switch: str) -> str:
    """Without what may be a token: the address may be a capability."""
    return "/".join(switch.split("/")[:3]) + "/…" if "://" in switch else switch
