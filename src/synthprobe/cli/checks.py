"""What `synthprobe doctor` looks at before a run: one function for each thing that can be wrong with a project."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import Any, Literal

import msgspec

from synthprobe import pipeline
from synthprobe.alerts.routes import lint as lint_routes
from synthprobe.alerts.routes import read_mutes
from synthprobe.cli.lookup import journey_ids
from synthprobe.errors import SecretError, SynthprobeError, TargetError
from synthprobe.journey.api import Api
from synthprobe.project import Project
from synthprobe.records.address import shown_address
from synthprobe.report.store import open_store
from synthprobe.runner.inventory import collect
from synthprobe.targets.addresses import is_own_machine
from synthprobe.targets.proxy_variables import proxy_note
from synthprobe.targets.secrets import read_address, read_secret
from synthprobe.targets.windows import read_windows

Level = Literal["wrong", "warning", "well"]

_ANSWER_S = 5.0
_PASSWORD = re.compile(r"://[^/?#\s]*:[^/?#\s]*@")
_RUN = re.compile(r"^(?P<before>[^#\n]*)\bsynthprobe run\b", re.MULTILINE)
_LOCKFILE = re.compile(r"--require-hashes\b.*?-r\s*(?P<file>[\w./-]+)")

_CANNOT_WORK = {
    option: why
    for options, why in {
        "-x --exitfirst --maxfail --stepwise --sw": "ends the run at the first failure, so that the journeys after it "
        "are not looked at",
        "--lf --last-failed -k -m --deselect": "leaves journeys out, so that they are not looked at",
        "--pdb --trace": "waits for somebody at the keyboard, and a scheduled run has nobody",
        "--co --collect-only --fixtures --markers --setup-plan": "runs no journey",
        "--timeout": "takes the place of the deadline that journey_deadline_s gives each journey",
    }.items()
    for option in options.split()
}


@dataclass(frozen=True)
class ProjectAtHand(Project):
    """A project that is looked at."""

    target: str = ""
    paths: Sequence[Path] = ()
    secrets: Sequence[str] = ()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person should know before a run; of level ``well`` is what was counted."""

    check: str
    level: Level
    text: str


_SOON = timedelta(days=14)
Check = Callable[[ProjectAtHand], Iterator[tuple[Level, str]]]


def findings(project: ProjectAtHand, checks: Mapping[str, Check], *, named: bool = False) -> list[Finding]:
    """Look at everything; a check that cannot be made is a finding itself, unless it was asked for by name."""
    found = []
    mask = project.redactor.text

    def shown(text: str) -> str:
        return shown_address(mask(text))

    for name, check in checks.items():
        try:
            found += [Finding(check=name, level=level, text=shown(text)) for level, text in check(project)]
        except SynthprobeError as error:
            if named:
                raise
            found.append(Finding(check=name, level="wrong", text=shown(str(error))))
    return found


