"""An entry of the ledger of test data."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct, field

HowClosed = Literal["", "removed", "gone", "given up"]


class LedgerEntry(Struct, frozen=True, kw_only=True):
    """An object that may exist at a target because of us, written down before it does.

    Attributes:
        token: what the object carries, so that only ours is ever removed.
        kind: its kind, as in ``[targets.NAME.testdata.NAME]``.
        expires_at: until when its run may still be using it.
        closed_at: when it was known to be gone, or was given up, UTC; nothing while it may exist.
        failed_at: since when it could not be removed although it should be gone, UTC.
        fields: what is known of the object since it was made, by which it is addressed.
    """

    token: str
    kind: str
    target: str
    run_id: str
    at: datetime
    expires_at: datetime
    closed_at: datetime | None = None
    how: HowClosed = ""
    reason: str = ""
    role: str = ""
    failed_at: datetime | None = None
    fields: dict[str, str] = field(default_factory=dict)
