"""A browser is found, or installed, or it is said what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from synthprobe.browser.installation import driver_trouble, find_browser, install_browser, install_driver_library
from synthprobe.errors import ConfigurationError, ToolError


def script(path: Path, says: str = "exit 0") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    folder = tmp_path / "driver"
    (folder / "package").mkdir(parents=True)
    browsers = [{"name": "chromium", "revision": "1255"}, {"name": "chromium-headless-shell", "revision": "1255"}]
    (folder / "package" / "browsers.json").write_text(json.dumps({"browsers": browsers}))
    return folder


def test_the_order_is_configured_then_download_then_path(tmp_path: Path, driver: Path) -> None:
    environ = {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}
    assert find_browser(None, environ, driver=driver) is None
    chromium = script(tmp_path / "bin" / "chromium")
    found = find_browser(None, environ, driver=driver)
    assert found is not None
    assert found.path == chromium
    chrome = script(tmp_path / "bin" / "google-chrome")
    found = find_browser(None, environ, driver=driver)
    assert found is not None
    assert found.path == chrome
    shell = script(tmp_path / "bin" / "chromium-headless-shell")
    found = find_browser("", environ, driver=driver)
    assert found is not None
    assert found.path == shell
    download = tmp_path / ".cache" / "ms-playwright" / "chromium_headless_shell-1255"
    script(download / "chrome-headless-shell-linux64" / "chrome-headless-shell")
    found = find_browser(None, environ, driver=driver)
    assert found is not None
    assert found.path == shell, "a download that is not complete is not used"
    (download / "INSTALLATION_COMPLETE").touch()
    found = find_browser(None, environ, driver=driver)
    assert found is not None
    assert found.path is None
    assert str(download) in found.why
    found = find_browser(str(chromium), environ, driver=driver)
    assert found is not None
    assert found.path == chromium


def test_a_download_in_the_named_folder_is_found(tmp_path: Path, driver: Path) -> None:
    download = tmp_path / "browsers" / "chromium-1255"
    script(download / "chrome-linux64" / "chrome")
    (download / "INSTALLATION_COMPLETE").touch()
    environ = {"PATH": "", "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "browsers")}
    found = find_browser(None, environ, driver=driver)
    assert found is not None
    assert found.name == "Chrome for Testing"


def test_a_configured_browser_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="Correct the setting"):
        find_browser(str(tmp_path / "none"), {"PATH": ""})


def test_the_package_is_installed_when_the_download_fails(tmp_path: Path) -> None:
    log = tmp_path / "log"
    python = script(tmp_path / "python", "echo 'Error: getaddrinfo ENOTFOUND'; exit 1")
    script(tmp_path / "bin" / "apt-get", f'echo "$*" >> {log}')
    messages: list[str] = []
    install_browser(messages.append, environ={"PATH": f"{tmp_path / 'bin'}:/bin"}, python=str(python), root=True)
    assert log.read_text().splitlines() == ["update", "install -y chromium-headless-shell"]
    assert any("ENOTFOUND" in line for line in messages)


def test_without_root_sudo_is_asked_and_never_waits_for_a_password(tmp_path: Path) -> None:
    log = tmp_path / "log"
    python = script(tmp_path / "python", "exit 1")
    script(tmp_path / "bin" / "apt-get")
    script(tmp_path / "bin" / "sudo", f'echo "$*" >> {log}')
    install_browser(print, environ={"PATH": f"{tmp_path / 'bin'}:/bin"}, python=str(python), root=False)
    assert log.read_text().splitlines()[-1].startswith("-n ")


def test_when_nothing_works_it_says_what_to_do(tmp_path: Path) -> None:
    python = script(tmp_path / "python", "exec /bin/sleep 5")
    with pytest.raises(ToolError, match=r"no end after 0\.2 s; apt-get: not on this machine.*Install Chrome"):
        install_browser(print, environ={"PATH": str(tmp_path / "bin")}, python=str(python), timeout_s=0.2)


BARE = (
    'test -e "$0.library" && exit 0; echo "node: error while loading shared libraries: libatomic.so.1: gone"; exit 127'
)


def test_the_library_that_playwrights_driver_misses_on_a_bare_system_is_installed(tmp_path: Path, driver: Path) -> None:
    node, messages = script(driver / "node", BARE), []
    script(tmp_path / "bin" / "apt-get", f'test "$*" = "install -y libatomic1" && touch {node}.library; exit 0')
    assert "libatomic.so.1" in driver_trouble(driver)
    install_driver_library(
        messages.append, driver=driver, environ={"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}, root=True
    )
    assert messages == ["Installing libatomic1 with apt-get: Playwright's driver needs it."]
    assert driver_trouble(driver) == ""


def test_a_driver_that_does_not_start_says_what_to_install(tmp_path: Path, driver: Path) -> None:
    script(driver / "node", BARE)
    with pytest.raises(ToolError, match=r"libatomic\.so\.1: gone\. .*package manager, on Debian and Ubuntu libatomic1"):
        install_driver_library(print, driver=driver, environ={"PATH": ""}, root=True)