def _options(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    for place, words in _addopts(project):
        for word in words:
            letters = [f"-{letter}" for letter in word[1:]] if re.fullmatch(r"-[a-zA-Z]{2,}", word) else []
            for option in [word.partition("=")[0], *letters]:
                if why := _CANNOT_WORK.get(option):
                    yield "wrong", f"{place} has the option {option}, which {why}. Remove it."
        for option, value in pairwise((*words, "")):
            browser = value if option == "--browser" else option.partition("--browser=")[2]
            if browser and browser != "chromium":
                yield "wrong", f"{place} has the browser {browser}; journeys are held to their hosts in chromium only."


def _addopts(project: ProjectAtHand) -> Iterator[tuple[str, list[str]]]:
    """Options that pytest takes without being asked: of the variable, and of the first file it would read."""
    if typed := project.environ.get("PYTEST_ADDOPTS"):
        yield "PYTEST_ADDOPTS", shlex.split(typed)
    for folder in (project.root, *project.root.parents):
        for name in ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg"):
            if (options := _read_addopts(folder / name)) is not None:
                yield f"addopts of {name}", options
                return


def _read_addopts(path: Path) -> list[str] | None:
    with suppress(OSError, ValueError, configparser.Error):
        text = path.read_text("utf-8")
        if path.suffix == ".toml":
            table: Any = tomllib.loads(text).get("tool", {}).get("pytest", {})
            table = table.get("ini_options", table)
        else:
            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string(text)
            section = "tool:pytest" if path.suffix == ".cfg" else "pytest"
            table = parser[section] if parser.has_section(section) else {}
        if table or path.name.endswith("pytest.ini"):
            given = table.get("addopts", [])
            return shlex.split(given) if isinstance(given, str) else [str(word) for word in given]
    return None


def _proxies(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    if note := proxy_note(project.environ, project.config.targets.get(project.target)):
        yield "warning", note


def _journeys(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    """pytest itself collects them: what it refuses in a run, it refuses here."""
    journeys = collect(project)
    if not journeys:
        yield "warning", f"There is no journey in {', '.join(project.config.journeys)}. Write one, or correct journeys."
    for name, count in Counter(journey.id for journey in journeys).items():
        if count > 1:
            nodes = " and ".join(journey.node_id for journey in journeys if journey.id == name)
            yield "wrong", f"{nodes} have the id {name!r}, so that they count as one journey. Give each its own."


def _addresses(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    for key, text in _texts(msgspec.to_builtins(project.config)):
        if _PASSWORD.search(text):
            way = "use http_credentials" if key.endswith(".base_url") else "write env:VARIABLE or file:/path"
            yield "wrong", f"{key} holds a password ({shown_address(text)}). Take it out and {way}."


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    numbered = dict(enumerate(value, 1)) if isinstance(value, (list, tuple)) else {}
    entries: dict[Any, Any] = value if isinstance(value, dict) else numbered
    for name, entry in entries.items():
        yield from _texts(entry, f"{key}.{name}" if key else str(name))


def _secrets(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    others = tuple(f"{name}." for name in project.config.targets if name != project.target)
    for name, source in project.config.secret_sources().items():
        try:
            read_secret(name, project.environ, source=source, root=project.root)
        except SecretError as error:
            yield ("warning" if name.startswith(others) else "wrong"), str(error)


def _targets(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    target = project.config.target(project.target)
    if reason := project.stopped(target):
        yield "warning", f"Target {target.name} was not asked anything. {reason}"
        return
    redactor = project.redactor
    credentials = project.credentials(target)
    for identity in credentials.identities:
        if identity.ends - datetime.now(UTC) < _SOON:
            yield (
                "warning",
                f"The client certificate for {identity.origin} ends on {identity.ends:%Y-%m-%d}. Renew it before.",
            )
    api = Api(target, redactor, credentials=credentials)
    try:
        answer = api.get(target.base_url, timeout=min(target.timeout_s, _ANSWER_S), allow_redirects=False)
    except TargetError as error:
        # a project may start such a one for its own run
        itself = is_own_machine(target.base_url) and target.proxy is None
        yield ("warning" if itself else "wrong"), f"Target {target.name} does not answer. {error}"
        return
    finally:
        api.session.close()
    if answer.status >= 500:
        yield "wrong", f"Target {target.name} answers {target.base_url} with status {answer.status}."
    if answer.status == 401 and target.http_credentials is None:
        yield "warning", f"Target {target.name} asks for a user at {target.base_url}. Is http_credentials missing?"


def _folders(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    """Whether runs and what is remembered of them can be written, by a file that is gone at once."""
    ours = project.root / project.config.folder
    nearest = (next(at for at in (place, *place.parents) if at.exists()) for place in (ours, ours / "runs"))
    for folder in dict.fromkeys(nearest):  # the first run makes what is not there
        try:
            with TemporaryFile(dir=folder):
                pass
        except OSError as error:
            why = f"{error.strerror or error}. Make room, or give rights."
            yield "wrong", f"{folder} cannot be written, where a run keeps what it sees: {why}"
    memory = ours / "history.db"
    if memory.is_file() and not os.access(memory, os.W_OK):
        yield "wrong", f"{memory} cannot be written by this account. Nothing that runs see is remembered. Give rights."


def _history(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    folder = project.root / project.config.folder
    there = (folder / "history.db").exists() or (folder.exists() and not folder.is_dir())
    if not project.config.history.url and not there:
        return  # the first run makes it
    with pipeline.open_history(project) as history:
        for trouble in history.check():
            yield "wrong", f"The history cannot be used. {trouble}"


def _publish(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    """Whether the place of reports can be written and read, by an object that is gone at once."""
    place = project.config.publish
    if not place.url:
        return
    store, name = open_store(place.url, timeout_s=min(place.timeout_s, _ANSWER_S)), f"doctor-{token_hex(8)}.txt"
    store.put(name, b"synthprobe doctor")
    try:
        if store.get(name) is None:
            yield "wrong", f"{store.shown} takes what is written, and does not give it back. Look at its rights."
    finally:
        store.delete([name])


def _routes(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    alerts = project.config.alerts
    mutes = read_mutes(project.root / alerts.mutes)
    read_windows(project.root / project.config.windows)  # refused with a sentence
    if not alerts.routes:
        yield "warning", "There is no [[alerts.routes]], so that a run tells nobody. See docs/guides/alerts.md."
        return
    journeys = journey_ids(project) if mutes else None
    for sentence in lint_routes(alerts, mutes, datetime.now(UTC), journeys=journeys):
        yield "wrong", sentence


def _heartbeat(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    source = project.config.heartbeat.url
    if not source:
        yield (
            "warning",
            "There is no [heartbeat] url, so that nobody notices when runs stop. See docs/guides/alerts.md.",
        )
        return
    with suppress(SecretError):  # told among the secrets
        address = read_address("heartbeat.url", project.environ, source=source, root=project.root)
        if not address.startswith(("https://", "http://")):
            yield "wrong", "heartbeat.url is no web address; https://… was expected. Correct it where it is kept."


def _workflows(project: ProjectAtHand) -> Iterator[tuple[Level, str]]:
    for path in sorted((project.root / ".github" / "workflows").glob("*.y*ml")):
        text, name = path.read_text("utf-8"), path.relative_to(project.root)
        if any(not re.search(r"\bexec\s+\S*$", found["before"]) for found in _RUN.finditer(text)):
            yield (
                "warning",
                f"{name} starts synthprobe run without exec, so a cancelled job signals the shell alone. Make it the "
                "whole step: exec synthprobe run …",
            )
        for found in _LOCKFILE.finditer(text):
            if not (project.root / found["file"]).exists():
                yield "wrong", f"{name} installs from {found['file']}, which is not there. Make it, and commit it."


CHECKS: dict[str, Check] = {
    "options": _options,
    "journeys": _journeys,
    "secrets": _secrets,
    "addresses": _addresses,
    "proxies": _proxies,
    "target": _targets,
    "folders": _folders,
    "history": _history,
    "publish": _publish,
    "routes": _routes,
    "heartbeat": _heartbeat,
    "workflows": _workflows,
}
"""Every check by what it looks at."""
