"""The journeys that the quickstart and the guide show do what the pages say, against the dispatch centre."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DISPATCH = ROOT / "journeys" / "dispatch"


def journeys(page: str) -> list[str]:
    """The page's examples that are whole journeys."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / page).read_text(), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if "synthprobe" in block and "def test_" in block]


def test_the_journeys_of_the_guide_pass(centre: Any, project: Any) -> None:
    accounts = (f'{path.name} = "file:{path}"' for path in sorted((DISPATCH / "accounts").iterdir()))
    project.configure(centre.url, "[targets.demo.secrets]\n" + "\n".join(accounts))
    (project.root / "journeys" / "conftest.py").write_text((DISPATCH / "conftest.py").read_text())
    for number, text in enumerate(journeys("guides/writing-a-journey.md")):
        project.journeys(text, f"test_guide_{number}.py")
    ran = project.run()
    wrong = {  # a busy machine may be over a budget; that is no fault of the page
        name: result.outcome
        for name, result in ran.results.items()
        if result.outcome != "passed" and {one.kind for one in result.degradations} != {"over budget"}
    }
    assert wrong == {}, ran.output
    assert len(ran.results) == 6


def test_the_journey_of_the_quickstart_fails_where_the_page_says_and_passes_when_mended(
    centre: Any, project: Any
) -> None:
    project.configure(centre.url)
    [text] = journeys("quickstart.md")
    project.journeys(text)
    project.journeys(text.replace('name="Sign in"', 'name="Log in"').replace("def test_a", "def test_the"), "test_2.py")
    ran = project.run()
    assert {name: result.outcome.replace("degraded", "passed") for name, result in ran.results.items()} == {
        "test_a_dispatcher_can_sign_in": "failed",
        "test_the_dispatcher_can_sign_in": "passed",
    }, ran.output
    assert ran.results["test_a_dispatcher_can_sign_in"].steps[-1].title == "open the sign-in page"
