"""Other plugins of pytest: those that journeys need, and what pytest-playwright writes beside our evidence."""

from __future__ import annotations

import pytest

from synthprobe.config import Project
from synthprobe.targets.target import Target

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
