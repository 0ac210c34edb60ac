"""Rewrites a Playwright trace so that no known secret and no password field is left in it; fails closed."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from pathlib import Path
from typing import Any

from synthprobe.errors import SynthprobeError
from synthprobe.evidence.redaction import MASK, Redactor

KNOWN_VERSIONS = frozenset({8, 9, 10})
_PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".ico", ".woff", ".woff2", ".ttf", ".otf"}
_TEXTS = {".html", ".json", ".css", ".js", ".txt", ".svg", ".xml", ".jsonl", ".map", ".mjs", ".dat"}
_VALUE = "__playwright_value_"


class TraceWithheld(SynthprobeError):
    """A trace that cannot be redacted for certain, and is therefore not kept."""


def redact_trace(source: Path, destination: Path, redactor: Redactor) -> None:
    """Redact a trace.

    Lines are parsed, so that masking never breaks the JSON. Resources are renamed, since their name is the hash
    of what they held. Sources, screencast and unknown binaries are left out.

    Args:
        source: the raw zip.
        destination: where the redacted zip goes; it is there only when all went well.
        redactor: knows the secrets.

    Raises:
        TraceWithheld: when the trace is of an unknown version, unreadable, or a secret is still in it.
    """
    temporary = destination.with_suffix(".tmp")
    try:
        with zipfile.ZipFile(source) as archive:
            _write(archive, temporary, redactor)
        left = redactor.residual(temporary.read_bytes())
        if left:
            raise TraceWithheld(f"after redaction it still held {', '.join(left)}. Nothing of it is published.")
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
    if suffix in _PICTURES:
        return content
    if suffix not in _TEXTS:
        return b""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return b""
    kind = {".json": "application/json", ".dat": "application/x-www-form-urlencoded"}.get(suffix, "text/plain")
    return redactor.body(text, kind).encode()


def _lines(content: bytes, name: str, renamed: dict[str, str], redactor: Redactor) -> bytes:
    lines = []
    for line in content.splitlines():
        if not line.strip():
            continue
        entry = json.loads(line)
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


def _clean(value: Any, renamed: dict[str, str], redactor: Redactor) -> Any:
    if isinstance(value, str):
        return renamed.get(value) or redactor.text(value)
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
        if "cookies" in value and isinstance(value["cookies"], list):
            value = {**value, "cookies": [{**c, "value": MASK} if isinstance(c, dict) else c for c in value["cookies"]]}
        if isinstance(value.get("postData"), dict) and isinstance(value["postData"].get("text"), str):
            post = value["postData"]
            value = {**value, "postData": {**post, "text": redactor.body(post["text"], str(post.get("mimeType", "")))}}
        if isinstance(value.get("url"), str):
            value = {**value, "url": redactor.url(value["url"])}
        return {redactor.text(key): _clean(one, renamed, redactor) for key, one in value.items()}
    return redactor.data(value)
