"""Holds the browser's own protocol (CDP), by which a journey could open what the guardrails close."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import CDPSession

from synthprobe.errors import ConfigurationError
from synthprobe.journey.guard import Guard
from synthprobe.targets.guardrails import is_read_only

_READING = ("Target.getTargets", "Target.getTargetInfo")
_BEYOND = ("Target.", "Tethering.")
_CERTIFICATES = (
    "Security.setIgnoreCertificateErrors",
    "Security.setOverrideCertificateErrors",
    "Security.handleCertificateError",
)
_SENDING = (
    "Fetch.",
    "Network.setRequestInterception",
    "Network.continueInterceptedRequest",
    "Network.loadNetworkResource",
)


def send_unguarded(session: CDPSession, method: str, params: dict[str, Any] | None = None) -> Any:
    """Send a command of ours."""
    return getattr(CDPSession.send, "__wrapped__", CDPSession.send)(session, method, params)


def guard_protocol(guard: Guard) -> None:
    """Refuse commands that open contexts of their own, leave out certificates, or send past the guardrails.

    Playwright makes a session anew for whoever asks, so it is the class that is held, as with routes.
    """
    send = getattr(CDPSession.send, "__wrapped__", CDPSession.send)

    def guarded_send(session: CDPSession, method: str, params: dict[str, Any] | None = None, **options: Any) -> Any:
        if method.startswith(_CERTIFICATES):
            guard.check_tls(f"the command {method}", "a browser")
        beyond = method.startswith(_BEYOND) and method not in _READING
        if beyond or (method.startswith(_SENDING) and is_read_only(guard.target)):
            raise ConfigurationError(
                f"The browser was to be given the command {method}, behind which the guardrails of target "
                f"{guard.target.name!r} cannot be held. Remove it; the fixtures open pages, contexts and routes."
            )
        return send(session, method, params, **options)

    guarded_send.__wrapped__ = send  # type: ignore[attr-defined]
    CDPSession.send = guarded_send  # type: ignore[assignment,method-assign]


def release_protocol() -> None:
    """Give sessions back as Playwright made them."""
    CDPSession.send = getattr(CDPSession.send, "__wrapped__", CDPSession.send)  # type: ignore[method-assign]
