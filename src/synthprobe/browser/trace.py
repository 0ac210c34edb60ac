"""Learns from a Playwright trace what was issued, and rewrites it without secrets and password fields; fails closed."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from synthprobe.browser.network import body_of
from synthprobe.errors import SynthprobeError
from synthprobe.evidence.fields import Field, fields_of, of_attributes
from synthprobe.evidence.forms import MASK
from synthprobe.evidence.learning import Learner
from synthprobe.evidence.names import is_secret_name, looks_random
from synthprobe.evidence.redaction import Redactor

KNOWN_VERSIONS = frozenset({8, 9, 10})
_TEXTS = {".html", ".json", ".css", ".js", ".txt", ".svg", ".xml", ".jsonl", ".map", ".mjs", ".dat"}
_VALUE = "__playwright_value_"
_TYPED = {"press", "keyboardpress", "keyboardtype", "keyboardinserttext", "keyboarddown", "type"}
_ENTERING = {*_TYPED, "fill"}
_BINARY = 2
_ADDRESSES = ("url", "frameUrl", "redirectURL", "documentUrl", "baseURL")


class TraceWithheld(SynthprobeError):
    """A trace that cannot be redacted for certain, and is therefore not kept."""


class SecretLeft(TraceWithheld):
    """A trace in which a secret was found after redaction."""


def redact_trace(source: Path, destination: Path, redactor: Redactor) -> None:
    """Redact a trace.

    Lines are parsed, so that masking never breaks the JSON. Resources are renamed, since their name is the hash
    of what they held. Sources, screencast, pictures, fonts and unknown binaries are left out. What was typed key by
    key, and WebSocket messages, are searched as the whole they make.
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
    kinds = _kinds(archive)
    with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        for name in archive.namelist():
            if name.startswith("resources/"):
                content = _resource(archive.read(name), Path(name).suffix.lower(), kinds.get(name, ""), redactor)
                new = f"{hashlib.sha1(content, usedforsecurity=False).hexdigest()}{Path(name).suffix}"
                renamed |= {name: f"resources/{new}", name.removeprefix("resources/"): new}
                if f"resources/{new}" not in out.NameToInfo:
                    out.writestr(f"resources/{new}", content)
        for name in archive.namelist():
            if name.endswith((".trace", ".network", ".stacks")):
                out.writestr(name, _lines(archive.read(name), name, renamed, redactor))


def _kinds(archive: zipfile.ZipFile) -> dict[str, str]:
    """Media type of each resource, as the requests say."""
    kinds = {}
    for name in archive.namelist():
        for line in archive.read(name).splitlines() if name.endswith((".network", ".trace")) else ():
            snapshot = json.loads(line).get("snapshot") if b"mimeType" in line else None
            if isinstance(snapshot, dict):
                for body in (snapshot.get("request", {}).get("postData"), snapshot.get("response", {}).get("content")):
                    file = (body or {}).get("_file") or f"resources/{(body or {}).get('_sha1')}"
                    kinds[file] = str((body or {}).get("mimeType", ""))
    return kinds


def _resource(content: bytes, suffix: str, kind: str, redactor: Redactor) -> bytes:
    if suffix not in _TEXTS:
        return b""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return b""
    if is_messages(content):
        messages = _messages([json.loads(line) for line in content.splitlines() if line.strip()], redactor)
        return "".join(json.dumps(message, ensure_ascii=False) + "\n" for message in messages).encode()
    known = {".json": "application/json", ".dat": "application/x-www-form-urlencoded"}.get(suffix, "text/plain")
    return redactor.body(text, kind if kind not in {"", "x-unknown"} else known).encode()


def _lines(content: bytes, name: str, renamed: dict[str, str], redactor: Redactor) -> bytes:
    entries = [json.loads(line) for line in content.split(b"\n") if line.strip()]
    if name.endswith(".trace") and not any(isinstance(e, dict) and e.get("type") == "context-options" for e in entries):
        raise TraceWithheld("it does not say which format version it is of. Nothing of it is published.")
    fields = [field for entry in entries if isinstance(entry, dict) for field in page_fields(entry)]
    typed = {field.value for field in fields if field.typed} or _typed_unseen(entries)
    _mask_typed(entries, typed, redactor)
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


def _typed_unseen(entries: list[Any]) -> set[str]:
    """All that was typed, where no snapshot of a page says what kind of field it was typed into."""
    if any(isinstance(entry, dict) and entry.get("type") == "frame-snapshot" for entry in entries):
        return set()
    actions = [
        entry for entry in entries if isinstance(entry, dict) and str(entry.get("method", "")).lower() in _ENTERING
    ]
    given = [action.get("params") or {} for action in actions]
    texts = [params.get(name) for params in given for name in ("value", "text")]
    letters = [key for params in given if len(key := params.get("key") or "") == 1]  # longer ones are names: Enter
    return {text for text in (*texts, *letters) if isinstance(text, str) and text}


