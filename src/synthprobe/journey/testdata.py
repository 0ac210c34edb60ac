"""Test data: synthetic objects that a journey creates, and that are gone afterwards, whatever happens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import quote

from msgspec import Struct

from synthprobe.errors import ConfigurationError, ExpectationError, HistoryError
from synthprobe.journey import steps
from synthprobe.journey.ledger import TOKEN_PREFIX, Ledger, closed
from synthprobe.records.journey import duration_s
from synthprobe.records.testdata import LedgerEntry
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Login, Target, TestDataKind

if TYPE_CHECKING:
    from synthprobe.history.store import History
    from synthprobe.journey.api import Api

T = TypeVar("T")
_OTHER_SWEEP_S = 600.0


class TestData:
    """Synthetic objects of one journey: written down before they exist, removed in reverse order at its end.

    Args:
        target: where they are created; its ``testdata`` tables say how each kind is found and removed.
        history: opens the history, whose rows the ledger is.
        run_id: the run.
        note: told of each object that could not be removed.

    Example:
        ``number = testdata.create("incident", lambda token: take_call(desk, token), api=desk)``
    """

    __test__ = False  # no test, whatever pytest makes of the name

    def __init__(
        self,
        target: Target,
        history: Callable[[], History],
        run_id: str = "",
        note: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._target = target
        self._ledger = Ledger(history, target.name, run_id)
        self._note = note
        self._made: list[tuple[LedgerEntry, TestDataKind, Api]] = []

    def create(self, kind: str, make: Callable[[str], T], *, api: Api, lease: str | float = "15m") -> T:
        """Create an object.

        Args:
            kind: its kind, for example ``"incident"``.
            make: creates it with the given token in one of its fields.
            api: the session that may find and remove it.
            lease: how long this journey may need it; no sweep touches it before.

        Returns:
            What ``make`` returned.

        Raises:
            ConfigurationError: when the target does not say how objects of this kind are found and removed.
            HistoryError: when the ledger cannot be written, so that nothing is created.
        """
        return make(self.token(kind, api=api, lease=lease))

    def token(self, kind: str, *, api: Api, lease: str | float = "15m") -> str:
        """Announce an object that is created some other way, for example by a form on a page.

        Args:
            kind: its kind.
            api: the session that may find and remove it.
            lease: how long this journey may need it.

        Returns:
            The token to put into one of its fields.

        Raises:
            ConfigurationError: when the target does not say how objects of this kind are found and removed.
            HistoryError: when the ledger cannot be written, so that nothing is to be created.
        """
        described = described_kind(self._target, kind)
        with _left_out():
            entry = self._ledger.intend(kind, duration_s(lease))
        self._made.append((entry, described, api))
        return entry.token

    def clear(self) -> None:
        """Remove everything, newest first. What cannot be removed is noted, and left to `synthprobe sweep`."""
        while self._made:
            entry, described, api = self._made.pop()
            try:
                _remove_twice(api, described, entry.token)
            except Exception as error:  # what a journey found out does not depend on who tidies up
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                self._note(
                    f"Left behind: {entry.kind} {entry.token}, because it could not be removed: {reason} "
                    f"It is removed by: synthprobe sweep --target {self._target.name}"
                )
            else:
                self._ledger.close(entry, "removed")


@contextmanager
def _left_out() -> Iterator[None]:
    """The ledger is our own work, which no step is to be charged with."""
    began = time.monotonic()
    try:
        yield
    finally:
        if recorder := steps.current():
            recorder.leave_out(time.monotonic() - began)


class Swept(Struct, frozen=True, kw_only=True):
    """What a sweep found out about one open entry.

    Attributes:
        entry: the entry.
        status: ``removed``; ``gone`` when nothing of it was there; ``in use`` while its lease lasts; ``left`` when it
            could not be removed; ``not tried`` beyond the cap.
        detail: why, in one line.
    """

    entry: LedgerEntry
    status: Literal["removed", "gone", "in use", "left", "not tried"]
    detail: str = ""


def sweep(
    target: Target, history: History, api: Callable[[], Api], *, now: datetime, lock: Path, limit: int = 50
) -> list[Swept]:
    """Remove what killed runs left: only what carries a token of ours, only after its lease.

    One object that cannot be removed does not keep the others. Two sweeps at once wait for each other.

    Args:
        target: the target.
        history: the history, whose rows the ledger is.
        api: opens a session that may find and remove them; not asked when nothing is to be removed.
        now: the time, UTC.
        lock: file by which two sweeps on this machine wait for each other.
        limit: entries that are tried at most.

    Returns:
        One record for each open entry.

    Raises:
        HistoryError: when the history cannot be read, so that nothing is known of what was left.
    """
    from filelock import FileLock

    with FileLock(lock, timeout=_OTHER_SWEEP_S):
        entries = history.entries(target.name)
        if not history.available:
            raise HistoryError(" ".join(history.notes))
        session = api() if any(entry.expires_at <= now for entry in entries) else None
        found, tried = [], 0
        for entry in reversed(entries):  # what was created last may hold what was created before it
            if entry.expires_at > now or session is None:
                swept = Swept(
                    entry=entry,
                    status="in use",
                    detail=f"its lease lasts until {entry.expires_at:%Y-%m-%d %H:%M:%S} UTC",
                )
            elif tried >= limit:
                swept = Swept(entry=entry, status="not tried", detail=f"{limit} were tried before it")
            else:
                tried += 1
                swept = _sweep_one(target, history, entry, session)
            found.append(swept)
        return found


def _sweep_one(target: Target, history: History, entry: LedgerEntry, api: Api) -> Swept:
    try:
        removed = remove(api, described_kind(target, entry.kind), entry.token)
    except Exception as error:  # the next one may well be removable
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        return Swept(entry=entry, status="left", detail=reason)
    history.put_entry(closed(entry, "removed" if removed else "gone"))
    return Swept(entry=entry, status="removed" if removed else "gone")


def remove(api: Api, kind: TestDataKind, token: str) -> int:
    """Remove the objects that carry a token, and see that they are gone.

    Args:
        api: a session that may find and remove them.
        kind: how they are found and removed.
        token: the token; an object is ours only if one of its own fields holds it.

    Returns:
        How many there were.

    Raises:
        ExpectationError: when the target answers otherwise than expected, or they are still there.
        ConfigurationError: when the token is none of ours, or a field of the path is not in what was found.
    """
    if not re.fullmatch(re.escape(TOKEN_PREFIX) + "[0-9a-f]{32}", token):
        raise ConfigurationError(f"{token!r} is no token of a ledger, so nothing was removed.")
    paths = [_filled(kind.delete, one) for one in _found(api, kind, token)]
    for path in paths:
        api.delete(path).expect(200, 202, 204, 404)
    if paths and _found(api, kind, token):
        raise ExpectationError(f"{paths[0]} was deleted, and is still found by {kind.find}.")
    return len(paths)


def described_kind(target: Target, kind: str) -> TestDataKind:
    """How objects of a kind are found and removed.

    Args:
        target: the target.
        kind: the kind.

    Returns:
        Its table.

    Raises:
        ConfigurationError: when there is none.
    """
    if kind not in target.testdata:
        known = ", ".join(sorted(target.testdata)) or "none"
        raise ConfigurationError(
            f"Target {target.name!r} does not say how test data of kind {kind!r} is found and removed; known kinds: "
            f"{known}. Nothing was created, since a killed run would leave it for ever. Add a table "
            f'[targets.{target.name}.testdata.{kind}] with find = "/path?q={{token}}" and delete = "/path/{{id}}".'
        )
    return target.testdata[kind]


def signed_in(api: Api, login: Login, secret: Callable[[str], Secret]) -> Api:
    """Log a command in, as a table of the target says.

    Args:
        api: a new session of the target.
        login: the table.
        secret: reads a secret of the target by its name.

    Returns:
        The same session.
    """

    def told(value: str) -> str:
        kind, _, name = value.partition(":")
        return secret(name).reveal() if kind == "secret" else value

    api.session.headers.update({name: told(value) for name, value in login.headers.items()})
    if login.login:
        answer = api.post(login.login, json={name: told(value) for name, value in login.json.items()}).expect(200)
        if login.token:
            if not isinstance(answer.json, dict) or not isinstance(answer.json.get(login.token), str):
                raise ExpectationError(
                    f"{login.login} answered without a text in the field {login.token!r}, which was expected to be the "
                    f"session's token. Correct 'token' of the table that names this login."
                )
            api.session.headers["Authorization"] = f"Bearer {answer.json[login.token]}"
    return api


def _found(api: Api, kind: TestDataKind, token: str) -> list[dict[str, Any]]:
    return list(_holders(api.get(kind.find.replace("{token}", quote(token))).expect(200).json, token))


def _holders(data: Any, token: str) -> Iterator[dict[str, Any]]:
    """Objects of which a field of their own holds the token, wherever they stand in an answer."""
    if isinstance(data, dict):
        if any(isinstance(value, str) and token in value for value in data.values()):
            yield data
        data = list(data.values())
    if isinstance(data, list):
        for inner in data:
            yield from _holders(inner, token)


def _filled(template: str, found: dict[str, Any]) -> str:
    def field(match: re.Match[str]) -> str:
        value = found.get(match[1])
        if not isinstance(value, (str, int)) or value == "":
            raise ConfigurationError(
                f"The path {template} needs the field {match[1]!r}, which what was found does not have. "
                f"It has: {', '.join(sorted(found))}."
            )
        return quote(str(value), safe="")

    return re.sub(r"\{(\w+)\}", field, template)


def _remove_twice(api: Api, kind: TestDataKind, token: str) -> None:
    try:
        remove(api, kind, token)
    except Exception:  # a second refusal counts
        remove(api, kind, token)
