"""A journey is known by its whole name: nothing of one journey ever stands for another's."""

from __future__ import annotations

TWO_CLASSES = """
class TestShop:
    def test_opens(self, target):
        assert target.name == "demo"
class TestStore:
    class TestBack:
        def test_opens(self, target):
            assert target.name == "staging"
def test_opens(target):
    assert target.name == "demo"
test_opens.__doc__ = f"{__file__}: a scenario"  # as pytest-bdd writes it
"""

OBJECTS = """
import enum, pytest
class Order:
    pass
class Kind(enum.Enum):
    SMALL = 1
@pytest.mark.parametrize("order", [Order(), Order()])
@pytest.mark.parametrize("kind", [Kind.SMALL])
def test_object(target, kind, order):
    assert target is None
@pytest.mark.parametrize("order", [Order(), Order()], ids=repr)
def test_written_out(target, order):
    assert target is None
@pytest.mark.parametrize("lane", [{"north", "south", "east"}])
def test_unordered(target, lane):
    assert target is None
@pytest.mark.parametrize("path", ["/shop/cart", "/shop-cart", "вход", "выход"])
def test_sign(target, path):
    assert target is None, path
"""


def historic(ran) -> dict[str, str]:
    results = ran.allure()
    ids = {
        label["value"]: result["historyId"]
        for result in results
        for label in result["labels"]
        if label["name"] == "ALLURE_ID"
    }
    assert len(ids) == len(results)
    return ids


def test_tests_of_one_name_in_several_classes_are_several_journeys(project):
    project.journeys(TWO_CLASSES)
    ran = project.run()
    assert ran.code == 1, ran.output
    outcomes = {result.journey.id: result.outcome for result in ran.all_results}
    assert outcomes == {
        "journeys/test_it.TestShop.test_opens": "passed",
        "journeys/test_it.TestStore.TestBack.test_opens": "failed",
        "journeys/test_it.test_opens": "passed",
    }
    titles = {result.journey.title for result in ran.all_results}
    assert titles == {"opens", "journeys/test_it.py: a scenario"}, "no path of the machine"


def test_an_id_that_is_given_twice_is_refused_and_leaves_no_run(project):
    project.journeys(
        "import pytest\n@pytest.mark.journey(id='pay')\ndef test_card():\n    pass\n"
        "@pytest.mark.journey(id='pay')\ndef test_invoice():\n    pass\n"
    )
    for options in (("--collect-only",), ("-n", "1")):
        ran = project.run(*options)
        assert ran.code == 4, ran.output
        assert "Two journeys have the id 'pay': journeys/test_it.py::test_card and " in ran.output, ran.output
        assert "journeys/test_it.py::test_invoice." in ran.output
        assert not ran.folder.exists()


def test_parameters_keep_their_names_in_every_process_and_share_no_evidence(project):
    project.journeys(OBJECTS)
    first = project.run()
    history = historic(first)
    assert not [id for id in history if "0x" in id]
    assert len(history) == 9
    places = {piece.path.split("/")[1] for result in first.all_results for piece in result.evidence}
    assert len(places) == 9
    assert all(place.isascii() for place in places)
    first.folder.rename(project.root / "first")
    second = project.run(environ={"PYTHONHASHSEED": "7"})
    assert historic(second) == history
    (entry,) = [result.journey for result in second.all_results if result.journey.title.endswith("[вход]")]
    assert entry.id.isascii(), "by which the history knows it"
    shown = [line for line in second.output.splitlines() if line.startswith("✗") and "вход" in line]
    assert len(shown) == 1, second.output


BLOCKS = """
import pytest

class Block(pytest.Collector):
    def collect(self):
        yield from (Check.from_parent(self, name=name) for name in ("opens", "shuts"))

class Check(pytest.Item):
    def runtest(self):
        assert (self.parent.name, self.name) != ("cart", "opens"), "the cart is shut"

class Checks(pytest.File):
    def collect(self):
        yield from (Block.from_parent(self, name=name) for name in self.path.read_text().split())

def pytest_collect_file(file_path, parent):
    return Checks.from_parent(parent, path=file_path) if file_path.suffix == ".checks" else None
"""


def test_what_a_plugin_of_the_project_collects_is_a_journey_by_its_blocks_and_runs_beside_fixtures(project):
    (project.root / "conftest.py").write_text(BLOCKS)
    project.journeys("cart\nbank\n", "shop.checks")
    project.journeys(
        "import pytest\n@pytest.fixture(scope='session', autouse=True)\ndef whole(): yield\n"
        "def test_it(target):\n    assert target\n",
        "test_a.py",
    )
    ran = project.run()
    assert {result.journey.id: (result.outcome, result.cause) for result in ran.all_results} == {
        "journeys/test_a.test_it": ("passed", ""),
        "journeys/shop.checks.cart.opens": ("failed", "the cart is shut"),
        "journeys/shop.checks.cart.shuts": ("passed", ""),
        "journeys/shop.checks.bank.opens": ("passed", ""),
        "journeys/shop.checks.bank.shuts": ("passed", ""),
    }, ran.output
    assert len(historic(ran)) == 5


def test_two_files_that_python_takes_for_one_module_are_named(project):
    for folder in ("a", "b"):
        (project.root / "journeys" / folder).mkdir()
        project.journeys("def test_it(target):\n    assert target\n", f"{folder}/test_same.py")
    results = {result.journey.id: result for result in project.run().all_results}
    cause = results["journeys/b/test_same.py"].cause
    assert all(word in cause for word in ("mismatch", "a/test_same.py", "b/test_same.py", "unique basename")), cause
