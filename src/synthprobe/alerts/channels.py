"""Handing a message to a channel through Apprise, within a deadline, without ever naming its address."""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from msgspec import Struct

from synthprobe.alerts.message import Alert
from synthprobe.deadlines import OverdueError, within
from synthprobe.errors import SecretError, ToolError
from synthprobe.targets.secrets import Secret, read_secret
from synthprobe.tools import needs

SPARE_S = 0.7
"""Seconds left for the heartbeat when a run was asked to end."""

_GONE = frozenset({404, 410})
_ANSWER_PARTS, _STATUS_PART = 8, 6  # of what urllib3 logs of an answer: scheme, host, port, method, path, version ...
_LOAD_S = 60.0
_KINDS = {"page": "failure", "ticket": "warning", "probe": "warning"}


class Sent(Struct, frozen=True, kw_only=True):
    """What a channel said."""

    accepted: bool
    why: str = ""
    final: bool = False


class Channel(Protocol):
    """Hands a message to the channel a source names."""

    def __call__(self, source: str, alert: Alert) -> Sent:
        """Send a message; never an exception."""


class AppriseChannel:
    """Channels of Apprise, their addresses read from secret sources."""

    def __init__(self, environ: Mapping[str, str], timeout_s: float = 10.0) -> None:
        self._environ = environ
        self._timeout_s = timeout_s

    def __call__(self, source: str, alert: Alert) -> Sent:
        """Send a message."""
        try:
            address = read_secret(source, self._environ, source=source)
        except SecretError as error:
            return Sent(accepted=False, why=str(error))
        try:
            within(_LOAD_S, "Loading the channels", _load, spare_s=SPARE_S)
            notify = partial(_notify, source, address, alert, self._timeout_s)
            return within(self._timeout_s, f"The channel {source}", notify, spare_s=SPARE_S)
        except (OverdueError, ToolError) as error:
            return Sent(accepted=False, why=str(error))


@functools.cache
def _load() -> None:
    """Apprise loads its channels at the first use, which must not count as a channel's time."""
    with needs("alerts", "Sending alerts"):
        import apprise

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines name addresses
    apprise.Apprise.instantiate("json://localhost", suppress_exceptions=True)


def _notify(source: str, address: Secret, alert: Alert, timeout_s: float) -> Sent:
    import apprise

    try:
        plugin = apprise.Apprise.instantiate(address.reveal(), suppress_exceptions=True)
        if plugin is None:
            return Sent(
                accepted=False,
                why=f"What {source} holds is no address Apprise knows. See https://github.com/caronc/apprise/wiki.",
            )
        if "redirect=" not in address.reveal():
            plugin.redirects = False  # a POST comes out of most as a GET, of a log-in page for example
        plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout_s
        post = apprise.Apprise()
        post.add(plugin)
        kind = (
            "success" if alert.reason == "recovered" else "info" if alert.reason == "drill" else _KINDS[alert.urgency]
        )
        with _answers() as statuses:
            answer = post.notify(body=alert.body, title=alert.title, notify_type=kind, body_format="text")
    except Exception as error:  # whatever a channel's code does, the message stays in the outbox
        return Sent(accepted=False, why=f"The channel {source} broke with {type(error).__name__}.")
    if answer is True:
        return Sent(accepted=True)
    if gone := next((status for status in statuses if status in _GONE), 0):
        return Sent(accepted=False, why=f"The channel {source} says that its address is gone ({gone}).", final=True)
    if moved := next((status for status in statuses if 300 <= status < 400), 0):
        return Sent(
            accepted=False,
            why=f"The channel {source} answers with a redirect ({moved}), and what is sent there is read by nobody for "
            "certain. Give the address that it leads to.",
        )
    excuse = "took no notice of it (None)" if answer is None else "did not take it"
    return Sent(accepted=False, why=f"The channel {source} {excuse}.")


@contextmanager
def _answers() -> Iterator[list[int]]:
    """The HTTP statuses that are answered meanwhile: Apprise says only whether it worked, urllib3 logs them as numbers.

    Nothing of it is printed, since the same records hold addresses.
    """
    statuses: list[int] = []
    mine = threading.get_ident()

    class Statuses(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            if record.thread == mine and isinstance(record.args, tuple) and len(record.args) == _ANSWER_PARTS:
                statuses.append(int(record.args[_STATUS_PART]))  # type: ignore[call-overload]
            return record.levelno > logging.DEBUG

    logger, listener = logging.getLogger("urllib3.connectionpool"), Statuses()
    before = logger.level
    logger.addFilter(listener)
    logger.setLevel(logging.DEBUG)
    try:
        yield statuses
    finally:
        logger.setLevel(before)
        logger.removeFilter(listener)


def read_back(source: str, environ: Mapping[str, str], timeout_s: float = 10.0) -> str:
    """What arrived at a receiver."""
    import requests

    try:
        address = read_secret(source, environ, source=source)
        with requests.Session() as session:
            session.trust_env = False
            return session.get(address.reveal(), timeout=timeout_s, allow_redirects=False).text
    except (SecretError, requests.RequestException, ValueError):
        return ""
