"""The certificate of the terminals' HTTPS port, made by the ``openssl`` command at start and renewed when asked."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

from synthprobe_demo.faults import Fault, Switches

DAYS = 90
DAYS_WHEN_FORGOTTEN = 9


class Certificate:
    """What the HTTPS port shows; new connections see the newest one.

    Args:
        folder: where key and certificate are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path, self.key = folder / "terminals.pem", folder / "terminals.key"
        self.context: ssl.SSLContext | None = None

    @staticmethod
    def possible() -> bool:
        """Whether one can be made on this machine."""
        return shutil.which("openssl") is not None

    def renew(self, days: int = DAYS) -> None:
        """Make a new one that holds some days."""
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", str(days), "-subj", "/CN=terminals.harborview.example", "-addext",
             "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", str(self.key), "-out", str(self.path)],
            check=True, capture_output=True, timeout=20,
        )  # fmt: skip
        if self.context is not None:
            self.context.load_cert_chain(self.path, self.key)


class CertificateSwitches(Switches):
    """Switches that also let a certificate run out; set `certificate` after making them."""

    certificate: Certificate | None = None

    def switch(self, name: str, fault: Fault | None) -> None:
        """Switch one on or off.

        Raises:
            KeyError: when there is no such state.
        """
        before = self.listed().get(name, False)
        super().switch(name, fault)
        if name == "cert_expiring" and self.certificate is not None and before != (fault is not None):
            self.certificate.renew(DAYS_WHEN_FORGOTTEN if fault else DAYS)
