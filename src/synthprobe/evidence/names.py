"""Which names of fields mark secrets: of headers, cookies, JSON, forms, queries, XML."""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# within a word that is written without borders, as csrfmiddlewaretoken or PHPSESSID
_WITHIN = re.compile(
    r"passw(or)?d|passwort|passphrase|credential|csrf|xsrf|sess(ion)?id|contrase|kennwort|motdepasse|wachtwoord"
    r"|(token|secret|signature|apikey|privatekey|accesskey|authkey|sessionkey|sesskey|nonce)s?$"
)
_ANYWHERE = {"authorization", "bearer", "jeton", "jwt", "otp", "totp", "pwd", "passwd", "sid", "token", "tokens"}
_ANYWHERE |= {"adgangskode", "heslo", "parola", "passord", "salasana", "senha"}
_LAST = {
    "cookies",
    "nonce",
    "pass",
    "passcode",
    "pin",
    "refresh",
    "secret",
    "secrets",
    "session",
    "sessions",
    "sess",
    "ticket",
}
_PAIRS = {
    (first, "key") for first in ("access", "api", "auth", "encryption", "private", "secret", "session", "signing")
}
_PAIRS |= {
    ("session", "id"),
    ("pin", "code"),
    ("sess", "id"),
    ("secret", "id"),
    ("ticket", "granting"),
    ("de", "passe"),
    *((of, code) for of in ("activation", "backup", "recovery", "scratch") for code in ("code", "codes")),
}
_EVERYDAY = {"pin", "session", "sessions", "ticket"}  # on a map, at a conference, in a shop
# what is said of a secret, and is none itself
_ABOUT = {
    *(
        "age",
        "at",
        "count",
        "enabled",
        "endpoint",
        "expiration",
        "expires",
        "expiry",
        "field",
        "hint",
        "in",
        "interval",
    ),
    *("label", "length", "limit", "name", "placeholder", "policy", "required", "rules", "strength", "ttl", "type"),
    *("uri", "url", "valid", "visible"),
}
_INNOCENT = {"client_token"}
ABROAD = (
    *("парол", "токен", "密码", "密碼", "令牌", "口令", "密钥", "密鑰", "パスワード", "トークン", "秘密鍵"),
    *("비밀번호", "토큰", "كلمة المرور", "סיסמה", "รหัสผ่าน"),
    *("hasło", "şifre", "lösenord", "jelszó", "clé d'api", "clé api"),
)
"""Words for passwords and tokens whose letters are not all of ASCII."""
_PERHAPS = {"access", "auth", "code", "hash", "hmac", "invite", "key", "login", "magic", "reset", "sig", "state"}
_PERHAPS |= {"activate", "confirm", "invitation", "share", "unsubscribe", "verification", "verifier", "verify"}
_PERHAPS |= {"artifact", "assertion", "basic", "saml", "signed", "webhook"}
_MIXED = re.compile(r"[A-Za-z].*\d|\d.*[A-Za-z]")
_TURN = re.compile(r"[a-z](?=[A-Z])|[A-Z](?=[a-z])")  # names in code have few: decimalExponentSign
_CAMEL_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_UNSPEAKABLE = re.compile(r"[bcdfghjklmnpqrstvwxz]{4}|[BCDFGHJKLMNPQRSTVWXZ]{4}")
_RANDOM = re.compile(r"[\w.~+/=:%|!$-]{16,}")
_A_WORD, _BETWEEN = r"(?:[A-Za-z][a-z]{0,13}|[A-Z]{2,8})", r"[ _./,+-]"
_READABLE = re.compile(
    rf"/?{_A_WORD}?(?:{_BETWEEN}+{_A_WORD})*{_BETWEEN}*"
)  # each text in one way: a rule has 80 dashes
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?|1[5-9]\d{8}(\d{3})?")  # or seconds or milliseconds since 1970


@lru_cache(4096)
def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret."""
    if not name.isascii() and any(word in name.lower() for word in ABROAD):
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    meant = [word for word in words if not word.isdigit()]
    if not meant or meant[-1] in _ABOUT or name.lower() in _INNOCENT:
        return False
    return bool(
        meant[-1] in _LAST
        or _ANYWHERE.intersection(meant)
        or _PAIRS.intersection(pairwise(meant))
        or any(_WITHIN.search(word) for word in meant)
    )


def may_be_everyday(name: str, value: str) -> bool:
    """Whether a field is more likely what people read: `session: "Morning Yoga"`."""
    return name.lower() in _EVERYDAY and is_readable(value)


@lru_cache(4096)
def may_be_secret_name(name: str) -> bool:
    """Whether a field of this name holds a secret if its value looks like one: ``auth``, ``code``, ``state``."""
    return bool(_PERHAPS.intersection(word.lower() for word in _WORDS.findall(name)))


def looks_random(value: str) -> bool:
    """Whether nobody would type or read this."""
    if not _RANDOM.fullmatch(value) or is_readable(value):
        return False
    parts = re.split(r"[/.:|]", value)
    return any(len(part) >= 12 and (_MIXED.search(part) or _is_by_chance(part)) for part in parts)


def _is_by_chance(letters: str) -> bool:
    """Whether letters without a digit turn too often, or are words too short, for a name in code."""
    words = _CAMEL_WORD.findall(letters)
    shortest = 5 if _UNSPEAKABLE.search(letters) else 4
    return len(_TURN.findall(letters)) * 3 >= len(letters) or sum(map(len, words)) < shortest * len(words)


def is_readable(value: str) -> bool:
    """Whether this is words, a path of words, or a time: ``call-intake``, ``/incidents/board``, ``2026-11-02``."""
    return bool(_READABLE.fullmatch(value) or _DATE.fullmatch(value))
