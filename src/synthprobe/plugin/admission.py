"""Whether a session of journeys, or an attempt, may begin: its target, what refuses it, its turn, where it writes."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ConfigurationError
from synthprobe.evidence.redaction import Redactor
from synthprobe.journey.guard import Guard
from synthprobe.plugin.browsers import SessionBrowsers
from synthprobe.plugin.console import capture_refusal
from synthprobe.plugin.inside_pytest import parameters
from synthprobe.plugin.options import group_of, mutates_of, project_of, target_name
from synthprobe.plugin.run_folder import RunFolder
from synthprobe.project import Project
from synthprobe.report.allure_wish import note_wish
from synthprobe.targets.authorities import own_authorities
from synthprobe.targets.guardrails import skip_reason
from synthprobe.targets.secrets import Secret
from synthprobe.targets.target import Target
from synthprobe.tools import die_with_parent

if TYPE_CHECKING:
    from filelock import BaseFileLock


_WITHOUT_ASSERTS = (
    "Python leaves out every assert here (-O, or the variable PYTHONOPTIMIZE), so a journey that calls a function of "
    "the project would pass whatever it finds. Start it without -O, and unset PYTHONOPTIMIZE."
)


def admitted_target(config: pytest.Config) -> Target:
    """The target of a session; a usage error when something stands against it."""
    project = project_of(config)
    if refusal := missing_plugin(config):
        raise pytest.UsageError(refusal)
    worker = getattr(config, "workerinput", None)
    if worker is not None and os.getppid() == worker["synthprobe_parent"]:  # not on another machine
        die_with_parent(worker["synthprobe_parent"])
    address = worker["synthprobe_base_url"] if worker is not None else config.getoption("base_url")
    try:
        target = project.config.target(target_name(config), base_url=address)
    except ConfigurationError as error:
        raise pytest.UsageError(str(error)) from None
    refusal = _WITHOUT_ASSERTS if sys.flags.optimize else browser_log_refusal(ENVIRONMENT, target.name)
    if refusal := refusal or artifact_refusal(config, project, target):
        raise pytest.UsageError(refusal)
    if not config.option.collectonly and (authorities := own_authorities(target, project.environ)):
        from synthprobe.journey.trust import authority_file  # most targets have none of their own

        ENVIRONMENT["NODE_EXTRA_CA_CERTS"] = authority_file(authorities)  # read by Playwright's driver alone
    if worker is None and (refusal := capture_refusal(config, target)):
        raise pytest.UsageError(refusal)
    return target


def directed_folder(config: pytest.Config, target: Target, scratch: Path) -> RunFolder:
    """The run's folder; where the author wants Allure's results is noted in it."""
    option = config.option
    if option.synthprobe_suspicions:  # these files are those of the run itself
        option.xmlpath, option.log_file, option.allure_report_dir = None, os.devnull, None
    folder = RunFolder.of(config, target, scratch)
    if folder.recorded and option.allure_report_dir:
        wished = Path(os.path.abspath(option.allure_report_dir))
        try:
            wished.mkdir(parents=True, exist_ok=True)
        except OSError:  # is said once the journeys are judged; Allure's plugin would end the session
            option.allure_report_dir = None
        if folder.begun and not hasattr(config, "workerinput"):
            note_wish(folder.path, wished)
        elif not hasattr(config, "workerinput"):
            folder.alluredir = wished
    return folder


def hold_attempt(item: pytest.Item, guard: Guard, browsers: SessionBrowsers) -> str:
    """Hold the next attempt to the target's guardrails, before anything is sent; why it may not run."""
    mutates, target = mutates_of(item), guard.target
    guard.mutates = mutates
    browsers.admit()
    project = project_of(item.config)
    reason = project.stopped(target) or skip_reason(target, mutates)
    if not reason and guard.pace_journey():
        reason = project.stopped(target)  # it may have been thrown meanwhile
    return reason


