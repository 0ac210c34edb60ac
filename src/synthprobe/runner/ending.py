"""How a session of pytest ended, which journeys it left, and what is said of each."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from synthprobe import pipeline
from synthprobe.files import read_lines
from synthprobe.records.ending import LastWords
from synthprobe.records.journey import Journey
from synthprobe.verdict.judge import Unseen

LAST_WORDS_PLUGIN = "synthprobe.plugin.last_words"
"""Loaded in every session of a run; it writes down what ends one."""

_FILE = "last-words.jsonl"
ENDINGS = {
    "cancelled": "cancelled: The run was ended by a signal or with its CI step",
    "deadline": "deadline: The run reached its deadline",
    "stalled": "stalled: The run made no progress and was ended",
}
"""What ended a run before it was done, by its word in `Run.ended`."""


def last_words_file(folder: Path) -> Path:
    return (folder / _FILE).absolute()


def read_last_words(folder: Path) -> list[LastWords]:
    return list(read_lines(last_words_file(folder), LastWords))


def read_log(folder: Path) -> list[str]:
    """The lines that the sessions of a run printed so far."""
    path = folder / "pytest.log"
    return [line.strip() for line in path.read_text("utf-8", errors="replace").splitlines()] if path.exists() else []


class Ending:
    """How a session of a run ended; what the sessions before it said is theirs."""

    def __init__(self, folder: Path, reason: str, code: int | None, words_before: int, log_before: int) -> None:
        self.reason = reason
        self._folder = folder
        self._code = code
        last_words = read_last_words(folder)[words_before:]
        self.notes = tuple(dict.fromkeys(words.message for words in last_words if words.kind == "note"))
        self._words = [words for words in last_words if words.kind not in {"note", "through"}]
        self._went_through = any(words.kind == "through" for words in last_words)
        log = read_log(folder)[log_before:]  # now: the next one adds to it
        telling = [line for line in log if "error" in line.lower() and not line.startswith(("FAILED ", "=", "_"))]
        self._telling = f": {telling[-1]}" if telling else ""

    @property
    def spoke(self) -> bool:
        """Whether pytest left words of its own; a process that was killed leaves none."""
        return bool(self._words)

    @property
    def refused(self) -> bool:
        """Whether pytest would end in the same way once more."""
        usage_error = 4  # which a journey may end its process with as well, but not before it was collected
        collected = (self._folder / "collected.json").exists()
        return (self._code == usage_error and not collected) or any(words.kind == "refused" for words in self._words)

    @property
    def may_go_on(self) -> bool:
        """Whether a fresh session may judge what this one left: nobody ended it, and it did not refuse."""
        return not self.reason and not self.refused

    @property
    def went_through(self) -> bool:
        """Whether pytest came to its end by itself, so that what it did not run was taken out of it."""
        return self._went_through and not self._words and not self.reason

    @property
    def message(self) -> str:
        """What ended it, as one line: pytest's own words where it left any, else the signal or the end of its log."""
        if self._words:
            return " ".join(self._words[0].message.split())
        if self.went_through:
            return (
                "a plugin or a conftest.py takes it out (look at pytest_collection_modifyitems, "
                "pytest_collection_finish and pytest_runtest_protocol)"
            )
        if self._code is not None and self._code < 0:
            return f"it was killed by {signal.Signals(-self._code).name}"
        return f"it ended with code {self._code}{self._telling}"

    @property
    def before_any(self) -> str:
        """Why no journey was collected, and where it stood."""
        ending = ENDINGS.get(self.reason, "").partition(": ")[2]
        return f"{ending[:1].lower()}{ending[1:] or 'pytest ended'} before it collected any: {self.message}"

    def unfinished(self, collected: Sequence[Journey] | None) -> tuple[Journey, ...]:
        """Journeys that were collected and never begun."""
        seen = {result.journey.id for result in pipeline.read_results(self._folder)}
        seen |= {note.journey for note in pipeline.read_progress(self._folder)}
        return tuple(journey for journey in collected or () if journey.id not in seen)


class Missing:
    """Says why a journey has no result."""

    def __init__(
        self,
        folder: Path,
        ending_of: Callable[[Journey], Ending],
        lost: set[str],
        frozen: Mapping[str, tuple[str, str]] | None = None,
        *,
        known_since: str = "the last run",
    ) -> None:
        self._running = {note.journey: note.step for note in pipeline.read_progress(folder)}
        self._ending_of = ending_of
        self._lost = lost
        self._frozen = frozen or {}
        self._known_since = known_since

    def __call__(self, journey: Journey) -> Unseen:
        ended = self._frozen[journey.id][0] if journey.id in self._frozen else self._ending_of(journey).reason
        waited = journey.id in self._running and ended in {"deadline", "stalled"}
        return Unseen(cause=self._cause(journey), waited=waited)

    def _cause(self, journey: Journey) -> str:
        session = self._ending_of(journey)
        ending = ENDINGS.get(session.reason)
        if journey.id in self._lost:
            return (
                f"inventory: It was not collected, although no journey's source was changed since {self._known_since}."
            )
        if journey.id in self._running:
            where = f'while "{self._running[journey.id] or journey.title}" was running'
            if journey.id in self._frozen:
                return f"{': '.join(self._frozen[journey.id])} {where}."
            if ending or not session.spoke:
                return f"{ending} {where}." if ending else f"worker: The process died {where}."
            return f"worker: pytest ended {where}: {session.message.rstrip('.')}."
        if ending:
            return f"{ending} before this journey began."
        if session.went_through:
            return f"worker: pytest went through without this journey: {session.message}."
        return f"worker: pytest ended before this journey began: {session.message.rstrip('.')}."
