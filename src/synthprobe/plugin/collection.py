"""Collecting journeys: markers read, ids refused, the run's folder begun, and names known that are never masked."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from synthprobe.errors import refused_by_machine
from synthprobe.plugin.admission import refuse_async_pages, refuse_secret_ids
from synthprobe.plugin.gate import note_markers
from synthprobe.plugin.options import (
    JOURNEY,
    is_journey_path,
    journey_of,
    project_of,
    project_root,
    refuse_names_given_twice,
    refuse_shared_ids,
    tags_of,
    target_name,
)
from synthprobe.plugin.reports import redact_report
from synthprobe.records import evidence
from synthprobe.records.intervals import due_journeys
from synthprobe.records.journey import Journey
from synthprobe.root import NAMES
from synthprobe.targets.target import Target
from synthprobe.verdict.judge import MUST_FAIL

if TYPE_CHECKING:
    from synthprobe.plugin.session import JourneySession


_REFUSAL = "synthprobe_refusal"
# pytest-playwright's own; its users can do nothing about it
_OF_PLAYWRIGHT = pytest.mark.filterwarnings("ignore:Session-scoped fixtures defined as instance methods")


class JourneyCollection:
    """The plugin object that follows how journeys are collected."""

    def __init__(self, session: JourneySession) -> None:
        self._session = session
        self._config = session.config
        self._writes = session.worker in {"main", "gw0"}
        self._journey_broken = self._ordinary_broken = False
        self._uncollected: list[Journey] = []
        self._deselected: set[pytest.Item] = set()

    def pytest_sessionstart(self) -> None:
        """Know the markers there are, before tags are among them."""
        note_markers(self._config, of_project=False)

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """The configuration's own file holds ready-made journeys."""
        if file_path.name not in NAMES or not is_journey_path(self._config, file_path):
            return None
        from synthprobe.plugin.ready_made import ReadyMadeFile

        file: ReadyMadeFile = ReadyMadeFile.from_parent(parent, path=file_path)
        return file

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """A journey's tags are markers of pytest, so that its own ``-m`` and ``-k`` select by them."""
        if not is_journey_path(self._config, item.path):
            return
        with suppress(pytest.UsageError):  # said when its marker is read
            for tag in tags_of(item):
                self._config.addinivalue_line("markers", f"{tag}: a tag of journeys")
                item.add_marker(tag)

    def pytest_deselected(self, items: Iterable[pytest.Item]) -> None:
        """Who leaves tests out tells pytest so."""
        self._deselected.update(items)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        """Read every marker, and write down which journeys must be judged; canaries come first."""
        found = list(items)
        yield
        kept = {*items, *self._deselected}
        if gone := [item for item in found if is_journey_path(self._config, item.path) and item not in kept]:
            self._config.hook.pytest_deselected(items=gone)
        try:
            self._read(session, items)
        except pytest.UsageError as refusal:
            worker_output: dict[str, str] | None = getattr(self._config, "workeroutput", None)
            if worker_output is None:
                raise
            worker_output[_REFUSAL] = str(refusal)  # what a worker raises here, xdist shows as a fault of its own
            items.clear()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """What xdist's workers refused, the controller refuses."""
        if refusal := getattr(node, "workeroutput", {}).get(_REFUSAL):
            raise pytest.UsageError(refusal)

    def _read(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        ours, folder = self._session, self._session.run_folder
        journeys = self._journeys(items)
        if examples := [item for item, _ in journeys if isinstance(item, pytest.DoctestItem)]:
            items[:] = [item for item in items if item not in examples]  # of code, not of the target
            journeys = [pair for pair in journeys if pair[0] not in examples]
            self._config.hook.pytest_deselected(items=examples)
        refuse_secret_ids(items, ours.redactor)
        refuse_shared_ids(journeys)
        refuse_names_given_twice(item for item, _ in journeys if self._writes)
        ours.redactor.own(own_names(self._config, ours.target, (ours.folder, ours.run_folder.run.id), items))
        if ours.reruns is not None:
            items[:] = ours.reruns.repeat(items, journey_of)
            journeys = self._journeys(items)
        listed = self._config.option.collectonly and target_name(self._config) is None  # those of every target
        here = [pair for pair in journeys if listed or not pair[1].targets or ours.target.name in pair[1].targets]
        others = {item for item, _ in journeys} - {item for item, _ in here}
        items[:], journeys = [item for item in items if item not in others], here
        if (share := folder.share()) is not None:
            journeys = [(item, journey) for item, journey in journeys if journey.id in share.journeys]
            items[:] = [item for item, _ in journeys]
        for item in {getattr(item, "module", None): item for item, _ in journeys}.values():
            refuse_async_pages(item)
        for item, journey in journeys:
            item.stash[JOURNEY] = journey
            item.add_marker(_OF_PLAYWRIGHT)
        expected = [*(journey for _, journey in journeys), *self._uncollected]
        if not expected and not folder.begun:
            return
        try:
            if not self._config.option.collectonly:
                folder.begin()
            folder.collected(expected)
        except OSError as error:
            raise pytest.UsageError(refused_by_machine(error)) from None
        due = {journey.id for journey in due_journeys(expected, folder.run.slot, folder.run.interval_s)}
        idle = {item for item, journey in journeys if journey.id not in due}
        items[:] = [item for item in items if item not in idle]
        slot = self._config.option.synthprobe_canaries
        if slot is not None and due:
            folder_of_project = _folder(project_root(self._config), items) or session
            items[:0] = _canaries(folder_of_project, slot, browser=any("browser" in _fixtures(item) for item in items))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A journey file that cannot be imported is an unknown outcome, and one that skips itself a skipped one."""
        path = Path(os.path.normpath(self._config.rootpath / report.nodeid))
        ours = is_journey_path(self._config, path)
        redact_report(report, self._session.redactor, plain=ours)
        self._journey_broken |= report.failed and ours
        self._ordinary_broken |= report.failed and not ours
        if ours and not report.passed and not self._config.option.collectonly:
            file, journal = os.path.relpath(path, project_root(self._config)), self._session.journal
            known = journal.known_in(file)
            self._uncollected += known
            if self._writes:
                self._session.run_folder.begin()
                journal.uncollected(file, known, report, self._session.clock)

    def pytest_collection_finish(self) -> None:
        """The other journeys are run all the same; what ordinary tests do to a session is left to pytest."""
        if self._journey_broken and not self._ordinary_broken:
            self._config.option.continue_on_collection_errors = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """What was imported and collected stays: no later search for garbage goes through it again."""
        gc.freeze()

    def _journeys(self, items: Iterable[pytest.Item]) -> list[tuple[pytest.Item, Journey]]:
        return [(item, journey_of(item)) for item in items if is_journey_path(self._config, item.path)]


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


class _CanaryModule(pytest.Module):
    """The canaries have names of their own, whatever the project calls its tests."""

    def funcnamefilter(self, name: str) -> bool:
        return name.startswith("test_")


def _folder(root: Path, items: Iterable[pytest.Item]) -> pytest.Directory | None:
    """The project's folder as pytest collected it: in a larger repository its fixtures are not those of the session."""
    nodes = (node for item in items for node in item.listchain())
    return next((node for node in nodes if isinstance(node, pytest.Directory) and node.path == root), None)


def _canaries(folder: pytest.Collector, slot: int, *, browser: bool) -> list[pytest.Item]:
    from synthprobe.plugin import canaries

    module = _CanaryModule.from_parent(folder, path=Path(canaries.__file__))
    found = {getattr(item, "originalname", item.name): item for item in folder.session.genitems(module)}
    chosen = canaries.choose(list(found), slot, browser=browser)
    for name, journey in chosen.items():
        found[name].stash[JOURNEY] = journey
        found[name].add_marker(pytest.mark.flaky(reruns=0))
        found[name].add_marker(_OF_PLAYWRIGHT)
        if journey.id == MUST_FAIL:  # nobody reads its traceback, and drawing it takes long
            vars(found[name])["repr_failure"] = lambda *_, **__: ""
    return [found[name] for name in chosen]


_STEP = re.compile(r"""\bstep\(\s*[rRfFuU]*(\"{3}|'{3}|"|')(.*?)\1""", re.DOTALL)
_USER_INFO = re.compile(r"//[^/@\s]*@")


def own_names(
    config: pytest.Config, target: Target, run: tuple[Path, str], items: Iterable[pytest.Item]
) -> Iterator[str]:
    """Names of journeys, steps, targets, hosts, places and fields of evidence, and what the configuration says."""
    root = project_root(config)
    yield from (str(root), str(run[0]), run[1], _without_user(target.base_url))
    for record in vars(evidence).values():
        yield from getattr(record, "__struct_fields__", ())
    yield from map(_without_user, _texts(msgspec.to_builtins(project_of(config).config)))
    for item in items:
        yield item.nodeid
        if is_journey_path(config, item.path):
            journey = journey_of(item)
            yield from (journey.id, journey.node_id, journey.title)
    for source in _sources(root):
        for _, title in _STEP.findall(source):
            yield from re.split(r"\{.*?\}", title)


def _sources(root: Path) -> Iterator[str]:
    """The project's own modules, as far as they are imported; steps stand in helpers of journeys too."""
    inside = f"{root}{os.sep}"
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None) or ""
        if path.startswith(inside) and path.endswith(".py") and "site-packages" not in Path(path).parts:
            try:
                yield Path(path).read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                continue


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from (*_texts(key), *_texts(inner))
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _without_user(address: str) -> str:
    return _USER_INFO.sub("//", address)
