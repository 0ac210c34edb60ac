"""A fix that is not as a fix must be is refused, or is a sentence: its plan, its parts, what it declares."""

from __future__ import annotations

import pytest
from test_fixes import ANNA, desk, events, incident, mend, world

from synthprobe.errors import ConfigurationError, FixRefused
from synthprobe.firstline.fixes import Plan, load_fixes
from synthprobe.firstline.policy import FixesConfig

__all__ = ["desk", "incident", "mend", "world"]


def test_10_a_fix_whose_plan_is_no_plan_is_refused_and_changes_nothing(desk, mend, incident, world):
    repair = mend()
    repair.plan = lambda work: "restart it"
    with pytest.raises(ConfigurationError, match=r"gave a str; a Plan was expected"):
        desk.apply(repair, incident, ANNA, really=True)
    assert world.mended == 0


def without_a_key(work):
    return {}["state"]


def without_a_word(work):
    raise AssertionError


def without_touches(work):
    return Plan(seen="It is broken.", steps=("mend it",), touches=None)


def leaving(work):
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("plan", "sentence"),
    [
        (without_a_key, "broke with KeyError: 'state'. It was test_fix_parts.py:"),
        (without_a_word, r"AssertionError without a message. It was test_fix_parts.py:\d+: raise AssertionError"),
        (without_touches, r"one that cannot be used \(Expected `array`, got `null`"),
        (leaving, r"ended itself with sys.exit\(0\)"),
    ],
)
@pytest.mark.parametrize("how", ["plan", "dry", "really"])
def test_10_a_plan_that_fails_is_a_sentence_and_a_line_of_the_audit(desk, mend, incident, world, plan, sentence, how):
    repair = mend()
    repair.plan = plan
    with pytest.raises((FixRefused, ConfigurationError), match=sentence):
        desk.plan(repair, incident) if how == "plan" else desk.apply(repair, incident, ANNA, really=how == "really")
    assert (world.mended, events(desk)) == (0, ["refused"])


@pytest.mark.parametrize("part", ["apply", "check"])
def test_10_a_part_that_ends_the_program_is_a_fix_that_failed(desk, mend, incident, world, part):
    repair = mend()
    setattr(repair, part, leaving)
    done = desk.apply(repair, incident, ANNA, really=True)
    assert not done.ok
    assert "ended itself with sys.exit(0)" in done.text
    assert (world.undone, events(desk)) == (1, ["applying", "failed"])


def test_10_a_check_that_fails_without_a_message_is_known_by_its_line(desk, mend, incident):
    repair = mend(irreversible="it is gone")
    repair.check = without_a_word
    done = desk.apply(repair, incident, ANNA, really=True)
    assert "AssertionError without a message. It was test_fix_parts.py:" in done.text
    assert ": raise AssertionError." in done.text


@pytest.mark.parametrize("code", [0, 3])
def test_10_a_file_that_ends_the_program_is_refused(tmp_path, code):
    (tmp_path / "odd.py").write_text(f"import sys\nsys.exit({code})\n")
    with pytest.raises(ConfigurationError, match=rf"odd.py cannot be loaded: SystemExit: {code}"):
        load_fixes(tmp_path, FixesConfig().roles)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ('roles=("wizard",)', "names the role 'wizard', which is not known. Known roles: engineer, first-line"),
        ("roles=()", "names no role that may apply it"),
        ('roles="first-line"', "roles: Expected `array`, got `str`"),
        ("within=-1", "within: Expected `float` > 0"),
        ("per_hour=0", "per_hour: Expected `int` >= 1"),
        ('most_touched="many"', "most_touched: Expected `int`, got `str`"),
        ('writes=("/x",)', "writes: Expected `str` matching regex"),
        ('title=""', "title: Expected `str` matching regex"),
    ],
)
def test_11_what_a_fix_declares_is_looked_at_when_it_is_loaded(tmp_path, options, sentence):
    (tmp_path / "odd.py").write_text(
        "from synthprobe import fix\n"
        f"kept = dict(title='t', roles=('first-line',), writes=(), irreversible='x') | dict({options})\n"
        "@fix('odd', **kept)\ndef odd(work):\n    return None\n"
        "@odd.applies\ndef _(work):\n    return ''\n@odd.checks\ndef _(work):\n    return ''\n"
    )
    with pytest.raises(ConfigurationError, match=sentence):
        load_fixes(tmp_path, FixesConfig().roles)


@pytest.mark.parametrize("part", ["apply", "check", "undo", "irreversible"])
def test_10_a_fix_that_misses_a_part_is_refused(desk, mend, incident, part):
    repair = mend()
    setattr(repair, part, "yes" if part == "irreversible" else None)
    with pytest.raises(ConfigurationError, match="The fix mend"):
        desk.plan(repair, incident)
