"""Who acts, known by what nobody types: the account the kernel logged in, a claim that CI signed, or a person's key."""

from __future__ import annotations

import hashlib
import os
import secrets
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.errors import ConfigurationError, FixRefused, SynthprobeError
from synthprobe.firstline.audit import AuditEntry
from synthprobe.targets.addresses import LOOPBACK
from synthprobe.targets.secrets import read_secret
from synthprobe.tools import needs

ASK_S = 10.0
_SIGN_S = 60.0
_SIGNED_FOR = "synthprobe"
_LOGIN_UID = Path("/proc/self/loginuid")
_NOBODY_LOGGED_IN = 2**32 - 1
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"]


class IdentityConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How it is known who applies and approves fixes: the table ``[fixes.identity]``."""

    kind: Literal["account", "oidc", "ssh"] = "account"
    issuer: str = "https://token.actions.githubusercontent.com"
    audience: str = "synthprobe"
    claim: str = "actor_id"
    source: str = "github"
    key: str = "~/.ssh/id_ed25519"
    signers: str = "fixes/allowed_signers"
    approval: Literal["same", "ssh"] = "same"

    def of_approvals(self) -> IdentityConfig:
        """The same for who approves."""
        return self if self.approval == "same" else replace(self, kind="ssh")


@dataclass(frozen=True)
class Actor:
    """Who acts."""

    role: str
    who: str

    @property
    def mark(self) -> str:
        """The hash that is kept."""
        return hashlib.sha256(f"synthprobe {self.who}".encode()).hexdigest()[:12]


def check_identity(config: IdentityConfig) -> None:
    """Refuse an issuer that could be anybody."""
    place = urlsplit(config.issuer)
    if place.scheme != "https" and not (place.scheme == "http" and place.hostname in LOOPBACK):
        raise ConfigurationError(
            f"fixes.identity.issuer is {config.issuer!r}; an https address was expected, as the claim iss has it."
        )
    if config.source != "github" and not config.source.startswith(("env:", "file:")):
        raise ConfigurationError(
            f"fixes.identity.source is {config.source!r}; github, env:VARIABLE or file:PATH was expected."
        )


def identity(config: IdentityConfig, environ: Mapping[str, str], root: Path = Path()) -> str:
    """What tells two people apart, and cannot be typed."""
    if config.kind == "account":
        return f"account:{logged_in_account()}"
    if config.kind == "ssh":
        return f"ssh:{_signer(config, root)}"
    check_identity(config)
    found = _claims(config, _token(config, environ, root)).get(config.claim)
    if not isinstance(found, (str, int)) or found == "":
        raise FixRefused(
            f"The token of {config.issuer} has no claim {config.claim!r}, so it is not known who acts. Name one "
            "that it has as fixes.identity.claim."
        )
    return f"oidc:{config.issuer}:{found}"


def logged_in_account() -> str:
    """The account that logged in, as the kernel keeps it through sudo and su; without a log-in, the process's own."""
    try:
        number = int(_LOGIN_UID.read_text("ascii"))
    except (OSError, ValueError):
        number = _NOBODY_LOGGED_IN
    if not hasattr(os, "getuid"):
        return os.getlogin()  # Windows asks its kernel, not the environment
    import pwd

    number = os.getuid() if number == _NOBODY_LOGGED_IN else number
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _signer(config: IdentityConfig, root: Path) -> str:
    """The name that the file of allowed signers has for the key that signs what nobody knew before."""
    asked, signatures = secrets.token_bytes(32), Signatures(config, root)
    return signatures.signer(asked, signatures.sign(asked), f"the key {config.key}")


