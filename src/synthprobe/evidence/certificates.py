"""What is wrong with a certificate, in words, whoever refused it: OpenSSL, Node or Chromium."""

from __future__ import annotations

_FAULTS = (
    (
        (
            "AUTHORITY_INVALID",
            "self-signed",
            "self signed",
            "unable to get local issuer",
            "unable to verify the first",
            "unable to get issuer certificate",
        ),
        "Its certificate is signed by an authority that is not known here. Name your own "
        "authority by ca_file of the target, or by REQUESTS_CA_BUNDLE or SSL_CERT_FILE.",
    ),
    (("DATE_INVALID", "has expired", "not yet valid"), "Its certificate has expired, or is not valid yet."),
    (
        (
            "COMMON_NAME_INVALID",
            "Hostname mismatch",
            "IP address mismatch",
            "does not match certificate",
            "doesn't match",
        ),
        "Its certificate is for another name.",
    ),
    (("CERT_REVOKED", "certificate revoked"), "Its certificate was revoked."),
)


def certificate_fault(text: str) -> str:
    """Say what is wrong with a certificate."""
    return next((sentence for parts, sentence in _FAULTS if any(part in text for part in parts)), "")
