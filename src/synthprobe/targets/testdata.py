"""How test data of a target is found and removed, as its configuration says."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct, field

from synthprobe.errors import ConfigurationError

_NAMED = re.compile(r"\{(\w+)\}")


class TestDataKind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one kind of synthetic object is found and removed: ``[targets.NAME.testdata.NAME]``."""

    __test__ = False  # no test, whatever pytest makes of the name

    delete: str
    find: str = ""
    fields: str = ""
    shows: str = ""
    look: str = ""
    method: Literal["DELETE", "POST", "PUT", "PATCH"] = "DELETE"
    body: dict[str, str] = field(default_factory=dict)
    sends: Literal["json", "form"] = "json"
    form: str = ""
    gone_when: dict[str, str | int | float | bool] = field(default_factory=dict)

    @property
    def named(self) -> set[str]:
        """The fields that its paths and its body name."""
        return {
            name for text in (self.look, self.form, self.delete, *self.body.values()) for name in _NAMED.findall(text)
        }


def check_testdata(target: str, kinds: dict[str, TestDataKind]) -> None:
    """See that each kind can be found and removed."""
    for name, kind in kinds.items():
        table = f"[targets.{target}.testdata.{name}]"
        if not kind.find and not kind.look:
            raise ConfigurationError(
                f"{table} has neither find nor look, so nobody could tell which objects are ours. Add "
                'find = "/path?q={token}", or look = "/path/{id}" for objects that no list shows.'
            )
        try:
            groups = re.compile(kind.fields).groupindex if kind.fields else {}
        except re.error as error:
            raise ConfigurationError(
                f"{table} has fields = {kind.fields!r}, which is no regular expression: {error}. Write for example "
                "fields = '/things/(?P<id>[0-9]+)/'."
            ) from None
        if kind.fields and not (groups and kind.look and kind.find and kind.shows):
            raise ConfigurationError(
                f"{table} has fields, which needs a named group such as (?P<id>[0-9]+), find, look and shows: what the "
                "expression finds is ours only if the object's own answer holds the token, and a list without "
                "any is believed only if it shows what it always shows."
            )
        if kind.sends == "form" and not kind.look and not kind.form:
            raise ConfigurationError(f'{table} sends a form, and no page shows it. Add form = "/path", or look.')
