"""What a browser's recording shows to have been issued to it, or sent by it as a credential."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from synthprobe.evidence.fields import Field, fields_of, of_attributes
from synthprobe.evidence.learning import Learner

DOWNLOADS = "downloads"
"""Where a browser puts what pages have it download, in the private folder of a session."""
_BINARY = 2
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
        content = str(body.get("text") or "").encode() or _content(body, read)
        if is_messages(content):
            _learn_from_messages([json.loads(line) for line in content.splitlines()], learner)
        else:
            learner.learn_from_body(content, kind, str(request.get("url", "")))
    _learn_from_messages(snapshot.get("_webSocketMessages") or [], learner)


def _content(body: dict[str, Any], read: Read) -> bytes:
    name = body.get("_file") or (f"resources/{body['_sha1']}" if body.get("_sha1") else "")
    return read(str(name)) if name else b""


def _pairs(headers: Any) -> list[tuple[str, str]]:
    given = headers if isinstance(headers, list) else []
    return [(str(one.get("name", "")), str(one.get("value", ""))) for one in given if isinstance(one, dict)]


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
