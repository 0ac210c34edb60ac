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
    assert historic(project.run(environ={"PYTHONHASHSEED": "7"})) == history
