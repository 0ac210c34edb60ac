"""Removes what killed runs left at a target, and logs a command in there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from synthprobe.errors import ConfigurationError, ExpectationError, HistoryError
from synthprobe.hooks import PythonKind
from synthprobe.journey.api import Api
from synthprobe.journey.kinds import Access, hidden_fields, kind_of, remove
from synthprobe.journey.ledger import closed
from synthprobe.records.testdata import LedgerEntry
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Login, Target

if TYPE_CHECKING:
    from synthprobe.history.store import History

_OTHER_SWEEP_S = 600.0


class Swept(Struct, frozen=True, kw_only=True):
    """What a sweep found out about one open entry."""

    entry: LedgerEntry
    status: Literal["removed", "gone", "in use", "left", "not tried"]
    detail: str = ""

    @property
    def is_news(self) -> bool:
        """Whether it is left and was not before."""
        return self.status in {"left", "not tried"} and self.entry.failed_at is None


def sweep(
    target: Target,
    kinds: Mapping[str, PythonKind],
    history: History,
    access: Callable[[], Access],
    *,
    now: datetime,
    lock: Path,
    limit: int = 50,
) -> list[Swept]:
    """Remove what killed runs left: only what carries a token of ours, only after its lease.

    One object that cannot be removed does not keep the others. Two sweeps at once wait for each other.
    """
    from filelock import FileLock

    with FileLock(lock, timeout=_OTHER_SWEEP_S):
        entries = history.entries(target.name)
        if not history.available:
            raise HistoryError(" ".join(history.notes))
        expired = [entry for entry in reversed(entries) if entry.expires_at <= now]  # the newest may hold an older one
        expired.sort(key=lambda entry: entry.failed_at is not None)  # what never failed is not kept waiting by others
        opened = access() if expired else None
        found = [
            Swept(
                entry=entry, status="in use", detail=f"its lease lasts until {entry.expires_at:%Y-%m-%d %H:%M:%S} UTC"
            )
            for entry in entries
            if entry.expires_at > now
        ]
        for tried, entry in enumerate(expired):
            if tried >= limit or opened is None:
                found.append(Swept(entry=entry, status="not tried", detail=f"{limit} were tried before it"))
            else:
                found.append(_swept(target, kinds, history, entry, opened, now))
        return found


def _swept(
    target: Target, kinds: Mapping[str, PythonKind], history: History, entry: LedgerEntry, access: Access, now: datetime
) -> Swept:
    try:
        removed = remove(access, kind_of(target, kinds, entry.kind), entry)
    except Exception as error:  # the next one may well be removable
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if entry.failed_at is None:
            history.put_entry(replace(entry, failed_at=now))
        else:
            reason = f"since {entry.failed_at:%Y-%m-%d %H:%M} UTC: {reason}"
        return Swept(entry=entry, status="left", detail=reason)
    history.put_entry(closed(entry, "removed" if removed else "gone"))
    return Swept(entry=entry, status="removed" if removed else "gone")


def give_up(target: Target, history: History, token: str, *, reason: str, role: str) -> LedgerEntry:
    """Close an entry whose object stays where it is."""
    if not reason.strip():
        raise ConfigurationError("--reason is empty. Say why the object may stay, in a line.")
    entries = history.entries(target.name)
    if not history.available:
        raise HistoryError(" ".join(history.notes))
    entry = next((entry for entry in entries if entry.token == token), None)
    if entry is None:
        known = ", ".join(entry.token for entry in entries[-5:]) or "none"
        raise ConfigurationError(
            f"There is no open entry {token!r} of target {target.name!r}. The newest open ones: {known}. See all with: "
            f"synthprobe sweep --target {target.name}."
        )
    entry = replace(closed(entry, "given up"), reason=reason.strip(), role=role)
    history.put_entry(entry)
    return entry


def signed_in(api: Api, login: Login, secret: Callable[[str], Secret]) -> Api:
    """Log a command in, as a table of the target says."""

    def revealed(value: str) -> str:
        kind, _, name = value.partition(":")
        return secret(name).reveal() if kind == "secret" else value

    api.session.headers.update({name: revealed(value) for name, value in login.headers.items()})
    if login.login:
        sent: dict[str, Any] = {"json": {name: revealed(value) for name, value in login.json.items()}}
        if login.sends == "form":
            hidden = hidden_fields(api.get(login.login).expect(200).text)
            sent = {"data": {**hidden, **sent["json"]}, "headers": {"Referer": f"{api.target.base_url}{login.login}"}}
        answer = api.post(login.login, **sent).expect(200)
        if login.token:
            if not isinstance(answer.json, dict) or not isinstance(answer.json.get(login.token), str):
                raise ExpectationError(
                    f"{login.login} answered without a text in the field {login.token!r}, which was expected to be the "
                    f"session's token. Correct 'token' of the table that names this login."
                )
            api.session.headers["Authorization"] = f"Bearer {answer.json[login.token]}"
    return api
