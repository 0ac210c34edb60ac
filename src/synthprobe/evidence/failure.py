"""What an exception says about the target, or about us."""

from __future__ import annotations

import re

from synthprobe.errors import ConfigurationError, SecretError, TargetError, ToolError
from synthprobe.model.result import Failure

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_MESSAGE_LINES = 14

# part of Playwright's message → (kind, ours); the first that occurs counts
_BROWSER_REASONS = (
    ("Executable doesn't exist", "browser", True),
    ("Failed to launch", "browser", True),
    ("has been closed", "browser", True),
    ("Target crashed", "browser", True),
    ("Page crashed", "browser", True),
    ("ERR_CONNECTION_REFUSED", "refused", False),
    ("ERR_NAME_NOT_RESOLVED", "dns", False),
    ("ERR_CERT", "tls", False),
    ("ERR_SSL", "tls", False),
    ("ERR_TOO_MANY_REDIRECTS", "redirects", False),
    ("net::ERR", "protocol", False),
)


def describe_failure(error: BaseException, *, detail: str, step: str, phase: str) -> Failure:
    """Say what an exception means.

    Args:
        error: what was raised.
        detail: the whole text with the place in the journey's source.
        step: path of the step it broke.
        phase: ``setup``, ``call`` or ``teardown``.

    Returns:
        The failure; ``ours`` when nothing is known of the target.
    """
    kind, ours = _reason(error)
    if phase == "teardown":
        kind, ours = "cleanup", True
    text = _ANSI.sub("", str(error)).strip() or type(error).__name__
    if kind == "journey error":
        text = f"The journey itself broke with {type(error).__name__}: {text}"
    return Failure(
        kind=kind,
        ours=ours,
        message="\n".join(text.splitlines()[:_MESSAGE_LINES]),
        detail=_ANSI.sub("", detail),
        step=step,
        phase=phase,
    )


def _reason(error: BaseException) -> tuple[str, bool]:
    names = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    text = str(error)
    if isinstance(error, TargetError):
        return error.kind, False
    if isinstance(error, SecretError):
        return "credentials", True
    if isinstance(error, (ConfigurationError, ToolError)):
        return "configuration", True
    if isinstance(error, AssertionError):
        return "expectation", False
    if "playwright.Error" in names:
        for part, kind, ours in _BROWSER_REASONS:
            if part in text:
                return kind, ours
        return ("timeout", False) if "playwright.TimeoutError" in names else ("journey error", True)
    if "requests.RequestException" in names:
        return "request", False
    if "_pytest.Failed" in names:
        return ("deadline", True) if text.startswith("Timeout") else ("expectation", False)
    return "journey error", True
