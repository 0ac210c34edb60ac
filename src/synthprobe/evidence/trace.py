"""Rewrites a Playwright trace so that no known secret and no password field is left in it; fails closed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from synthprobe.errors import SynthprobeError
from synthprobe.evidence.forms import MASK
from synthprobe.evidence.redaction import Redactor

KNOWN_VERSIONS = frozenset({8, 9, 10})
_TEXTS = {".html", ".json", ".css", ".js", ".txt", ".svg", ".xml", ".jsonl", ".map", ".mjs", ".dat"}
_VALUE = "__playwright_value_"
_TYPED = {"press", "keyboardpress", "keyboardtype", "keyboardinserttext", "keyboarddown", "type"}
_BINARY = 2


class TraceWithheld(SynthprobeError):
    """A trace that cannot be redacted for certain, and is therefore not kept."""


class SecretLeft(TraceWithheld):
    """A trace in which a secret was found after redaction."""


def redact_trace(source: Path, destination: Path, redactor: Redactor) -> None:
    """Redact a trace.

    Lines are parsed, so that masking never breaks the JSON. Resources are renamed, since their name is the hash
    of what they held. Sources, screencast, pictures, fonts and unknown binaries are left out. What was typed key by
    key, and WebSocket messages, are searched as the whole they make.

    Args:
        source: the raw zip.
        destination: where the redacted zip goes; it is there only when all went well.
        redactor: knows the secrets.

    Raises:
        SecretLeft: when a secret is still in it.
        TraceWithheld: when the trace is of an unknown version or names none, is unreadable.
    """
    temporary = destination.with_suffix(".tmp")
    try:
        with zipfile.ZipFile(source) as archive:
            _write(archive, temporary, redactor)
        left = redactor.residual(temporary.read_bytes())
        if left:
            raise SecretLeft(f"after redaction it still held {', '.join(left)}. Nothing of it is published.")
        os.replace(temporary, destination)
    except TraceWithheld:
        raise
    except Exception as error:
        reason = redactor.text(f"{type(error).__name__}: {error}")
        raise TraceWithheld(f"it could not be redacted ({reason}). Nothing of it is published.") from None
    finally:
        temporary.unlink(missing_ok=True)


def _write(archive: zipfile.ZipFile, temporary: Path, redactor: Redactor) -> None:
    renamed: dict[str, str] = {}
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for name in archive.namelist():
            if name.startswith("resources/"):
                content = _resource(archive.read(name), Path(name).suffix.lower(), redactor)
                new = f"{hashlib.sha1(content, usedforsecurity=False).hexdigest()}{Path(name).suffix}"
                renamed[name.removeprefix("resources/")] = new
                if f"resources/{new}" not in out.NameToInfo:
                    out.writestr(f"resources/{new}", content)
        for name in archive.namelist():
            if name.endswith((".trace", ".network", ".stacks")):
                out.writestr(name, _lines(archive.read(name), name, renamed, redactor))


def _resource(content: bytes, suffix: str, redactor: Redactor) -> bytes:
    if suffix not in _TEXTS:
        return b""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return b""
    kind = {".json": "application/json", ".dat": "application/x-www-form-urlencoded"}.get(suffix, "text/plain")
    return redactor.body(text, kind).encode()


def _lines(content: bytes, name: str, renamed: dict[str, str], redactor: Redactor) -> bytes:
    entries = [json.loads(line) for line in content.split(b"\n") if line.strip()]
    if name.endswith(".trace") and not any(isinstance(e, dict) and e.get("type") == "context-options" for e in entries):
        raise TraceWithheld("it does not say which format version it is of. Nothing of it is published.")
    _mask_typed(entries, redactor)
    lines = []
    for entry in entries:
        if isinstance(entry, dict) and entry.get("type") == "context-options":
            version = entry.get("version")
            if version not in KNOWN_VERSIONS:
                known = ", ".join(map(str, sorted(KNOWN_VERSIONS)))
                raise TraceWithheld(
                    f"its format version is {version}, and only {known} are known to be redacted in full. "
                    "Install the Playwright version of requirements.lock, or a newer synthprobe."
                )
        lines.append(json.dumps(_clean(entry, renamed, redactor), ensure_ascii=False, separators=(",", ":")))
    return ("\n".join(lines) + "\n").encode()


def _mask_typed(entries: list[Any], redactor: Redactor) -> None:
    """Single keys, one action each, spell a value only together; named keys as Shift stand in between."""
    held = []
    for entry in entries:
        params = entry.get("params") if isinstance(entry, dict) else None
        if isinstance(params, dict) and str(entry.get("method", "")).lower() in _TYPED:
            field = "key" if isinstance(params.get("key"), str) else "text"
            if isinstance(params.get(field), str) and (field == "text" or len(params[field]) == 1):
                held.append((params, field))
    masked = redactor.pieces([params[field] for params, field in held])
    for (params, field), piece in zip(held, masked, strict=True):
        params[field] = piece


def _messages(messages: list[Any], redactor: Redactor) -> list[Any]:
    """WebSocket messages, each direction searched as one text."""
    cleaned = [dict(one) if isinstance(one, dict) else one for one in messages]
    ways = {str(one.get("type")) for one in cleaned if isinstance(one, dict)}
    for way in ways:
        same = [one for one in cleaned if isinstance(one, dict) and str(one.get("type")) == way]
        texts = [one for one in same if one.get("opcode") != _BINARY and isinstance(one.get("data"), str)]
        for one, data in zip(texts, redactor.pieces([one["data"] for one in texts]), strict=True):
            one["data"] = data
        binary = [one for one in same if one.get("opcode") == _BINARY and isinstance(one.get("data"), str)]
        decoded = [base64.b64decode(one["data"] + "==").decode("latin-1") for one in binary]
        joined = "".join(decoded).encode("latin-1")
        if redactor.residual(joined) or redactor.pieces(decoded) != decoded:
            for one in binary:
                one["data"] = base64.b64encode(MASK.encode()).decode()
    return cleaned


def _clean(value: Any, renamed: dict[str, str], redactor: Redactor) -> Any:
    if isinstance(value, str):
        return renamed.get(value) or redactor.pieces([value])[0]
    if isinstance(value, list):
        if len(value) > 1 and isinstance(value[1], dict) and isinstance(value[0], str):
            attributes = value[1]
            if str(attributes.get("type", attributes.get("TYPE", ""))).lower() == "password":
                value = [
                    value[0],
                    {k: MASK if k in {_VALUE, "value"} else v for k, v in attributes.items()},
                    *value[2:],
                ]
        return [_clean(one, renamed, redactor) for one in value]
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
            masked = redactor.headers({value["name"]: value["value"]})
            value = {**value, "value": masked[value["name"]]}
        if isinstance(value.get("_webSocketMessages"), list):
            value = {**value, "_webSocketMessages": _messages(value["_webSocketMessages"], redactor)}
        if "cookies" in value and isinstance(value["cookies"], list):
            value = {**value, "cookies": [{**c, "value": MASK} if isinstance(c, dict) else c for c in value["cookies"]]}
        if isinstance(value.get("postData"), dict) and isinstance(value["postData"].get("text"), str):
            post = value["postData"]
            value = {**value, "postData": {**post, "text": redactor.body(post["text"], str(post.get("mimeType", "")))}}
        if isinstance(value.get("url"), str):
            value = {**value, "url": redactor.url(value["url"])}
        return {redactor.text(key): _clean(one, renamed, redactor) for key, one in value.items()}
    return redactor.data(value)
