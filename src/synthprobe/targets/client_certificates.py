"""Client certificates: what a target's hosts are shown instead of, or before, a log-in."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from secrets import token_hex

from msgspec import Struct

from synthprobe.errors import SecretError
from synthprobe.mistakes import undeclared_secret
from synthprobe.targets.addresses import origin_of
from synthprobe.tools import needs


class ClientCertificate(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one host is shown: ``[targets.NAME.client_certificates."HOST"]``."""

    file: str
    key: str = ""
    secret: str = ""

    def wrong(self, host: str, table: str, secrets: Collection[str]) -> Iterator[tuple[str, str]]:
        """Each key that cannot be used, and why, as the rest of a sentence that begins with the file's name."""
        if not origin_of(f"https://{host}") or "/" in host or "*" in host:
            yield (
                "",
                f"has {table}, whose last part is no host. A name was expected, with its port unless it is that of "
                'base_url or 443, for example "api.example.org:8443".',
            )
        if not self.file.strip():
            yield "file", f"has {table}.file = {self.file!r}. The path of a certificate was expected, PEM or PKCS#12."
        yield from undeclared_secret(self.secret, table, secrets, "PASS_PHRASE")


class Identity(Struct, frozen=True, kw_only=True):
    """A client certificate that was read and holds now."""

    origin: str
    chain: bytes
    key: bytes
    password: str
    ends: datetime


def read_identity(host: str, base_url: str, certificate: ClientCertificate, passphrase: str) -> Identity:
    """Read a certificate and its key; what is wrong with them is said without their paths."""
    named = origin_of(f"https://{host}")
    own = origin_of(base_url)
    is_of_base = own.startswith("https:") and own.rpartition(":")[0] == named
    what = f"The client certificate for {host} of the target"
    files = [Path(name) for name in (certificate.file, certificate.key) if name]
    try:
        read = tuple(path.read_bytes() for path in files)
    except OSError as error:
        raise SecretError(
            f"{what} cannot be read ({error.strerror or error}). Put it where file and key say, readable by the user "
            "who runs the journeys."
        ) from None
    try:
        with needs("certificates", what, SecretError):
            chain, key, password, begins, ends = _opened(read, passphrase)
    except (ValueError, TypeError) as error:
        with_what = f"with the pass phrase that is the secret {certificate.secret!r}" if passphrase else "without one"
        raise SecretError(
            f"{what} and its key cannot be opened {with_what}: {str(error).rstrip('.')}. PEM or PKCS#12 with the key "
            "that belongs to it was expected, and secret names its pass phrase if it has one."
        ) from None
    now = datetime.now(UTC)
    if not begins <= now <= ends:
        when = f"ended on {ends:%Y-%m-%d %H:%M} UTC" if now > ends else f"begins on {begins:%Y-%m-%d %H:%M} UTC only"
        raise SecretError(f"{what} {when}, so the target was not asked. Put another in its place.")
    origin = own if is_of_base else named
    return Identity(origin=origin, chain=chain, key=key, password=password, ends=ends)


@lru_cache(maxsize=8)  # each session asks for the same few, and opening one is slow on purpose
def _opened(files: tuple[bytes, ...], passphrase: str) -> tuple[bytes, bytes, str, datetime, datetime]:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        PublicFormat,
        load_pem_private_key,
        pkcs12,
    )

    phrase = passphrase.encode() or None
    if b"-----BEGIN " in files[0]:
        chain = x509.load_pem_x509_certificates(files[0])
        key = load_pem_private_key(files[-1], phrase)
    else:
        found, leaf, more = pkcs12.load_key_and_certificates(files[0], phrase)
        if found is None or leaf is None:
            raise ValueError("it holds no certificate with its key")
        chain, key = [leaf, *more], found
    own = chain[0].public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != own:
        raise ValueError("the key belongs to another certificate")
    password = token_hex(16)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    text = b"".join(each.public_bytes(Encoding.PEM) for each in chain)
    return text, locked, password, chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
