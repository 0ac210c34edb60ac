"""By what a request lets itself be known."""

from __future__ import annotations

import re
from collections.abc import Mapping

from synthprobe.evidence.fields import fields_of
from synthprobe.evidence.forms import MASK
from synthprobe.records.evidence import Credentials

# names of fields, in any language of forms; a token that guards a form against forgery is none of them
_TYPED = re.compile(
    r"passw(or)?d|passwort|passphrase|passcode|contrase|mot_?de_?passe|(^|[_.-])(pass|pwd|pin|t?otp)$", re.I
)

_ACCOUNT = re.compile(r"(^|[_.-])(user|log[_-]?in|account|e?-?mail|identifier|benutzer)(name)?([_-]?(name|id))?$", re.I)


def credentials_sent(headers: Mapping[str, str], body: str, kind: str) -> Credentials:
    """What a request sends: a password or a code in its body or by Basic, a token, a cookie, or nothing."""
    named = {name.lower(): value for name, value in headers.items()}
    if named.get("authorization", "").lower().startswith("basic ") or any(
        field.value and _TYPED.search(field.name) for field in (fields_of(body, kind) if body else ())
    ):
        return "password"
    if named.get("authorization") not in {None, "", MASK}:  # masked with its scheme, it could be a password as well
        return "token"
    return "cookie" if named.get("cookie") else ""


def account_sent(body: str, kind: str) -> str:
    """The name of the account that a log-in is for; empty where it sends none. Not redacted."""
    named = [field for field in fields_of(body, kind) if field.value] if body else []
    if not any(_TYPED.search(field.name) for field in named):
        return ""
    return next((field.value for field in named if _ACCOUNT.search(field.name) and field.value != MASK), "")
