"""An authority of one's own, for the tests: certificates of servers and of clients, of any age."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)
from cryptography.x509.oid import NameOID


class Authority:
    """Signs certificates of a server and of its clients."""

    def __init__(self, folder: Path, name: str = "inside") -> None:
        self.folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        root = self._build(self._name, self._key, -1, 30)
        root = root.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(root.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def _build(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, begins: float, ends: float):
        now = datetime.now(UTC)
        return x509.CertificateBuilder(
            self._name,
            subject,
            key.public_key(),
            x509.random_serial_number(),
            now + timedelta(days=begins),
            now + timedelta(days=ends),
        )

    def signed(self, name: str, *, begins: float = -1, ends: float = 2) -> tuple[x509.Certificate, object]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = self._build(subject, key, begins, ends)
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        return built.sign(self._key, hashes.SHA256()), key

    def pem(self, name: str, phrase: str = "", **when: float) -> Path:
        """Certificate and key in one file."""
        certificate, key = self.signed(name, **when)
        lock = BestAvailableEncryption(phrase.encode()) if phrase else NoEncryption()
        file = self.folder / f"{name}.pem"
        file.write_bytes(
            certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        )
        return file

    def pkcs12(self, name: str, phrase: str) -> Path:
        certificate, key = self.signed(name)
        file = self.folder / f"{name}.p12"
        lock = BestAvailableEncryption(phrase.encode())
        file.write_bytes(pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, None, lock))
        return file
