"""What a session prints and logs: masked as it leaves, and without anything that acts on a terminal.

All that touches pytest's and Python's own streams stands here.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from typing import Any, TextIO

import pytest

from synthprobe.plugin.inside_pytest import replace_streams
from synthprobe.records.plain_text import plain_text
from synthprobe.targets.target import Target

Clean = Callable[[str], str]
_OF_EACH_RECORD = vars(logging.makeLogRecord({})).keys()


def capture_refusal(config: pytest.Config, target: Target) -> str:
    """Why programs that a journey starts may not print past every mask."""
    how = config.getoption("capture", "fd")
    supervised = config.option.synthprobe_canaries is not None
    if how == "fd" or not target.production or supervised:
        return ""
    return (
        f"--capture={how} shows what programs print that a journey starts, past every mask, and target "
        f"{target.name!r} is production. Leave -s and --capture out, or run: synthprobe run --target {target.name}."
    )


class MaskedStream:
    """A stream that is written to in whole lines, so that no secret passes in pieces."""

    def __init__(self, stream: TextIO, clean: Clean) -> None:
        self._stream = stream
        self._clean = clean
        self._line = ""
        self._lock = threading.RLock()

    def write(self, text: str) -> int:
        with self._lock:
            whole, end, self._line = (self._line + text).rpartition("\n")
            if end:
                self._emit(whole + end)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        with self._lock:
            line, self._line = self._line, ""
            if line:
                self._emit(line)
            self._stream.flush()

    def close(self) -> None:
        """It stays open: whoever closes it is not the only one who prints there."""
        self.flush()

    def _emit(self, text: str) -> None:
        """What the stream's encoding has no sign for is written as an escape; it costs no line."""
        code = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(self._clean(text).encode(code, "backslashreplace").decode(code))

    @property
    def buffer(self) -> MaskedBytes:
        return MaskedBytes(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class MaskedBytes:
    """The binary side of a masked stream."""

    def __init__(self, stream: MaskedStream) -> None:
        self._stream = stream

    def write(self, content: bytes) -> int:
        self._stream.write(bytes(content).decode("utf-8", "replace"))
        return len(content)

    def flush(self) -> None:
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class HarmlessConsole:
    """Puts masked streams and a masking log in the place of pytest's, for one session."""

    def __init__(self, config: pytest.Config, mask: Clean, journey_runs: Callable[[], bool]) -> None:
        self._config = config
        self._mask = mask
        self._journey_runs = journey_runs
        self._streams = {name: getattr(sys, name) for name in ("stdout", "stderr")}

    def hold(self) -> None:
        """Hold what pytest itself prints from now on, colours and all, and what is logged."""
        self._put({name: MaskedStream(stream, self._mask) for name, stream in self._streams.items()})
        self._factory = logging.getLogRecordFactory()
        logging.setLogRecordFactory(self._record)
        self._make = make = logging.Logger.makeRecord

        def made(logger: logging.Logger, *given: Any, **more: Any) -> logging.LogRecord:
            return self._with_extra(make(logger, *given, **more))

        logging.Logger.makeRecord = made  # type: ignore[method-assign, assignment]
        self._config.add_cleanup(self._put_back)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Hold what journeys print where pytest captures nothing, or lets it through."""
        self._put({name: MaskedStream(stream, self._plain) for name, stream in self._streams.items()})

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Mask a warning before the summary, or xdist, keeps it."""
        message = warning_message.message
        if isinstance(message, str):
            warning_message.message = self._plain(message)
        else:
            message.args = self._safe(message.args)

    def _plain(self, text: str) -> str:
        return plain_text(self._mask(text))

    def _put(self, streams: dict[str, Any]) -> None:
        replace_streams(self._config, streams)
        for name, stream in streams.items():
            now = getattr(sys, name)
            if now is self._streams[name] or isinstance(now, MaskedStream):  # else what is printed now is captured
                now.flush()
                setattr(sys, name, stream)

    def _put_back(self) -> None:
        self._put(self._streams)
        logging.setLogRecordFactory(self._factory)
        logging.Logger.makeRecord = self._make  # type: ignore[method-assign]

    def _record(self, *given: Any, **more: Any) -> logging.LogRecord:
        """A record of the log, masked where it is born: no handler, whoever added it, sees it otherwise."""
        record = self._factory(*given, **more)
        clean = self._plain if self._journey_runs() else self._mask
        try:
            text = record.getMessage()
            if (safe := clean(text)) != text:
                record.msg, record.args = safe, ()
            if record.exc_info:
                text_of_error = logging.Formatter().formatException(record.exc_info)
                record.exc_text = clean(text_of_error)
                if record.exc_text != text_of_error:
                    record.exc_info = None  # some handlers format it themselves
            if record.stack_info:
                record.stack_info = clean(record.stack_info)
        except Exception:  # logging itself tells what is wrong with a record that cannot be put together
            record.args = self._safe(record.args)
        return record

    def _with_extra(self, record: logging.LogRecord) -> logging.LogRecord:
        """What is logged beside a message, ``extra``, is put into the record after it was born."""
        for name in vars(record).keys() - _OF_EACH_RECORD:
            setattr(record, name, self._safe(getattr(record, name)))
        return record

    def _safe(self, value: Any) -> Any:
        """A value of which nothing that is printed holds a secret; one that would is its own masked text."""
        if isinstance(value, dict):
            return {self._safe(name): self._safe(item) for name, item in value.items()}
        if type(value) in {list, tuple, set}:
            return type(value)(map(self._safe, value))
        text = value if isinstance(value, str) else repr(value)
        return value if (safe := self._mask(text)) == text else safe