class GroupLock:
    """The lock of the group whose journey runs now, shared by the workers of a run through a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: BaseFileLock | None = None

    def wait(self, item: pytest.Item) -> None:
        """Wait until no other worker runs a journey of the same group; at once without a group."""
        if name := group_of(item):
            self._folder.mkdir(exist_ok=True)
            from filelock import FileLock  # most sessions have no groups, and no collection has

            self._held = FileLock(self._folder / hashlib.sha256(name.encode()).hexdigest()[:16])
            self._held.acquire(poll_interval=0.02)

    def release(self) -> None:
        if self._held is not None:
            self._held.release()


def refuse_secret_ids(items: Iterable[pytest.Item], redactor: Redactor) -> None:
    """Refuse tests whose id would carry a secret into every report."""
    for item in items:
        if (
            any(isinstance(value, Secret) for value in parameters(item).values())
            or redactor.text(item.nodeid) != item.nodeid
        ):
            raise pytest.UsageError(
                f"{item.nodeid.partition('[')[0]} is parametrised with a secret, whose value would stand in test ids. "
                "Parametrise with the secret's name, and read it in the journey: secrets[name]."
            )


def browser_log_refusal(environment: MutableMapping[str, str], target: str) -> str:
    """Why Playwright's own log, which holds everything that is typed and sent, may not be written."""
    if target == "demo" or "pw:" not in environment.get("DEBUG", ""):
        return ""
    del environment["DEBUG"]
    return (
        f"DEBUG asks for Playwright's own log, which holds every typed password, and the target is {target!r}. "
        "Unset DEBUG, or run against the demo."
    )


_NEEDED = {"base_url": ("pytest-playwright", "playwright"), "allure_report_dir": ("allure-pytest", "allure_pytest")}


def missing_plugin(config: pytest.Config) -> str:
    """Why journeys cannot run without a plugin that is switched off."""
    for option, (package, name) in _NEEDED.items():
        if not hasattr(config.option, option):
            return (
                f"Journeys need {package}, and it is switched off here (-p no:{name}, or "
                f"PYTEST_DISABLE_PLUGIN_AUTOLOAD). Remove that, or load it with -p {name}."
            )
    return ""


def refuse_async_pages(item: pytest.Item) -> None:
    """Refuse a journey that imports Playwright's asynchronous pages, which no guardrail holds and nothing records."""
    names = vars(getattr(item, "module", None) or object).values()
    homes = {getattr(value, "__module__", None) or getattr(value, "__name__", "") for value in names}
    if any(isinstance(home, str) and home.startswith("playwright.async_api") for home in homes):
        raise pytest.UsageError(
            f"{item.nodeid.partition('::')[0]} imports playwright.async_api. Its pages would not be held to the "
            "guardrails, and nothing of them would be recorded, so nothing was run. Take playwright.sync_api, and "
            "threads or asyncio.run for what happens at once: docs/guides/concurrency.md."
        )


def artifact_refusal(config: pytest.Config, project: Project, target: Target) -> str:
    """Why pytest-playwright's ``--output`` or ``--video`` cannot be obeyed in this run.

    Its ``--tracing`` and ``--screenshot`` work: they are served from our own record, and masked like it.
    """
    folder = config.getoption("--output", default="") or ""
    output = (config.invocation_params.dir / folder).resolve()
    root, kept = project.root, project.folder.resolve()
    held = [
        path for path in (root, kept, *(root / name for name in project.config.journeys)) if path.is_relative_to(output)
    ]
    if folder and (held or output.is_relative_to(kept)):
        return (
            f"--output is {folder!r}, a folder that pytest-playwright empties when a run begins, and the project's own "
            "files are in it. Give it a folder of its own, for example --output test-results."
        )
    if config.getoption("--video", default="off") != "off" and (target.production or target.mask_selectors):
        why = "is a production target" if target.production else f"hides {', '.join(target.mask_selectors)}"
        return (
            f"--video records pages as they are, nothing in it can be masked, and {target.name!r} {why}. "
            "Leave the option out; a journey that fails has a trace and a screenshot."
        )
    return ""
