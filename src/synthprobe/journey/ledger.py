"""The ledger of test data: what may exist at the target because of us, written down before it does."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from synthprobe.errors import HistoryError
from synthprobe.records.testdata import HowClosed, LedgerEntry

if TYPE_CHECKING:
    from synthprobe.history.store import History

TOKEN_PREFIX = "synthprobe-"  # noqa: S105 - a mark, no secret


class Ledger:
    """What a run writes into the ledger of its target."""

    def __init__(self, open_history: Callable[[], History], target: str, run_id: str = "") -> None:
        self.history = open_history
        self._target = target
        self._run_id = run_id

    def intend(self, kind: str, lease_s: float) -> LedgerEntry:
        """Write down that an object will be created; returns when that is on the disk."""
        now = datetime.now(UTC)
        entry = LedgerEntry(
            token=TOKEN_PREFIX + secrets.token_hex(16),
            kind=kind,
            target=self._target,
            run_id=self._run_id,
            at=now,
            expires_at=now + timedelta(seconds=lease_s),
        )
        try:
            self.history().put_entry(entry)
        except HistoryError as error:
            raise HistoryError(
                f"{error} Nothing was created, since a killed run would leave it for ever. Put the history in order."
            ) from None
        return entry

    def describe(self, entry: LedgerEntry, fields: Mapping[str, str]) -> LedgerEntry:
        """Write down what is known of an object since it was made."""
        entry = replace(entry, fields={**entry.fields, **fields})
        self.history().put_entry(entry)
        return entry

    def close(self, entry: LedgerEntry, how: HowClosed) -> None:
        """Write down that an object is known to be gone."""
        self.history().put_entry(closed(entry, how))


def closed(entry: LedgerEntry, how: HowClosed) -> LedgerEntry:
    """The entry, closed now."""
    return replace(entry, closed_at=datetime.now(UTC), how=how)
