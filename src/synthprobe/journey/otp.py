"""One-time codes of an authenticator (TOTP, RFC 6238): each is given out once, whoever asks for it."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.files import write_whole
from synthprobe.journey import steps
from synthprobe.records.journey import duration_s
from synthprobe.targets.secrets import Secret
from synthprobe.tools import needs

_LOCK_S = 5.0
_SPARE_S = 2.0
"""A code is not given out in its last seconds: the form has still to be sent."""


class Otp:
    """Gives the codes that an authenticator shows: ``otp("dispatcher-otp")``.

    A code is given out once: to another attempt, worker or run on this machine the next one is given, which is waited
    for. That wait counts for no step and no budget. Every code is masked in all that is recorded.

    Args:
        secrets: the target's secrets; each is a base32 key, or an ``otpauth://totp/...`` address as a QR code holds it.
        folder: where is noted which codes were given out, by number and never by value.
        mask: learns each code before it is given out.
        clock: seconds since the epoch; replaced in tests.
        pause: waits some seconds; replaced in tests.
    """

    def __init__(
        self,
        secrets: Mapping[str, Secret],
        folder: Path,
        mask: Callable[[str], None],
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._secrets, self._folder, self._mask, self._clock, self._pause = secrets, folder, mask, clock, pause

    def __call__(self, secret: str, *, within: str | float = "65s") -> str:
        """A code that was not given out before.

        Args:
            secret: name of the secret in ``[targets.NAME.secrets]``.
            within: how long the next code may be waited for when the present one was given out; some seconds less
                than the journey's deadline.

        Returns:
            The code, as digits.

        Raises:
            ConfigurationError: when the secret is no key of an authenticator, or ``within`` is no duration.
            ToolError: when others took every code until then: ``unknown``, as the target was not asked.
        """
        totp = _authenticator(secret, self._secrets[secret].reveal())
        try:
            end = self._clock() + duration_s(within)
        except ValueError as error:
            raise ConfigurationError(f"otp({secret!r}): within: {error}") from None
        while (number := self._taken(secret, totp, end)) is None:
            pass
        code = str(totp.generate_otp(number))
        self._mask(code)
        return code

    def _taken(self, secret: str, totp: Any, end: float) -> int | None:
        """The number of a code that is ours now; nothing when another took it meanwhile."""
        from filelock import FileLock, Timeout

        place = self._folder / hashlib.sha256(f"{secret} {totp.secret}".encode()).hexdigest()[:16]
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(place.with_suffix(".lock"), timeout=_LOCK_S):
                given = int(place.read_text()) if place.exists() else -1
                now = self._clock()
                number = int(now // totp.interval)
                is_over = (number + 1) * totp.interval - now < min(_SPARE_S, totp.interval / 10)
                if given > number + 10:  # a clock that was ahead once
                    given = number
                if number > given and not is_over:
                    write_whole(place, str(number))
                    return number
        except (Timeout, ValueError, OSError) as error:
            raise ToolError(
                f"Which code of {secret!r} was given out last cannot be known: {error}. Look at {place}, or remove it."
            ) from None
        left_s = (max(given, number) + 1) * totp.interval - self._clock()
        if self._clock() + left_s > end:
            raise ToolError(
                f"Every code of {secret!r} until then was given out to others, so there is none to log in with. Give "
                "each journey that logs in a user of its own, log in once with logged_in(...), or wait longer: "
                'within="95s".'
            )
        self._pause(max(left_s, 0.05))
        if recorder := steps.current():
            recorder.leave_out(left_s)
        return None


def _authenticator(name: str, key: str) -> Any:
    """pyotp's own object; what it refuses is said in a sentence that does not hold the key."""
    with needs("logins", "A one-time code"):
        import pyotp  # most journeys need none

    wrong = ""
    try:
        made = pyotp.parse_uri(key) if key.startswith("otpauth:") else pyotp.TOTP("".join(key.split()).upper())
        made.generate_otp(0)
    except Exception as error:
        wrong = f" ({type(error).__name__})"
    else:
        if isinstance(made, pyotp.TOTP):
            return made
    raise ConfigurationError(
        f"The secret {name!r} is no key of an authenticator that shows a new code every some seconds{wrong}. A base32 "
        "key such as the one below the QR code was expected, or the otpauth://totp/... address that the QR code holds."
    )
