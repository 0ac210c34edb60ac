"""What the environment of this process says: it is read here alone, and handed down by a project."""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import NamedTuple

ENVIRONMENT: MutableMapping[str, str] = os.environ
"""The environment of this process, for what is done without a `Project`, which has it as `environ`."""


def cache_folder() -> Path:
    """The user's folder for what is made once and could be made again."""
    home = Path(ENVIRONMENT.get("HOME") or "~").expanduser()
    return Path(ENVIRONMENT.get("XDG_CACHE_HOME") or home / ".cache") / "synthprobe"


class CiJob(NamedTuple):
    """What a CI says of the job that a process runs in; empty elsewhere."""

    is_there: bool
    address: str
    page: str
    outputs: str

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> CiJob:
        """The job, as its variables say.

        GitHub Actions, Gitea and Forgejo say its address in three variables, GitLab in one:
        <https://docs.github.com/actions/reference/workflows-and-actions/variables>,
        <https://docs.gitlab.com/ci/variables/predefined_variables/>.
        """
        parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
        address = "{}/{}/actions/runs/{}".format(*parts) if all(parts) else environ.get("CI_JOB_URL", "")
        files = (environ.get(name, "") for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"))
        return cls(bool(environ.get("CI")), address, *files)