def _mask_typed(entries: list[Any], typed: set[str], redactor: Redactor) -> None:
    """Single keys, one action each, spell a value only together; named keys as Shift stand in between.

    What was typed into a field for passwords or one-time codes is masked however short it is.
    """
    held = []
    for entry in entries:
        params = entry.get("params") if isinstance(entry, dict) else None
        if isinstance(params, dict):
            params |= {name: MASK for name in ("value", "text", "key") if params.get(name) in typed}
        if isinstance(entry, dict) and isinstance(entry.get("message"), str):
            for value in typed:
                entry["message"] = entry["message"].replace(json.dumps(value), f'"{MASK}"')
        if isinstance(params, dict) and str(entry.get("method", "")).lower() in _TYPED:
            field = "key" if isinstance(params.get("key"), str) else "text"
            if isinstance(params.get(field), str) and (field == "text" or len(params[field]) == 1):
                held.append((params, field))
    masked = redactor.pieces([params[field] for params, field in held])
    spelt = "".join(params[field][:1] for params, field in held)
    for value in typed:
        for match in re.finditer(re.escape(value), spelt):
            masked[match.start() : match.end()] = [MASK] * len(value)
    for (params, field), piece in zip(held, masked, strict=True):
        params[field] = piece


def _messages(messages: list[Any], redactor: Redactor) -> list[Any]:
    """WebSocket messages, each direction searched as one text."""
    cleaned = [dict(message) if isinstance(message, dict) else message for message in messages]
    ways = {str(message.get("type")) for message in cleaned if isinstance(message, dict)}
    for way in ways:
        same = [message for message in cleaned if isinstance(message, dict) and str(message.get("type")) == way]
        texts = [
            message for message in same if message.get("opcode") != _BINARY and isinstance(message.get("data"), str)
        ]
        for frame, data in zip(texts, redactor.pieces([text["data"] for text in texts]), strict=True):
            frame["data"] = redactor.body(data, "application/json")
        binary = [
            message for message in same if message.get("opcode") == _BINARY and isinstance(message.get("data"), str)
        ]
        decoded = [base64.b64decode(message["data"] + "==").decode("latin-1") for message in binary]
        joined = "".join(decoded).encode("latin-1")
        named = [redactor.body(data, "application/octet-stream") for data in decoded]
        if redactor.residual(joined) or redactor.pieces(decoded) != decoded or named != decoded:
            for frame in binary:
                frame["data"] = base64.b64encode(MASK.encode()).decode()
    return cleaned


def _clean(value: Any, renamed: dict[str, str], redactor: Redactor) -> Any:
    if isinstance(value, str):
        return renamed.get(value) or redactor.pieces([value])[0]
    if isinstance(value, list):
        if len(value) > 1 and isinstance(value[1], dict) and isinstance(value[0], str):
            field = element_field(value)
            if field.typed or (field.value and is_secret_name(field.name)):
                shown = {k: MASK if k in {_VALUE, "value", "content"} else v for k, v in value[1].items()}
                value = [value[0], shown, *value[2:]]
        return [_clean(item, renamed, redactor) for item in value]
    if isinstance(value, dict):
        if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
            value = {**value, "value": redactor.header(value["name"], value["value"])}
        if isinstance(value.get("_webSocketMessages"), list):
            value = {**value, "_webSocketMessages": _messages(value["_webSocketMessages"], redactor)}
        if "cookies" in value and isinstance(value["cookies"], list):
            value = {**value, "cookies": [{**c, "value": MASK} if isinstance(c, dict) else c for c in value["cookies"]]}
        if isinstance(value.get("postData"), dict) and isinstance(value["postData"].get("text"), str):
            post = value["postData"]
            value = {**value, "postData": {**post, "text": redactor.body(post["text"], str(post.get("mimeType", "")))}}
        addresses = {name: redactor.url(value[name]) for name in _ADDRESSES if isinstance(value.get(name), str)}
        value = {**value, **addresses}
        return {redactor.text(key): _clean(item, renamed, redactor) for key, item in value.items()}
    return redactor.data(value)


DOWNLOADS = "downloads"
"""Where a browser puts what pages have it download, in the private folder of a session."""
_LARGEST_DOWNLOAD = 8_000_000
Read = Callable[[str], bytes]


def learn_from_contents(contents: Mapping[str, bytes], learner: Learner) -> None:
    """Learn from a raw trace."""
    for name in sorted(contents):
        if name.endswith((".network", ".trace")):
            learn_from_lines(contents[name].splitlines(), lambda file: contents.get(file, b""), learner)


