"""The journeys there are and who owns them: from their files, from recorded runs, and from the history."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator
from pathlib import Path

from synthprobe import pipeline
from synthprobe.cli import recorded
from synthprobe.config import Config
from synthprobe.model.journey import Journey


class KnownJourneys:
    """What a name that was typed is compared with.

    Args:
        root: the project's root.
        config: the project's configuration.
    """

    def __init__(self, root: Path, config: Config) -> None:
        self._root, self._config = root, config
        self._marks = list(_marks(root, config))
        self._recorded = list(_recorded(root, config))

    def ids(self) -> set[str]:
        """Every journey's id, of every target.

        Returns:
            The ids; none before the first run, where no marker sets one.
        """
        with pipeline.open_history(self._root, self._config) as history:
            seen = {one.journey for name in self._config.targets for one in history.observations(name, last=1)}
            seen |= {id for one in history.incidents() if one.occurrences for id in one.journeys}
        return seen | {one["id"] for one in self._marks if one.get("id")} | {one.id for one in self._recorded}

    def owners(self) -> set[str]:
        """Every role that owns a journey or an incident.

        Returns:
            The roles.
        """
        with pipeline.open_history(self._root, self._config) as history:
            told = history.incidents()
        found = {one.get("owner", "") for one in self._marks} | {one.owner for one in self._recorded}
        return (found | {one.owner for one in told}) - {""}


def nearest(name: str, known: set[str]) -> str:
    """What to type instead.

    Args:
        name: what was typed.
        known: what there is.

    Returns:
        The most alike ones, or all, as a sentence.

    Example:
        >>> nearest("call-intak", {"call-intake", "live-board"})
        'Did you mean call-intake?'
    """
    near = difflib.get_close_matches(name, sorted(known))
    return f"Did you mean {' or '.join(near)}?" if near else f"Known ones: {', '.join(sorted(known)) or 'none'}."


def _marks(root: Path, config: Config) -> Iterator[dict[str, str]]:
    """What each marker ``journey`` says in words."""
    for path in (path for folder in config.journeys for path in sorted((root / folder).rglob("test_*.py"))):
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue  # pytest refuses it with its own words
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "journey":
                yield {
                    word.arg: word.value.value
                    for word in node.keywords
                    if word.arg and isinstance(word.value, ast.Constant) and isinstance(word.value.value, str)
                }


def _recorded(root: Path, config: Config) -> Iterator[Journey]:
    for name in config.targets:
        some = recorded.verdicts(root, config.folder, name, until=recorded.now(), newest=recorded.NEWEST)
        yield from recorded.journeys(some).values()
