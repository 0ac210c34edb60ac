"""Node, npm and Allure are found, or it is said what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from synthprobe.errors import ToolError
from synthprobe.report import node


def script(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


def test_the_systems_node_is_used_when_it_is_new_enough(tmp_path: Path, monkeypatch) -> None:
    new = script(tmp_path / "new" / "node", "echo v24.1.0")
    old = script(tmp_path / "old" / "node", "echo v20.20.2")
    monkeypatch.setenv("PATH", str(new.parent))
    assert node.find_node() == new
    monkeypatch.setenv("PATH", str(old.parent))
    found = node.find_node()
    assert found is not None
    assert found.parts[-3:] == ("playwright", "driver", "node")


def test_a_named_node_must_work(tmp_path: Path, monkeypatch) -> None:
    new = script(tmp_path / "node", "echo v22.0.0")
    monkeypatch.setenv("SYNTHPROBE_NODE", str(new))
    assert node.find_node() == new
    monkeypatch.setenv("SYNTHPROBE_NODE", str(tmp_path / "none"))
    with pytest.raises(ToolError, match="unset it"):
        node.find_node()


def test_a_failing_npm_leaves_nothing_behind_and_says_what_to_do(tmp_path: Path, monkeypatch) -> None:
    npm = script(tmp_path / "bin" / "npm", "echo 'npm error code E503'; exit 1")
    monkeypatch.setenv("PATH", str(npm.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(ToolError, match=r"npm error code E503.*Check the network"):
        node.install_allure(lambda _: None)
    assert list((tmp_path / "cache" / "synthprobe").iterdir()) == []
    assert node.find_allure() is None


def test_an_installed_allure_is_found_without_asking_npm(allure: list[str]) -> None:
    assert node.find_allure() == allure
    assert node.install_allure(pytest.fail) == allure


def test_the_lock_file_pins_allure_and_names_no_host() -> None:
    lock = Path(node.__file__).parent / "allure_npm" / "package-lock.json"
    packages = json.loads(lock.read_text())["packages"]
    assert packages["node_modules/allure"]["version"] == node.allure_version()
    assert all(re.match("sha512-", entry["integrity"]) for name, entry in packages.items() if name)
    assert not [entry for entry in packages.values() if "resolved" in entry]
