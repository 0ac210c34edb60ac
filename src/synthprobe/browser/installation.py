"""Which browser the journeys use on this machine, and how one is installed when there is none.

Nothing here starts Playwright: looking takes a few milliseconds, so it can be done on every run.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from synthprobe.environment import ENVIRONMENT
from synthprobe.errors import ConfigurationError, ToolError
from synthprobe.tools import tool_failure

DOWNLOAD_S = 300.0
"""Seconds Playwright's own download may take."""
PACKAGE_S = 600.0
"""Seconds the operating system's package manager may take."""

_ON_PATH = (
    ("chromium-headless-shell", "Chromium headless shell"),
    ("google-chrome", "Google Chrome"),
    ("google-chrome-stable", "Google Chrome"),
    ("chromium", "Chromium"),
    ("chromium-browser", "Chromium"),
)
_DOWNLOADED = (("chromium-headless-shell", "Chrome headless shell"), ("chromium", "Chrome for Testing"))
_START_S = 20.0
_LIBRARIES = {"libatomic.so.1": "libatomic1", "libstdc++.so.6": "libstdc++6"}
"""Packages of Debian and Ubuntu with what Playwright's driver needs, by the library's name."""
_SHOWS_TEXT = """
import sys
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    try:
        page = playwright.chromium.launch(executable_path=sys.argv[1] or None).new_page()
        page.set_content("<h1>alive</h1>", timeout=20_000)
        page.get_by_text("alive").wait_for(timeout=20_000)
        page.screenshot(timeout=20_000)
    except Exception as error:
        sys.exit(str(error).splitlines()[0].rstrip("."))
"""
_SHOW_S = 60.0
_EXECUTABLES = {"chrome", "chrome-headless-shell", "headless_shell", "Google Chrome for Testing", "Chromium"}


class Browser(Struct, frozen=True, kw_only=True):
    """A browser that is there."""

    path: Path | None
    name: str
    why: str


def find_browser(
    configured: str | None = None,
    environ: Mapping[str, str] = ENVIRONMENT,
    *,
    driver: Path | None = None,
) -> Browser | None:
    """Find the browser to use.

    The order: the configured path, Playwright's own download, `chromium-headless-shell`, Chrome, Chromium.
    """
    search = environ.get("PATH", "")
    if configured:
        found = shutil.which(os.path.expanduser(configured), path=search)
        if found is None:
            raise ConfigurationError(
                f"The configured browser {configured!r} is not an executable file. The path of a Chromium-based"
                " browser was expected. Correct the setting, or remove it to let synthprobe find one."
            )
        return Browser(path=Path(found), name=Path(found).name, why=f"{found} is configured.")
    for folder, name in _downloads(environ, driver or _driver()):
        if _complete(folder):
            return Browser(path=None, name=name, why=f"Playwright's own download is in {folder}.")
    for command, name in _ON_PATH:
        found = shutil.which(command, path=search)
        if found is not None:
            return Browser(path=Path(found), name=name, why=f"{command} is on PATH as {found}.")
    return None


def install_browser(
    report: Callable[[str], None],
    *,
    environ: Mapping[str, str] = ENVIRONMENT,
    python: str = sys.executable,
    root: bool | None = None,
    timeout_s: float = DOWNLOAD_S,
) -> None:
    """Install a browser: Playwright's own download, or else the operating system's package."""
    playwright = [python, "-m", "playwright", "install", "--only-shell", "--with-deps", "chromium"]
    report("Downloading Playwright's headless Chromium.")
    reason = tool_failure(playwright, timeout_s=timeout_s, environ=environ)
    if not reason:
        return
    report(f"Playwright's download did not work: {reason}")
    attempts = [f"Playwright's download: {reason}"]
    apt = shutil.which("apt-get", path=environ.get("PATH", ""))
    if apt is None:
        attempts.append("apt-get: not on this machine")
    else:
        report("Installing chromium-headless-shell with apt-get.")
        reason = _apt_install(apt, "chromium-headless-shell", environ, root)
        if not reason:
            return
        report(f"apt-get did not work: {reason}")
        attempts.append(f"apt-get: {reason}")
    raise ToolError(
        "No browser could be installed (" + "; ".join(attempts) + "). A Chromium-based browser is needed for"
        " browser journeys. Install Chrome or Chromium with this machine's package manager so that it is on PATH,"
        " or configure the path of one that is there."
    )


