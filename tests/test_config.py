"""Every wrong configuration is answered with a sentence that names the key."""

from pathlib import Path

import pytest

from synthprobe import ConfigurationError
from synthprobe.config import read_config

BAD = [
    ("default_taget = 'x'", "unknown key 'default_taget'. Did you mean 'default_target'?"),
    ("[targets.a]\nbase_ur = 'http://x'", "unknown key 'targets.a.base_ur'. Did you mean 'base_url'?"),
    ("[targets.a]\nname = 'b'\nbase_url = 'http://x'", "unknown key 'targets.a.name'"),
    ("[report]\nsite = 'x'", "unknown key 'report.site'. Did you mean 'site_url'?"),
    ("[targets.a]\nbase_url = 3", "Expected `str`, got `int`"),
    ("interval_s = 'often'", "Expected `int`, got `str`"),
    ("targets = [", "synthprobe.toml cannot be read"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD)
def test_a_wrong_file_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str):
    (tmp_path / "synthprobe.toml").write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_config(tmp_path)
    assert sentence in str(caught.value)


def test_pyproject_serves_as_well(tmp_path: Path):
    (tmp_path / "pyproject.toml").write_text("[tool.synthprobe.targets.demo]\nbase_url = 'http://127.0.0.1:1/'")
    assert read_config(tmp_path).target().base_url == "http://127.0.0.1:1"


def test_an_unknown_target_names_the_nearest(tmp_path: Path):
    (tmp_path / "synthprobe.toml").write_text("[targets.staging]\nbase_url = 'https://s.example'")
    with pytest.raises(ConfigurationError, match="no target 'stagin'. Did you mean 'staging'"):
        read_config(tmp_path).target("stagin")


@pytest.mark.parametrize("url", ["staging.example.org", "ftp://x", "http://"])
def test_an_address_without_scheme_or_host_is_refused(tmp_path: Path, url: str):
    (tmp_path / "synthprobe.toml").write_text(f"[targets.demo]\nbase_url = '{url}'")
    with pytest.raises(ConfigurationError, match="has no http:// or https:// scheme and host"):
        read_config(tmp_path).target()


def test_the_environment_names_the_browser(tmp_path: Path):
    assert read_config(tmp_path, {"SYNTHPROBE_BROWSER": "/opt/b"}).browser.executable == "/opt/b"
