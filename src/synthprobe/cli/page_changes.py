"""What git knows of the files that runbooks name: which of them are others than those the last drill proved."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from synthprobe.firstline.runbook import Runbook

_NAMED = re.compile(r"(?<![\w$/.:-])((?:[\w.-]+/)+[\w.-]+)((?:::\w+)*)")


def changed_since(root: Path, runbooks: Iterable[Runbook]) -> dict[str, tuple[str, ...]]:
    """What the commands of each page name, and that is not what the page's last drill proved."""
    before: dict[tuple[str, str], str | None] = {}
    found = {}
    for runbook in runbooks:
        revision = runbook.last_exercised.revision.removesuffix("-dirty") if runbook.last_exercised else ""
        if not re.fullmatch(r"[0-9a-f]{7,40}", revision):
            continue
        changed = []
        for path, test in _named(runbook):
            if (revision, path) not in before:
                before[revision, path] = git(root, "show", f"{revision}:./{path}")
            then = before[revision, path]
            if then is not None and _part(then, test) != _part(_read(root / path), test):
                changed.append(path + test)
        if changed:
            found[runbook.id] = tuple(changed)
    return found


def last_changes(root: Path, runbooks: Iterable[Runbook]) -> dict[str, datetime]:
    """When each page was last changed, as git knows it."""
    found = {}
    for runbook in runbooks:
        output = git(root, "log", "-1", "--format=%cI", "--", runbook.path)
        if output and output.strip():
            found[runbook.id] = datetime.fromisoformat(output.strip())
    return found


def _named(runbook: Runbook) -> list[tuple[str, str]]:
    commands = (command.shell for section in runbook.sections for command in section.commands)
    return list(dict.fromkeys((path, test) for shell in commands for path, test in _NAMED.findall(shell)))


def _part(text: str, test: str) -> str:
    """The source of one test of a file, however it is laid out; the whole file when none is named."""
    names = [name for name in test.split("::") if name]
    if not names:
        return text
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return text
    node: ast.stmt | None = None
    for name in names:
        node = next((statement for statement in body if getattr(statement, "name", "") == name), None)
        body = getattr(node, "body", [])
    return ast.dump(node) if node else ""


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def git(root: Path, *words: str) -> str | None:
    """What git prints; nothing where it cannot say."""
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=20
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
