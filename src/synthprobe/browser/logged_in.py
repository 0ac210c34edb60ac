"""Log in once: a user's browser state is kept for the journeys that follow, and renewed when the target ends it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from playwright.sync_api import BrowserContext, Locator, Page, TimeoutError

from synthprobe.errors import ConfigurationError, ExpectationError, SynthprobeError, TargetError
from synthprobe.files import write_whole
from synthprobe.journey.steps import current, step
from synthprobe.records.decoding import from_json
from synthprobe.records.result import LOG_IN_AS
from synthprobe.targets.secrets import Secret
from synthprobe.tools import needs

MOST_FAILURES = 2
_LASTS_S = 86_400
_SHORTEST = 8


class LogIn(Struct, frozen=True, kw_only=True):
    """How a user logs in, and how it is seen: what a fixture ``log_in`` of the project gives.

    Attributes:
        act: fills in the form: ``act(page, user)``.
        start: path of the page that a user who is logged in begins at.
        shows: what only that page shows, and only to a user who is logged in: ``shows(page)`` gives a locator.

    Example:
        >>> LogIn(act=lambda page, user: None, start="/board", shows=lambda page: page.get_by_text("Log out")).start
        '/board'
    """

    act: Callable[[Page, str], object]
    start: str
    shows: Callable[[Page], Locator]


class Sessions:
    """What is kept of users who logged in: in memory, and in encrypted files where there is a key.

    Args:
        folder: where files are kept.
        key: a Fernet key; nothing keeps all in memory.
        mask: learns each cookie and token that is kept.
    """

    def __init__(self, folder: Path, key: Secret | None, mask: Callable[[str, str], object]) -> None:
        self._folder, self._mask, self._cipher = folder, mask, _cipher(key) if key is not None else None
        self._states: dict[str, Any] = {}
        self.failures: dict[str, list[Exception]] = {}

    def read(self, user: str) -> Any:
        """The kept state of a user; nothing when there is none that can be read."""
        if user not in self._states and self._cipher is not None:
            from cryptography.fernet import InvalidToken

            try:
                kept = self._cipher.decrypt(self._file(user).read_bytes(), ttl=_LASTS_S)
                self._learned(user, from_json(kept))
            except (OSError, InvalidToken, msgspec.DecodeError):  # it is of another key, too old, or not there
                return None
        return self._states.get(user)

    def keep(self, user: str, state: Any) -> None:
        """Keep a state for the journeys that follow."""
        self._learned(user, state)
        if self._cipher is not None:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._file(user), self._cipher.encrypt(msgspec.json.encode(state)))

    def forget(self, user: str) -> None:
        """Drop a state that is of no use any more."""
        self._states.pop(user, None)
        self._file(user).unlink(missing_ok=True)

    def _file(self, user: str) -> Path:
        return self._folder / f"{hashlib.sha256(user.encode()).hexdigest()[:16]}.session"

    def _learned(self, user: str, state: Any) -> None:
        for cookie in state.get("cookies", ()):
            self._mask(str(cookie["value"]), f"the cookie {cookie['name']}")
        stored = (entry for origin in state.get("origins", ()) for entry in origin.get("localStorage", ()))
        for item in stored:
            if len(item["value"]) >= _SHORTEST:
                self._mask(str(item["value"]), f"{item['name']} in the page's storage")
        self._states[user] = state


class LoggedIn:
    """Opens pages of users who are logged in: ``logged_in("dispatcher")``.

    A user logs in once in each worker; what is kept is used by the journeys that follow as long as the target takes
    it. A second attempt at a journey logs in anew.

    Args:
        how: how a user logs in.
        sessions: what is kept.
        new_context: opens a browser context.
        anew: whether what is kept is left alone, as in a second attempt.
    """

    def __init__(
        self, how: LogIn, sessions: Sessions, new_context: Callable[..., BrowserContext], *, anew: bool
    ) -> None:
        self._how, self._sessions, self._new_context, self._anew = how, sessions, new_context, anew

    def __call__(self, user: str) -> Page:
        """A page at the start of a user who is logged in.

        Args:
            user: the user, as `LogIn.act` knows it.

        Returns:
            The page, in a context of its own.

        Raises:
            ExpectationError: when the log-in broke in this run already as often as is tried, in the step of the log-in.
        """
        kept = None if self._anew else self._sessions.read(user)
        if kept is not None and (page := self._resumed(user, kept)) is not None:
            return page
        with step(f"{LOG_IN_AS}{user}"):
            failures = self._sessions.failures.setdefault(user, [])
            if len(failures) >= MOST_FAILURES:
                raise _blocked(user, failures[-1])
            page = self._new_context().new_page()
            try:
                self._how.act(page, user)
                self._how.shows(page).wait_for()
            except (ConfigurationError, KeyError):
                raise
            except Exception as error:
                failures.append(error)
                raise
            failures.clear()
            self._sessions.keep(user, page.context.storage_state())
        return page

    def _resumed(self, user: str, kept: Any) -> Page | None:
        """A page with what is kept; nothing when the target takes it no more."""
        context = self._new_context(storage_state=kept)
        page = context.new_page()
        with step(f"come back as {user}"):
            page.goto(self._how.start)
            try:
                self._how.shows(page).wait_for()
            except TimeoutError:
                pass
            else:
                return page
        context.close()
        self._sessions.forget(user)
        if recorder := current():
            recorder.notes.append(f"The session of {user} that was kept had ended, so the user logged in anew.")
        return None


def _blocked(user: str, error: Exception) -> SynthprobeError:
    first = next(iter(str(error).splitlines()), type(error).__name__)
    text = (
        f"{user} cannot log in, so this journey cannot begin: the log-in broke {MOST_FAILURES} times in this run, and "
        f"is not tried again, since that could lock the account. It said: {first}"
    )
    if isinstance(error, TargetError):
        return TargetError(error.kind, text, error.finding)
    return ExpectationError(text, finding=getattr(error, "finding", None))


def _cipher(key: Secret) -> Any:
    with needs("logins", "session_key, which keeps sessions in encrypted files,", ConfigurationError):
        from cryptography.fernet import Fernet
    try:
        return Fernet(key.reveal())
    except ValueError:
        raise ConfigurationError(
            f"The secret {key.name!r} is no key for session_key: 32 bytes in URL-safe base64 were expected. "
            'Make one: python -c "from cryptography.fernet import Fernet; '
            'print(Fernet.generate_key().decode())"'
        ) from None
