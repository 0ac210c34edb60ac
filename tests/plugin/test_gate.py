"""Where nothing is of ours the plugin adds options and no more; where something is, no journey runs unguarded."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from synthprobe import loopback

MODULES = """
import sys
def pytest_sessionfinish(session):
    ours = sorted(name for name in sys.modules if name.split(".")[0] == "synthprobe")
    option = session.config.option
    print("\\nLOADED", len(ours), ours)
    print("OPTIONS", option.continue_on_collection_errors, option.tbstyle, option.base_url, option.allure_report_dir)
"""


class Ran:
    def __init__(self, folder: Path, *arguments: str, command: str = "pytest") -> None:
        done = subprocess.run(
            [sys.executable, "-m", command, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
        )
        self.code, self.output = done.returncode, done.stdout + done.stderr


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def posted() -> Iterator[list[str]]:
    """The paths that were posted to a system, whose address is the first entry."""
    seen: list[str] = []

    class Answers(loopback.Handler):
        def do_POST(self) -> None:
            seen.append(self.path)
            self.answer(201)

    with loopback.served(Answers) as url:
        seen.append(url)
        yield seen


def watched(address: str) -> str:
    return f'default_target = "live"\n[targets.live]\nbase_url = "{address}"\nproduction = true\nread_only = true\n'


POSTS = "def test_order(api):\n    api.post('/orders')\n"


def test_a_project_without_journeys_keeps_its_names_options_and_exit_codes(tmp_path):
    names = ("target", "api", "secrets", "redactor", "testdata", "new_api", "open_api")
    fixtures = "".join(f"@pytest.fixture\ndef {name}(): return 'own {name}'\n" for name in names)
    write(
        tmp_path,
        {
            "own.py": f"import pytest\n{fixtures}{MODULES}",
            "conftest.py": "def pytest_addoption(parser):\n    parser.addoption('--target', default='own')\n"
            "    parser.addoption('--run-folder', action='store_true')\n",
            "test_own.py": f"def test_own(pytestconfig, {', '.join(names)}):\n"
            "    assert [target, api, testdata] == ['own target', 'own api', 'own testdata']\n"
            "    assert pytestconfig.getoption('--target') == 'shelf'\n"
            "    assert pytestconfig.getoption('--run-folder') is True\n",
        },
    )
    before = set(tmp_path.iterdir())
    ran = Ran(tmp_path, "-p", "own", "--target", "shelf", "--run-folder", "-p", "no:cacheprovider")
    assert (ran.code, "1 passed" in ran.output) == (0, True), ran.output
    loaded = next(line for line in ran.output.splitlines() if line.startswith("LOADED"))
    assert int(loaded.split()[1]) <= 5, loaded
    assert "OPTIONS False auto None None" in ran.output
    assert {path.name for path in set(tmp_path.iterdir()) - before} <= {"__pycache__"}


def test_a_broken_file_of_a_parent_folder_concerns_nobody(tmp_path):
    write(
        tmp_path,
        {
            "pyproject.toml": '[project\nname = "synthprobe-user"\n',
            "inner/pytest.ini": "[pytest]\n",
            "inner/journeys/test_own.py": "def test_own():\n    pass\n",
        },
    )
    ran = Ran(tmp_path / "inner", "-p", "no:cacheprovider")
    assert (ran.code, "1 passed" in ran.output) == (0, True), ran.output
    assert "No synthprobe.toml here. Begin with: synthprobe init, or change to the folder of the project." in ran.output
    refused = Ran(tmp_path / "inner", "run", command="synthprobe")
    assert (refused.code, refused.output) == (
        2,
        "synthprobe: No synthprobe.toml here. Begin with: synthprobe init, or change to the folder of the project.\n",
    )
    refused = Ran(tmp_path / "inner", "--target", "demo")
    assert (refused.code, "No synthprobe.toml here" in refused.output) == (4, True), refused.output
    assert not (tmp_path / "inner" / ".synthprobe").exists()


def test_an_option_of_the_project_wins_and_ours_has_a_second_name(tmp_path, posted):
    """An address that the project gives its ordinary tests is none of a target's."""
    write(
        tmp_path,
        {
            "pytest.ini": "[pytest]\naddopts = --base-url=http://127.0.0.1:1\n",
            "synthprobe.toml": watched(posted[0]) + '[targets.other]\nbase_url = "http://other.invalid"\n',
            "conftest.py": "def pytest_addoption(parser):\n    parser.addoption('--target', default='own')\n",
            "journeys/test_it.py": "def test_it(pytestconfig, target):\n"
            "    assert (pytestconfig.getoption('--target'), target.name) == ('shelf', 'other')\n"
            "    assert target.base_url == 'http://other.invalid'\n",
        },
    )
    ran = Ran(tmp_path, "journeys", "--target", "shelf", "--synthprobe-target", "other")
    assert ran.code == 0, ran.output
    named = Ran(tmp_path, "journeys", "--synthprobe-target", "othr")
    assert (named.code, "Did you mean 'other'?" in named.output) == (4, True), named.output


