"""Secrets: values without a string form, read from the environment or a file."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from synthprobe.errors import SecretError
from synthprobe.targets.addresses import origin_of
from synthprobe.targets.authorities import own_authorities
from synthprobe.targets.client_certificates import Identity, read_identity
from synthprobe.targets.target import Target

SHORTEST = 6
_SHORTEST_NUMBER = 8
_LONGEST_WORD = 9
_COMMON = """
administrator anonymous application authorization bearer changeme changeit credential credentials default
development dispatcher guest123 javascript letmein letmein1 localhost masked password passwort password1
password123 production qwertyuiop staging synthprobe test1234 testing123 undefined username welcome1
12345678 123456789 1234567890
"""


def weakness(value: str) -> str:
    """Why a value cannot be masked without masking innocent text.

    Example:
        >>> weakness("123456")
        'is a number of fewer than 8 digits'
        >>> weakness("correct horse")
        ''
    """
    if len(value) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    if value.isdigit() and len(value) < _SHORTEST_NUMBER:
        return f"is a number of fewer than {_SHORTEST_NUMBER} digits"
    if len(set(value)) < 3:
        return "repeats one or two characters"
    if value.lower() in _COMMON.split() or value.lower() in "[masked]":
        return "is a common value"
    one_word = value.isascii() and value.isalpha() and (value[1:].islower() or value.isupper())
    if one_word and len(value) <= _LONGEST_WORD:
        return "looks like a word of a dictionary"
    return ""


class Secret:
    """A value that shows itself only to `reveal`.

    Args:
        value: the secret.
        name: what it is called in messages.

    Raises:
        SecretError: when it is so short or common that masking it would mask innocent text.

    Example:
        >>> f"{Secret('correct horse', 'dispatcher')}"
        "Secret('****')"
    """

    __slots__ = ("_value", "name")

    def __init__(self, value: str, name: str = "") -> None:
        if why := weakness(value):
            raise SecretError(
                f"The secret {name!r} {why}, so masking it would mask innocent text. "
                "Give the synthetic user a longer one, with letters and digits."
            )
        self._value = value
        self.name = name

    def reveal(self) -> str:
        """The value itself. The only way to it.

        Returns:
            The secret.
        """
        return self._value

    def __repr__(self) -> str:
        return "Secret('****')"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return id(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A Secret is not pickled. Pass its name, and read it where it is needed.")


def read_secret(name: str, environ: Mapping[str, str], *, source: str, root: Path = Path()) -> Secret:
    """Read a secret from where the target says it is."""
    kind, _, place = source.partition(":")
    if kind == "env" and place:
        value = environ.get(place, "")
        if not value:
            raise SecretError(
                f"The secret {name!r} was expected in the environment variable {place}, which is not set or empty. "
                f"Set {place} where the journeys run."
            )
        return Secret(value, name)
    if kind == "file" and place:
        try:
            value = (root / place).read_text("utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise SecretError(
                f"The secret {name!r} was expected in the file {place}, which cannot be read: {reason}. "
                "Create it, readable by the user who runs the journeys."
            ) from None
        if not value:
            raise SecretError(f"The secret {name!r} was expected in the file {place}, which is empty. Write it there.")
        return Secret(value, name)
    raise SecretError(  # without what is there: it may be the secret itself
        f"The secret {name!r} has no source that is known; env:VARIABLE or file:/path was expected. If the secret "
        "itself stands there, take it out of the file, and have it changed."
    )


class Credentials(Struct, frozen=True, kw_only=True):
    """What whoever speaks with a target shows on the way, besides what a journey logs in with."""

    door: tuple[str, Secret] | None = None
    proxy: Secret | None = None
    identities: tuple[Identity, ...] = ()
    authorities: str = ""

    @property
    def secrets(self) -> list[Secret]:
        """All that must be masked."""
        return [secret for secret in (self.door[1] if self.door else None, self.proxy) if secret is not None]

    def identity(self, url: str) -> Identity | None:
        """The certificate that is shown at an address."""
        return next((identity for identity in self.identities if identity.origin == origin_of(url)), None)

    def proxies(self, target: Target, url: str) -> dict[str, str]:
        """The proxy that an address is asked for through, as requests takes it; empty when it is asked directly."""
        if target.proxy is None or not target.proxy.serves(url):
            return {}
        address = target.proxy.with_password(self.proxy.reveal() if self.proxy else "")
        return {"http": address, "https": address}


def read_credentials(target: Target, environ: Mapping[str, str], *, root: Path = Path()) -> Credentials:
    """What is shown on the way to a target."""

    def read(name: str) -> Secret:
        return read_secret(name, environ, source=target.secrets.get(name, ""), root=root)

    return credentials_of(target, read, environ)


def credentials_of(target: Target, read: Callable[[str], Secret], environ: Mapping[str, str]) -> Credentials:
    """The same, by whoever reads the target's secrets."""
    door, proxy = target.http_credentials, target.proxy
    shown = [
        read_identity(
            host, target.base_url, certificate, read(certificate.secret).reveal() if certificate.secret else ""
        )
        for host, certificate in target.client_certificates.items()
    ]
    return Credentials(
        identities=tuple(shown),
        door=(door.user, read(door.secret)) if door else None,
        proxy=read(proxy.secret) if proxy and proxy.secret else None,
        authorities=own_authorities(target, environ),
    )


def proxies_for(target: Target, environ: Mapping[str, str], root: Path, url: str) -> dict[str, str]:
    """The proxy through which an address is asked for on behalf of a target, as requests takes it."""
    if target.proxy is None:
        return {}
    return read_credentials(target, environ, root=root).proxies(target, url)


def read_address(name: str, environ: Mapping[str, str], *, source: str, root: Path = Path()) -> str:
    """Read an address that may be written openly, or kept where secrets are because it holds a password or token.

    Example:
        >>> read_address("history.url", {}, source="sqlite:///history.db")
        'sqlite:///history.db'
    """
    if source.startswith(("env:", "file:")):
        return read_secret(name, environ, source=source, root=root).reveal()
    return source
