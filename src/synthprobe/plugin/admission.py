"""Whether a session of journeys, or an attempt, may begin: the target it asks, what refuses it, where it writes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from synthprobe.errors import ConfigurationError
from synthprobe.journey.guard import Guard
from synthprobe.plugin.browsers import SessionBrowsers
from synthprobe.plugin.console import capture_refusal
from synthprobe.plugin.leaks import browser_log_refusal
from synthprobe.plugin.options import mutates_of, project_of, target_name
from synthprobe.plugin.other_plugins import artifact_refusal, missing_plugin
from synthprobe.plugin.run_folder import RunFolder
from synthprobe.project import ENVIRONMENT
from synthprobe.report.allure_wish import note_wish
from synthprobe.targets.authorities import own_authorities
from synthprobe.targets.guardrails import skip_reason
from synthprobe.targets.target import Target
from synthprobe.tools import die_with_parent

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
    guard.begin(mutates)
    browsers.admit()
    project = project_of(item.config)
    reason = project.stopped(target) or skip_reason(target, mutates)
    if not reason and guard.pace_journey():
        reason = project.stopped(target)  # it may have been thrown meanwhile
    return reason
