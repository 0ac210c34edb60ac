"""Runs the tests of other pytest plugins with and without synthprobe installed, and says what differs.

    python tests/peers/peers.py [NAME ...] [--keep FOLDER]

The tests come from each plugin's source distribution, of the version that is installed here, by ``pip download``. Both
environments are alike but for synthprobe: a folder of links to what is installed, with and without it. Exit code 0: no
difference. 1: a test ended otherwise. 2: the tests could not be had, or could not be run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

PEERS = ("pytest-rerunfailures", "pytest-timeout", "pytest-xdist", "pytest-playwright", "allure-pytest")
_OURS = "synthprobe"
_PATTERNS = ("test_*.py", "*_test.py")
_DOWNLOAD_S, _SUITE_S = 300, 1_500


class Trouble(Exception):
    """The comparison could not be made; the message is a sentence."""


class Comparison(NamedTuple):
    """How the tests of a peer ended.

    Attributes:
        peer: name and version.
        without: the outcome of each test where synthprobe is not installed.
        beside: the same where it is.
    """

    peer: str
    without: dict[str, str]
    beside: dict[str, str]

    @property
    def differences(self) -> list[str]:
        """Each test that ended otherwise, as a line."""
        names = sorted(self.without.keys() | self.beside.keys())
        ends = [(name, self.without.get(name, "not there"), self.beside.get(name, "not there")) for name in names]
        return [f"{name}: {before} without, {after} with" for name, before, after in ends if before != after]

    def __str__(self) -> str:
        passed = [list(ends.values()).count("passed") for ends in (self.without, self.beside)]
        return (
            f"{self.peer}: {len(self.without)} tests, {passed[0]} pass without synthprobe, {passed[1]} with it, "
            f"{len(self.differences)} differences"
        )


def source_of(name: str, keep: Path) -> Path | None:
    """The unpacked source distribution of a plugin, in the version that is installed.

    Args:
        name: the plugin's name on the registry.
        keep: where source distributions are kept for the next time.

    Returns:
        Its folder; nothing when it brings no tests.

    Raises:
        Trouble: when it is not installed, or cannot be downloaded.
    """
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        raise Trouble(f"{name} is not installed here, so its tests cannot be run. Install it first.") from None
    pattern = f"{name.replace('-', '[-_]')}-{version}.tar.gz"
    keep.mkdir(parents=True, exist_ok=True)
    if not list(keep.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run(
            [*command, "--no-binary", ":all:", f"{name}=={version}", "--dest", str(keep)],
            capture_output=True,
            text=True,
            timeout=_DOWNLOAD_S,
            check=False,
        )
        if done.returncode or not list(keep.glob(pattern)):
            reason = next(
                (line for line in done.stderr.splitlines() if line.startswith("ERROR")), "no reason was given"
            )
            raise Trouble(
                f"The source distribution of {name} {version} could not be downloaded ({reason}), so nothing is known "
                f"of its tests. Put {name}-{version}.tar.gz into {keep}, or try where the registry can be reached."
            )
    folder = Path(tempfile.mkdtemp(prefix="peers-"))
    with tarfile.open(next(keep.glob(pattern))) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.iterdir()
    return unpacked if test_files(unpacked) else None


def test_files(source: Path) -> list[str]:
    """The files with tests of a source distribution, but for its examples."""
    found = {path for pattern in _PATTERNS for path in source.rglob(pattern)}
    return sorted(str(path.relative_to(source)) for path in found if "example" not in path.relative_to(source).parts)


def environment(folder: Path, *, beside: bool) -> Path:
    """A virtual environment with all that is installed here.

    Args:
        folder: where it is made.
        beside: whether synthprobe is among it.

    Returns:
        Its Python.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python*/site-packages")
    for place in {Path(entry) for entry in sys.path if Path(entry).name in {"site-packages", "dist-packages"}}:
        for entry in place.iterdir():
            if (beside or _OURS not in entry.name.lower()) and not (site / entry.name).exists():
                (site / entry.name).symlink_to(entry)
    return python


def outcomes(python: Path, source: Path, names: Sequence[str], keyword: str = "") -> dict[str, str]:
    """Run tests.

    Args:
        python: of the environment.
        source: the unpacked source distribution.
        names: the files to run.
        keyword: which of their tests, as pytest's `-k` takes it; all without.

    Returns:
        The outcome of each test by its name.

    Raises:
        Trouble: when they could not be collected.
    """
    report = python.parent / "report.xml"
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "junit_family=xunit2",
        f"--basetemp={python.parent / 'tmp'}",
        "-k",
        keyword,
    ]
    done = subprocess.run(
        [str(python), "-m", "pytest", *names, *options, f"--junitxml={report}"],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=_SUITE_S,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))},
    )
    if done.returncode not in {0, 1} or not report.exists():
        raise Trouble(f"The tests of {source.name} could not be run:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    found = {}
    for case in ElementTree.parse(report).iter("testcase"):
        ends = {child.tag for child in case} & {"failure", "error", "skipped"}
        found[f"{case.get('classname')}.{case.get('name')}"] = ", ".join(sorted(ends)) or "passed"
    return found


def compare(name: str, keep: Path, files: Sequence[str] = (), keyword: str = "") -> Comparison | None:
    """Run a plugin's tests in both environments; a test that depends on luck is looked at once more.

    Args:
        name: the plugin's name on the registry.
        keep: where source distributions are kept.
        files: parts of names of the files to run; all without it.
        keyword: which of their tests, as pytest's `-k` takes it; all without.

    Returns:
        How they ended; nothing when its source distribution brings no tests.
    """
    source = source_of(name, keep)
    if source is None:
        return None
    names = [file for file in test_files(source) if not files or any(part in file for part in files)]
    with tempfile.TemporaryDirectory(prefix="peers-") as place:
        without, beside = (environment(Path(place) / str(both), beside=both) for both in (False, True))
        first = Comparison(
            source.name, outcomes(without, source, names, keyword), outcomes(beside, source, names, keyword)
        )
        if not first.differences:
            return first
        second = Comparison(
            source.name, outcomes(without, source, names, keyword), outcomes(beside, source, names, keyword)
        )
        steady = {line.split(": ")[0] for line in first.differences} & {
            line.split(": ")[0] for line in second.differences
        }
        return Comparison(
            source.name,
            first.without,
            {test: end if test in steady else first.without.get(test, end) for test, end in first.beside.items()},
        )


def main(arguments: Sequence[str]) -> int:
    """Compare, and print a line for each plugin and each difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=PEERS, metavar="NAME", help=f"plugins; {', '.join(PEERS)} without")
    parser.add_argument("--keep", type=Path, default=Path.home() / ".cache" / _OURS / "peers")
    parser.add_argument("--file", action="append", default=[], help="part of the name of a file to run; all without")
    parser.add_argument("-k", dest="keyword", default="", help="which tests of them to run, as pytest takes it")
    given = parser.parse_args(arguments)
    code = 0
    for name in given.names:
        try:
            found = compare(name, given.keep, given.file, given.keyword)
        except (Trouble, subprocess.TimeoutExpired) as trouble:
            print(f"{name}: {trouble}", flush=True)
            code = 2
            continue
        if found is None:
            print(f"{name}: its source distribution brings no tests", flush=True)
            continue
        print(found, *found.differences, sep="\n  ", flush=True)
        code = max(code, 1 if found.differences else 0)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
