"""What gave no answer, where a journey asks by a library that nothing records: read from the frames of its error."""

from __future__ import annotations

import errno
import re
import socket
import traceback
import types
from collections.abc import Iterator

from synthprobe.evidence.reasons import WAITING, text_of, way_of, wrapped
from synthprobe.records.finding import Refusal

_IN_WORDS = re.compile(r"""server at ["']([^"']+)["'](?: \([^)]*\))?, port (\d+)""")  # of libpq, which has no frames
_UNREACHABLE = (ConnectionError, TimeoutError, socket.gaierror)
_NO_WAY = (errno.EHOSTUNREACH, errno.ENETUNREACH)


def unanswered(error: BaseException) -> Refusal | None:
    """Which place gave no answer, and how; nothing where an error is none of a connection, or shows no place."""
    frames = [frame for frame, _ in _walked(error) if _room(frame) in {*WAITING, "asyncio"}]
    broken = next((part for part in wrapped(error) if _is_of_network(part)), None)
    way = way_of(error)
    place = _place(frames) or _named(error)
    if not place or not (broken or (way and frames)):
        return None
    connects = any("connect" in frame.f_code.co_name for frame in frames[-1:]) or bool(_named(error))
    if isinstance(broken, socket.gaierror):
        way = "dns"
    elif isinstance(broken, TimeoutError) or way == "no connection" or getattr(broken, "errno", 0) in _NO_WAY:
        way = "no connection" if connects else "deadline"
    elif isinstance(broken, ConnectionRefusedError):
        way = "refused"
    method, url = place
    return Refusal(kind=way or "protocol", method=method, url=url, reason=text_of(broken or error).rstrip("."))


def _is_of_network(error: BaseException) -> bool:
    return isinstance(error, _UNREACHABLE) or (isinstance(error, OSError) and error.errno in _NO_WAY)


def _walked(error: BaseException) -> Iterator[tuple[types.FrameType, int]]:
    for part in wrapped(error):
        yield from traceback.walk_tb(part.__traceback__)


def _room(frame: types.FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]


def _place(frames: list[types.FrameType]) -> tuple[str, str] | None:
    """Method and address as the outermost frame names them: within, a name may be resolved already."""
    for frame in frames:
        known = frame.f_locals
        asked, own = known.get("req"), known.get("self")
        if url := getattr(asked, "full_url", ""):
            return str(getattr(asked, "get_method", str)()), str(url)
        address = known.get("address")
        pairs = (
            (known.get("host", known.get("hostname")), known.get("port")),
            (getattr(own, "host", None), getattr(own, "port", None)),
            address[:2] if isinstance(address, tuple) and len(address) > 1 else (None, None),
        )
        for name, number in pairs:
            if isinstance(name, str) and name and isinstance(number, int) and number:
                return "", tcp(name, number)
    return None


def _named(error: BaseException) -> tuple[str, str] | None:
    found = _IN_WORDS.search(text_of(error))
    return ("", tcp(found[1], int(found[2]))) if found else None


def tcp(host: str, port: int) -> str:
    """The address of a port that is asked without HTTP."""
    return f"tcp://{f'[{host}]' if ':' in host else host}:{port}"
