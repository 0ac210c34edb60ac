"""What a session of journeys says at its beginning and at its end."""

from __future__ import annotations

import os
from typing import Any

from synthprobe.plugin.options import project_of
from synthprobe.plugin.session import JourneySession
from synthprobe.targets.proxy_variables import proxy_note


def header(session: JourneySession) -> list[str]:
    """Against what journeys run."""
    note = proxy_note(project_of(session.config).environ, session.target)
    against = f"synthprobe: target {session.target.name} at {session.target.base_url}, run {session.run_id}"
    return [against, *([f"synthprobe: {note}"] if note else [])]


class SessionSummary:
    """The plugin object that says it."""

    def __init__(self, session: JourneySession) -> None:
        self._session = session

    def pytest_report_header(self) -> list[str]:
        """Say against what journeys run."""
        return header(self._session)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the results are."""
        session = self._session
        if session.worker == "main" and (trouble := session.run_folder.hand_over()):
            terminalreporter.write_line(f"synthprobe: {trouble}")
        if session.allure.trouble:
            terminalreporter.write_line(f"synthprobe: {session.allure.trouble} The verdict does not need them.")
        if not session.run_folder.recorded or not (session.folder / "run.json").exists():
            return
        if session.config.option.synthprobe_canaries is not None:
            terminalreporter.write_line(
                "synthprobe: one failed test is the canary, which proves that failures are seen"
            )
            return
        folder = os.path.relpath(session.folder, session.config.invocation_params.dir)
        terminalreporter.write_line(f"synthprobe: results in {folder}; see them with: synthprobe report {folder}")
