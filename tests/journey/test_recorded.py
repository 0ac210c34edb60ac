"""A recorded script becomes a journey: steps with titles, secrets replaced, and the linter says what is left to do."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from synthprobe import ConfigurationError
from synthprobe.cli.main import app
from synthprobe.journey.recorded import journey_from

RECORDED = """
import re
from playwright.sync_api import Page, expect


def test_example(page: Page) -> None:
    page.goto("https://shop.example.org/login?next=%2F")
    page.get_by_label("User name").click()
    page.get_by_label("User name").fill("probe")
    page.get_by_label("Password").fill("hunter2-planted")
    page.get_by_label("Verification code").fill("731245")
    page.get_by_label("Zip code").fill("98101")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_text("It's \\"yours\\"")).to_be_visible()
    page.get_by_role("link", name=re.compile("^Orders")).first.click()
    page.goto("https://other.example.net/x")
    page.get_by_placeholder("Search").fill("lamp")
"""


def test_what_was_recorded_is_a_journey_with_steps_and_without_secrets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recorded.py").write_text(RECORDED)
    command = ["record", "https://shop.example.org", "--from", "recorded.py", "--to", "journeys/test_shop.py"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    made = (tmp_path / "journeys" / "test_shop.py").read_text()
    for title in ("open /login", "open /x", "fill in Search"):
        assert f'with step("{title}"):' in made, made
    assert "with step('fill in the form and press \"Log in\"'):" in made
    assert 'page.goto("/login?next=%2F")' in made
    assert 'page.goto("https://other.example.net/x")' in made
    assert 'page.get_by_label("Password").fill(secrets["password"].reveal())' in made
    assert 'page.get_by_label("Verification code").fill(otp("authenticator"))' in made
    assert '.fill("98101")' in made
    for secret in ("hunter2-planted", "731245"):
        assert secret not in made
    assert 'password = "env:PASSWORD"' in " ".join(done.output.split())
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "B,E,F,I,UP", "journeys"]
    assert subprocess.run(ruff, cwd=tmp_path, check=False).returncode == 0
    formatted = [sys.executable, "-m", "ruff", "format", "--isolated", "--check", "--diff", "journeys"]
    assert subprocess.run(formatted, cwd=tmp_path, check=False).returncode == 0

    (tmp_path / "synthprobe.toml").write_text('[targets.demo]\nbase_url = "http://127.0.0.1:9"\n')
    checked = CliRunner().invoke(app, ["doctor", "source"])
    assert (checked.exit_code, "test_recorded has no owner" in checked.output.replace("\n", " ")) == (1, True)
    again = CliRunner().invoke(app, command)
    assert "is there already and is kept" in str(again.exception)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("def test_x(:", "is no Python"),
        ("x = 1", "holds 0 functions"),
        ("def test_x():\n    pass", "Nothing was recorded"),
    ],
)
def test_what_is_no_recording_is_said(script, sentence):
    with pytest.raises(ConfigurationError, match=sentence):
        journey_from(script, "https://shop.example.org")
