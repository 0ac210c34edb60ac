"""Holds a run to its target's guardrails: asked before each journey and each request; the kill switch ends them all."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from synthprobe.deadlines import OverdueError, within
from synthprobe.errors import ConfigurationError, SecretError, TargetError
from synthprobe.journey import steps
from synthprobe.targets.guardrails import change_refusal, egress_refusal
from synthprobe.targets.target import Target

_POLL_S = 0.005


class Pace:
    """At most so many in any period, whichever process asks.

    Places are booked in a small file under a lock, on the clock since boot that all processes share. Whoever comes too
    early sleeps until its own place.
    """

    def __init__(self, path: Path, rate: float, period_s: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._path = path
        self._count = max(int(rate), 1)
        self._period_s = period_s * self._count / rate
        self._sleep = sleep

    def wait(self) -> float:
        """Wait for the next place."""
        from filelock import FileLock  # no collection waits

        lock = FileLock(self._path.with_name(f"{self._path.name}.lock"))
        with lock.acquire(poll_interval=_POLL_S), self._path.open("a+") as file:
            file.seek(0)
            booked: list[float] = json.loads(file.read() or "[]")
            now = time.monotonic()
            place = max(now, booked[-self._count] + self._period_s) if len(booked) >= self._count else now
            file.seek(0)
            file.truncate()
            file.write(json.dumps([*booked[-self._count :], place]))
        wait_s = place - now
        if wait_s > 0:
            self._sleep(wait_s)
        return wait_s


class Guard:
    """What the running journey may do, and how fast."""

    def __init__(
        self,
        target: Target,
        folder: Path | None = None,
        sleep: Callable[[float], None] = time.sleep,
        *,
        sharers: int = 1,
    ) -> None:
        self.target = target
        self.mutates: Collection[str] = ()
        """Changes that the running journey declares."""
        self._requests = self._journeys = None
        self._made = functools.partial(Guard, folder=folder, sleep=sleep, sharers=sharers)
        if folder and target.requests_per_second:
            self._requests = Pace(
                folder / f"pace-requests-{target.name}.json", target.requests_per_second / sharers, 1.0, sleep
            )
        if folder and target.journeys_per_minute:
            self._journeys = Pace(
                folder / f"pace-journeys-{target.name}.json", target.journeys_per_minute / sharers, 60.0, sleep
            )

    def beside(self, target: Target) -> Guard:
        """Holds the running journey to another target's guardrails as well."""
        guard = self._made(target)
        guard.mutates = self.mutates
        return guard

    def pace_journey(self) -> float:
        """Wait until the next journey may start; seconds waited."""
        return self._journeys.wait() if self._journeys else 0.0

    def pace_request(self) -> None:
        """Wait until the next request may be sent. The wait is ours, so no step's time holds it."""
        if self._requests and (waited_s := self._requests.wait()) and (recorder := steps.current()):
            recorder.leave_out(waited_s)

    def check(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
        *,
        led_from: str = "",
    ) -> None:
        """Refuse a request that may not be sent: the journey is at fault, or the target that led to it."""
        if recorder := steps.current():
            recorder.asked += 1
        if why := egress_refusal(self.target, url, headers):
            if led_from:
                raise TargetError("egress", f"{led_from} was redirected to {url}. {why}")
            raise ConfigurationError(why)
        self.check_change(method, url, headers, body)

    def check_change(self, method: str, url: str, headers: Mapping[str, str] | None = None, body: Any = None) -> None:
        """Refuse a change of a read-only target; what goes to a host that is none of its own is not held by this."""
        changes = change_refusal(self.target, method, url, self.mutates, headers, body)
        if changes and not egress_refusal(self.target, url, headers):
            raise ConfigurationError(changes)

    def check_tls(self, what: str, where: str) -> None:
        """Refuse to leave out the check of certificates on production."""
        if self.target.production:
            raise ConfigurationError(
                f"TLS checks were switched off by {what} for {where}, which belongs to a production target. "
                "Certificates are always checked there: remove it; an authority of your own goes into ca_file."
            )


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
            value = within(_TIMEOUT_S, "It", functools.partial(_fetch, switch, proxies(switch)))
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
