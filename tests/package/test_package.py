"""What is uploaded: PyPI takes it, nothing else is in it, its links lead to the release, and its parts are listed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from importlib.metadata import distribution, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
FORGE = "https://forge.example/team/synthprobe"


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist, as the release workflow builds them."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", os.fspath(folder)]
    environ = {**os.environ, "SYNTHPROBE_REPOSITORY": FORGE}
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=250, env=environ)
    return folder


@pytest.fixture(scope="module")
def metadata(dist: Path) -> Message:
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
        return message_from_bytes(wheel.read(name))


def test_pypi_takes_both_and_the_wheel_holds_the_two_packages_only(dist: Path) -> None:
    files = [os.fspath(path) for path in sorted(dist.iterdir())]
    assert len(files) == 2
    for command in (["twine", "check", "--strict", *files], ["check-wheel-contents", *files[:1]]):
        tool = [os.fspath(BIN / command[0]), *command[1:]]
        done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, timeout=250, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_says_that_it_is_typed(dist: Path) -> None:
    """Without the marker mypy takes all of it for untyped (PEP 561)."""
    with zipfile.ZipFile(next(dist.glob("*.whl"))) as wheel:
        assert "synthprobe/py.typed" in wheel.namelist()


def test_each_link_and_picture_of_its_page_leads_to_the_release(metadata: Message) -> None:
    text, tag = str(metadata.get_payload()), f"v{metadata['Version']}"
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    pictures = re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)", text)
    assert pictures
    assert [picture for picture in pictures if not picture.startswith(f"{FORGE}/raw/{tag}/docs/images/")] == []
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL", []))
    assert set(urls) == {"Documentation", "Source", "Changelog", "Issues"}
    for address in (*urls.values(), *links):
        place = address.partition(f"/{tag}/")[2]
        assert not place or (ROOT / place).exists(), address


def test_every_extra_is_explained(metadata: Message) -> None:
    page = (ROOT / "docs" / "guides" / "install.md").read_text()
    assert set(re.findall(r"^\| `synthprobe\[(\w+)\]` \|", page, re.MULTILINE)) == set(
        metadata.get_all("Provides-Extra")
    )


def test_each_extra_is_named_where_it_is_missed(metadata: Message) -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    named = set(re.findall(r'\b(?:needs|missing)\("(\w+)"', source))
    assert named | {"demo"} == set(metadata.get_all("Provides-Extra"))


def test_without_the_extra_no_route_is_taken_for_one_that_works(tmp_path: Path) -> None:
    (tmp_path / "synthprobe.toml").write_text(
        '[targets.demo]\nbase_url = "https://shop.example"\n'
        '[[alerts.routes]]\nname = "all"\nto = ["env:PAGER"]\nsecond = ["env:PAGER"]\n'
    )
    code = "import sys; sys.modules['apprise'] = None; from synthprobe.cli.main import main; main()"
    for words, leaves in (("doctor", "routes"), 1), (("alert", "--test"), 1):
        start = [sys.executable, "-c", code, *words]
        environ = {**os.environ, "PAGER": "json://localhost", "COLUMNS": "200"}
        done = subprocess.run(
            start, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=250, check=False
        )
        text = done.stdout + done.stderr
        assert (done.returncode, "pip install 'synthprobe[alerts]'" in text) == (leaves, True), text


def test_a_plain_install_is_small() -> None:
    list_parts = [sys.executable, os.fspath(ROOT / ".ci" / "sbom")]
    done = subprocess.run(list_parts, capture_output=True, text=True, timeout=250, check=True)
    names = [part["name"] for part in json.loads(done.stdout)["components"]]
    assert len(names) <= 45, names
    files = [Path(str(file.locate())) for name in names for file in distribution(name).files or ()]
    assert sum(path.stat().st_size for path in files if path.is_file()) <= 250_000_000


def test_what_it_brings_along_is_listed_with_versions() -> None:
    list_parts = [sys.executable, os.fspath(ROOT / ".ci" / "sbom"), "postgres"]
    done = subprocess.run(list_parts, capture_output=True, text=True, timeout=250, check=True)
    parts = {part["name"]: part for part in json.loads(done.stdout)["components"]}
    assert {"playwright", "pytest", "sqlalchemy", "psycopg", "urllib3"} <= parts.keys()
    assert not {"ruff", "mypy", "starlette", "opentelemetry-sdk"} & parts.keys()
    assert parts["requests"]["purl"] == f"pkg:pypi/requests@{version('requests')}"
