"""A site with runs of production is made for a private place only, unless the configuration allows another."""

import subprocess
import sys

import pytest


@pytest.fixture
def site(project, without_allure):
    """A project whose newest run is of production; `report` in it, with the words given."""
    (project.root / "journeys" / "test_it.py").write_text("def test_it():\n    assert True\n")

    def configure(more="", name="shop", production=True):
        (project.root / "synthprobe.toml").write_text(
            f'{more}\n[targets.{name}]\nbase_url = "https://shop.example.org"\n'
            f"production = {str(production).lower()}\n"
            '[targets.demo]\nbase_url = "http://127.0.0.1:9"\n'
        )

    def report(*words):
        command = [sys.executable, "-m", "synthprobe", "report", *words]
        return subprocess.run(command, cwd=project.root, capture_output=True, text=True, timeout=250, check=False)

    configure()
    for target in ("demo", "shop"):
        made = project.run("--target", target, "--run-folder", target)
        assert made.code == 0, made.output
    report.configure, report.made = configure, project.root / ".synthprobe" / "site" / "index.html"
    return report


def test_production_is_refused_where_the_place_is_not_shown_to_be_private(site):
    for visibility in ("public", "internal", ""):
        refused = site("shop", "--publish", visibility)
        assert refused.returncode == 2
        output = " ".join(refused.stderr.split())
        assert "runs of shop, which is production" in output
        assert "'private' was expected" in output
        assert 'public = ["shop"] in [report]' in output
    site.configure(name="other", production=False)
    assert site("shop", "--publish", "public").returncode == 2, "a target that is not configured may be production"
    assert not site.made.exists()


def test_what_the_site_holds_from_before_counts_and_a_private_place_or_the_configuration_allows_it(site):
    assert site("demo", "--publish", "public").returncode == 0, "what is no production may be seen"
    assert site("shop", "--publish", "private").returncode == 0
    assert "runs of shop" in " ".join(site("demo", "--publish", "public").stderr.split())
    site.configure('[report]\npublic = ["shop"]')
    assert site("demo", "--publish", "public").returncode == 0