@dataclass(frozen=True)
class Signatures:
    """What people sign with their SSH keys."""

    config: IdentityConfig
    root: Path

    def sign(self, text: bytes) -> str:
        """Sign with this person's key."""
        key = str(self.root / Path(self.config.key).expanduser())
        arguments = ["sign", "-n", _SIGNED_FOR, "-f", key]
        return _ssh_keygen(arguments, text, f"the key {self.config.key} did not sign").decode()

    def signer(self, text: bytes, signature: str, what: str = "the key of a signature") -> str:
        """Who signed it, by the name that the file of allowed signers has for the key."""
        unknown = f"{self.config.signers} does not know {what}"
        with tempfile.NamedTemporaryFile() as file:
            file.write(signature.encode())
            file.flush()
            held = ["-s", file.name, "-f", str(self.root / Path(self.config.signers).expanduser())]
            found = _ssh_keygen(["find-principals", *held], text, unknown).decode().splitlines()
            name = found[0] if found else ""
            _ssh_keygen(["verify", "-n", _SIGNED_FOR, "-I", name, *held], text, unknown)
        return name

    def hold(self, entry: AuditEntry) -> bool:
        """Whether an approval was signed by who it says, as it stands."""
        try:
            return (
                bool(entry.signature)
                and entry.who == Actor(entry.role, f"ssh:{self.signer(entry.signed(), str(entry.signature))}").mark
            )
        except FixRefused:
            return False


def _ssh_keygen(arguments: list[str], given: bytes, failed: str) -> bytes:
    try:
        done = subprocess.run(
            ["ssh-keygen", "-Y", *arguments], input=given, capture_output=True, timeout=_SIGN_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise FixRefused(f"It is not known who acts: {failed} within {_SIGN_S:g} s.") from None
    except OSError:
        raise ConfigurationError(
            "fixes.identity.kind is ssh, and there is no ssh-keygen. Install OpenSSH's client, 8.2 or newer."
        ) from None
    if done.returncode != 0:
        why = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise FixRefused(
            f"It is not known who acts: {failed}{f' ({why[-1]})' if why else ''}. Name your own key as "
            "fixes.identity.key, and have whoever reviews fixes add it to fixes.identity.signers."
        )
    return done.stdout


def _token(config: IdentityConfig, environ: Mapping[str, str], root: Path) -> str:
    if config.source != "github":
        try:
            return read_secret("fixes.identity.source", environ, source=config.source, root=root).reveal()
        except SynthprobeError as error:
            raise FixRefused(f"It is not known who acts. {error}") from None
    url, bearer = (environ.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}", "") for name in ("URL", "TOKEN"))
    if not (url and bearer):
        raise FixRefused(
            "It is not known who acts: the runner offers no token. Give the job the permission id-token: write, or set "
            'fixes.identity.kind to "account" where people log in.'
        )
    answer = _asked(f"{url}&audience={config.audience}", {"Authorization": f"Bearer {bearer}"})
    return str(answer.get("value", ""))


def _claims(config: IdentityConfig, token: str) -> dict[str, Any]:
    with needs("oidc", 'fixes.identity.kind = "oidc"', ConfigurationError):
        import jwt
    known = _asked(f"{config.issuer.rstrip('/')}/.well-known/openid-configuration", {})
    keys = _asked(str(known.get("jwks_uri", "")), {})
    try:
        wanted = jwt.get_unverified_header(token).get("kid")
        key = next(jwk for jwk in jwt.PyJWKSet.from_dict(keys).keys if jwk.key_id == wanted)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=_ALGORITHMS,
            audience=config.audience,
            issuer=config.issuer,
            options={"require": ["exp", "iat", "iss", "aud"]},
        )
    except StopIteration:
        raise FixRefused(f"It is not known who acts: the token is signed by no key of {config.issuer}.") from None
    except jwt.PyJWTError as error:
        raise FixRefused(f"It is not known who acts: the token of {config.issuer} does not hold: {error}.") from None
    return claims


def _asked(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    place = urlsplit(url)
    where = f"{place.scheme}://{place.hostname}"
    if place.scheme != "https" and place.hostname not in LOOPBACK:
        raise FixRefused(f"It is not known who acts: {where} is no https address, so its word counts for nothing.")
    import requests

    from synthprobe.journey.deadline import bounded_session

    try:
        with bounded_session(ASK_S) as session:
            session.trust_env = False
            answer = session.get(url, headers=headers)
            answer.raise_for_status()
            found = answer.json()
    except (requests.RequestException, SynthprobeError, ValueError) as error:
        why = f"{where} did not say who this is ({type(error).__name__})"
        raise FixRefused(f"It is not known who acts: {why}. Try again when it answers.") from None
    if not isinstance(found, dict):
        raise FixRefused(f"It is not known who acts: {where} answered with no JSON object.")
    return found
