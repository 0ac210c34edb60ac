"""Test data: synthetic objects that a journey creates, and that are gone afterwards, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from synthprobe.errors import ConfigurationError
from synthprobe.hooks import PythonKind
from synthprobe.journey import steps
from synthprobe.journey.ledger import Ledger
from synthprobe.records.journey import duration_s
from synthprobe.records.testdata import LedgerEntry
from synthprobe.targets.target import Target

if TYPE_CHECKING:
    from synthprobe.history.store import History
    from synthprobe.journey.api import Api
    from synthprobe.journey.kinds import Kind

T = TypeVar("T")


class _Made(NamedTuple):
    entry: LedgerEntry
    kind: Kind
    api: Api | None
    page: Any
    result: object = None


class TestData:
    """Synthetic objects of one journey: written down before they exist, removed in reverse order at its end.

    Args:
        target: where they are created; its ``testdata`` tables say how each kind is found and removed.
        history: opens the history, whose rows the ledger is.
        run_id: the run.
        note: told of each object that could not be removed.
        kinds: kinds that Python functions find and remove, by name.

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
        kinds: Mapping[str, PythonKind] | None = None,
    ) -> None:
        self._target = target
        self._ledger = Ledger(history, target.name, run_id)
        self._note = note
        self._kinds = kinds or {}
        self._made: list[_Made] = []

    def create(
        self,
        kind: str,
        make: Callable[[str], T],
        *,
        api: Api | None = None,
        page: Any = None,
        lease: str | float = "15m",
    ) -> T:
        """Create an object.

        Args:
            kind: its kind, for example ``"incident"``.
            make: creates it with the given token in one of its fields.
            api: the session that may find and remove it.
            page: the page that may, for a kind whose functions take one.
            lease: how long this journey may need it; no sweep touches it before.

        Returns:
            What ``make`` returned. Where no list shows such objects, and one field addresses them, it is noted as that
            field.

        Raises:
            ConfigurationError: when nobody says how objects of this kind are found and removed.
            HistoryError: when the ledger cannot be written, so that nothing is created.
        """
        token = self.token(kind, api=api, page=page, lease=lease)
        result = make(token)
        made = next(item for item in self._made if item.entry.token == token)
        self._made[self._made.index(made)] = made._replace(result=result)
        named = (made.kind.named - {"token"}) if not isinstance(made.kind, PythonKind) and not made.kind.find else set()
        if len(named) == 1 and isinstance(result, (str, int)):
            self.note(token, **{named.pop(): result})
        return result

    def token(self, kind: str, *, api: Api | None = None, page: Any = None, lease: str | float = "15m") -> str:
        """Announce an object that is created some other way, for example by a form on a page.

        Args:
            kind: its kind.
            api: the session that may find and remove it.
            page: the page that may, for a kind whose functions take one.
            lease: how long this journey may need it.

        Returns:
            The token to put into one of its fields.

        Raises:
            ConfigurationError: when nobody says how objects of this kind are found and removed, or what its functions
                take is not given.
            HistoryError: when the ledger cannot be written, so that nothing is to be created.
        """
        from synthprobe.journey.kinds import kind_of

        found = kind_of(self._target, self._kinds, kind)
        needs = found.needs if isinstance(found, PythonKind) else "api"
        if (api if needs == "api" else page) is None:
            raise ConfigurationError(
                f"Test data of kind {kind!r} is found and removed with its argument {needs!r}, which was not given. "
                f"Nothing was created. Add {needs}={needs}."
            )
        with steps.left_out():
            entry = self._ledger.intend(kind, duration_s(lease))
        self._made.append(_Made(entry, found, api, page))
        return entry.token

    def note(self, token: str, **fields: str | int) -> None:
        """Write down by what an object is addressed, where no list shows it; durable like its token.

        Args:
            token: its token.
            fields: fields that the paths of its kind name, for example ``id="17"``.
        """
        place = self._place(token)
        known = {name: str(value) for name, value in fields.items()}
        with steps.left_out():
            entry = self._ledger.describe(self._made[place].entry, known)
        self._made[place] = self._made[place]._replace(entry=entry)

    def removed(self, made: object) -> None:
        """Close the entry of an object that the journey removed itself, and saw to be gone.

        Args:
            made: its token, or what ``create`` returned.

        Raises:
            ConfigurationError: when this journey has no such object.
        """
        place = self._place(made)
        with steps.left_out():
            self._ledger.close(self._made.pop(place).entry, "removed")

    def _place(self, made: object) -> int:
        for place in reversed(range(len(self._made))):
            known = self._made[place]
            if made == known.entry.token or (made is not None and made == known.result):
                return place
        tokens = ", ".join(item.entry.token for item in self._made) or "none"
        raise ConfigurationError(
            f"{made!r} is neither the token of an object of this journey nor what create returned. Tokens: {tokens}."
        )

    def clear(self) -> None:
        """Remove everything, newest first. What cannot be removed is noted, and left to `synthprobe sweep`."""
        while self._made:
            made = self._made.pop()
            try:
                _remove_twice(made)
            except Exception as error:  # what a journey found out does not depend on who tidies up
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                self._note(
                    f"Left behind: {made.entry.kind} {made.entry.token}, because it could not be removed: {reason} "
                    f"It is removed by: synthprobe sweep --target {self._target.name}"
                )
            else:
                self._ledger.close(made.entry, "removed")


def _remove_twice(made: _Made) -> None:
    from synthprobe.journey.kinds import Access, remove

    def given(what: Any) -> Any:
        assert what is not None
        return what

    access = Access(api=lambda: given(made.api), page=lambda _: given(made.page))
    try:
        remove(access, made.kind, made.entry)
    except Exception:  # a second refusal counts
        remove(access, made.kind, made.entry)