def driver_trouble(driver: Path | None = None) -> str:
    """Why Playwright's driver, through which every browser is steered, does not start on this machine."""
    node = ENVIRONMENT.get("PLAYWRIGHT_NODEJS_PATH") or str((driver or _driver()) / "node")
    return tool_failure([node, "--version"], timeout_s=_START_S)


def browser_trouble(browser: Browser) -> str:
    """Why a browser shows no text on this machine: libraries or fonts that are missing end it, or leave pages empty."""
    shows = [sys.executable, "-c", _SHOWS_TEXT, str(browser.path or "")]
    return tool_failure(shows, timeout_s=_SHOW_S)


def install_driver_library(
    report: Callable[[str], None],
    *,
    driver: Path | None = None,
    environ: Mapping[str, str] = ENVIRONMENT,
    root: bool | None = None,
) -> None:
    """Install the library that Playwright's driver misses on a bare system."""
    reason = driver_trouble(driver)
    package = next((package for library, package in _LIBRARIES.items() if library in reason), "")
    apt = shutil.which("apt-get", path=environ.get("PATH", ""))
    if package and apt:
        report(f"Installing {package} with apt-get: Playwright's driver needs it.")
        _apt_install(apt, package, environ, root)
    if reason := driver_trouble(driver):
        raise ToolError(
            f"Playwright's driver does not start: {reason}. Without it no browser journey runs. Install what is "
            f"missing with this machine's package manager{f', on Debian and Ubuntu {package}' if package else ''}."
        )


def _apt_install(apt: str, package: str, environ: Mapping[str, str], root: bool | None) -> str:
    """Install a package of the operating system; why it could not be."""
    prefix = [] if (os.geteuid() == 0 if root is None else root) else ["sudo", "-n"]
    # A stale package list is no reason to stop: the install itself tells.
    tool_failure([*prefix, apt, "update"], timeout_s=PACKAGE_S, environ=environ)
    return tool_failure([*prefix, apt, "install", "-y", package], timeout_s=PACKAGE_S, environ=environ)


def _driver() -> Path:
    """The driver folder inside the installed Playwright package, found without importing it."""
    spec = importlib.util.find_spec("playwright")
    if spec is None or spec.origin is None:
        raise ToolError(
            "The Python package playwright is not installed. It comes with synthprobe; install synthprobe again."
        )
    return Path(spec.origin).parent / "driver"


def _downloads(environ: Mapping[str, str], driver: Path) -> Iterator[tuple[Path, str]]:
    """The folders in which the installed Playwright version looks for its Chromium downloads."""
    try:
        listed = json.loads((driver / "package" / "browsers.json").read_text("utf-8"))["browsers"]
        revisions = {entry["name"]: entry["revision"] for entry in listed}
    except (OSError, ValueError, KeyError, TypeError):
        return
    for browser, name in _DOWNLOADED:
        if browser in revisions:
            yield _download_folder(environ, driver) / f"{browser.replace('-', '_')}-{revisions[browser]}", name


def has_ffmpeg() -> bool:
    """Whether Playwright can record videos on this machine."""
    return any(_download_folder(ENVIRONMENT, _driver()).glob("ffmpeg-*/ffmpeg-*"))


def _download_folder(environ: Mapping[str, str], driver: Path) -> Path:
    """Where the installed Playwright keeps what it downloads."""
    setting = environ.get("PLAYWRIGHT_BROWSERS_PATH", "")
    if setting == "0":
        return driver / "package" / ".local-browsers"
    if setting:
        return Path(setting).expanduser()
    home = Path(environ.get("HOME", "~")).expanduser()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "ms-playwright"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "ms-playwright"


def _complete(folder: Path) -> bool:
    """Whether a download is finished: Playwright's own mark is there and so is an executable."""
    if not (folder / "INSTALLATION_COMPLETE").is_file():
        return False
    patterns = ("*/*", "*/*.app/Contents/MacOS/*")
    return any(
        found.name in _EXECUTABLES and os.access(found, os.X_OK)
        for pattern in patterns
        for found in folder.glob(pattern)
    )
