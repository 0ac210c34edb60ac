"""A synthetic user's mail: wait for a message that came after the journey began, and read its code or link."""

from __future__ import annotations

import html
import re
import ssl
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from msgspec import Struct

from synthprobe.errors import ExpectationError, ToolError
from synthprobe.journey.deadline import bounded_session
from synthprobe.journey.eventually import eventually
from synthprobe.journey.trust import like_browsers
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Inbox as InboxConfig
from synthprobe.tools import needs

_CALL_S = 10.0
_LINK = re.compile(r"https?://[^\s<>\"']+")
_TAGS = re.compile(r"<(style|script)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)


class Mail(Struct, frozen=True, kw_only=True):
    """A message as a mailbox holds it.

    Attributes:
        to: addresses it was sent to.
        subject: its subject.
        text: its plain text; made of ``html`` where it has none.
        html: its HTML; empty where it has none.
    """

    to: tuple[str, ...]
    subject: str = ""
    text: str = ""
    html: str = ""


class Mailbox(Protocol):
    """What `Inbox` needs of a mailbox. Give your own with a fixture ``mailbox`` in ``conftest.py``."""

    def ids(self) -> Collection[str]:
        """Ids of the messages that are there."""

    def read(self, id: str) -> Mail:
        """One of them."""


class Message:
    """A message that came. Whatever is read out of it is masked in all that is recorded."""

    def __init__(self, mail: Mail, mask_code: Callable[[str], None], mask: Callable[[str], object]) -> None:
        self._mask_code, self._mask = mask_code, mask
        self.subject = mail.subject
        self.text = mail.text or " ".join(html.unescape(_TAGS.sub(" ", mail.html)).split())
        self._html = mail.html

    def code(self, pattern: str = r"(?<![\w.-])\d{4,8}(?![\w-])") -> str:
        """The first code in the text.

        Args:
            pattern: a regular expression of the code; with a group, the group is the code.

        Returns:
            The code.

        Raises:
            ExpectationError: when there is none: the message is not the one that was expected.
        """
        found = re.search(pattern, self.text)
        if found is None:
            raise ExpectationError(f"The message that came holds no code: nothing in its text fits {pattern!r}.")
        code = found[1] if found.re.groups else found[0]
        self._mask_code(code)
        return code

    def link(self, containing: str = "") -> str:
        """The first link in the message.

        Args:
            containing: text that must stand in its address, for example ``"/reset"``.

        Returns:
            The address.

        Raises:
            ExpectationError: when there is none.
        """
        links = [html.unescape(link).rstrip(".,;)") for link in _LINK.findall(f"{self._html} {self.text}")]
        found = next((link for link in links if containing in link), None)
        if found is None:
            raise ExpectationError(
                f"The message that came holds {len(links)} links and none with {containing!r} in its address."
                if links
                else "The message that came holds no link."
            )
        parts = urlsplit(found)
        for secret in (found, parts.query, parts.fragment, *parts.path.split("/"), *re.split("[&=]", parts.query)):
            if len(secret) > len("confirmation"):
                self._mask(secret)
        return found


class Inbox:
    """Waits for messages that were not there when the journey began, so no clock has to agree with another.

    Args:
        mailbox: where messages are.
        mask_code: learns each code that is read.
        mask: learns each link that is read.
    """

    def __init__(self, mailbox: Mailbox, mask_code: Callable[[str], None], mask: Callable[[str], object]) -> None:
        self._mailbox, self._mask_code, self._mask = mailbox, mask_code, mask
        self._others = 0
        self._known: set[str] = set()
        self.forget()

    def forget(self) -> None:
        """Take what is there now for old: only what comes from now on is waited for."""
        self._known = set(self._mailbox.ids())
        self._others = 0

    def wait(self, to: str, *, within: str | float = "60s") -> Message:
        """Wait for the next message to an address; a message is given once.

        Args:
            to: the address; one of a synthetic user of this journey alone, for example ``probe+login@example.org``.
            within: how long it may take.

        Returns:
            The message.

        Raises:
            ExpectationError: when none came until then.
            ToolError: when the mailbox cannot be reached or read: ``unknown``, as that says nothing of the target.
        """

        def come() -> Message:
            for id in sorted(set(self._mailbox.ids()) - self._known):
                self._known.add(id)
                mail = self._mailbox.read(id)
                if to.lower() in {address.lower() for address in mail.to}:
                    return Message(mail, self._mask_code, self._mask)
                self._others += 1
            raise AssertionError(f"no message to {to} has come, {self._others} to others")

        return eventually(come, within=within, every="500ms")


def open_mailbox(config: InboxConfig, password: Secret | None) -> Mailbox:
    """The mailbox that a target's configuration names."""
    if config.url.startswith("imap") and password is not None:
        return ImapMailbox(config, password)
    return MailpitMailbox(config, password)


class ImapMailbox:
    """A mailbox read by IMAP. Each look is a connection of its own, so that an idle one never counts as a fault."""

    def __init__(self, config: InboxConfig, password: Secret) -> None:
        self._config, self._password = config, password

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import imaplib  # most journeys read no mail

        with needs("logins", "A mailbox read by IMAP"):
            from imap_tools import BaseMailBox, MailBox, MailBoxUnencrypted
            from imap_tools.errors import ImapToolsError

        parts = urlsplit(self._config.url)
        secure = parts.scheme == "imaps"
        try:
            box: BaseMailBox = (
                MailBox(
                    str(parts.hostname),
                    parts.port or 993,
                    timeout=_CALL_S,
                    ssl_context=like_browsers(ssl.create_default_context(cafile=self._config.ca_file or None)),
                )
                if secure
                else MailBoxUnencrypted(str(parts.hostname), parts.port or 143, timeout=_CALL_S)
            )
            with box.login(self._config.user, self._password.reveal(), self._config.folder):
                yield box
        except (OSError, EOFError, imaplib.IMAP4.error, ImapToolsError) as error:
            raise _unreadable(f"{parts.scheme}://{parts.hostname}", error) from None

    def ids(self) -> Collection[str]:
        """UIDs of the folder."""
        with self._opened() as box:
            return tuple(box.uids())

    def read(self, id: str) -> Mail:
        """One message, which stays unread."""
        with self._opened() as box:
            found = next(iter(box.fetch(f"UID {id}", mark_seen=False)), None)
        if found is None:
            return Mail(to=())  # somebody removed it meanwhile
        return Mail(to=(*found.to, *found.cc), subject=found.subject, text=found.text, html=found.html)


class MailpitMailbox:
    """The HTTP API of Mailpit, a mail server for tests: <https://mailpit.axllent.org/docs/api-v1/>."""

    def __init__(self, config: InboxConfig, password: Secret | None) -> None:
        self._config, self._password = config, password

    def _get(self, path: str) -> Any:
        import requests

        url = self._config.url.rstrip("/") + path
        door = (self._config.user, self._password.reveal()) if self._password is not None else None
        try:
            with bounded_session(_CALL_S, max_bytes=10_000_000) as session:
                answer = session.get(url, auth=door, timeout=_CALL_S, verify=self._config.ca_file or True)
                answer.raise_for_status()
                return answer.json()
        except (requests.RequestException, ValueError, OSError) as error:
            raise _unreadable(self._config.url, error) from None

    def ids(self) -> Collection[str]:
        """The newest 500."""
        return tuple(str(message["ID"]) for message in self._get("/api/v1/messages?limit=500")["messages"])

    def read(self, id: str) -> Mail:
        """One message."""
        found = self._get(f"/api/v1/message/{quote(id, safe='')}")
        to = tuple(recipient["Address"] for key in ("To", "Cc", "Bcc") for recipient in found.get(key) or ())
        return Mail(to=to, subject=found.get("Subject", ""), text=found.get("Text", ""), html=found.get("HTML", ""))


_WIDTH = 120


def _unreadable(where: str, error: Exception) -> ToolError:
    why, look = (
        type(error).__name__,
        "url, user and secret of [targets.NAME.inbox], and whether this machine reaches it",
    )
    status, words = getattr(error, "command_result", ("", ()))
    if words:  # what an IMAP server answers to the command that it refuses
        why = f'it answered {status} "{b" ".join(filter(None, words)).decode(errors="replace")[:_WIDTH]}"'
    if isinstance(error, ssl.SSLCertVerificationError):
        why, look = error.verify_message, "its certificate; an authority of your own is ca_file of [targets.NAME.inbox]"
    return ToolError(
        f"The mailbox at {where} could not be read: {why}. So it is not known whether a message came. Look at {look}.",
        kind="mailbox",
    )
