"""F71, F75: a run in which the wall is open notices it, and believes nothing green of its own."""

from __future__ import annotations

import msgspec
import pytest

from synthprobe import pipeline
from synthprobe.browser.installation import find_browser
from synthprobe.records.verdict import Verdict

OPEN_API = """
import pytest

@pytest.fixture
def new_api(target, redactor):
    from msgspec.structs import replace
    from synthprobe import Api
    return lambda: Api(replace(target, allowed_hosts=("*.7.1", "*.invalid", *ALL)), redactor)

ALL = [f"127.91.7.{number}" for number in range(1, 255)]
"""

# a browser that does not know the rules it is given
OPEN_BROWSER = """#!/bin/sh
for one do
  shift
  case "$one" in --host-resolver-rules=*) ;; *) set -- "$@" "$one" ;; esac
done
exec {browser} "$@"
"""


def judged(project, *options: str) -> Verdict:
    ran = project.run("--canaries", "7", *options)
    verdict = pipeline.judge(ran.folder)
    assert verdict.journeys, ran.output
    return verdict


LOOKS = {"api": "api.get('/healthz').expect(200)", "page": "assert page.goto('/healthz').ok"}


def test_an_author_s_own_session_is_looked_at_in_a_larger_repository_too(tmp_path, new_project, centre):
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    (tmp_path / "watch").mkdir()
    project = new_project(tmp_path / "watch")
    project.configure(centre.url)
    project.journeys(f"def test_it(api):\n    {LOOKS['api']}\n")
    (project.root / "conftest.py").write_text(OPEN_API)
    project.journeys("def test_bad(api):\n    api.get('/healthz').expect(404)\n", "test_bad.py")
    verdict = judged(project)
    assert "which is not allowed" in verdict.blind
    assert sorted(journey.outcome for journey in verdict.journeys) == ["failed", "unknown"]


@pytest.mark.parametrize("who", LOOKS, ids=["F71-F75-api", "F71-F75-page"])
def test_an_open_wall_makes_the_run_blind(who, project, centre):
    project.configure(centre.url)
    project.journeys(f"def test_it({who}):\n    {LOOKS[who]}\n")
    if who == "api":
        (project.root / "conftest.py").write_text(OPEN_API)
    else:
        found = find_browser()
        assert found is not None
        wrapper = project.root / "browser"
        wrapper.write_text(OPEN_BROWSER.format(browser=found.path))
        wrapper.chmod(0o755)
        config = project.root / "synthprobe.toml"
        config.write_text(f'[browser]\nexecutable = "{wrapper}"\n' + config.read_text())
    verdict = judged(project)
    assert "which is not allowed" in verdict.blind, msgspec.json.encode(verdict)
    assert [(journey.outcome, journey.cause[:6]) for journey in verdict.journeys] == [("unknown", "blind:")]
