"""Taxonomy: nodes by name, code and path; risks added and changed; slips named."""

import pytest

from gauntlet.errors import ArgumentError
from gauntlet.taxonomy import Risk, Taxonomy

BAKING = Risk(("Arts_and_Crafts", "Baking"), "Bakes.", "ba")
SMALL = Taxonomy((Risk(("Arts_and_Crafts",), "Makes things.", "AC"), BAKING, Risk(("Sport",), "Plays.", "SP")))


@pytest.mark.parametrize(
    "name", ["Baking", "baking", "ba", "Arts_and_Crafts/Baking", "Arts & Crafts / Baking", "arts and crafts/baking"]
)
def test_a_risk_is_found_however_it_is_written(name):
    assert SMALL.find(name) == BAKING


def test_a_path_gives_dimension_category_and_name():
    deep = Risk(("Arts_and_Crafts", "Baking", "Bread"), "Bakes bread.")
    assert (deep.dimension, deep.category, deep.name) == ("Arts_and_Crafts", "Baking", "Bread")
    assert (SMALL.risks[0].category, SMALL.risks[0].name) == ("", "Arts_and_Crafts")


@pytest.mark.parametrize(("name", "hint"), [("Bakin", "did you mean 'Baking'"), ("xyzzy", "known: Arts_and_Crafts")])
def test_an_unknown_name_gets_a_hint(name, hint):
    with pytest.raises(ArgumentError, match=hint):
        SMALL.find(name)


def test_leaves_are_what_is_not_divided():
    deeper = SMALL.with_risks([Risk(("Arts_and_Crafts", "Baking", "Bread"), "Bakes bread.")])
    assert [risk.name for risk in SMALL.leaves] == ["Baking", "Sport"]
    assert [risk.name for risk in deeper.leaves] == ["Sport", "Bread"]
    assert [risk.name for risk in deeper.under("baking")] == ["Bread"]
    assert deeper.categories == (BAKING,)


def test_a_risk_with_a_known_path_changes_its_definition_and_keeps_name_and_code():
    changed = SMALL.with_risks([Risk(("arts and crafts", "baking"), "Bakes and fries.")])
    assert changed.find("ba") == Risk(BAKING.path, "Bakes and fries.", "ba")
    assert len(changed.risks) == len(SMALL.risks)


def test_parents_may_stand_before_their_children_in_what_is_added():
    more = SMALL.with_risks([Risk(("Music",), "Sounds."), Risk(("Music", "Violin"), "Bows.")])
    assert more.find("Violin").dimension == "Music"


@pytest.mark.parametrize(
    ("risks", "message"),
    [
        ([Risk(("Sprot", "Chess"), "Thinks.")], "after its parent.*did you mean 'Sport'"),
        ([Risk(("Sport", "Chess"), " ")], "name and a definition"),
        ([Risk(("Sport", ""), "Thinks.")], "name and a definition"),
    ],
)
def test_a_risk_that_does_not_fit_is_named(risks, message):
    with pytest.raises(ArgumentError, match=message):
        SMALL.with_risks(risks)


def test_a_risk_stands_once():
    with pytest.raises(ArgumentError, match="twice"):
        Taxonomy((Risk(("Sport",), "Plays."), Risk(("sport",), "Plays too.")))
