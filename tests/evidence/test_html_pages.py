"""An HTML page in what a failure says is told by its title and heading, whichever way the journey compares it."""

import pytest

PAGE = "<!DOCTYPE html>\n<html><head><title>502 Bad &amp; Gone</title><style>b{}</style></head><body>{}{}</body></html>"
JOURNEYS = f"""
import pytest

PAGE = '''{PAGE}'''.replace("{{}}", "<h1>Closed for stocktaking</h1>", 1).replace("{{}}", "<i>filler</i>\\n" * 200)
BARE = "<html><body><p>Back at two</p></body></html>"

def test_equal(target):
    assert PAGE == target.name

def test_within(target):
    assert target.name in PAGE

def test_bytes(target):
    assert target.name.encode() == PAGE.encode()

def test_message(target):
    assert target.name == "other", PAGE

def test_raised(target):
    raise ValueError("no number in " + PAGE)

def test_bare(target):
    assert target.name == BARE

def test_of_no_page(target):
    assert target.name == "<b>other</b>"
"""


@pytest.fixture(scope="module")
def messages(new_project, tmp_path_factory):
    made = new_project(tmp_path_factory.mktemp("pages"))
    made.journeys(JOURNEYS)
    return {name: result.failure.message for name, result in made.run().results.items()}


@pytest.mark.parametrize("name", ["equal", "within", "bytes", "message", "raised"])
def test_a_page_is_told_by_its_title_and_heading(messages, name):
    message = messages[f"test_{name}"]
    assert '"502 Bad & Gone"' in message
    assert '"Closed for stocktaking"' in message
    assert not [markup for markup in ("<!DOCTYPE", "<html", "filler") if markup in message]


def test_a_page_without_a_title_is_told_by_its_words_and_other_texts_as_ever(messages):
    assert '"Back at two"' in messages["test_bare"]
    assert "<b>other</b>" in messages["test_of_no_page"]
