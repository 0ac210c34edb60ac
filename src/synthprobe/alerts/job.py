"""The CI job a run belongs to: the one page that is there even when nothing could be published."""

from __future__ import annotations

from collections.abc import Mapping


def job_url(environ: Mapping[str, str]) -> str:
    """The address of the CI job this process runs in.

    GitHub Actions, Gitea and Forgejo say it in three variables, GitLab in one:
    <https://docs.github.com/actions/reference/workflows-and-actions/variables>,
    <https://docs.gitlab.com/ci/variables/predefined_variables/>.
    """
    parts = [environ.get(name, "") for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")]
    if all(parts):
        return f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}"
    return environ.get("CI_JOB_URL", "")
