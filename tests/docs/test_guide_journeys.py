"""The journeys that the quickstart and the guide show do what the pages say, against the dispatch centre."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from synthprobe.testing import Answer, FakeTarget

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
        if result.outcome != "passed" and {degradation.kind for degradation in result.degradations} != {"over budget"}
    }
    assert wrong == {}, ran.output
    assert len(ran.results) == 7


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


def test_the_journeys_of_selection_are_selected_as_the_page_says(centre: Any, project: Any) -> None:
    project.configure(centre.url)
    [text] = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/guides/selection.md").read_text(), re.M | re.S)
    project.journeys(text)
    for options, selected in (
        (["-m", "smoke", "-k", "customer and not catalogue"], {"test_a_customer_finds_a_product"}),
        (["-m", "journey(owner='shop') and not smoke"], {"test_the_catalogue_is_whole"}),
    ):
        assert set(project.run(*options, folder="-".join(["run", *sorted(selected), options[0]])).results) == selected


class Shop(FakeTarget):
    """Sends a code by mail to whoever asks for it."""

    def answer_to(self, method: str, path: str) -> Answer:
        if (method, path) == ("POST", "/ask"):
            mail = {"id": "1", "to": "probe+confirm@example.org", "text": "Your code is 730914."}
            self.answers("GET", "/mails", body=[mail])
            self.answers("GET", "/mails/1", body=mail)
        return super().answer_to(method, path)


def test_the_log_ins_of_the_guide_work(centre: Any, project: Any) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs/guides/logins.md").read_text(), re.M | re.S)
    code, mail, mailbox, log_in, logged_in = blocks
    secrets = '[targets.demo.secrets]\npassword = "env:PASSWORD"\nauthenticator = "env:KEY"\n'
    accounts = (f'{path.name} = "file:{path}"\n' for path in sorted((DISPATCH / "accounts").iterdir()))
    with Shop() as shop:
        project.configure(shop.url, secrets)
        project.journeys(mailbox, "conftest.py")
        project.journeys(code, "test_code.py")
        project.journeys(mail, "test_mail.py")
        shop.answers("GET", "/mails", body=[])
        for path, status in (("/login", 200), ("/ask", 202), ("/confirm", 200)):
            shop.answers("POST", path, status=status)
        environ = {"PASSWORD": "made-up-password-1", "KEY": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"}
        ran = project.run(environ=environ)
        assert {name: result.outcome for name, result in ran.results.items()} == {
            "test_a_customer_logs_in": "passed",
            "test_a_customer_confirms_an_address": "passed",
        }, ran.output
    for name in ("test_code.py", "test_mail.py"):
        (project.root / "journeys" / name).unlink()
    project.configure(centre.url, "[targets.demo.secrets]\n" + "".join(accounts))
    project.journeys(log_in, "conftest.py")
    project.journeys(logged_in)
    ran = project.run(folder="logged-in")
    assert ran.results["test_a_dispatcher_sees_the_board"].outcome == "passed", ran.output