@pytest.mark.parametrize(
    ("start", "arguments"),
    [
        ("repository", ["probes/journeys/test_orders.py::test_order"]),
        ("repository", ["-n", "1"]),
        ("elsewhere", ["linked"]),
        ("elsewhere", ["../repository/probes", "--rootdir", "."]),
    ],
)
def test_a_journey_is_held_to_its_target_whatever_the_root_of_pytest_is(tmp_path, posted, start, arguments):
    write(
        tmp_path,
        {
            "repository/pytest.ini": "[pytest]\n",
            "repository/test_unit.py": "def test_unit():\n    pass\n",
            "repository/probes/synthprobe.toml": watched(posted[0]),
            "repository/probes/journeys/test_orders.py": POSTS,
            "elsewhere/pytest.ini": "[pytest]\n",
        },
    )
    (tmp_path / "elsewhere" / "linked").symlink_to(tmp_path / "repository" / "probes" / "journeys")
    ran = Ran(tmp_path / start, *arguments, "-p", "no:cacheprovider")
    assert ran.code == 1, ran.output
    assert posted[1:] == []
    assert "read-only" in ran.output or "would hold it to its target's guardrails" in ran.output, ran.output
    assert ("1 passed" in ran.output) == (start == "repository" and arguments in ([], ["-n", "1"])), ran.output


def test_journeys_of_two_projects_are_not_run_with_the_guardrails_of_one(tmp_path, posted):
    for name in ("first", "second"):
        write(tmp_path, {f"{name}/synthprobe.toml": watched(posted[0]), f"{name}/journeys/test_{name}.py": POSTS})
    ran = Ran(tmp_path, "-p", "no:cacheprovider")
    assert (ran.code, posted[1:]) == (1, []), ran.output
    assert f"is a journey of the project in {tmp_path / 'second'}" in ran.output


def test_ordinary_tests_beside_journeys_keep_the_manners_of_pytest(tmp_path, posted):
    write(
        tmp_path,
        {
            "synthprobe.toml": watched(posted[0]),
            "journeys/test_fine.py": "def test_fine(target):\n    assert target\n",
            "tests/test_long.py": "def wrong(number):\n    assert number == 2\n\n\ndef test_long():\n    wrong(1)\n",
        },
    )
    ran = Ran(tmp_path, "-p", "no:cacheprovider", "tests", "journeys")
    assert (ran.code, "1 failed, 1 passed" in ran.output) == (1, True), ran.output
    assert "def wrong(number):" in ran.output, "pytest shows the whole function of the first and last entry"
    write(tmp_path, {"tests/test_broken.py": "import nothing_of_that_name\n"})
    ran = Ran(tmp_path, "-p", "no:cacheprovider", "tests", "journeys")
    assert (ran.code, "Interrupted: 1 error during collection" in ran.output) == (2, True), ran.output
    write(tmp_path, {"tests/test_broken.py": "", "journeys/test_unreadable.py": "import nothing_of_that_name\n"})
    ran = Ran(tmp_path, "-p", "no:cacheprovider", "journeys")
    assert (ran.code, "1 passed, 1 error" in ran.output) == (1, True), ran.output


def test_what_init_makes_runs_inside_a_repository_with_a_pytest_configuration(tmp_path):
    write(tmp_path, {"pyproject.toml": '[tool.pytest.ini_options]\naddopts = ["--strict-markers"]\n'})
    assert Ran(tmp_path, "init", "--demo", "probes", command="synthprobe").code == 0
    (tmp_path / "probes" / "journeys" / "test_example.py").write_text(
        "import pytest\n@pytest.mark.journey(owner='desk')\ndef test_ready(api):\n    api.get('/readyz').expect(200)\n"
    )
    ran = Ran(tmp_path / "probes", "run", command="synthprobe")
    assert (ran.code, "The only journey passes on demo" in ran.output) == (0, True), ran.output


def test_a_project_may_stand_in_a_folder_of_any_name(tmp_path, posted):
    folder = tmp_path / "50% off? issue #7 née"
    write(
        folder,
        {
            "synthprobe.toml": watched(posted[0]),
            "journeys/test_it.py": "def test_fine(target):\n    assert target.read_only\n" + POSTS,
        },
    )
    ran = Ran(folder, "run", command="synthprobe")
    assert (ran.code, posted[1:]) == (3, []), ran.output
    assert "1 of 2 journeys could not be checked" in ran.output
    assert "note: " not in ran.output
    assert (folder / ".synthprobe" / "history.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name], "nothing is written beside it"