def learn_from_folder(folder: Path, read_to: dict[Path, int], learner: Learner) -> None:
    """Learn from what is recorded of contexts that are still open."""

    def read(name: str) -> bytes:
        path = folder / name
        return path.read_bytes() if path.is_file() else b""

    for path in sorted(folder.glob("*.network")):
        with path.open("rb") as file:
            file.seek(read_to.get(path, 0))
            whole, end, _ = file.read().rpartition(b"\n")
        read_to[path] = read_to.get(path, 0) + len(whole) + len(end)
        learn_from_lines(whole.splitlines(), read, learner)


def learn_from_downloads(folder: Path, known: dict[Path, int], learner: Learner) -> None:
    """Learn from files that pages had the browser download."""
    for path in sorted(folder.glob("*")):
        with suppress(OSError):  # it went with its context
            size = path.stat().st_size
            if known.get(path) != size:
                known[path] = size
                with path.open("rb") as file:
                    learner.learn_from_body(file.read(_LARGEST_DOWNLOAD), "text/plain")


def learn_from_lines(lines: Iterable[bytes], read: Read, learner: Learner) -> None:
    """Learn from lines of a trace: requests with their bodies, messages, and fields of pages."""
    for line in lines:
        with suppress(ValueError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                learner.learn_from_fields(page_fields(entry))
                if isinstance(entry.get("snapshot"), dict) and "request" in entry["snapshot"]:
                    _learn_from_exchange(entry["snapshot"], read, learner)
                if entry.get("type") == "console":
                    spoken = fields_of(str(entry.get("text")), "text/plain")
                    learner.learn_from_fields(field for field in spoken if looks_random(field.value))
                params = entry.get("params")
                texts = {k: v for k, v in params.items() if isinstance(v, str)} if isinstance(params, dict) else {}
                for name in {"url", "frameUrl"} & texts.keys():
                    learner.learn_from_address(texts[name])
                if "selector" in texts and "value" in texts:  # get_by_label("Password").fill(...)
                    learner.learn_from_fields([Field(texts["selector"], texts["value"])])


def page_fields(entry: dict[str, Any]) -> Iterator[Field]:
    """Fields of forms that a snapshot of a page holds."""
    snapshot = entry.get("snapshot")
    if entry.get("type") == "frame-snapshot" and isinstance(snapshot, dict):
        yield from _elements(snapshot.get("html"))


def _elements(node: Any) -> Iterator[Field]:
    if isinstance(node, list):
        if len(node) > 1 and isinstance(node[0], str) and isinstance(node[1], dict):
            yield from (element for element in [element_field(node)] if element.value)
        for inner in node:
            if isinstance(inner, list):
                yield from _elements(inner)


def element_field(node: list[Any]) -> Field:
    """The field that an element of a snapshot is."""
    if node[0].upper() not in {"INPUT", "META"}:
        return Field("", "")
    attributes = {str(name).lower(): str(value) for name, value in node[1].items()}
    if attributes.get("__playwright_value_"):
        attributes["value"] = attributes["__playwright_value_"]
    return of_attributes(attributes)


def is_messages(content: bytes) -> bool:
    """Whether a resource holds the messages of a WebSocket, one a line."""
    first = content.partition(b"\n")[0]
    with suppress(ValueError):
        message = json.loads(first)
        return isinstance(message, dict) and {"type", "opcode", "data"} <= message.keys()
    return False


def _learn_from_exchange(snapshot: dict[str, Any], read: Read, learner: Learner) -> None:
    request, response = snapshot["request"], snapshot.get("response") or {}
    learner.learn_from_address(str(request.get("url", "")))
    learner.learn_from_address(str(response.get("redirectURL", "")))
    learner.learn_from_request_headers(_pairs(request.get("headers")))
    learner.learn_from_response_headers(_pairs(response.get("headers")))
    for name, value in (*_pairs(request.get("cookies")), *_pairs(response.get("cookies"))):
        learner.learn_cookie(name, value)
    for body in (request.get("postData") or {}, response.get("content") or {}):
        kind = str(body.get("mimeType", ""))
        content = body_of(body, read)
        if is_messages(content):
            _learn_from_messages([json.loads(line) for line in content.splitlines()], learner)
        else:
            learner.learn_from_body(content, kind, str(request.get("url", "")))
    _learn_from_messages(snapshot.get("_webSocketMessages") or [], learner)


def _pairs(headers: Any) -> list[tuple[str, str]]:
    given = headers if isinstance(headers, list) else []
    return [(str(header.get("name", "")), str(header.get("value", ""))) for header in given if isinstance(header, dict)]


def _learn_from_messages(messages: list[dict[str, Any]], learner: Learner) -> None:
    """Each message, and each direction as one text."""
    ways: dict[str, list[str]] = {}
    for message in messages:
        data = str(message.get("data", ""))
        if message.get("opcode") == _BINARY:
            with suppress(ValueError):
                data = base64.b64decode(data + "==").decode("utf-8", "replace")
        ways.setdefault(str(message.get("type")), []).append(data)
    for texts in ways.values():
        for text in (*texts, "".join(texts)):
            learner.learn_from_fields(fields_of(text, "application/json"))
